/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vulnbus/encode.h"
#include "vulnbus/tool_replay.h"

#define HEADERS_MAX  4
#define NUMBER_BYTES 24

#define ORIGIN_TOPIC     "vulnbus-origin-topic"
#define ORIGIN_PARTITION "vulnbus-origin-partition"
#define ORIGIN_OFFSET    "vulnbus-origin-offset"

struct resend {
	const struct replay_plan *plan;
	struct kafka_producer *producer;
	struct encoded encoded;
	bool is_event;
};

bool
resend_wants_values(const struct replay_plan *plan)
{
	return plan->topic == TOPIC_DEAD_LETTERS &&
	       strcmp(plan->to_topic, plan->topics.names[TOPIC_EVENTS]) == 0;
}

enum status
resend_open(const struct replay_plan *plan, struct kafka_producer *producer,
    struct resend **out_resend, struct error *err)
{
	struct resend *resend = calloc(1, sizeof(*resend));

	if (resend == NULL)
		return error_set(err, STATUS_NO_MEMORY, "no memory");
	resend->plan = plan;
	resend->producer = producer;
	resend->is_event = resend_wants_values(plan);
	encoded_init(&resend->encoded);
	*out_resend = resend;
	return STATUS_OK;
}

void
resend_close(struct resend **resend)
{
	if (*resend == NULL)
		return;
	encoded_clear(&(*resend)->encoded);
	free(*resend);
	*resend = NULL;
}

/* Where a record was first stays what its headers say, however often it is
 * sent again. */
struct origin {
	char partition[NUMBER_BYTES];
	char offset[NUMBER_BYTES];
	struct kafka_header headers[HEADERS_MAX];
	size_t count;
};

static void
describe(const struct replay_plan *plan, const struct kafka_record *record,
    struct origin *out)
{
	out->count = 0;
	out->headers[out->count++] = (struct kafka_header){ "vulnbus-replay",
		view_of(plan->id) };
	if (kafka_record_header(record, ORIGIN_TOPIC).len > 0)
		return;
	snprintf(
	    out->partition, sizeof(out->partition), "%d", record->partition);
	snprintf(out->offset, sizeof(out->offset), "%lld",
	    (long long)record->offset);
	out->headers[out->count++] = (struct kafka_header){ ORIGIN_TOPIC,
		view_of(plan->topics.names[plan->topic]) };
	out->headers[out->count++] = (struct kafka_header){ ORIGIN_PARTITION,
		view_of(out->partition) };
	out->headers[out->count++] = (struct kafka_header){ ORIGIN_OFFSET,
		view_of(out->offset) };
}

/* The dead letter's origin is where its event stood on the events topic. */
static enum status
send_event(
    struct resend *resend, const struct slice_record *from, struct error *err)
{
	static const char *const kept[] = { ORIGIN_TOPIC, ORIGIN_PARTITION,
		ORIGIN_OFFSET };
	const struct encoding encoding = { &resend->plan->topics,
		resend->plan->config->topics.format, 0 };
	const struct kafka_record *letter = &from->record;
	struct kafka_record *record = &resend->encoded.record;
	const uint32_t at = tree_find(from->value, 0, "event");
	struct event event;
	struct trace trace;
	enum status status;

	trace_restore(kafka_record_header(letter, "traceparent"),
	    kafka_record_header(letter, "ce_traceparent"), &trace);
	event_init(&event);
	status = at == 0 ? STATUS_MISSING
			 : event_from_tree(from->value, at, &event, err);
	if (status != STATUS_OK || event.kind.len == 0)
		status = error_set(err, STATUS_MISSING, "no event");
	if (status == STATUS_OK)
		status = encode_event(&encoding, &event,
		    kafka_record_header(letter, "ce_source"), &trace,
		    &resend->encoded, err);
	if (status == STATUS_OK) {
		kafka_record_add_header(
		    record, "vulnbus-replay", view_of(resend->plan->id));
		for (size_t i = 0; i < sizeof(kept) / sizeof(*kept); i++)
			kafka_record_add_header(record, kept[i],
			    kafka_record_header(letter, kept[i]));
		status = kafka_producer_send(
		    resend->producer, record, NULL, err);
	}
	event_clear(&event);
	return status;
}

enum status
resend_record(
    struct resend *resend, const struct slice_record *from, struct error *err)
{
	const struct replay_plan *plan = resend->plan;
	const struct kafka_record *record = &from->record;
	const bool is_placed = record->key.len == 0 &&
			       record->partition < plan->to_partitions;
	struct origin origin;

	if (resend->is_event)
		return send_event(resend, from, err);
	describe(plan, record, &origin);
	return kafka_forward(resend->producer, from->message, plan->to_topic,
	    is_placed ? record->partition : KAFKA_PARTITION_BY_KEY,
	    origin.headers, origin.count, err);
}
