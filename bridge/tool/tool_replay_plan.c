/* SPDX-License-Identifier: Apache-2.0
 *
 * What is to be sent again. It is kept as the note of each partition's
 * position, so that the id alone is enough to go on. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "vulnbus/crypto.h"
#include "vulnbus/json.h"
#include "vulnbus/kafka_bounds.h"
#include "vulnbus/timestamp.h"
#include "vulnbus/tool_replay.h"

#define ANSWER_MS    5000
#define RECALL_MS    30000
#define NODES_MAX    32
#define NOTE_VERSION 1

enum status
plan_take_id(struct replay_plan *plan, const char *id)
{
	const size_t len = strlen(id);

	if (len == 0 || len > REPLAY_ID_BYTES ||
	    strspn(id, "abcdefghijklmnopqrstuvwxyz0123456789-") != len)
		return STATUS_INVALID;
	snprintf(plan->id, sizeof(plan->id), "%s", id);
	snprintf(plan->group, sizeof(plan->group), "%s-replay-%s",
	    plan->config->topics.prefix, id);
	return STATUS_OK;
}

void
plan_name(struct replay_plan *plan)
{
	const time_t now = (time_t)(clock_wall_ms() / 1000);
	unsigned char random[4];
	char id[REPLAY_ID_BYTES + 1];
	struct tm utc;
	size_t len;

	random_bytes(random, sizeof(random));
	gmtime_r(&now, &utc);
	len = strftime(id, sizeof(id), "%Y%m%d-%H%M%S", &utc);
	snprintf(id + len, sizeof(id) - len, "-%02x%02x%02x%02x", random[0],
	    random[1], random[2], random[3]);
	if (plan_take_id(plan, id) != STATUS_OK)
		abort();
}

void
plan_clear(struct replay_plan *plan)
{
	free(plan->ranges);
	json_free(plan->document);
	plan->ranges = NULL;
	plan->document = NULL;
}

int64_t
plan_total(const struct replay_plan *plan)
{
	int64_t total = 0;

	for (int32_t p = 0; p < plan->partitions; p++)
		total += plan->ranges[p].end - plan->ranges[p].first;
	return total;
}

int64_t
plan_passed(const struct replay_plan *plan)
{
	int64_t passed = 0;

	for (int32_t p = 0; p < plan->partitions; p++)
		passed += plan->ranges[p].next - plan->ranges[p].first;
	return passed;
}

bool
plan_is_done(const struct replay_plan *plan)
{
	for (int32_t p = 0; p < plan->partitions; p++)
		if (plan->ranges[p].next < plan->ranges[p].end)
			return false;
	return true;
}

/* --- where it begins and ends --- */

static int64_t
between(int64_t low, int64_t value, int64_t high)
{
	if (value < low)
		return low;
	return value > high ? high : value;
}

static enum status
settle_range(const struct replay_plan *plan, struct rd_kafka_s *client,
    int32_t partition, struct error *err)
{
	struct replay_range *range = &plan->ranges[partition];
	const char *topic = plan->topics.names[plan->topic];
	int64_t oldest, newest, first, end;
	enum status status = kafka_bounds(
	    client, topic, partition, ANSWER_MS, &oldest, &newest, err);

	if (status != STATUS_OK)
		return status;
	first = oldest;
	end = newest;
	if (plan->from.offset != REPLAY_OFFSET_NONE)
		first = plan->from.offset;
	if (plan->to.offset != REPLAY_OFFSET_NONE)
		end = plan->to.offset;
	if (plan->from.ms != INT64_MIN) {
		first = newest;
		status = kafka_bounds_since(client, topic, partition,
		    plan->from.ms, ANSWER_MS, &first, err);
	}
	first = between(oldest, first, newest);
	end = between(first, end, newest);
	*range = (struct replay_range){ first, end, first, first };
	return status;
}

/* Topics that are ours or the operator's; one of them twice is fine. */
static enum status
count_partitions(struct replay_plan *plan, struct error *err)
{
	const struct kafka_topic asked[] = {
		{ .name = plan->topics.names[plan->topic] },
		{ .name = plan->to_topic },
	};
	const bool is_same = strcmp(asked[0].name, asked[1].name) == 0;
	int32_t counts[2] = { 0 };
	const enum status status = kafka_topics_count(
	    plan->config, asked, is_same ? 1 : 2, ANSWER_MS, counts, err);

	if (status != STATUS_OK)
		return status;
	for (int i = 0; i < (is_same ? 1 : 2); i++)
		if (counts[i] == 0)
			return error_set(err, STATUS_MISSING,
			    "topic %s does not exist", asked[i].name);
	plan->partitions = counts[0];
	plan->to_partitions = counts[is_same ? 0 : 1];
	plan->ranges = calloc((size_t)counts[0], sizeof(*plan->ranges));
	if (plan->ranges == NULL)
		return error_set(err, STATUS_NO_MEMORY, "no memory");
	return STATUS_OK;
}

