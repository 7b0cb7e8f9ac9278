/* SPDX-License-Identifier: Apache-2.0 */
#include <poll.h>

#include "vulnbus/log.h"
#include "vulnbus/metrics.h"
#include "vulnbus/recent.h"
#include "vulnbus/timestamp.h"
#include "vulnbus/worker.h"

#define ABORT_PAUSE_MS 100
#define REFRESH_MAX    100 /* waiting states rewritten at a time */

/* For a work whose event cannot be read: it says where the record stands. */
static void
describe_wreck(const struct work *work, struct event *event)
{
	event->id = event_print(event, "%s", work->key);
	event->source = VIEW("unknown");
	event->vendor = VIEW("unknown");
	event->kind = VIEW("");
	event->proof = VIEW("none");
	event->subject_type = VIEW("record");
	event->subject_id = event_print(
	    event, "%d-%lld", work->partition, (long long)work->offset);
	event->received_ms = work->next.first_ms;
}

static enum status
send_dead_letter(
    struct worker *w, struct work *work, struct event *event, struct error *err)
{
	const struct binding *binding = bindings_find(
	    &w->site->bindings, event->source);
	const struct encode_failure failure = {
		.reason = work->doom,
		.stage = work->doom_stage,
		.attempts = work->doom_attempts,
		.http_status = work->doom_http_status,
		.origin_topic = w->topics->names[work->origin],
		.origin_partition = work->partition,
		.origin_offset = work->offset,
	};
	enum status status = encode_dead_letter(&w->encoding, event, &failure,
	    binding == NULL ? VIEW("urn:vulnbus:unknown")
			    : view_of(binding->base_url),
	    &work->trace, clock_wall_ms(), &w->encoded, err);

	if (status == STATUS_OK)
		status = commit_send(&w->commit, &w->encoded.record, work);
	return status;
}

/* The dead letter of a doomed work, in the transaction that ends it. */
static void
bury(struct worker *w, struct work *work)
{
	struct decoded decoded;
	struct error err;
	enum status status = STATUS_TOO_LARGE;

	if (work->is_doom_silent)
		return;
	decoded_init(&decoded);
	if (!work_is_loaded(work) ||
	    work_decode(work, &decoded, &err) != STATUS_OK)
		describe_wreck(work, &decoded.event);
	if (!work->is_doom_short)
		status = send_dead_letter(w, work, &decoded.event, &err);
	if (status != STATUS_OK) {
		/* Its attributes may be what does not fit. */
		tree_reset(&decoded.event.attributes);
		status = send_dead_letter(w, work, &decoded.event, &err);
	}
	if (status != STATUS_OK)
		LOG_ERROR("dead letter not written",
		    LOG_TEXT("event.id", work->key), LOG_TRACE(&work->trace),
		    LOG_TEXT("error.message", err.text));
	decoded_clear(&decoded);
}

static void
note_end(const struct work *work)
{
	const char *source = work->feed == NULL ? "" : work->feed->name;
	const char *how = work->doom == NULL ? "enriched" : "dead-letter";

	LOG_DEBUG("event done", LOG_TEXT("event.id", work->key),
	    LOG_TRACE(&work->trace), LOG_TEXT("outcome", how));
	metric_add(METRIC_EVENTS_DONE, source, how, 1);
	if (work->doom != NULL)
		metric_add(METRIC_DEAD_LETTERS, source, work->doom_stage, 1);
	else if (work->feed != NULL)
		recent_accepted(source, clock_wall_ms());
}

static void
work_committed(struct worker *w, struct work *work)
{
	struct partition *partition = consume_partition(
	    w->consume, work->partition);
	struct map_entry *entry = map_find(
	    &partition->known, view_of(work->key));

	work->is_new = false;
	work->abort_count = 0;
	work->is_suspect = work->was_refused = false;
	work->state_offset = work->sent_offset;
	work->written_ms = clock_wall_ms();
	work->committed = work->next;
	if (work->next.state == WORK_DONE) {
		if (!work->is_note)
			note_end(work);
		entry->pointer = NULL;
		entry->number = work->next.due_ms;
		worker_drop(w, work);
	} else if (work->next.state == WORK_FORGOTTEN) {
		map_remove(&partition->known, view_of(work->key));
		worker_drop(w, work);
	} else if (work->conversation == NULL) {
		worker_queue(w, work, work->next.due_ms);
	}
}

