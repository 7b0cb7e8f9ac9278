/* SPDX-License-Identifier: Apache-2.0
 *
 * Stage: events off the topic, and the memory of those taken in before. On
 * taking a partition over its state is read back, whole, before its first
 * event is read. */
#ifndef VULNBUS_CONSUME_H
#define VULNBUS_CONSUME_H

#include "vulnbus/kafka_consumer.h"
#include "vulnbus/partition.h"
#include "vulnbus/topics.h"

struct consume;

enum status
consume_open(const struct config *config, const struct topics *topics,
    const struct consume_callbacks *callbacks, struct consume **out_consume,
    struct error *err) MUST_CHECK;

void
consume_close(struct consume **consume);

/* The next event record. STATUS_OK: *out_partition is where it came from, the
 * record lives until consume_release. STATUS_END: none at the moment.
 * STATUS_FATAL: rebuild. */
enum status
consume_poll(struct consume *consume, struct kafka_record *out_record,
    struct partition **out_partition, struct error *err) MUST_CHECK;

/* Done with the record of the last consume_poll: the position moves on. */
void
consume_release(struct consume *consume);

/* Written to whenever consume_poll may have something. */
void
consume_signal(struct consume *consume, int fd);

void
consume_pause(struct consume *consume, bool is_paused);

struct partition *
consume_partition(struct consume *consume, int32_t id);

/* The event of the first of these unloaded works, back from the state topic;
 * those of the others as far as they come along. Reorders the others. */
enum status
consume_read_back(struct consume *consume, struct work **works, size_t count,
    struct error *err) MUST_CHECK;

/* Has every event of the partition been taken in that was on the topic when
 * this was called? Asks Kafka, once a `round` (from 1). */
bool
consume_is_level(
    struct consume *consume, struct partition *partition, uint64_t round);

/* Asks the partitions' leaders for their ends: the metrics of partitions and
 * lag. May block for as long as two answers take. */
void
consume_measure(struct consume *consume);

/* Would an event with this record key come to that partition? */
bool
consume_is_place_of(const struct consume *consume,
    const struct partition *partition, struct view key);

/* The positions of all partitions held, for a transaction. */
const struct kafka_position *
consume_positions(struct consume *consume, size_t *out_count);

/* Positions have moved since the last call of consume_settled. */
bool
consume_has_moved(const struct consume *consume);

void
consume_settled(struct consume *consume);

/* The group has as many partitions; this instance holds so many of them. */
double
consume_share(const struct consume *consume);

bool
consume_is_assigned(const struct consume *consume);

struct kafka_consumer *
consume_member(struct consume *consume);

/* Forgets what was done before `limit_ms` (wall clock). */
void
consume_expire(struct consume *consume, int64_t limit_ms);

#endif
