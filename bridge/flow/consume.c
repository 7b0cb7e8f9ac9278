/* SPDX-License-Identifier: Apache-2.0 */
#include "vulnbus/consume.h"

#include <stdlib.h>
#include <string.h>

#include "vulnbus/log.h"
#include "vulnbus/metrics.h"

#define ANSWER_MS       2000
#define READ_MS         200
#define STATE_NODES_MAX 64

struct consume {
	const struct config *config;
	const struct topics *topics;
	struct consume_callbacks callbacks;
	struct kafka_consumer *member;  /* of the group */
	struct kafka_consumer *reader;  /* of state, read_committed */
	struct kafka_consumer *watcher; /* of bounds, read_uncommitted */
	struct partition *partitions;   /* owned */
	struct kafka_position *positions;
	size_t count;
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
	for (size_t i = 0; i < c->count; i++)
		map_clear(&c->partitions[i].known);
	free(c->partitions);
	free(c->positions);
	c->partitions = NULL;
	c->positions = NULL;
	c->count = 0;
	c->has_moved = false;
	metric_set(METRIC_PARTITIONS, NULL, NULL, 0);
}

struct partition *
consume_partition(struct consume *c, int32_t id)
{
	for (size_t i = 0; i < c->count; i++)
		if (c->partitions[i].id == id)
			return &c->partitions[i];
	return NULL;
}

static void
on_revoke(const int32_t *partitions, size_t count, void *arg)
{
	struct consume *c = arg;

	(void)partitions;
	if (c->count > 0)
		LOG_INFO(
		    "partitions given up", LOG_INT("count", (int64_t)count));
	c->callbacks.on_revoked(c->callbacks.arg);
	drop_partitions(c);
}

static bool
is_stopping(const struct consume *c)
{
	return c->callbacks.is_stopping(c->callbacks.arg);
}

/* First trap: a former owner's transaction may still be about to commit
 * offsets and state. A read_committed member is told the committed offsets
 * only once they are stable, so the answer is the sign that none is open. */
static enum status
wait_for_stable_offsets(struct consume *c, struct error *err)
{
	enum status status;

	do {
		status = kafka_consumer_committed(c->member,
		    c->topics->names[TOPIC_EVENTS], c->positions, c->count,
		    ANSWER_MS, err);
	} while (status == STATUS_UNAVAILABLE && !is_stopping(c));
	return status;
}

/* A group without a committed offset begins at the first event there is; a
 * transaction needs a number to send. */
static enum status
begin_at_first(struct consume *c, struct error *err)
{
	enum status status = STATUS_OK;

	for (size_t i = 0; status == STATUS_OK && i < c->count; i++) {
		int64_t first, next;

		if (c->positions[i].next_offset < 0) {
			status = kafka_consumer_bounds(c->watcher,
			    c->topics->names[TOPIC_EVENTS],
			    c->positions[i].partition, ANSWER_MS, &first, &next,
			    err);
			if (status == STATUS_OK)
				c->positions[i].next_offset = first;
		}
		c->partitions[i].next_offset = c->positions[i].next_offset;
	}
	return status;
}

static enum status
remember(struct consume *c, struct partition *partition,
    const struct kafka_record *record, struct tree *tree, struct error *err)
{
	struct map_entry *entry = map_add(&partition->known, record->key);
	struct work *work = NULL;
	int64_t done_ms = 0;
	enum status status;

	if (entry == NULL)
		return error_set(err, STATUS_NO_MEMORY, "no memory");
	if (entry->pointer != NULL)
		c->callbacks.on_replaced(entry->pointer, c->callbacks.arg);
	entry->pointer = NULL;
	if (record->value.len == 0) {
		map_remove(&partition->known, record->key);
		return STATUS_OK;
	}
	status = work_read_state(record, tree, &work, &done_ms, err);
	if (status == STATUS_END) {
		entry->number = done_ms;
		return STATUS_OK;
	}
	if (status != STATUS_OK)
		return status;
	entry->pointer = work;
	c->callbacks.on_restored(partition, work, c->callbacks.arg);
	return STATUS_OK;
}

/* Reads state records until each partition's position has reached its target.
 * The end of a partition is reported with the position, also when the last
 * records are control records or belong to aborted transactions. */
static enum status
read_until(struct consume *c, const int64_t *targets, bool *is_reached,
    struct error *err)
{
	size_t left = 0, read = 0;
	struct tree tree;
	enum status status = STATUS_OK;

	tree_init(&tree, STATE_NODES_MAX);
	for (size_t i = 0; i < c->count; i++)
		left += !is_reached[i];
	while (left > 0 && !is_stopping(c)) {
		struct kafka_message *message = NULL;
		struct kafka_record record;
		struct partition *partition;
		size_t at;

		status = kafka_consumer_poll(
		    c->reader, READ_MS, &record, &message, err);
		if (status == STATUS_FATAL)
			break;
		if (record.topic == NULL)
			continue;
		partition = consume_partition(c, record.partition);
		if (partition == NULL) {
			kafka_message_free(message);
			continue;
		}
		at = (size_t)(partition - c->partitions);
		if (status == STATUS_OK) {
			read++;
			status = remember(c, partition, &record, &tree, err);
			record.offset++;
		}
		kafka_message_free(message);
		if (status != STATUS_OK && status != STATUS_END)
			break;
		if (!is_reached[at] && record.offset >= targets[at]) {
			is_reached[at] = true;
			left--;
		}
	}
	tree_clear(&tree);
	LOG_INFO("state read back", LOG_INT("records", (int64_t)read));
	if (left == 0)
		return STATUS_OK;
	return status == STATUS_OK || status == STATUS_END
		   ? error_set(err, STATUS_UNAVAILABLE, "stopped")
		   : status;
}

