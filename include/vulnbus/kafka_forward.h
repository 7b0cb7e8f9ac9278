/* SPDX-License-Identifier: Apache-2.0
 *
 * A door to librdkafka: records carried on from topic to topic as they are,
 * and how far that has come, kept as the positions of a group without
 * members. */
#ifndef VULNBUS_KAFKA_FORWARD_H
#define VULNBUS_KAFKA_FORWARD_H

#include "vulnbus/kafka_consumer.h"
#include "vulnbus/kafka_producer.h"

/* Sends what was received on to `topic`: key, value (or none), time and
 * headers as they came, then `headers`, each in place of those of its name.
 * `partition` may be KAFKA_PARTITION_BY_KEY. The message stays the caller's.
 * Statuses as of kafka_producer_send. */
enum status
kafka_forward(struct kafka_producer *producer,
    const struct kafka_message *message, const char *topic, int32_t partition,
    const struct kafka_header *headers, size_t header_count,
    struct error *err) MUST_CHECK;

/* Brokers keep a text with each position, of at most so many bytes
 * (offset.metadata.max.bytes, its default). */
#define KAFKA_NOTE_BYTES 4096

struct kafka_note {
	char text[KAFKA_NOTE_BYTES + 1]; /* "": none */
};

/* Adds the positions of a group without members to the transaction, with a
 * note each. Statuses as of kafka_producer_send_positions. */
enum status
kafka_forward_keep(struct kafka_producer *producer, const char *group_id,
    const char *topic, const struct kafka_position *positions,
    const struct kafka_note *notes, size_t count, struct error *err) MUST_CHECK;

/* What is kept of the partitions 0 to count - 1 for the consumer's group, once
 * no transaction can change it any more; next_offset is -1 where there is
 * nothing. STATUS_UNAVAILABLE after `ms`. */
enum status
kafka_forward_kept(struct kafka_consumer *consumer, const char *topic,
    struct kafka_position *out_positions, struct kafka_note *out_notes,
    size_t count, uint32_t ms, struct error *err) MUST_CHECK;

/* A reader fetches no more from this partition. */
void
kafka_forward_stop(
    struct kafka_consumer *consumer, const char *topic, int32_t partition);

#endif