static enum status
open_reader(const struct replay_plan *plan, const char *group,
    struct kafka_consumer **out_consumer, struct error *err)
{
	return kafka_consumer_open(
	    &(struct kafka_consumer_options){
		.config = plan->config,
		.client = "vulnbus-tool",
		.group_id = group,
	    },
	    out_consumer, err);
}

enum status
plan_settle(struct replay_plan *plan, struct error *err)
{
	struct kafka_consumer *consumer = NULL;
	enum status status = count_partitions(plan, err);

	if (status == STATUS_OK)
		status = open_reader(plan, NULL, &consumer, err);
	for (int32_t p = 0; status == STATUS_OK && p < plan->partitions; p++)
		status = settle_range(
		    plan, kafka_consumer_client(consumer), p, err);
	kafka_consumer_close(&consumer);
	return status;
}

/* --- kept, and recalled --- */

static void
write_bound(struct tree *t, struct view ms_name, struct view offset_name,
    const struct replay_bound *bound)
{
	if (bound->ms != INT64_MIN)
		tree_int(t, ms_name, bound->ms);
	if (bound->offset != REPLAY_OFFSET_NONE)
		tree_int(t, offset_name, bound->offset);
}

static enum status
write_note(const struct replay_plan *plan, int32_t partition, struct tree *t,
    struct buffer *text, struct error *err)
{
	tree_reset(t);
	buffer_reset(text);
	tree_int(t, VIEW("version"), NOTE_VERSION);
	tree_text(t, VIEW("to_topic"), view_of(plan->to_topic));
	tree_int(t, VIEW("partitions"), plan->partitions);
	tree_int(t, VIEW("first"), plan->ranges[partition].first);
	tree_int(t, VIEW("end"), plan->ranges[partition].end);
	write_bound(t, VIEW("from_ms"), VIEW("from_offset"), &plan->from);
	write_bound(t, VIEW("to_ms"), VIEW("to_offset"), &plan->to);
	tree_text_if(t, VIEW("source"), plan->filter.source);
	tree_text_if(t, VIEW("kind"), plan->filter.kind);
	tree_text_if(t, VIEW("id"), plan->filter.id);
	tree_text_if(t, VIEW("key"), plan->filter.key);
	return json_write(t, JSON_STYLE_COMPACT, text, err);
}

enum status
plan_keep(const struct replay_plan *plan, struct kafka_producer *producer,
    struct error *err)
{
	const size_t count = (size_t)plan->partitions;
	struct kafka_position *positions = calloc(count, sizeof(*positions));
	struct kafka_note *notes = calloc(count, sizeof(*notes));
	struct tree t;
	struct buffer text;
	enum status status = STATUS_OK;

	tree_init(&t, NODES_MAX);
	buffer_init(&text, KAFKA_NOTE_BYTES);
	if (positions == NULL || notes == NULL)
		status = error_set(err, STATUS_NO_MEMORY, "no memory");
	for (int32_t p = 0; status == STATUS_OK && p < plan->partitions; p++) {
		status = write_note(plan, p, &t, &text, err);
		positions[p] = (struct kafka_position){ p,
			plan->ranges[p].next };
		if (status == STATUS_OK)
			memcpy(notes[p].text, text.data, text.len);
	}
	if (status == STATUS_OK)
		status = kafka_forward_keep(producer, plan->group,
		    plan->topics.names[plan->topic], positions, notes, count,
		    err);
	tree_clear(&t);
	buffer_clear(&text);
	free(positions);
	free(notes);
	return status;
}

