/* SPDX-License-Identifier: Apache-2.0 */
#include "vulnbus/worker.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vulnbus/log.h"
#include "vulnbus/metrics.h"

#define INTAKE_MAX      500 /* events in one transaction */
#define BODY_NODES_MAX  8192
#define ABORT_PAUSE_MS  100
#define EXPIRE_EVERY_MS 60000

static const struct binding *
binding_of(const struct worker *w, const struct feed *feed)
{
	return bindings_find(&w->site->bindings, view_of(feed->name));
}

static void
forget_conversation(struct worker *w, struct work *work)
{
	struct conversation **at = &w->active;

	if (work->conversation == NULL)
		return;
	while (*at != work->conversation)
		at = &(*at)->next;
	*at = work->conversation->next;
	work->feed->active--;
	fetch_close(work->conversation);
	work->conversation = NULL;
}

static void
drop_work(struct worker *w, struct work *work)
{
	forget_conversation(w, work);
	feed_remove(&w->feeds, work);
	work_free(work);
}

/* Back into its source's queue. Without memory for that the process cannot
 * keep its word, and its next life will find the work in the state topic. */
static void
queue_work(struct worker *w, struct work *work, int64_t due_ms)
{
	struct error err;

	if (feed_add(&w->feeds, work->feed, work, due_ms, &err) != STATUS_OK)
		abort();
}

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

/* --- what consume finds ------------------------------------------------- */

static void
on_restored(struct partition *partition, struct work *work, void *arg)
{
	struct worker *w = arg;
	struct error err;

	(void)partition;
	/* Its event was good when it was written: only memory can fail. */
	if (find_feed(w, work, &err) != STATUS_OK)
		abort();
	queue_work(w, work, work->committed.due_ms);
}

static void
on_replaced(struct work *work, void *arg)
{
	drop_work(arg, work);
}

