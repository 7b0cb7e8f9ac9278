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
	/* Its event was good when it was written: only memory can fail. */
	if (find_feed(w, work, &err) != STATUS_OK)
		abort();
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

/* Nothing that came from these partitions may be committed any more. No
 * transaction is open: rounds end with theirs. */
static void
on_revoked(void *arg)
{
	struct worker *w = arg;
	const struct kafka_position *positions;
	size_t count;

	if (w->consume == NULL)
		return;
	positions = consume_positions(w->consume, &count);
	for (size_t i = 0; i < count; i++)
		drop_partition(
		    w, consume_partition(w->consume, positions[i].partition));
	w->commit.dirty = NULL;
	w->is_intake_paused = false;
}

static bool
is_stopping(void *arg)
{
	const struct worker *w = arg;

	return atomic_load(w->is_stopping);
}

/* A record that is no event of ours, perhaps not even msgpack: it ends as a
 * dead letter that says where it stands. */
static void
bury(struct worker *w, const struct kafka_record *record, const char *reason)
{
	struct event event;

	event_init(&event);
	event.source = VIEW("unknown");
	event.vendor = VIEW("unknown");
	event.proof = VIEW("none");
	event.subject_type = VIEW("record");
	event.subject_id = event_print(
	    &event, "%d-%lld", record->partition, (long long)record->offset);
	event.id = event_print(&event, "record:%s:%d:%lld", record->topic,
	    record->partition, (long long)record->offset);
	event.received_ms = record->timestamp_ms;
	outcome_bury(w, &event,
	    &(struct encode_failure){ .reason = reason,
		.stage = "consume",
		.attempts = 1,
		.origin_topic = record->topic,
		.origin_partition = record->partition,
		.origin_offset = record->offset },
	    VIEW("urn:vulnbus:unknown"),
	    kafka_record_header(record, "traceparent"));
	event_clear(&event);
	metric_add(METRIC_EVENTS_TAKEN, "", "broken", 1);
	LOG_WARN("event not readable", LOG_TEXT("error.message", reason),
	    LOG_INT("partition", record->partition),
	    LOG_INT("offset", record->offset));
}

static void
take_event(struct worker *w, const struct kafka_record *record,
    struct partition *partition)
{
	struct map_entry *entry;
	struct work *work = NULL;
	struct error err;
	enum status status = work_from_event(
	    record, clock_wall_ms(), &work, &err);

	if (status == STATUS_OK)
		status = find_feed(w, work, &err);
	if (status != STATUS_OK) {
		work_free(work);
		bury(w, record, err.text);
		return;
	}
	entry = map_add(&partition->known, view_of(work->key));
	if (entry == NULL)
		abort();
	if (entry->pointer != NULL || entry->number != 0) {
		metric_add(
		    METRIC_EVENTS_TAKEN, work->feed->name, "duplicate", 1);
		work_free(work);
		return;
	}
	entry->pointer = work;
	metric_add(METRIC_EVENTS_TAKEN, work->feed->name, "new", 1);
	commit_touch(&w->commit, work);
}

/* Intake stops at max_waiting, and goes on well below it. */
static void
regulate_intake(struct worker *w)
{
	const size_t most = w->config->enricher.max_waiting;

	if (!w->is_intake_paused && w->feeds.waiting >= most) {
		consume_pause(w->consume, true);
		w->is_intake_paused = true;
		LOG_WARN("max_waiting is reached, no events are taken in");
	} else if (w->is_intake_paused && w->feeds.waiting < most / 10 * 9) {
		consume_pause(w->consume, false);
		w->is_intake_paused = false;
		LOG_INFO("events are taken in again");
	}
}

enum status
intake_take_events(struct worker *w, struct error *err)
{
	enum status status = STATUS_OK;

	regulate_intake(w);
	for (int i = 0; status == STATUS_OK && i < INTAKE_MAX; i++) {
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
