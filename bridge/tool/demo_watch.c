/* SPDX-License-Identifier: Apache-2.0
 *
 * What comes out at the other end: every record of every topic is read back,
 * decoded, counted and shown as it arrives. */
#include <stdio.h>
#include <string.h>

#include "vulnbus/encode.h"
#include "vulnbus/json.h"
#include "vulnbus/timestamp.h"
#include "vulnbus/tool_demo.h"

#define STEP_MS    50
#define ROWS_SHOWN 3
#define DUPLICATES_OF                                      \
	"vulnbus_events_taken_total{source=\"" DEMO_SOURCE \
	"\",outcome=\"duplicate\"}"

void
demo_watch_vendor(struct demo *demo)
{
	struct demo_vendor_call call;

	while (demo_vendor_take_call(demo->vendor, &call))
		demo_say(demo, "vendor", PAINT_DIM, "is asked GET %s: %u",
		    call.path, call.code);
}

static struct demo_result *
find_result(struct demo *demo, struct view event_id)
{
	for (size_t i = 0; i < demo_step_count; i++)
		if (demo->results[i].is_sent &&
		    view_is(event_id, demo->results[i].event_id))
			return &demo->results[i];
	return NULL;
}

/* The rows of one export have one key, so one partition, so one order. */
static bool
count_row(struct demo *demo, const struct tree *value)
{
	struct demo_counts *counts = &demo->counts;
	const int64_t row = tree_get_int(value, 0, "row", -1);
	char more[32];

	if (row != counts->next_row)
		counts->rows_misplaced++;
	counts->next_row = row + 1;
	if (counts->read[TOPIC_EXPORT_ROWS] <= ROWS_SHOWN)
		return true;
	if (counts->read[TOPIC_EXPORT_ROWS] == demo->rows) {
		demo_number(demo->rows - ROWS_SHOWN, more);
		demo_say(demo, topic_short_name(TOPIC_EXPORT_ROWS), PAINT_CYAN,
		    "and %s more rows", more);
	} else {
		demo_say_counter(demo, topic_short_name(TOPIC_EXPORT_ROWS),
		    counts->read[TOPIC_EXPORT_ROWS]);
	}
	return false;
}

static void
count_record(struct demo *demo, enum topic topic, const struct tree *value)
{
	const bool is_event = topic == TOPIC_EVENTS;
	struct demo_result *result = find_result(
	    demo, tree_get_text(value, 0, is_event ? "id" : "event_id"));

	if (result == NULL)
		return;
	if (is_event) {
		result->events++;
		return;
	}
	result->records++;
	if (result->enriched_us == 0)
		result->enriched_us = clock_steady_us();
	if (topic != TOPIC_EXPORTS)
		return;
	demo->counts.manifest_rows = tree_get_int(value, 0, "rows", -1);
	snprintf(demo->counts.manifest_sha256,
	    sizeof(demo->counts.manifest_sha256), "%.*s",
	    VIEW_ARGS(tree_get_text(value, 0, "sha256")));
}

static void
take(struct demo *demo, enum topic topic, const struct kafka_record *record)
{
	struct line_record line = {
		.topic = topic, .record = record, .value = &demo->value
	};
	struct json_document *document = NULL;
	struct error err;
	bool is_shown = true;

	demo->counts.read[topic]++;
	tree_reset(&demo->value);
	if (decode_value(record, &demo->value, &document, &err) != STATUS_OK) {
		demo->counts.undecoded++;
		demo_say(
		    demo, topic_short_name(topic), PAINT_RED, "%s", err.text);
	} else {
		if (topic == TOPIC_EXPORT_ROWS)
			is_shown = count_row(demo, &demo->value);
		else
			count_record(demo, topic, &demo->value);
		if (is_shown)
			demo_say_record(demo, &line);
	}
	json_free(document);
}

enum status
demo_watch(struct demo *demo, uint32_t ms, struct error *err)
{
	const int64_t until_ms = clock_steady_ms() + ms;
	int64_t left_ms = ms;

	do {
		struct kafka_record record;
		enum topic topic;
		const enum status status = reader_next(demo->reader,
		    left_ms < STEP_MS ? (uint32_t)left_ms : STEP_MS, &topic,
		    &record, err);

		demo_watch_vendor(demo);
		if (status == STATUS_OK)
			take(demo, topic, &record);
		if (status == STATUS_FATAL)
			return status;
		if (tool_is_interrupted() || tool_is_output_gone())
			return error_set(err, STATUS_END, "interrupted");
		left_ms = until_ms - clock_steady_ms();
	} while (left_ms > 0);
	return demo_children_check(demo, err);
}

/* That nothing more comes of a webhook delivered again is known when the
 * enricher has read it and counted it as a duplicate. */
static bool
is_complete(struct demo *demo, size_t index)
{
	const struct demo_step *step = &demo_steps[index];
	const struct demo_result *result = demo_webhook_result(demo, index);

	if (step->is_forged)
		return true;
	if (step->is_again) {
		if (result->events < 2)
			return false;
		demo->counts.duplicates = demo_child_metric(
		    &demo->enricher, DUPLICATES_OF);
		return demo->counts.duplicates >= 1;
	}
	return result->events >= 1 && result->records >= 1 &&
	       (step->topic != TOPIC_EXPORTS ||
		   demo->counts.read[TOPIC_EXPORT_ROWS] >= demo->rows);
}

static enum status
check_deadline(const struct demo *demo, const char *what, struct error *err)
{
	if (clock_steady_ms() < demo->until_ms)
		return STATUS_OK;
	return error_set(err, STATUS_FATAL, "%s has not come in time", what);
}

enum status
demo_watch_step(struct demo *demo, size_t index, struct error *err)
{
	enum status status = STATUS_OK;

	while (status == STATUS_OK && !is_complete(demo, index)) {
		status = demo_watch(demo, 1, err);
		if (status == STATUS_OK)
			status = check_deadline(
			    demo, "what the webhook leads to", err);
	}
	return status;
}

enum status
demo_watch_rest(struct demo *demo, struct error *err)
{
	enum status status = reader_mark(demo->reader, err);

	while (status == STATUS_OK && !reader_is_at_mark(demo->reader)) {
		status = demo_watch(demo, 1, err);
		if (status == STATUS_OK)
			status = check_deadline(
			    demo, "the end of the topics", err);
	}
	demo_watch_vendor(demo);
	return status;
}
