/* SPDX-License-Identifier: Apache-2.0 */
#include "vulnbus/consume.h"

#include <stdlib.h>
#include <string.h>

#include "vulnbus/kafka_bounds.h"
#include "vulnbus/log.h"
#include "vulnbus/metrics.h"
#include "vulnbus/read_back.h"

#define ANSWER_MS 2000

struct consume {
	const struct config *config;
	const struct topics *topics;
	struct consume_callbacks callbacks;
	struct kafka_consumer *member;  /* of the group */
	struct kafka_consumer *reader;  /* of state, read_committed */
	struct kafka_consumer *watcher; /* of bounds, read_uncommitted */
	struct partitions partitions;
	int32_t partitions_in_all;
	bool has_moved;
	bool is_broken; /* an assignment could not be taken */
	struct kafka_message *message;
	struct partition *at; /* where `message` is from */
	int64_t at_offset;
};

static void
drop_partitions(struct consume *c)
{
	partitions_drop(&c->partitions);
	c->has_moved = false;
	metric_set(METRIC_PARTITIONS, NULL, NULL, 0);
	metric_set(METRIC_LAG, NULL, NULL, 0);
}

struct partition *
consume_partition(struct consume *c, int32_t id)
{
	return partitions_find(&c->partitions, id);
}

static void
on_revoke(const int32_t *partitions, size_t count, void *arg)
{
	struct consume *c = arg;

	(void)partitions;
	if (c->partitions.count > 0)
		LOG_INFO(
		    "partitions given up", LOG_INT("count", (int64_t)count));
	c->callbacks.on_revoked(c->callbacks.arg);
	drop_partitions(c);
}

static struct restore
restore_of(const struct consume *c)
{
	return (struct restore){
		.member = c->member,
		.reader = c->reader,
		.watcher = c->watcher,
		.topics = c->topics,
		.callbacks = &c->callbacks,
	};
}

enum status
consume_read_back(
    struct consume *c, struct work **works, size_t count, struct error *err)
{
	const struct restore restore = restore_of(c);

	return read_back(&restore, works, count, err);
}

static void
on_assign(const int32_t *partitions, size_t count, void *arg)
{
	struct consume *c = arg;
	const struct restore restore = restore_of(c);
	struct error err;
	enum status status;

	c->callbacks.on_revoked(c->callbacks.arg);
	drop_partitions(c);
	status = partitions_hold(&c->partitions, partitions, count, &err);
	if (status == STATUS_OK)
		status = partitions_restore(&restore, &c->partitions, &err);
	if (status == STATUS_OK) {
		metric_set(METRIC_PARTITIONS, NULL, NULL, (int64_t)count);
		LOG_INFO(
		    "partitions taken over", LOG_INT("count", (int64_t)count));
		return;
	}
	c->is_broken = true;
	if (!c->callbacks.is_stopping(c->callbacks.arg))
		LOG_WARN("partitions not taken over",
		    LOG_TEXT("error.message", err.text));
}

static enum status
open_clients(struct consume *c, struct error *err)
{
	const struct config_enricher *config = &c->config->enricher;
	const struct kafka_consumer_options reader = {
		.config = c->config,
		.client = "vulnbus-enricher-state",
		.is_hasty = true,
	};
	const struct kafka_consumer_options watcher = {
		.config = c->config,
		.client = "vulnbus-enricher-bounds",
		.is_read_uncommitted = true,
	};
	const struct kafka_consumer_options member = {
		.config = c->config,
		.client = "vulnbus-enricher",
		.is_measured = true,
		.group_id = config->group_id,
		.instance_id = config->instance_id,
		.session_timeout_ms = config->session_timeout_ms,
		.topic = c->topics->names[TOPIC_EVENTS],
		.on_assign = on_assign,
		.on_revoke = on_revoke,
		.arg = c,
	};
	enum status status = kafka_consumer_open(&reader, &c->reader, err);

	if (status == STATUS_OK)
		status = kafka_consumer_open(&watcher, &c->watcher, err);
	if (status == STATUS_OK)
		status = kafka_consumer_open(&member, &c->member, err);
	return status;
}

enum status
consume_open(const struct config *config, const struct topics *topics,
    const struct consume_callbacks *callbacks, struct consume **out_consume,
    struct error *err)
{
	struct consume *c = calloc(1, sizeof(*c));
	enum status status;

	if (c == NULL)
		return error_set(err, STATUS_NO_MEMORY, "no memory");
	c->config = config;
	c->topics = topics;
	c->callbacks = *callbacks;
	status = topics_prepare(
	    topics, config, ANSWER_MS, &c->partitions_in_all, err);
	if (status == STATUS_OK)
		status = open_clients(c, err);
	if (status != STATUS_OK) {
		consume_close(&c);
		return status;
	}
	*out_consume = c;
	return STATUS_OK;
}

void
consume_close(struct consume **consume)
{
	struct consume *c = *consume;

	if (c == NULL)
		return;
	kafka_message_free(c->message);
	kafka_consumer_close(&c->member);
	/* A fenced member is closed without a word about its partitions. */
	if (c->partitions.count > 0)
		c->callbacks.on_revoked(c->callbacks.arg);
	kafka_consumer_close(&c->reader);
	kafka_consumer_close(&c->watcher);
	drop_partitions(c);
	free(c);
	*consume = NULL;
}

