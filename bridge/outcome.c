/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "vulnbus/log.h"
#include "vulnbus/metrics.h"
#include "vulnbus/ocsf.h"
#include "vulnbus/prose.h"
#include "vulnbus/recent.h"
#include "vulnbus/timestamp.h"
#include "vulnbus/worker.h"

#define REFUSALS_MAX 3

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
		tree_long_text(body, columns[i], rows_field(rows, i));
		if (severity_column != NULL &&
		    view_is(columns[i], severity_column))
			severity = source_severity(
			    c->binding->contract, rows_field(rows, i));
	}
	tree_close(body);
	tree_text_if(body, VIEW("severity"), severity);
}

/* All of an event's records are encoded before the first is sent, and the
 * largest goes first, so that what is too large sends none. */
static enum status
send_record(struct worker *w, struct conversation *c, enum topic topic,
    struct view id, bool is_deletion, struct error *err)
{
	const bool is_projected = w->topics->is_used[TOPIC_OCSF] &&
				  ocsf_takes(topic);
	struct encode_record record = {
		.topic = topic,
		.event = &c->decoded.event,
		.id = id,
		.base_url = view_of(c->binding->base_url),
		.trace = &c->work->trace,
		.made_ms = clock_wall_ms(),
		.made_name = "fetched_ms",
		.body = &w->body,
	};
	enum status status = tree_status(&w->body);

	if (status != STATUS_OK)
		return error_set(
		    err, status, "record: %s", status_name(status));
	status = encode_record(&w->encoding, &record, &w->encoded, err);
	record.is_ocsf = true;
	if (status == STATUS_OK && is_projected)
		status = encode_record(
		    &w->encoding, &record, &w->projection, err);
	if (status != STATUS_OK)
		return status;
	/* A compacted topic forgets the key: headers say what it was. */
	if (is_deletion)
		w->encoded.record.value = (struct view){ NULL, 0 };
	if (is_projected && commit_send(&w->commit, &w->projection.record,
				c->work) != STATUS_OK)
		return error_set(err, STATUS_TOO_LARGE,
		    "the record as OCSF is over message.max.bytes");
	if (commit_send(&w->commit, &w->encoded.record, c->work) != STATUS_OK)
		return error_set(err, STATUS_TOO_LARGE,
		    "the record is over message.max.bytes");
	return STATUS_OK;
}

bool
outcome_on_row(const struct rows *rows, uint64_t number, void *arg)
{
	struct conversation *c = arg;
	struct worker *w = c->owner;
	char id[EVENT_TEXT_BYTES];

	snprintf(id, sizeof(id), "%.*s/row/%u/%llu",
	    VIEW_ARGS(c->decoded.event.id), rows_progress(rows)->generation,
	    (unsigned long long)number);
	write_row(c, rows, number, &w->body);
	if (send_record(w, c, TOPIC_EXPORT_ROWS, view_of(id), false, &c->why) !=
	    STATUS_OK) {
		c->outcome = FETCH_HOPELESS;
		return false;
	}
	commit_touch(&w->commit, c->work);
	metric_add(METRIC_ROWS, c->binding->config->name, NULL, 1);
	return w->commit.rows < w->config->enricher.batch_rows &&
	       w->commit.bytes < w->config->enricher.batch_bytes;
}

int64_t
outcome_backoff_ms(const struct worker *w, int64_t count, uint32_t most_ms)
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
give_up(struct worker *w, struct conversation *c, int64_t attempts)
{
	recent_refused(c->binding->config->name, clock_wall_ms(),
	    c->http_status, c->why.text);
	LOG_WARN("event given up", LOG_TEXT("event.id", c->work->key),
	    LOG_TRACE(&c->work->trace), LOG_TEXT("reason", c->why.text),
	    LOG_INT("attempts", attempts));
	work_doom(c->work, c->why.text, "fetch", attempts, c->http_status,
	    clock_wall_ms());
	commit_touch(&w->commit, c->work);
}

/* What Kafka does not take, however often, is not carried through either. */
static bool
is_refused_for_good(const struct worker *w, const struct work *work)
{
	return work->abort_count >= REFUSALS_MAX &&
	       clock_wall_ms() - work->next.first_ms >=
		   w->config->enricher.give_up_after_ms;
}

/* Empty, with a place for free text if that is forwarded. */
static void
start_body(struct worker *w, const struct conversation *c)
{
	tree_reset(&w->body);
	w->prose->len = 0;
	w->body.prose = c->binding->config->api.forward_free_text ? w->prose
								  : NULL;
}

