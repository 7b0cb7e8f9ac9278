/* SPDX-License-Identifier: Apache-2.0 */
#include "vulnbus/partition.h"

#include <poll.h>
#include <stdlib.h>

#include "vulnbus/log.h"

#define ANSWER_MS    2000
#define RETRY_MS     100
#define SAY_EVERY_MS 5000
#define READ_MS      200

struct partition *
partitions_find(const struct partitions *p, int32_t id)
{
	for (size_t i = 0; i < p->count; i++)
		if (p->items[i].id == id)
			return &p->items[i];
	return NULL;
}

enum status
partitions_hold(
    struct partitions *p, const int32_t *ids, size_t count, struct error *err)
{
	p->items = calloc(count + 1, sizeof(*p->items));
	p->positions = calloc(count + 1, sizeof(*p->positions));
	if (p->items == NULL || p->positions == NULL)
		return error_set(err, STATUS_NO_MEMORY, "no memory");
	p->count = count;
	for (size_t i = 0; i < count; i++) {
		p->items[i].id = ids[i];
		map_init(&p->items[i].known);
		p->positions[i].partition = ids[i];
		p->positions[i].next_offset = -1;
	}
	return STATUS_OK;
}

void
partitions_drop(struct partitions *p)
{
	for (size_t i = 0; i < p->count; i++)
		map_clear(&p->items[i].known);
	free(p->items);
	free(p->positions);
	*p = (struct partitions){ .items = NULL };
}

bool
restore_is_stopping(const struct restore *r)
{
	return r->callbacks->is_stopping(r->callbacks->arg);
}

/* What Kafka does not answer now is asked again, unless nobody waits for it any
 * more: an assignment that is given back costs the whole group a rebalance. */
static bool
may_retry(const struct restore *r, struct partitions *p, enum status status,
    const struct error *err)
{
	const int64_t now_ms = clock_steady_ms();

	if (status != STATUS_UNAVAILABLE || restore_is_stopping(r))
		return false;
	if (p->say_at_ms <= now_ms) {
		if (p->say_at_ms > 0)
			LOG_WARN("partitions not taken over yet",
			    LOG_TEXT("error.message", err->text));
		p->say_at_ms = now_ms + SAY_EVERY_MS;
	}
	poll(NULL, 0, RETRY_MS);
	return true;
}

/* First trap: a former owner's transaction may still be about to commit
 * offsets and state. A read_committed member is told the committed offsets
 * only once they are stable, so the answer is the sign that none is open. */
static enum status
wait_for_stable_offsets(
    const struct restore *r, struct partitions *p, struct error *err)
{
	enum status status;

	do {
		status = kafka_consumer_committed(r->member,
		    r->topics->names[TOPIC_EVENTS], p->positions, p->count,
		    ANSWER_MS, err);
	} while (may_retry(r, p, status, err));
	return status;
}

/* A group without a committed offset begins at the first event there is; a
 * transaction needs a number to send. */
static enum status
begin_at_first(const struct restore *r, struct partitions *p, struct error *err)
{
	enum status status = STATUS_OK;

	for (size_t i = 0; status == STATUS_OK && i < p->count; i++) {
		int64_t first, next;

		if (p->positions[i].next_offset < 0) {
			do {
				status = kafka_consumer_bounds(r->watcher,
				    r->topics->names[TOPIC_EVENTS],
				    p->positions[i].partition, ANSWER_MS,
				    &first, &next, err);
			} while (may_retry(r, p, status, err));
			if (status == STATUS_OK)
				p->positions[i].next_offset = first;
		}
		p->items[i].next_offset = p->positions[i].next_offset;
	}
	return status;
}

