/* SPDX-License-Identifier: Apache-2.0
 *
 * A door to librdkafka: records off topics, as a member of a group or as a
 * plain reader of chosen partitions. One thread uses a consumer. */
#ifndef VULNBUS_KAFKA_CONSUMER_H
#define VULNBUS_KAFKA_CONSUMER_H

#include "vulnbus/kafka.h"

struct kafka_consumer;
struct kafka_message; /* a record as received; owns what its views look at */
struct rd_kafka_s;

/* Called from within kafka_consumer_poll and _close, before the assignment
 * takes effect and before it is given up. */
typedef void
kafka_assign_f(const int32_t *partitions, size_t count, void *arg);

struct kafka_consumer_options {
	const struct config *config;
	const char *client;
	const char *group_id;    /* whose positions it may ask for, or NULL */
	const char *instance_id; /* static membership (KIP-345), or NULL */
	uint32_t session_timeout_ms;
	bool is_read_uncommitted;
	bool is_bulk;     /* reads very much at once: fetches far ahead */
	bool is_strict;   /* a topic that may not be read is STATUS_UNPROVED */
	bool is_measured; /* kafka_statistics.h: it is polled all along */
	bool is_hasty; /* assigned often, for a moment: asks Kafka more often */
	const char
	    *topic; /* the group subscribes to it; NULL: a plain reader */
	kafka_assign_f *on_assign;
	kafka_assign_f *on_revoke;
	void *arg;
};

enum status
kafka_consumer_open(const struct kafka_consumer_options *options,
    struct kafka_consumer **out_consumer, struct error *err) MUST_CHECK;

void
kafka_consumer_close(struct kafka_consumer **consumer);

/* STATUS_OK: a record, valid until kafka_message_free(*out_message).
 * STATUS_END: nothing within `ms`; when out_record->topic is set, a reader
 * has come to the end of out_record->partition at out_record->offset.
 * STATUS_UNAVAILABLE: a passing error. STATUS_UNPROVED: see is_strict.
 * STATUS_FATAL: rebuild it. */
enum status
kafka_consumer_poll(struct kafka_consumer *consumer, uint32_t ms,
    struct kafka_record *out_record, struct kafka_message **out_message,
    struct error *err) MUST_CHECK;

void
kafka_message_free(struct kafka_message *message);

/* `fd` is written to whenever there is something to poll. */
void
kafka_consumer_signal(struct kafka_consumer *consumer, int fd);

/* Stops or goes on fetching from partitions of the group's topic. */
void
kafka_consumer_pause(struct kafka_consumer *consumer, const int32_t *partitions,
    size_t count, bool is_paused);

/* The group's committed offset of each partition, -1 for none, once they are
 * stable: while a transaction of a former owner may still commit offsets a
 * read_committed member is not answered. STATUS_UNAVAILABLE after `ms`. */
enum status
kafka_consumer_committed(struct kafka_consumer *consumer, const char *topic,
    struct kafka_position *positions, size_t count, uint32_t ms,
    struct error *err) MUST_CHECK;

/* A reader's assignment, in place of the one before. Offsets may be
 * KAFKA_OFFSET_BEGINNING. An empty list reads nothing. */
#define KAFKA_OFFSET_BEGINNING (-2)

enum status
kafka_consumer_assign(struct kafka_consumer *consumer, const char *topic,
    const struct kafka_position *positions, size_t count,
    struct error *err) MUST_CHECK;

/* The partition's first and next offset. With is_read_uncommitted the high
 * watermark, otherwise the last stable offset. */
enum status
kafka_consumer_bounds(struct kafka_consumer *consumer, const char *topic,
    int32_t partition, uint32_t ms, int64_t *out_first, int64_t *out_next,
    struct error *err) MUST_CHECK;

/* For transactions that send this group's offsets: who this instance is to the
 * group, since the last on_assign. NULL before the first. */
struct rd_kafka_consumer_group_metadata_s;

const struct rd_kafka_consumer_group_metadata_s *
kafka_consumer_membership(const struct kafka_consumer *consumer);

/* For the other doors to librdkafka: the client, which stays the consumer's. */
struct rd_kafka_s *
kafka_consumer_client(const struct kafka_consumer *consumer);

#endif