static enum status
write_record(struct worker *w, struct conversation *c, struct error *err)
{
	static const struct {
		enum topic topic;
		const char *name;
		bool is_deletion;
	} outputs[] = {
		[SOURCE_RECORD_SCAN] = { TOPIC_SCANS, "scan" },
		[SOURCE_RECORD_EXPORT] = { TOPIC_EXPORTS, "export" },
		[SOURCE_RECORD_FINDING] = { TOPIC_FINDINGS, "finding" },
		[SOURCE_RECORD_TARGET] = { TOPIC_TARGETS, "target" },
		[SOURCE_RECORD_TARGET_DELETED] = { TOPIC_TARGETS, "target",
		    true },
		[SOURCE_RECORD_SCORECARD] = { TOPIC_SCORECARDS, "scorecard" },
	};
	enum source_record output = SOURCE_RECORD_NONE;
	char id[EVENT_TEXT_BYTES];
	enum status status;

	start_body(w, c);
	status = c->binding->contract->enrich(
	    &c->decoded.event, &c->replies, &w->body, &output, err);
	if (status != STATUS_OK || output == SOURCE_RECORD_NONE)
		return status;
	snprintf(id, sizeof(id), "%.*s/%s", VIEW_ARGS(c->decoded.event.id),
	    outputs[output].name);
	return send_record(w, c, outputs[output].topic, view_of(id),
	    outputs[output].is_deletion, err);
}

static void
complete(struct worker *w, struct conversation *c)
{
	enum status status;

	if (is_refused_for_good(w, c->work))
		status = error_set(
		    &c->why, STATUS_ABORTED, "Kafka did not take its records");
	else if (event_is_request(&c->decoded.event))
		status = reconcile_complete(w, c, &c->why);
	else
		status = write_record(w, c, &c->why);
	if (status != STATUS_OK) {
		give_up(w, c, c->work->next.attempts + 1);
		return;
	}
	c->work->next.state = WORK_DONE;
	c->work->next.due_ms = clock_wall_ms();
	commit_touch(&w->commit, c->work);
}

static int64_t
count_wait_ms(struct worker *w, struct conversation *c)
{
	const struct config_enricher *config = &w->config->enricher;
	struct work_status *next = &c->work->next;

	if (c->outcome == FETCH_RETRY)
		return outcome_backoff_ms(
		    w, ++next->attempts, config->retry_to_ms);
	next->polls++;
	if (!event_is_request(&c->decoded.event))
		return outcome_backoff_ms(w, next->polls, config->poll_to_ms);
	error_set(&c->why, STATUS_UNAVAILABLE,
	    "no webhook came, and the vendor's API tells no end of it");
	return reconcile_every_ms(w, c->decoded.event.source);
}

/* Retries and polls, each with its own count and longest wait. */
static void
postpone(struct worker *w, struct conversation *c)
{
	const struct config_enricher *config = &w->config->enricher;
	struct work_status *next = &c->work->next;
	const int64_t now_ms = clock_wall_ms();
	const int64_t end_ms = next->first_ms + config->give_up_after_ms;
	int64_t wait_ms = count_wait_ms(w, c);

	if (c->retry_after_ms > 0) {
		wait_ms = c->retry_after_ms;
		feed_pause(c->work->feed, wait_ms < config->retry_to_ms
					      ? wait_ms
					      : config->retry_to_ms);
	}
	if (now_ms >= end_ms) {
		give_up(w, c, next->attempts + next->polls);
		return;
	}
	if (c->outcome == FETCH_RETRY)
		recent_refused(c->binding->config->name, now_ms, c->http_status,
		    c->why.text);
	/* A vendor may ask for any wait; the end comes when it comes. */
	next->due_ms = wait_ms < end_ms - now_ms ? now_ms + wait_ms : end_ms;
	LOG_DEBUG("event postponed", LOG_VIEW("event.id", c->decoded.event.id),
	    LOG_TRACE(&c->work->trace), LOG_TEXT("reason", c->why.text),
	    LOG_INT("wait_ms", wait_ms));
	commit_touch(&w->commit, c->work);
}

static void
begin_generation(struct worker *w, struct conversation *c)
{
	struct work_status *next = &c->work->next;

	LOG_WARN("export begun again",
	    LOG_VIEW("event.id", c->decoded.event.id),
	    LOG_TRACE(&c->work->trace), LOG_TEXT("reason", c->why.text));
	next->progress =
	    (struct progress){ .generation = next->progress.generation + 1 };
	next->due_ms = clock_wall_ms();
	commit_touch(&w->commit, c->work);
}

static void
settle(struct worker *w, struct conversation *c)
{
	struct work *work = c->work;

	if (c->outcome == FETCH_UNDER_WAY)
		return;
	if (c->outcome != FETCH_REFUSED &&
	    (c->http_status == 200 || c->http_status == 403 ||
		c->http_status == 404))
		authorisation_accepted(c);
	if (work->is_sweep) {
		sweep_settle(w, c);
		worker_end_conversation(w, work);
		return;
	}
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
		authorisation_refused(c);
		if (!work->is_dirty)
			worker_queue(w, work, work->committed.due_ms);
		break;
	case FETCH_UNDER_WAY:
		return;
	}
	worker_end_conversation(w, work);
}

void
outcome_settle_all(struct worker *w)
{
	struct conversation *next;

	for (struct conversation *c = w->active; c != NULL; c = next) {
		next = c->next;
		settle(w, c);
	}
}