static enum status
remember(const struct restore *r, struct partition *partition,
    const struct kafka_record *record, struct tree *tree, struct error *err)
{
	struct map_entry *entry = map_add(&partition->known, record->key);
	struct work *work = NULL;
	int64_t done_ms = 0;
	enum status status;

	if (entry == NULL)
		return error_set(err, STATUS_NO_MEMORY, "no memory");
	if (entry->pointer != NULL)
		r->callbacks->on_replaced(entry->pointer, r->callbacks->arg);
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
	/* One record that nobody understands must not stop the others. */
	if (status == STATUS_INVALID) {
		work = work_from_wreck(record, TOPIC_STATE, clock_wall_ms());
		if (work != NULL)
			work_doom(
			    work, err->text, "consume", 1, 0, clock_wall_ms());
		/* It has a key of its own when the record's will not do. */
		if (work != NULL && !view_is(record->key, work->key)) {
			map_remove(&partition->known, record->key);
			entry = map_add(&partition->known, view_of(work->key));
		}
	}
	if (work == NULL || entry == NULL)
		return error_set(err, STATUS_NO_MEMORY, "no memory");
	entry->pointer = work;
	r->callbacks->on_restored(partition, work, r->callbacks->arg);
	return STATUS_OK;
}

/* Reads state records until each partition's position has reached its target.
 * The end of a partition is reported with the position, also when the last
 * records are control records or belong to aborted transactions. */
static enum status
read_until(const struct restore *r, struct partitions *p,
    const int64_t *targets, bool *is_reached, struct error *err)
{
	size_t left = 0, read = 0;
	struct tree tree;
	enum status status = STATUS_OK;

	tree_init(&tree, WORK_STATE_NODES_MAX);
	for (size_t i = 0; i < p->count; i++)
		left += !is_reached[i];
	while (left > 0 && !restore_is_stopping(r)) {
		struct kafka_message *message = NULL;
		struct kafka_record record;
		struct partition *partition;
		size_t at;

		status = kafka_consumer_poll(
		    r->reader, READ_MS, &record, &message, err);
		if (status == STATUS_FATAL)
			break;
		if (record.topic == NULL)
			continue;
		partition = partitions_find(p, record.partition);
		if (partition == NULL) {
			kafka_message_free(message);
			continue;
		}
		at = (size_t)(partition - p->items);
		if (status == STATUS_OK) {
			read++;
			status = remember(r, partition, &record, &tree, err);
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
find_targets(const struct restore *r, struct partitions *p,
    struct kafka_position *starts, int64_t *targets, bool *is_reached,
    size_t *out_start_count, struct error *err)
{
	enum status status = STATUS_OK;
	size_t starting = 0;

	for (size_t i = 0; status == STATUS_OK && i < p->count; i++) {
		int64_t first;

		status = kafka_consumer_bounds(r->watcher,
		    r->topics->names[TOPIC_STATE], p->items[i].id, ANSWER_MS,
		    &first, &targets[i], err);
		is_reached[i] = targets[i] <= first;
		if (!is_reached[i])
			starts[starting++] = (struct kafka_position){
				p->items[i].id, KAFKA_OFFSET_BEGINNING
			};
	}
	*out_start_count = starting;
	return status;
}

static enum status
read_state(const struct restore *r, struct partitions *p, struct error *err)
{
	const char *topic = r->topics->names[TOPIC_STATE];
	struct kafka_position *starts = calloc(p->count + 1, sizeof(*starts));
	int64_t *targets = calloc(p->count + 1, sizeof(*targets));
	bool *is_reached = calloc(p->count + 1, sizeof(*is_reached));
	size_t starting = 0;
	struct error ignored;
	enum status status = STATUS_NO_MEMORY;

	if (starts == NULL || targets == NULL || is_reached == NULL) {
		error_set(err, status, "no memory");
		goto out;
	}
	do {
		status = find_targets(
		    r, p, starts, targets, is_reached, &starting, err);
	} while (may_retry(r, p, status, err));
	if (status != STATUS_OK || starting == 0)
		goto out;
	status = kafka_consumer_assign(r->reader, topic, starts, starting, err);
	if (status == STATUS_OK)
		status = read_until(r, p, targets, is_reached, err);
	if (kafka_consumer_assign(r->reader, topic, starts, 0, &ignored) !=
	    STATUS_OK)
		status = STATUS_FATAL;
out:
	free(starts);
	free(targets);
	free(is_reached);
	return status;
}

enum status
partitions_restore(
    const struct restore *r, struct partitions *p, struct error *err)
{
	enum status status = STATUS_OK;

	if (p->count > 0)
		status = wait_for_stable_offsets(r, p, err);
	if (status == STATUS_OK)
		status = begin_at_first(r, p, err);
	if (status == STATUS_OK)
		status = read_state(r, p, err);
	return status;
}
