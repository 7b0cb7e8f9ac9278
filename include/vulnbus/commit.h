/* SPDX-License-Identifier: Apache-2.0
 *
 * Stage: what the enricher writes, in Kafka transactions. A transaction holds
 * output records, the state of every event they belong to, and the group's
 * positions: all of it, or nothing. */
#ifndef VULNBUS_COMMIT_H
#define VULNBUS_COMMIT_H

#include "vulnbus/kafka_producer.h"
#include "vulnbus/topics.h"
#include "vulnbus/work.h"

struct commit {
	struct kafka_producer *producer; /* owned */
	const struct topics *topics;
	bool is_open;       /* a transaction is */
	enum status status; /* sticky until commit_end */
	struct error why;
	struct work *dirty; /* a list by next_dirty */
	uint64_t rows;      /* sent in this transaction */
	uint64_t bytes;
	uint64_t unreported; /* bytes of keys and values */
	/* Whose record the brokers will never take, if commit_end said
	 * STATUS_ABORTED; and why. */
	struct work *refused;
	struct error refusal;
	struct tree tree; /* of the state records */
	struct buffer value;
};

/* Opens the transactional producer: former sessions of the same id are fenced
 * and their open transactions aborted. STATUS_UNAVAILABLE: try again. */
enum status
commit_open(const struct config *config, const struct topics *topics,
    struct commit *commit, struct error *err) MUST_CHECK;

void
commit_close(struct commit *commit);

/* Adds an output record of a work, beginning a transaction if none is open.
 * STATUS_TOO_LARGE: this record is over message.max.bytes and was not added.
 * All other failures stick: commit_end returns them, this returns STATUS_OK. */
enum status
commit_send(struct commit *commit, const struct kafka_record *record,
    struct work *work) MUST_CHECK;

/* The work's `next` will be written as its state. */
void
commit_touch(struct commit *commit, struct work *work);

/* A touched work that is about to be freed. */
void
commit_forget(struct commit *commit, struct work *work);

/* Forgets what is touched and aborts what is open: the partitions go.
 * STATUS_FATAL: it may not be aborted, the session is over. */
enum status
commit_undo(struct commit *commit) MUST_CHECK;

/* Writes the states and the positions and ends the transaction. STATUS_OK:
 * committed. STATUS_ABORTED: nothing of it happened, and the same may be tried
 * again. STATUS_FATAL: the session is over, and what became of the transaction
 * is for the next session to read. In every case the list of touched work is
 * handed to the caller in *out_dirty. */
enum status
commit_end(struct commit *commit, struct kafka_consumer *consumer,
    const struct kafka_position *positions, size_t count,
    struct work **out_dirty, struct error *err) MUST_CHECK;

#endif
