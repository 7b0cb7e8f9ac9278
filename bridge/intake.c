/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "vulnbus/log.h"
#include "vulnbus/metrics.h"
#include "vulnbus/worker.h"

#define INTAKE_MAX 500 /* events in one transaction */

/* The source whose queue the event belongs into. */
static enum status
find_feed(struct worker *w, struct work *work, struct error *err)
{
	struct decoded decoded;
	enum status status;

	decoded_init(&decoded);
	status = work_decode(work, &decoded, err);
	if (status == STATUS_OK) {
		work->feed = feeds_find(&w->feeds, decoded.event.source);
		/* The webhook has its time first. */
		if (work->is_new && event_is_request(&decoded.event))
			work->next.due_ms = clock_wall_ms() +
					    reconcile_every_ms(
						w, decoded.event.source);
		if (work->feed == NULL)
			status = error_set(err, STATUS_NO_MEMORY, "no memory");
	}
	decoded_clear(&decoded);
	return status;
}

static void
on_restored(struct partition *partition, struct work *work, void *arg)
{
	struct worker *w = arg;
	struct error err;

	(void)partition;
	if (work->doom == NULL && find_feed(w, work, &err) != STATUS_OK)
		work_doom(work, err.text, "consume",
		    work->committed.attempts + 1, 0, clock_wall_ms());
	if (work->doom != NULL)
		commit_touch(&w->commit, work);
	else
		worker_queue(w, work, work->committed.due_ms);
}

static void
on_replaced(struct work *work, void *arg)
{
	worker_drop(arg, work);
}

static void
drop_partition(struct worker *w, struct partition *partition)
{
	for (size_t i = 0; i < partition->known.size; i++) {
		struct map_entry *entry = &partition->known.entries[i];

		if (entry->pointer != NULL)
			worker_drop(w, entry->pointer);
		entry->pointer = NULL;
	}
}

/* Nothing that came from these partitions may be committed any more: what is
 * open is undone before the partitions go. */
static void
on_revoked(void *arg)
{
	struct worker *w = arg;
	const struct kafka_position *positions;
	size_t count;

	if (w->consume == NULL)
		return;
	if (w->has_commit && commit_undo(&w->commit) != STATUS_OK)
		w->is_broken = true;
	w->commit.dirty = NULL;
	positions = consume_positions(w->consume, &count);
	for (size_t i = 0; i < count; i++)
		drop_partition(
		    w, consume_partition(w->consume, positions[i].partition));
	/* A pause outlives the assignment it was made in. */
	if (w->is_intake_paused && count > 0)
		consume_pause(w->consume, false);
	w->is_intake_paused = false;
	w->is_sweep_owed = true;
}

static bool
is_stopping(void *arg)
{
	const struct worker *w = arg;

	return atomic_load(w->is_stopping);
}

/* A work for whatever came: one that cannot be carried through is doomed from
 * the start, and ends with the transaction that takes it in. */
static struct work *
work_of(struct worker *w, const struct kafka_record *record)
{
	const int64_t now_ms = clock_wall_ms();
	struct work *work = NULL;
	struct error err;
	enum status status = STATUS_INVALID;

	if (record->value.len > w->state_bytes_max)
		error_set(&err, status, "too large to be kept: %zu bytes",
		    record->value.len);
	else
		status = work_from_event(record, now_ms, &work, &err);
	if (status == STATUS_OK)
		status = find_feed(w, work, &err);
	if (status == STATUS_OK)
		return work;
	work_free(work);
	work = work_from_wreck(record, TOPIC_EVENTS, now_ms);
	if (work == NULL)
		abort();
	work_doom(work, err.text, "consume", 1, 0, now_ms);
	LOG_WARN("event not readable", LOG_TEXT("error.message", err.text),
	    LOG_TRACE(&work->trace), LOG_INT("partition", record->partition),
	    LOG_INT("offset", record->offset));
	return work;
}

static void
take_event(struct worker *w, const struct kafka_record *record,
    struct partition *partition)
{
	struct work *work = work_of(w, record);
	const char *source = work->feed == NULL ? "" : work->feed->name;
	struct map_entry *entry = map_add(
	    &partition->known, view_of(work->key));

	if (entry == NULL)
		abort();
	if (entry->pointer != NULL || entry->number != 0) {
		metric_add(METRIC_EVENTS_TAKEN, source, "duplicate", 1);
		LOG_DEBUG("event known already",
		    LOG_TEXT("event.id", work->key), LOG_TRACE(&work->trace));
		work_free(work);
		return;
	}
	entry->pointer = work;
	sweep_note(w, partition, work);
	LOG_DEBUG("event taken in", LOG_TEXT("event.id", work->key),
	    LOG_TRACE(&work->trace));
	metric_add(METRIC_EVENTS_TAKEN, source,
	    work->doom == NULL ? "new" : "broken", 1);
	commit_touch(&w->commit, work);
}

/* Intake stops at max_waiting, and goes on well below it. It also stops while
 * work of an undone transaction is still to be written: the next one must not
 * grow beyond what made this one fail. */
static void
regulate_intake(struct worker *w)
{
	const size_t most = w->config->enricher.max_waiting;
	const bool is_full = w->feeds.waiting >=
			     (w->is_intake_paused ? most - most / 10 : most);
	const bool is_paused = is_full || w->commit.dirty != NULL;

	if (is_paused == w->is_intake_paused)
		return;
	consume_pause(w->consume, is_paused);
	w->is_intake_paused = is_paused;
	if (is_full)
		LOG_WARN("max_waiting is reached, no events are taken in");
}

enum status
intake_take_events(struct worker *w, struct error *err)
{
	/* Polled also when paused: that is how a member stays one. */
	const int most = w->commit.dirty == NULL ? INTAKE_MAX : 1;
	enum status status = STATUS_OK;

	regulate_intake(w);
	for (int i = 0; status == STATUS_OK && i < most; i++) {
		struct kafka_record record;
		struct partition *partition;

		status = consume_poll(w->consume, &record, &partition, err);
		if (status != STATUS_OK)
			break;
		take_event(w, &record, partition);
		consume_release(w->consume);
	}
	return status == STATUS_END ? STATUS_OK : status;
}

struct consume_callbacks
intake_callbacks(struct worker *w)
{
	return (struct consume_callbacks){
		.on_restored = on_restored,
		.on_replaced = on_replaced,
		.on_revoked = on_revoked,
		.is_stopping = is_stopping,
		.arg = w,
	};
}
