/* SPDX-License-Identifier: Apache-2.0
 *
 * The partitions this instance owns, and reading their state back. */
#ifndef VULNBUS_PARTITION_H
#define VULNBUS_PARTITION_H

#include "vulnbus/kafka_consumer.h"
#include "vulnbus/map.h"
#include "vulnbus/topics.h"
#include "vulnbus/work.h"

/* One partition this instance owns. */
struct partition {
	int32_t id;
	int64_t next_offset;  /* of its events, as the next transaction says */
	int64_t end_offset;   /* where its events ended when last told so */
	uint64_t level_round; /* when it was asked whether all are taken in */
	bool is_level;
	struct map known; /* state key -> work under way, or when done */
};

/* What the program does with what is found. Called from consume_poll. */
struct consume_callbacks {
	/* A work read back from the state topic, now the caller's. */
	void (*on_restored)(
	    struct partition *partition, struct work *work, void *arg);
	/* A work that later state records have ended or replaced. */
	void (*on_replaced)(struct work *work, void *arg);
	/* All partitions are about to go: drop whatever came from them. */
	void (*on_revoked)(void *arg);
	bool (*is_stopping)(void *arg);
	void *arg;
};

struct partitions {
	struct partition *items;          /* owned */
	struct kafka_position *positions; /* owned; of items, in their order */
	size_t count;
	int64_t say_at_ms; /* that taking them over lasts */
};

/* NULL when it is not held. */
struct partition *
partitions_find(const struct partitions *partitions, int32_t id);

/* Positions are -1 until partitions_restore. */
enum status
partitions_hold(struct partitions *partitions, const int32_t *ids, size_t count,
    struct error *err) MUST_CHECK;

/* The works in it are the caller's business. */
void
partitions_drop(struct partitions *partitions);

struct restore {
	struct kafka_consumer *member;  /* of the group */
	struct kafka_consumer *reader;  /* of state, read_committed */
	struct kafka_consumer *watcher; /* of bounds, read_uncommitted */
	const struct topics *topics;
	const struct consume_callbacks *callbacks;
};

bool
restore_is_stopping(const struct restore *restore);

/* Takes the partitions over from whoever had them: waits until nothing of a
 * former owner can still be committed, then reads their state, whole. Blocks,
 * until done or callbacks->is_stopping. */
enum status
partitions_restore(const struct restore *restore, struct partitions *partitions,
    struct error *err) MUST_CHECK;

#endif
