/* SPDX-License-Identifier: Apache-2.0
 *
 * What producers, consumers and the topic administration share: how a client
 * is configured, a record on the wire, and the embedded broker.
 *
 * librdkafka has eight doors: kafka.c, kafka_check.c, kafka_producer.c,
 * kafka_consumer.c, kafka_bounds.c, kafka_describe.c, kafka_forward.c and
 * kafka_statistics.c. */
#ifndef VULNBUS_KAFKA_H
#define VULNBUS_KAFKA_H

#include "vulnbus/config.h"

#define KAFKA_PARTITION_BY_KEY (-1)
#define KAFKA_HEADERS_MAX      24

struct kafka_header {
	const char *name;
	struct view value;
};

struct kafka_record {
	const char *topic;
	int32_t partition;
	int64_t offset;       /* of a record read or delivered */
	int64_t timestamp_ms; /* CreateTime */
	struct view key;
	struct view value;
	bool is_tombstone; /* of a record read: no value, not an empty one */
	struct kafka_header headers[KAFKA_HEADERS_MAX];
	size_t header_count;
};

/* The value of the record's header, or an empty view. */
struct view
kafka_record_header(const struct kafka_record *record, const char *name);

/* Adds a header while there is room; an empty value adds nothing. */
void
kafka_record_add_header(
    struct kafka_record *record, const char *name, struct view value);

/* Consumed offsets, as a transaction commits them: the next to be read. */
struct kafka_position {
	int32_t partition;
	int64_t next_offset;
};

/* A setting of ours; the operator's kafka.properties come after it and win,
 * but for those kafka_check refuses. The list ends with a NULL name; a NULL
 * value skips the line. */
struct kafka_setting {
	const char *name;
	const char *value;
};

struct rd_kafka_conf_s;
struct rd_kafka_s;

/* message.max.bytes of kafka.properties, or librdkafka's own. */
size_t
kafka_message_bytes_max(const struct config *config);

/* `client` becomes client.id. The caller owns *out_conf. */
enum status
kafka_configure(const struct config *config, const char *client,
    const struct kafka_setting *settings, struct rd_kafka_conf_s **out_conf,
    struct error *err) MUST_CHECK;

/* Every kafka.properties line known to librdkafka, none of those that carry
 * a promise of ours (acks, transactional.id, ...), and all of them fit for
 * the clients made from them. STATUS_INVALID with the line. Asks no broker. */
enum status
kafka_check(const struct config *config, struct error *err) MUST_CHECK;

struct kafka_topic {
	const char *name;
	int32_t partitions;
	int32_t replication_factor; /* -1: the cluster's default */
	const char *cleanup_policy;
	int64_t retention_ms;
};

/* Creates those of `topics` that do not exist. */
enum status
kafka_topics_create(const struct config *config,
    const struct kafka_topic *topics, size_t count, uint32_t timeout_ms,
    struct error *err) MUST_CHECK;

/* How many partitions each of `topics` has; 0 when there is no such topic, or
 * no name.
 * STATUS_UNAVAILABLE: the cluster does not answer. */
enum status
kafka_topics_count(const struct config *config,
    const struct kafka_topic *topics, size_t count, uint32_t timeout_ms,
    int32_t *out_partitions, struct error *err) MUST_CHECK;

/* librdkafka's mock cluster: a broker inside the process, in memory, for
 * `vulnbus demo` and unit tests. It keeps no committed offsets and hides no
 * aborted record. */
struct kafka_broker;

enum status
kafka_broker_open(
    struct kafka_broker **out_broker, struct error *err) MUST_CHECK;

void
kafka_broker_close(struct kafka_broker **broker);

const char *
kafka_broker_address(const struct kafka_broker *broker);

/* Which of a topic's `count` partitions a record with this key goes to: as
 * Java's default partitioner has it (murmur2). */
int32_t
kafka_partition_of(struct view key, int32_t count);

#endif
