/* SPDX-License-Identifier: Apache-2.0 */
#include "vulnbus/commit.h"

#include <stdio.h>
#include <string.h>

#include "vulnbus/log.h"
#include "vulnbus/metrics.h"

#define SESSION_TIMEOUT_MS 5000
#define PROBE_MS           1000
#define ALONE_MS           2000
#define STATE_BYTES_MAX    (5u << 20)
/* One request under way and the next one ready: more would only wait. */
#define UNREPORTED_MAX     (2u << 20)
#define REPORT_MS          10

/* Once one is refused, the transaction can only be aborted: nothing more is
 * sent, because librdkafka would wait for it until the transaction times out.
 */
static void
note_refusal(
    struct commit *commit, struct work *work, const struct kafka_report *report)
{
	if (commit->status == STATUS_OK)
		commit->status = error_set(&commit->why, STATUS_ABORTED,
		    "Kafka refuses a record on %s: %s", report->topic,
		    report->why);
	/* The whole batch is refused for one record in it. */
	work->was_refused = true;
	if (!work->is_suspect || commit->refused != NULL)
		return;
	commit->refused = work;
	error_set(&commit->refusal, report->status,
	    "Kafka refuses its record on %s: %s", report->topic, report->why);
}

/* Where a state record came to stand: from there it can be read again. And
 * whose record the brokers will never take: it must not keep the others of its
 * transaction, and of all to come, from being committed. */
static void
on_delivery(void *record_arg, const struct kafka_report *report, void *arg)
{
	struct commit *commit = arg;
	struct work *work = record_arg;

	metric_observe(METRIC_DELIVERY_TIME, report->latency_us);
	commit->unreported -= report->bytes < commit->unreported
				  ? report->bytes
				  : commit->unreported;
	if (report->status == STATUS_OK) {
		if (strcmp(report->topic, commit->topics->names[TOPIC_STATE]) ==
		    0)
			work->sent_offset = report->offset;
	} else if (report->status == STATUS_TOO_LARGE ||
		   report->status == STATUS_INVALID) {
		note_refusal(commit, work, report);
	}
}

enum status
commit_open(const struct config *config, const struct topics *topics,
    struct commit *commit, struct error *err)
{
	char id[512];
	const struct kafka_producer_options options = {
		.config = config,
		.client = "vulnbus-enricher",
		.transactional_id = id,
		.on_delivery = on_delivery,
		.arg = commit,
		.is_measured = true,
		.transaction_timeout_ms =
		    config->enricher.transaction_timeout_ms,
	};
	enum status status;

	*commit = (struct commit){ .topics = topics };
	tree_init(&commit->tree, WORK_STATE_NODES_MAX);
	buffer_init(&commit->value, STATE_BYTES_MAX);
	snprintf(id, sizeof(id), "%s-%s", config->enricher.group_id,
	    config->enricher.instance_id);
	status = kafka_producer_open(&options, &commit->producer, err);
	if (status == STATUS_OK)
		status = kafka_producer_begin_session(
		    commit->producer, SESSION_TIMEOUT_MS, err);
	/* librdkafka asks about a topic it meets while producing only at its
	 * next full second; the first transactions would wait for that. */
	for (int i = 0; status == STATUS_OK && i < TOPIC_COUNT; i++)
		if (topics->is_used[i])
			kafka_producer_probe(
			    commit->producer, topics->names[i], PROBE_MS);
	if (status != STATUS_OK)
		commit_close(commit);
	return status;
}

void
commit_close(struct commit *commit)
{
	kafka_producer_close(&commit->producer, 0);
	tree_clear(&commit->tree);
	buffer_clear(&commit->value);
}

static void
begin(struct commit *commit)
{
	if (commit->is_open || commit->status != STATUS_OK)
		return;
	commit->status = kafka_producer_begin(commit->producer, &commit->why);
	commit->is_open = commit->status == STATUS_OK;
	commit->rows = 0;
	commit->bytes = 0;
	commit->unreported = 0;
	commit->refused = NULL;
}

/* A full queue empties as Kafka takes the records; if it does not, they time
 * out with the transaction, which ends the waiting. So does a refusal. */
static enum status
enqueue(
    struct commit *commit, const struct kafka_record *record, struct work *work)
{
	enum status status;

	while (
	    commit->status == STATUS_OK && commit->unreported > UNREPORTED_MAX)
		kafka_producer_poll(commit->producer, REPORT_MS);
	if (commit->status != STATUS_OK)
		return STATUS_OK;
	do {
		status = kafka_producer_send(
		    commit->producer, record, work, &commit->why);
		if (status == STATUS_UNAVAILABLE)
			kafka_producer_poll(commit->producer, REPORT_MS);
	} while (status == STATUS_UNAVAILABLE && commit->status == STATUS_OK);
	if (status == STATUS_OK)
		commit->unreported += record->key.len + record->value.len;
	return status;
}