/* The end of a partition is told with the position, which has also moved over
 * what no event is: control records, and those of aborted transactions. */
static enum status
poll_member(
    struct consume *c, struct kafka_record *out_record, struct error *err)
{
	struct partition *partition;
	enum status status;

	do {
		status = kafka_consumer_poll(
		    c->member, 0, out_record, &c->message, err);
		partition = out_record->topic == NULL
				? NULL
				: consume_partition(c, out_record->partition);
		if (status == STATUS_END && partition != NULL)
			partition->end_offset = out_record->offset;
	} while (status == STATUS_END && out_record->topic != NULL);
	return status;
}

enum status
consume_poll(struct consume *c, struct kafka_record *out_record,
    struct partition **out_partition, struct error *err)
{
	enum status status = poll_member(c, out_record, err);

	if (c->is_broken) {
		consume_release(c);
		return error_set(err, STATUS_FATAL,
		    "the assignment could not be taken over");
	}
	if (status == STATUS_UNAVAILABLE) {
		LOG_DEBUG("kafka", LOG_TEXT("error.message", err->text));
		return STATUS_END;
	}
	if (status != STATUS_OK)
		return status;
	c->at = consume_partition(c, out_record->partition);
	c->at_offset = out_record->offset;
	if (c->at == NULL || out_record->offset < c->at->next_offset) {
		/* Of an assignment that is gone, or seen already. */
		c->at = NULL;
		consume_release(c);
		return STATUS_END;
	}
	*out_partition = c->at;
	return STATUS_OK;
}

void
consume_release(struct consume *c)
{
	if (c->message != NULL && c->at != NULL) {
		const size_t i = (size_t)(c->at - c->partitions.items);

		c->at->next_offset = c->at_offset + 1;
		c->partitions.positions[i].next_offset = c->at_offset + 1;
		c->has_moved = true;
	}
	kafka_message_free(c->message);
	c->message = NULL;
	c->at = NULL;
}

void
consume_signal(struct consume *c, int fd)
{
	kafka_consumer_signal(c->member, fd);
}

void
consume_pause(struct consume *c, bool is_paused)
{
	int32_t *ids;

	/* A fenced member is gone before its partitions are. */
	if (c->member == NULL)
		return;
	ids = calloc(c->partitions.count + 1, sizeof(*ids));
	if (ids == NULL)
		return;
	for (size_t i = 0; i < c->partitions.count; i++)
		ids[i] = c->partitions.items[i].id;
	kafka_consumer_pause(c->member, ids, c->partitions.count, is_paused);
	free(ids);
}

static int64_t
records_left(const struct partition *partition, int64_t end)
{
	const int64_t at = partition->next_offset > partition->end_offset
			       ? partition->next_offset
			       : partition->end_offset;

	return end > at && at >= 0 ? end - at : 0;
}

bool
consume_is_level(struct consume *c, struct partition *partition, uint64_t round)
{
	const char *topic = c->topics->names[TOPIC_EVENTS];
	int64_t first, next;
	struct error err;

	if (partition->level_round == round)
		return partition->is_level;
	partition->level_round = round;
	partition->is_level =
	    kafka_consumer_bounds(c->watcher, topic, partition->id, ANSWER_MS,
		&first, &next, &err) == STATUS_OK &&
	    (partition->next_offset >= next || partition->end_offset >= next);
	return partition->is_level;
}

void
consume_measure(struct consume *c)
{
	const size_t count = c->partitions.count;
	int32_t *ids = calloc(count + 1, sizeof(*ids));
	int64_t *ends = calloc(count + 1, sizeof(*ends)), lag = 0;
	struct error err;

	metric_set(METRIC_PARTITIONS_ALL, NULL, NULL, c->partitions_in_all);
	for (size_t i = 0; ids != NULL && i < count; i++)
		ids[i] = c->partitions.items[i].id;
	if (ids != NULL && ends != NULL && count > 0 &&
	    kafka_bounds_ends(kafka_consumer_client(c->watcher),
		c->topics->names[TOPIC_EVENTS], ids, count, ANSWER_MS, ends,
		&err) == STATUS_OK) {
		for (size_t i = 0; i < count; i++)
			lag += records_left(&c->partitions.items[i], ends[i]);
		metric_set(METRIC_LAG, NULL, NULL, lag);
	}
	free(ids);
	free(ends);
}

bool
consume_is_place_of(
    const struct consume *c, const struct partition *partition, struct view key)
{
	return kafka_partition_of(key, c->partitions_in_all) == partition->id;
}

const struct kafka_position *
consume_positions(struct consume *c, size_t *out_count)
{
	*out_count = c->partitions.count;
	return c->partitions.positions;
}

bool
consume_has_moved(const struct consume *c)
{
	return c->has_moved;
}

void
consume_settled(struct consume *c)
{
	c->has_moved = false;
}

double
consume_share(const struct consume *c)
{
	return c->partitions_in_all == 0
		   ? 0
		   : (double)c->partitions.count / (double)c->partitions_in_all;
}

bool
consume_is_assigned(const struct consume *c)
{
	return c->partitions.count > 0;
}

struct kafka_consumer *
consume_member(struct consume *c)
{
	return c->member;
}

void
consume_expire(struct consume *c, int64_t limit_ms)
{
	for (size_t i = 0; i < c->partitions.count; i++)
		map_expire(&c->partitions.items[i].known, limit_ms);
}
