/* SPDX-License-Identifier: Apache-2.0 */
#include "vulnbus/read_back.h"

#define READ_MS             200
#define READ_BACK_MS        2000
#define READ_ON_MS          200
#define READ_BEFORE         2000 /* records */
#define READ_PARTITIONS_MAX 64

struct read_back {
	const struct restore *restore;
	struct work **works; /* the first must come, the others may */
	size_t count;
	struct kafka_position starts[READ_PARTITIONS_MAX];
	size_t start_count;
	struct tree tree;
};

static struct work *
find_wanted(const struct read_back *back, const struct kafka_record *record)
{
	for (size_t i = 0; i < back->count; i++)
		if (back->works[i]->partition == record->partition &&
		    back->works[i]->state_offset == record->offset)
			return back->works[i];
	return NULL;
}

static enum status
load(struct read_back *back, struct work *work,
    const struct kafka_record *record, struct error *err)
{
	struct work *loaded = NULL;
	int64_t done_ms;
	const enum status status = work_read_state(
	    record, &back->tree, &loaded, &done_ms, err);

	if (status == STATUS_OK)
		work_load(work, loaded);
	work_free(loaded);
	return status;
}

/* Compaction keeps a key's last record, and that of a waiting work is its
 * last: what stands at its offset is the one. A new assignment costs as much as
 * thousands of records, so they are read on for a while after the first. */
static enum status
read_on(struct read_back *back, struct error *err)
{
	const struct restore *r = back->restore;
	int64_t until_ms = clock_steady_ms() + READ_BACK_MS;
	size_t left = back->count;
	bool has_first = false;

	while (left > 0 && clock_steady_ms() < until_ms &&
	       !restore_is_stopping(r)) {
		struct kafka_message *message = NULL;
		struct work *work = NULL;
		struct kafka_record record;
		enum status status = kafka_consumer_poll(r->reader,
		    has_first ? READ_ON_MS : READ_MS, &record, &message, err);

		if (status == STATUS_OK)
			work = find_wanted(back, &record);
		if (work != NULL) {
			status = load(back, work, &record, err);
			left--;
		}
		kafka_message_free(message);
		if (work == NULL || work != back->works[0])
			continue;
		if (status != STATUS_OK)
			return status;
		has_first = true;
		until_ms = clock_steady_ms() + READ_ON_MS;
	}
	if (has_first)
		return STATUS_OK;
	return error_set(err, STATUS_UNAVAILABLE, "state not read back");
}

/* Where each partition's reading starts. What stands far before the first one
 * in its partition is left for another time, as is what finds no place here. */
static void
plan(struct read_back *back)
{
	const struct work *first = back->works[0];
	size_t kept = 0;

	for (size_t i = 0; i < back->count; i++) {
		struct work *work = back->works[i];
		struct kafka_position *start = back->starts;
		const struct kafka_position *end = start + back->start_count;

		if (work->partition == first->partition &&
		    work->state_offset < first->state_offset - READ_BEFORE)
			continue;
		while (start < end && start->partition != work->partition)
			start++;
		if (start == back->starts + READ_PARTITIONS_MAX)
			continue;
		if (start == end) {
			back->start_count++;
			*start = (struct kafka_position){ work->partition,
				work->state_offset };
		} else if (work->state_offset < start->next_offset) {
			start->next_offset = work->state_offset;
		}
		back->works[i] = back->works[kept];
		back->works[kept++] = work;
	}
	back->count = kept;
}

static enum status
attempt(const struct restore *restore, struct work **works, size_t count,
    struct error *err)
{
	const char *topic = restore->topics->names[TOPIC_STATE];
	struct read_back back = {
		.restore = restore,
		.works = works,
		.count = count,
	};
	struct error ignored;
	enum status status;

	tree_init(&back.tree, WORK_STATE_NODES_MAX);
	plan(&back);
	status = kafka_consumer_assign(
	    restore->reader, topic, back.starts, back.start_count, err);
	if (status == STATUS_OK)
		status = read_on(&back, err);
	if (kafka_consumer_assign(
		restore->reader, topic, back.starts, 0, &ignored) != STATUS_OK)
		status = STATUS_FATAL;
	tree_clear(&back.tree);
	return status;
}

/* When the others, or what stands in front of it, take all the time there is,
 * the first is read alone. */
enum status
read_back(const struct restore *restore, struct work **works, size_t count,
    struct error *err)
{
	enum status status = attempt(restore, works, count, err);

	if (status == STATUS_UNAVAILABLE && count > 1 &&
	    !restore_is_stopping(restore))
		status = attempt(restore, works, 1, err);
	return status;
}