static enum status
send(
    struct commit *commit, const struct kafka_record *record, struct work *work)
{
	enum status status;

	begin(commit);
	if (commit->status != STATUS_OK)
		return STATUS_OK;
	if (work->is_suspect)
		kafka_producer_flush(commit->producer, ALONE_MS);
	if (commit->status != STATUS_OK)
		return STATUS_OK;
	status = enqueue(commit, record, work);
	if (work->is_suspect)
		kafka_producer_flush(commit->producer, ALONE_MS);
	if (status == STATUS_TOO_LARGE)
		return status;
	if (commit->status == STATUS_OK)
		commit->status = status;
	commit->bytes += record->value.len;
	commit->rows++;
	return STATUS_OK;
}

enum status
commit_send(
    struct commit *commit, const struct kafka_record *record, struct work *work)
{
	return send(commit, record, work);
}

void
commit_touch(struct commit *commit, struct work *work)
{
	if (work->is_dirty)
		return;
	work->is_dirty = true;
	work->next_dirty = commit->dirty;
	commit->dirty = work;
}

void
commit_forget(struct commit *commit, struct work *work)
{
	struct work **at = &commit->dirty;

	if (!work->is_dirty)
		return;
	while (*at != NULL && *at != work)
		at = &(*at)->next_dirty;
	if (*at == work)
		*at = work->next_dirty;
	work->is_dirty = false;
}

/* A state record goes to the partition of its event, not to that of its own
 * key: whoever owns the event's partition owns its state. */
static void
send_state(struct commit *commit, struct work *work)
{
	struct kafka_record record = {
		.topic = commit->topics->names[TOPIC_STATE],
		.partition = work->partition,
		.key = view_of(work->key),
		.timestamp_ms = clock_wall_ms(),
	};

	if (commit->status != STATUS_OK)
		return;
	commit->status = work_write_state(
	    work, &commit->tree, &commit->value, &commit->why);
	if (work->next.state != WORK_FORGOTTEN)
		record.value = buffer_view(&commit->value);
	work->sent_offset = -1;
	if (commit->status == STATUS_OK &&
	    send(commit, &record, work) != STATUS_OK)
		commit->status = error_set(&commit->why, STATUS_FATAL,
		    "state of %s: over message.max.bytes", work->key);
}

static enum status
finish(struct commit *commit, struct kafka_consumer *consumer,
    const struct kafka_position *positions, size_t count, struct error *err)
{
	enum status status = commit->status;

	if (status != STATUS_OK)
		*err = commit->why;
	if (status == STATUS_OK)
		status = kafka_producer_send_positions(commit->producer,
		    consumer, commit->topics->names[TOPIC_EVENTS], positions,
		    count, err);
	if (status == STATUS_OK)
		status = kafka_producer_commit(commit->producer, err);
	return status;
}

/* Whatever failed short of the session is undone, so that the same work can
 * be done again. */
static enum status
undo(struct commit *commit, enum status status)
{
	struct error err;

	if (status == STATUS_FATAL || !commit->is_open)
		return status == STATUS_FATAL ? STATUS_FATAL : STATUS_ABORTED;
	if (kafka_producer_abort(commit->producer, &err) == STATUS_OK)
		return STATUS_ABORTED;
	LOG_WARN(
	    "transaction not aborted", LOG_TEXT("error.message", err.text));
	return STATUS_FATAL;
}

enum status
commit_undo(struct commit *commit)
{
	enum status status = STATUS_OK;

	if (commit->is_open && undo(commit, STATUS_ABORTED) != STATUS_ABORTED)
		status = STATUS_FATAL;
	commit->dirty = NULL;
	commit->is_open = false;
	commit->status = STATUS_OK;
	return status;
}

enum status
commit_end(struct commit *commit, struct kafka_consumer *consumer,
    const struct kafka_position *positions, size_t count,
    struct work **out_dirty, struct error *err)
{
	enum status status;

	begin(commit);
	/* Without a position to send nothing would fence us off. */
	if (count == 0 && commit->status == STATUS_OK)
		commit->status = error_set(
		    &commit->why, STATUS_ABORTED, "no partition is held");
	for (struct work *work = commit->dirty; work != NULL;
	     work = work->next_dirty)
		send_state(commit, work);
	status = finish(commit, consumer, positions, count, err);
	if (status != STATUS_OK)
		status = undo(commit, status);
	metric_add(METRIC_TRANSACTIONS, NULL,
	    status == STATUS_OK        ? "committed"
	    : status == STATUS_ABORTED ? "aborted"
				       : "fatal",
	    1);
	*out_dirty = commit->dirty;
	commit->dirty = NULL;
	commit->is_open = false;
	commit->status = STATUS_OK;
	return status;
}