/* What is not committed at all is taken in again by the next transaction; all
 * else begins again from what is committed of it, a little later each time. */
static void
work_undone(struct worker *w, struct work *work)
{
	if (work->was_refused)
		work->is_suspect = true;
	if (work->is_new || work->feed == NULL) {
		commit_touch(&w->commit, work);
		return;
	}
	worker_end_conversation(w, work);
	work_undo(work);
	work->abort_count++;
	worker_queue(w, work,
	    clock_wall_ms() + outcome_backoff_ms(w, work->abort_count,
				  w->config->enricher.retry_to_ms));
}

/* Tried again it would be refused again, and all others with it. */
static void
work_refused(struct worker *w, struct work *work, const struct error *why)
{
	const bool was_doomed = work->doom != NULL;
	const bool was_short = work->is_doom_short;

	if (work->is_sweep) {
		work_undone(w, work);
		return;
	}
	LOG_WARN("event given up", LOG_TEXT("event.id", work->key),
	    LOG_TRACE(&work->trace), LOG_TEXT("reason", why->text));
	worker_end_conversation(w, work);
	if (!work->is_new)
		work_undo(work);
	work->is_doom_short = was_doomed;
	work->is_doom_silent = was_doomed && was_short;
	if (work->is_doom_silent)
		LOG_ERROR("Kafka refuses its dead letter too",
		    LOG_TEXT("event.id", work->key), LOG_TRACE(&work->trace));
	work_doom(work, why->text, "commit", work->next.attempts + 1, 0,
	    clock_wall_ms());
	commit_touch(&w->commit, work);
}

enum status
transaction_end(struct worker *w, struct error *err)
{
	const struct kafka_position *positions;
	struct work *dirty, *next;
	enum status status;
	size_t count;

	if (!w->commit.is_open && w->commit.dirty == NULL &&
	    !consume_has_moved(w->consume))
		return STATUS_OK;
	for (struct work *work = w->commit.dirty; work != NULL;
	     work = work->next_dirty)
		if (work->doom != NULL)
			bury(w, work);
	positions = consume_positions(w->consume, &count);
	status = commit_end(&w->commit, consume_member(w->consume), positions,
	    count, &dirty, err);
	for (; dirty != NULL; dirty = next) {
		next = dirty->next_dirty;
		dirty->is_dirty = false;
		if (status == STATUS_OK)
			work_committed(w, dirty);
		else if (status == STATUS_ABORTED && dirty == w->commit.refused)
			work_refused(w, dirty, &w->commit.refusal);
		else if (status == STATUS_ABORTED)
			work_undone(w, dirty);
	}
	if (status == STATUS_OK)
		consume_settled(w->consume);
	if (status != STATUS_ABORTED)
		return status;
	LOG_WARN("transaction aborted", LOG_TEXT("error.message", err->text));
	poll(NULL, 0, ABORT_PAUSE_MS);
	return STATUS_OK;
}

/* The state topic forgets after dedup_window; what still waits must not be
 * forgotten, so it is written again at half of that. */
void
transaction_refresh(struct worker *w)
{
	const int64_t limit_ms = clock_wall_ms() -
				 w->config->enricher.dedup_window_ms / 2;
	struct work *old[REFRESH_MAX];
	size_t count = 0;
	struct error err;

	for (struct feed *feed = w->feeds.first; feed != NULL;
	     feed = feed->next)
		for (size_t i = 0;
		     i < feed->waiting.count && count < REFRESH_MAX; i++) {
			struct work *work =
			    (struct work *)(void *)feed->waiting.items[i];

			if (work->written_ms < limit_ms)
				old[count++] = work;
		}
	for (size_t i = 0; i < count; i++) {
		/* Out of the queue first: it counts what it holds loaded. */
		worker_unqueue(w, old[i]);
		if (!work_is_loaded(old[i]) &&
		    consume_read_back(w->consume, &old[i], 1, &err) !=
			STATUS_OK) {
			worker_queue(w, old[i], old[i]->committed.due_ms);
			return;
		}
		commit_touch(&w->commit, old[i]);
	}
}