static void
drop_partition(struct worker *w, struct partition *partition)
{
	for (size_t i = 0; i < partition->known.size; i++) {
		struct map_entry *entry = &partition->known.entries[i];

		if (entry->pointer != NULL)
			drop_work(w, entry->pointer);
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

/* --- taking events in ---------------------------------------------------- */

static void
send_dead_letter(struct worker *w, struct event *event,
    const struct encode_failure *failure, struct view base_url,
    struct view trace)
{
	struct error err;
	enum status status = encode_dead_letter(&w->encoding, event, failure,
	    base_url, trace, clock_wall_ms(), &w->encoded, &err);

	if (status == STATUS_OK)
		status = commit_send(&w->commit, &w->encoded.record);
	if (status != STATUS_OK)
		LOG_ERROR("dead letter not written",
		    LOG_VIEW("event.id", event->id),
		    LOG_TEXT("error.message", err.text));
	metric_add(METRIC_EVENTS_DONE, "", "dead-letter", 1);
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
	send_dead_letter(w, &event,
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

static enum status
take_events(struct worker *w, struct error *err)
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

/* --- asking the vendors --------------------------------------------------- */

static bool
on_row(const struct rows *rows, uint64_t number, void *arg);

static void
start_due(struct worker *w)
{
	const int64_t now_ms = clock_wall_ms();
	const double share = consume_share(w->consume);

	for (struct feed *feed = w->feeds.first; feed != NULL;
	     feed = feed->next) {
		const struct binding *binding = binding_of(w, feed);
		struct work *work;

		if (binding != NULL && feed->is_unauthorised &&
		    feed_has_new_token(feed, binding))
			feed_authorised(feed);
		while ((work = feed_next(
			    &w->feeds, feed, binding, share, now_ms)) != NULL) {
			work->conversation = fetch_open(
			    work, w->site, binding, w->client, on_row, w);
			if (work->conversation == NULL) {
				queue_work(w, work, now_ms + ABORT_PAUSE_MS);
				break;
			}
			work->conversation->next = w->active;
			w->active = work->conversation;
			feed->active++;
		}
	}
}

/* --- what the vendors said ------------------------------------------------ */

static void
write_row(const struct conversation *c, const struct rows *rows,
    uint64_t number, struct tree *body)
{
	const char *severity_column = c->binding->contract->severity_column;
	struct view severity = VIEW("");
	size_t count;
	const struct view *columns = rows_columns(rows, &count);

	tree_reset(body);
	tree_text(body, VIEW("export_id"), c->decoded.event.subject_id);
	tree_int(body, VIEW("row"), (int64_t)number);
	tree_int(body, VIEW("generation"), rows_progress(rows)->generation);
	tree_open_map(body, VIEW("fields"));
	for (size_t i = 0; i < rows_field_count(rows); i++) {
		tree_text(body, columns[i], rows_field(rows, i));
		if (severity_column != NULL &&
		    view_is(columns[i], severity_column))
			severity = source_severity(
			    c->binding->contract, rows_field(rows, i));
	}
	tree_close(body);
	tree_text_if(body, VIEW("severity"), severity);
}

static enum status
send_record(struct worker *w, struct conversation *c, enum topic topic,
    struct view id, struct error *err)
{
	const struct encode_record record = {
		.topic = topic,
		.event = &c->decoded.event,
		.id = id,
		.base_url = view_of(c->binding->base_url),
		.trace = view_of(c->work->trace),
		.made_ms = clock_wall_ms(),
		.made_name = "fetched_ms",
		.body = &w->body,
	};
	enum status status = tree_status(&w->body);

	if (status != STATUS_OK)
		return error_set(
		    err, status, "record: %s", status_name(status));
	status = encode_record(&w->encoding, &record, &w->encoded, err);
	if (status != STATUS_OK)
		return status;
	if (commit_send(&w->commit, &w->encoded.record) != STATUS_OK)
		return error_set(err, STATUS_TOO_LARGE,
		    "the record is over message.max.bytes");
	return STATUS_OK;
}

static bool
on_row(const struct rows *rows, uint64_t number, void *arg)
{
	struct conversation *c = arg;
	struct worker *w = c->owner;
	char id[EVENT_TEXT_BYTES];

	snprintf(id, sizeof(id), "%.*s/row/%u/%llu",
	    VIEW_ARGS(c->decoded.event.id), rows_progress(rows)->generation,
	    (unsigned long long)number);
	write_row(c, rows, number, &w->body);
	if (send_record(w, c, TOPIC_EXPORT_ROWS, view_of(id), &c->why) !=
	    STATUS_OK) {
		c->outcome = FETCH_HOPELESS;
		return false;
	}
	commit_touch(&w->commit, c->work);
	metric_add(METRIC_ROWS, c->binding->config->name, NULL, 1);
	return w->commit.rows < w->config->enricher.batch_rows &&
	       w->commit.bytes < w->config->enricher.batch_bytes;
}

static int64_t
backoff_ms(const struct worker *w, int64_t count, uint32_t most_ms)
{
	const int64_t shift = count > 30 ? 30 : count - 1;
	int64_t ms = (int64_t)w->config->enricher.retry_from_ms << shift;
	uint32_t random;

	if (ms > most_ms)
		ms = most_ms;
	/* Half of it is left to chance, so that what failed together does not
	 * come back together. */
	random_bytes(&random, sizeof(random));
	return ms / 2 + random % (ms / 2 + 1);
}

static void
end_work(struct worker *w, struct work *work, const char *outcome)
{
	work->next.state = WORK_DONE;
	work->next.due_ms = clock_wall_ms();
	metric_add(METRIC_EVENTS_DONE, work->feed->name, outcome, 1);
	commit_touch(&w->commit, work);
}

static void
give_up(struct worker *w, struct conversation *c, int64_t attempts)
{
	struct event *event = &c->decoded.event;
	struct error err;

	/* What cannot be decoded has no id of its own. */
	if (event_check(event, &err) != STATUS_OK) {
		event->id = event_print(event, "%s", c->work->key);
		event->source = event->vendor = VIEW("unknown");
		event->subject_type = VIEW("event");
		event->subject_id = event->id;
	}
	send_dead_letter(w, event,
	    &(struct encode_failure){ .reason = c->why.text,
		.stage = "fetch",
		.attempts = attempts,
		.http_status = c->http_status,
		.origin_topic = w->topics->names[TOPIC_EVENTS],
		.origin_partition = c->work->partition,
		.origin_offset = c->work->offset },
	    view_of(c->binding == NULL ? "urn:vulnbus:unknown"
				       : c->binding->base_url),
	    view_of(c->work->trace));
	LOG_WARN("event given up", LOG_VIEW("event.id", event->id),
	    LOG_TEXT("reason", c->why.text), LOG_INT("attempts", attempts));
	end_work(w, c->work, "dead-letter");
}

static void
complete(struct worker *w, struct conversation *c)
{
	static const struct {
		enum topic topic;
		const char *name;
	} outputs[] = {
		[SOURCE_RECORD_SCAN] = { TOPIC_SCANS, "scan" },
		[SOURCE_RECORD_EXPORT] = { TOPIC_EXPORTS, "export" },
	};
	enum source_record output = SOURCE_RECORD_NONE;
	char id[EVENT_TEXT_BYTES];
	enum status status;

	tree_reset(&w->body);
	status = c->binding->contract->enrich(
	    &c->decoded.event, &c->replies, &w->body, &output, &c->why);
	if (status == STATUS_OK && output != SOURCE_RECORD_NONE) {
		snprintf(id, sizeof(id), "%.*s/%s",
		    VIEW_ARGS(c->decoded.event.id), outputs[output].name);
		status = send_record(
		    w, c, outputs[output].topic, view_of(id), &c->why);
	}
	if (status != STATUS_OK)
		give_up(w, c, c->work->next.attempts + 1);
	else
		end_work(w, c->work, "enriched");
}

/* Retries and polls, each with its own count and longest wait. */
static void
postpone(struct worker *w, struct conversation *c)
{
	const struct config_enricher *config = &w->config->enricher;
	const bool is_poll = c->outcome == FETCH_LATER;
	struct work_status *next = &c->work->next;
	const int64_t now_ms = clock_wall_ms();
	const int64_t end_ms = next->first_ms + config->give_up_after_ms;
	int64_t wait_ms;

	*(is_poll ? &next->polls : &next->attempts) += 1;
	wait_ms = is_poll ? backoff_ms(w, next->polls, config->poll_to_ms)
			  : backoff_ms(w, next->attempts, config->retry_to_ms);
	if (c->retry_after_ms > 0)
		wait_ms = c->retry_after_ms;
	if (now_ms >= end_ms) {
		give_up(w, c, next->attempts);
		return;
	}
	next->due_ms = now_ms + wait_ms < end_ms ? now_ms + wait_ms : end_ms;
	LOG_DEBUG("event postponed", LOG_VIEW("event.id", c->decoded.event.id),
	    LOG_TEXT("reason", c->why.text), LOG_INT("wait_ms", wait_ms));
	commit_touch(&w->commit, c->work);
}

static void
begin_generation(struct worker *w, struct conversation *c)
{
	struct work_status *next = &c->work->next;

	LOG_WARN("export begun again",
	    LOG_VIEW("event.id", c->decoded.event.id),
	    LOG_TEXT("reason", c->why.text));
	next->progress =
	    (struct progress){ .generation = next->progress.generation + 1 };
	next->due_ms = clock_wall_ms();
	commit_touch(&w->commit, c->work);
}

static void
settle(struct worker *w, struct conversation *c)
{
	struct work *work = c->work;

	if (c->outcome != FETCH_REFUSED && c->http_status != 0)
		feed_authorised(work->feed);
	switch (c->outcome) {
	case FETCH_COMPLETE:
		complete(w, c);
		break;
	case FETCH_LATER:
	case FETCH_RETRY:
		postpone(w, c);
		break;
	case FETCH_CHANGED:
		begin_generation(w, c);
		break;
	case FETCH_HOPELESS:
		give_up(w, c, work->next.attempts + 1);
		break;
	case FETCH_REFUSED:
		feed_unauthorised(work->feed, c->binding);
		if (!work->is_dirty)
			queue_work(w, work, work->committed.due_ms);
		break;
	case FETCH_UNDER_WAY:
		return;
	}
	forget_conversation(w, work);
}

static void
settle_all(struct worker *w)
{
	struct conversation *next;

	for (struct conversation *c = w->active; c != NULL; c = next) {
		next = c->next;
		settle(w, c);
	}
}

/* --- the transaction ------------------------------------------------------ */

static void
work_committed(struct worker *w, struct work *work)
{
	struct partition *partition = consume_partition(
	    w->consume, work->partition);
	struct map_entry *entry = map_find(
	    &partition->known, view_of(work->key));

	work->is_new = false;
	work->committed = work->next;
	if (work->next.state == WORK_DONE) {
		entry->pointer = NULL;
		entry->number = work->next.due_ms;
		drop_work(w, work);
	} else if (work->conversation != NULL) {
		fetch_resume(work->conversation);
	} else {
		queue_work(w, work, work->next.due_ms);
	}
}

/* What is new is taken in again by the next transaction; all else begins
 * again from what is committed of it. */
static void
work_undone(struct worker *w, struct work *work)
{
	if (work->is_new) {
		commit_touch(&w->commit, work);
		return;
	}
	forget_conversation(w, work);
	work->next = work->committed;
	queue_work(w, work, clock_wall_ms());
}

static enum status
end_transaction(struct worker *w, struct error *err)
{
	const struct kafka_position *positions;
	struct work *dirty, *next;
	enum status status;
	size_t count;

	if (!w->commit.is_open && w->commit.dirty == NULL &&
	    !consume_has_moved(w->consume))
		return STATUS_OK;
	positions = consume_positions(w->consume, &count);
	status = commit_end(&w->commit, consume_member(w->consume), positions,
	    count, &dirty, err);
	for (; dirty != NULL; dirty = next) {
		next = dirty->next_dirty;
		dirty->is_dirty = false;
		if (status == STATUS_OK)
			work_committed(w, dirty);
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

static uint32_t
wait_ms(const struct worker *w, uint32_t most_ms)
{
	const int64_t now_ms = clock_wall_ms();
	int64_t wait = most_ms;

	if (w->commit.is_open || w->commit.dirty != NULL ||
	    consume_has_moved(w->consume))
		return 0;
	for (const struct feed *feed = w->feeds.first; feed != NULL;
	     feed = feed->next) {
		const int64_t due_ms = feed_due_ms(feed, binding_of(w, feed));

		if (due_ms != INT64_MAX && due_ms - now_ms < wait)
			wait = due_ms - now_ms;
	}
	/* A source at its hourly budget is due all the time. */
	return wait < 1 ? 1 : (uint32_t)wait;
}

static void
clear_signal(struct worker *w)
{
	uint64_t count;
	const ssize_t got = read(w->event_fd, &count, sizeof(count));

	(void)got; /* nothing there is fine too */
}

enum status
worker_round(struct worker *w, uint32_t ms, struct error *err)
{
	const int64_t now_ms = clock_wall_ms();
	enum status status;

	clear_signal(w);
	status = take_events(w, err);
	if (status != STATUS_OK)
		return status;
	start_due(w);
	settle_all(w);
	http_client_poll(w->client, w->event_fd, wait_ms(w, ms));
	settle_all(w);
	status = end_transaction(w, err);
	if (now_ms - w->expired_at_ms > EXPIRE_EVERY_MS) {
		w->expired_at_ms = now_ms;
		consume_expire(
		    w->consume, now_ms - w->config->enricher.dedup_window_ms);
	}
	metric_set(
	    METRIC_EVENTS_WAITING, NULL, NULL, (int64_t)w->feeds.waiting);
	return status;
}

/* --- open and close ------------------------------------------------------- */

enum status
worker_open(struct worker *w, struct error *err)
{
	const struct consume_callbacks callbacks = {
		.on_restored = on_restored,
		.on_replaced = on_replaced,
		.on_revoked = on_revoked,
		.is_stopping = is_stopping,
		.arg = w,
	};
	enum status status = http_client_open(&w->client, err);

	encoded_init(&w->encoded);
	tree_init(&w->body, BODY_NODES_MAX);
	/* The group comes second: with the session, an earlier life's open
	 * transaction is ended. */
	if (status == STATUS_OK)
		status = consume_open(
		    w->config, w->topics, &callbacks, &w->consume, err);
	if (status == STATUS_OK)
		status = commit_open(w->config, w->topics, &w->commit, err);
	w->has_commit = status == STATUS_OK;
	if (status != STATUS_OK) {
		worker_close(w);
		return status;
	}
	consume_signal(w->consume, w->event_fd);
	return STATUS_OK;
}

void
worker_close(struct worker *w)
{
	if (w->consume != NULL)
		on_revoked(w);
	consume_close(&w->consume);
	if (w->has_commit)
		commit_close(&w->commit);
	w->has_commit = false;
	feeds_clear(&w->feeds);
	http_client_close(&w->client);
	encoded_clear(&w->encoded);
	tree_clear(&w->body);
}

void
worker_use_site(struct worker *w, struct site *site)
{
	site_release(w->site);
	w->site = site;
	/* "Tries again at SIGHUP": a refused token may be good by now. */
	for (struct feed *feed = w->feeds.first; feed != NULL;
	     feed = feed->next)
		feed_authorised(feed);
}
