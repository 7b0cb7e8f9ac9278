/* SPDX-License-Identifier: Apache-2.0
 *
 * A door to librdkafka: how topics are kept. */
#ifndef VULNBUS_KAFKA_DESCRIBE_H
#define VULNBUS_KAFKA_DESCRIBE_H

#include "vulnbus/kafka.h"

#define KAFKA_POLICY_BYTES 64

/* As the brokers have it (Kafka documentation, "Topic Configs"). */
struct kafka_topic_state {
	int32_t partitions; /* 0: there is no such topic, nor the rest */
	int32_t copies;     /* of its first partition */
	char cleanup_policy[KAFKA_POLICY_BYTES];
	int64_t retention_ms;    /* -1: for ever */
	int64_t batch_bytes_max; /* max.message.bytes */
};

/* A topic without a name is passed over.
 * STATUS_UNAVAILABLE: the cluster does not answer. STATUS_UNPROVED: it does,
 * and we may not ask that. */
enum status
kafka_describe(const struct config *config, const struct kafka_topic *topics,
    size_t count, uint32_t timeout_ms, struct kafka_topic_state *out_states,
    struct error *err) MUST_CHECK;

#endif
