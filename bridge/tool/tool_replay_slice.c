/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "vulnbus/encode.h"
#include "vulnbus/json.h"
#include "vulnbus/tool_line.h"
#include "vulnbus/tool_replay.h"

/* Records passed over in one call: the caller has more to see to. */
#define LOOK_MAX 1000

struct slice {
	struct replay_plan *plan;
	struct kafka_consumer *consumer;
	struct kafka_message *message;
	struct json_document *document;
	struct tree value;
	struct slice_counts counts;
	struct slice_counts kept; /* as of the ranges */
	bool is_value_needed;
	bool is_value_wanted;
};

static void
forget_record(struct slice *slice)
{
	kafka_message_free(slice->message);
	json_free(slice->document);
	tree_reset(&slice->value);
	slice->message = NULL;
	slice->document = NULL;
}

void
slice_close(struct slice **slice)
{
	if (*slice == NULL)
		return;
	forget_record(*slice);
	tree_clear(&(*slice)->value);
	kafka_consumer_close(&(*slice)->consumer);
	free(*slice);
	*slice = NULL;
}

const struct slice_counts *
slice_counts(const struct slice *slice)
{
	return &slice->counts;
}

static enum status
assign(struct slice *slice, struct error *err)
{
	const struct replay_plan *plan = slice->plan;
	struct kafka_position *left = calloc(
	    (size_t)plan->partitions, sizeof(*left));
	size_t count = 0;
	enum status status;

	if (left == NULL)
		return error_set(err, STATUS_NO_MEMORY, "no memory");
	for (int32_t p = 0; p < plan->partitions; p++)
		if (plan->ranges[p].next < plan->ranges[p].end)
			left[count++] = (struct kafka_position){ p,
				plan->ranges[p].next };
	status = kafka_consumer_assign(
	    slice->consumer, plan->topics.names[plan->topic], left, count, err);
	free(left);
	return status;
}

enum status
slice_rewind(struct slice *slice, struct error *err)
{
	struct replay_plan *plan = slice->plan;
	enum status status;

	forget_record(slice);
	kafka_consumer_close(&slice->consumer);
	slice->counts = slice->kept;
	for (int32_t p = 0; p < plan->partitions; p++)
		plan->ranges[p].next = plan->ranges[p].kept;
	status = kafka_consumer_open(
	    &(struct kafka_consumer_options){
		.config = plan->config,
		.client = "vulnbus-tool",
		.is_bulk = true,
	    },
	    &slice->consumer, err);
	return status == STATUS_OK ? assign(slice, err) : status;
}

void
slice_keep(struct slice *slice)
{
	struct replay_plan *plan = slice->plan;

	slice->kept = slice->counts;
	for (int32_t p = 0; p < plan->partitions; p++)
		plan->ranges[p].kept = plan->ranges[p].next;
}

bool
slice_is_kept(const struct slice *slice)
{
	const struct replay_plan *plan = slice->plan;

	for (int32_t p = 0; p < plan->partitions; p++)
		if (plan->ranges[p].kept < plan->ranges[p].next)
			return false;
	return true;
}

enum status
slice_open(struct replay_plan *plan, bool wants_values,
    struct slice **out_slice, struct error *err)
{
	struct slice *slice = calloc(1, sizeof(*slice));
	enum status status;

	if (slice == NULL)
		return error_set(err, STATUS_NO_MEMORY, "no memory");
	slice->plan = plan;
	slice->is_value_needed = filter_is_by_value(&plan->filter);
	slice->is_value_wanted = wants_values || slice->is_value_needed;
	tree_init(&slice->value, LINE_NODES_MAX);
	status = slice_rewind(slice, err);
	if (status != STATUS_OK) {
		slice_close(&slice);
		return status;
	}
	*out_slice = slice;
	return STATUS_OK;
}

/* Control records and aborted ones are not seen: where a partition is comes
 * with the next record or with its end. */
static void
move(struct slice *slice, int32_t partition, int64_t next)
{
	struct replay_range *range = &slice->plan->ranges[partition];

	if (next <= range->next)
		return;
	range->next = next < range->end ? next : range->end;
	if (range->next == range->end)
		kafka_forward_stop(slice->consumer,
		    slice->plan->topics.names[slice->plan->topic], partition);
}

static bool
is_in_time(const struct replay_plan *plan, const struct kafka_record *record)
{
	return record->timestamp_ms >= plan->from.ms &&
	       (plan->to.ms == INT64_MIN || record->timestamp_ms < plan->to.ms);
}

static bool
take(struct slice *slice, const struct kafka_record *record)
{
	const struct replay_plan *plan = slice->plan;
	struct error why;

	slice->counts.read++;
	if (!is_in_time(plan, record))
		return false;
	if (slice->is_value_wanted && record->value.len > 0 &&
	    decode_value(record, &slice->value, &slice->document, &why) !=
		STATUS_OK) {
		tree_reset(&slice->value);
		slice->counts.undecoded += slice->is_value_needed;
		if (slice->is_value_needed)
			return false;
	}
	return filter_takes(&plan->filter, record, &slice->value);
}

enum status
slice_next(struct slice *slice, uint32_t ms, struct slice_record *out_record,
    struct error *err)
{
	struct kafka_record *record = &out_record->record;

	for (int i = 0; i < LOOK_MAX && !plan_is_done(slice->plan); i++) {
		const struct replay_range *range;
		enum status status;
		bool is_within;

		forget_record(slice);
		status = kafka_consumer_poll(
		    slice->consumer, ms, record, &slice->message, err);
		if (record->topic == NULL)
			return status;
		range = &slice->plan->ranges[record->partition];
		is_within = status == STATUS_OK &&
			    record->offset >= range->next &&
			    record->offset < range->end;
		move(slice, record->partition,
		    record->offset + (status == STATUS_OK ? 1 : 0));
		if (is_within && take(slice, record)) {
			out_record->message = slice->message;
			out_record->value = &slice->value;
			return STATUS_OK;
		}
	}
	return STATUS_END;
}