static void
read_options(struct replay_plan *plan, const struct json_value *note)
{
	snprintf(plan->to_topic, sizeof(plan->to_topic), "%.*s",
	    VIEW_ARGS(json_text(json_member(note, "to_topic"))));
	plan->from = (struct replay_bound){
		json_int(json_member(note, "from_ms"), INT64_MIN),
		json_int(json_member(note, "from_offset"), REPLAY_OFFSET_NONE),
	};
	plan->to = (struct replay_bound){
		json_int(json_member(note, "to_ms"), INT64_MIN),
		json_int(json_member(note, "to_offset"), REPLAY_OFFSET_NONE),
	};
	plan->filter = (struct filter){
		.source = json_text(json_member(note, "source")),
		.kind = json_text(json_member(note, "kind")),
		.id = json_text(json_member(note, "id")),
		.key = json_text(json_member(note, "key")),
	};
}

static enum status
read_note(struct replay_plan *plan, const struct kafka_position *position,
    const struct kafka_note *text, struct error *err)
{
	struct replay_range *range = &plan->ranges[position->partition];
	struct json_document *document = NULL;
	const struct json_value *note;
	int64_t version, partitions;
	enum status status = json_parse(view_of(text->text), &document, err);

	if (status != STATUS_OK)
		return error_set(err, STATUS_INVALID,
		    "partition %d of replay %s: nothing is kept",
		    position->partition, plan->id);
	note = json_root(document);
	version = json_int(json_member(note, "version"), 0);
	partitions = json_int(json_member(note, "partitions"), 0);
	range->first = json_int(json_member(note, "first"), 0);
	range->end = json_int(json_member(note, "end"), 0);
	range->next = range->kept = position->next_offset;
	if (position->partition == 0) {
		read_options(plan, note);
		plan->document = document;
		document = NULL;
	}
	json_free(document);
	if (version != NOTE_VERSION || partitions <= position->partition ||
	    partitions > plan->partitions || range->next < range->first)
		return error_set(err, STATUS_INVALID,
		    "replay %s was begun by another version", plan->id);
	plan->partitions = (int32_t)partitions;
	return STATUS_OK;
}

/* STATUS_MISSING: the replay is not one of this topic. */
static enum status
recall_topic(struct replay_plan *plan, struct kafka_consumer *consumer,
    enum topic topic, int32_t count, struct error *err)
{
	struct kafka_position *positions = calloc(
	    (size_t)count + 1, sizeof(*positions));
	struct kafka_note *notes = calloc((size_t)count + 1, sizeof(*notes));
	enum status status = STATUS_MISSING;

	if (positions == NULL || notes == NULL)
		status = error_set(err, STATUS_NO_MEMORY, "no memory");
	else if (count > 0)
		status = kafka_forward_kept(consumer, plan->topics.names[topic],
		    positions, notes, (size_t)count, RECALL_MS, err);
	if (status == STATUS_OK && positions[0].next_offset < 0)
		status = STATUS_MISSING;
	if (status != STATUS_OK)
		goto out;
	plan->topic = topic;
	plan->partitions = count;
	plan->ranges = calloc((size_t)count, sizeof(*plan->ranges));
	if (plan->ranges == NULL)
		status = error_set(err, STATUS_NO_MEMORY, "no memory");
	for (int32_t p = 0; status == STATUS_OK && p < plan->partitions; p++)
		status = read_note(plan, &positions[p], &notes[p], err);
out:
	free(positions);
	free(notes);
	return status;
}

enum status
plan_recall(struct replay_plan *plan, struct error *err)
{
	struct kafka_topic all[TOPIC_COUNT];
	int32_t counts[TOPIC_COUNT] = { 0 };
	struct kafka_topic target;
	struct kafka_consumer *consumer = NULL;
	enum status status;

	topics_wanted(&plan->topics, plan->config, all);
	status = kafka_topics_count(
	    plan->config, all, TOPIC_COUNT, ANSWER_MS, counts, err);
	if (status == STATUS_OK)
		status = open_reader(plan, plan->group, &consumer, err);
	if (status == STATUS_OK)
		status = error_set(err, STATUS_MISSING,
		    "no replay %s is known: its id is wrong, or the brokers "
		    "have forgotten it",
		    plan->id);
	for (int i = 0; status == STATUS_MISSING && i < TOPIC_COUNT; i++)
		status = recall_topic(
		    plan, consumer, (enum topic)i, counts[i], err);
	kafka_consumer_close(&consumer);
	if (status != STATUS_OK)
		return status;
	target = (struct kafka_topic){ .name = plan->to_topic };
	status = kafka_topics_count(
	    plan->config, &target, 1, ANSWER_MS, &plan->to_partitions, err);
	if (status == STATUS_OK && plan->to_partitions == 0)
		status = error_set(err, STATUS_MISSING,
		    "topic %s does not exist", plan->to_topic);
	return status;
}