/* Second trap: the target is the high watermark as a read_uncommitted client
 * sees it. A read_committed one is told the last stable offset, and would
 * miss what commits a moment later. */
static enum status
find_targets(struct consume *c, struct kafka_position *starts, int64_t *targets,
    bool *is_reached, size_t *out_start_count, struct error *err)
{
	enum status status = STATUS_OK;
	size_t starting = 0;

	for (size_t i = 0; status == STATUS_OK && i < c->count; i++) {
		int64_t first;

		status = kafka_consumer_bounds(c->watcher,
		    c->topics->names[TOPIC_STATE], c->partitions[i].id,
		    ANSWER_MS, &first, &targets[i], err);
		is_reached[i] = targets[i] <= first;
		if (!is_reached[i])
			starts[starting++] = (struct kafka_position){
				c->partitions[i].id, KAFKA_OFFSET_BEGINNING
			};
	}
	*out_start_count = starting;
	return status;
}

static enum status
read_state(struct consume *c, struct error *err)
{
	const char *topic = c->topics->names[TOPIC_STATE];
	struct kafka_position *starts = calloc(c->count + 1, sizeof(*starts));
	int64_t *targets = calloc(c->count + 1, sizeof(*targets));
	bool *is_reached = calloc(c->count + 1, sizeof(*is_reached));
	size_t starting = 0;
	struct error ignored;
	enum status status = STATUS_NO_MEMORY;

	if (starts == NULL || targets == NULL || is_reached == NULL) {
		error_set(err, status, "no memory");
		goto out;
	}
	do {
		status = find_targets(
		    c, starts, targets, is_reached, &starting, err);
	} while (status == STATUS_UNAVAILABLE && !is_stopping(c));
	if (status != STATUS_OK || starting == 0)
		goto out;
	status = kafka_consumer_assign(c->reader, topic, starts, starting, err);
	if (status == STATUS_OK)
		status = read_until(c, targets, is_reached, err);
	if (kafka_consumer_assign(c->reader, topic, starts, 0, &ignored) !=
	    STATUS_OK)
		status = STATUS_FATAL;
out:
	free(starts);
	free(targets);
	free(is_reached);
	return status;
}

static enum status
hold(struct consume *c, const int32_t *partitions, size_t count,
    struct error *err)
{
	c->partitions = calloc(count + 1, sizeof(*c->partitions));
	c->positions = calloc(count + 1, sizeof(*c->positions));
	if (c->partitions == NULL || c->positions == NULL)
		return error_set(err, STATUS_NO_MEMORY, "no memory");
	c->count = count;
	for (size_t i = 0; i < count; i++) {
		c->partitions[i].id = partitions[i];
		map_init(&c->partitions[i].known);
		c->positions[i].partition = partitions[i];
		c->positions[i].next_offset = -1;
	}
	return STATUS_OK;
}

static void
on_assign(const int32_t *partitions, size_t count, void *arg)
{
	struct consume *c = arg;
	struct error err;
	enum status status;

	c->callbacks.on_revoked(c->callbacks.arg);
	drop_partitions(c);
	status = hold(c, partitions, count, &err);
	if (status == STATUS_OK && count > 0)
		status = wait_for_stable_offsets(c, &err);
	if (status == STATUS_OK)
		status = begin_at_first(c, &err);
	if (status == STATUS_OK)
		status = read_state(c, &err);
	if (status == STATUS_OK) {
		metric_set(METRIC_PARTITIONS, NULL, NULL, (int64_t)count);
		LOG_INFO(
		    "partitions taken over", LOG_INT("count", (int64_t)count));
		return;
	}
	c->is_broken = true;
	if (!is_stopping(c))
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
	};
	const struct kafka_consumer_options watcher = {
		.config = c->config,
		.client = "vulnbus-enricher-bounds",
		.is_read_uncommitted = true,
	};
	const struct kafka_consumer_options member = {
		.config = c->config,
		.client = "vulnbus-enricher",
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
	kafka_consumer_close(&c->reader);
	kafka_consumer_close(&c->watcher);
	drop_partitions(c);
	free(c);
	*consume = NULL;
}

enum status
consume_poll(struct consume *c, struct kafka_record *out_record,
    struct partition **out_partition, struct error *err)
{
	enum status status = kafka_consumer_poll(
	    c->member, 0, out_record, &c->message, err);

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
		const size_t i = (size_t)(c->at - c->partitions);

		c->at->next_offset = c->at_offset + 1;
		c->positions[i].next_offset = c->at_offset + 1;
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
	int32_t *ids = calloc(c->count + 1, sizeof(*ids));

	if (ids == NULL)
		return;
	for (size_t i = 0; i < c->count; i++)
		ids[i] = c->partitions[i].id;
	kafka_consumer_pause(c->member, ids, c->count, is_paused);
	free(ids);
}

const struct kafka_position *
consume_positions(struct consume *c, size_t *out_count)
{
	*out_count = c->count;
	return c->positions;
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
		   : (double)c->count / (double)c->partitions_in_all;
}

bool
consume_is_assigned(const struct consume *c)
{
	return c->count > 0;
}

struct kafka_consumer *
consume_member(struct consume *c)
{
	return c->member;
}

void
consume_expire(struct consume *c, int64_t limit_ms)
{
	for (size_t i = 0; i < c->count; i++)
		map_expire(&c->partitions[i].known, limit_ms);
}
