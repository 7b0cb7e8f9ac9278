/* SPDX-License-Identifier: Apache-2.0
 *
 * What producing and transactions share. */
#ifndef KAFKA_PRODUCER_STATE_H
#define KAFKA_PRODUCER_STATE_H

#include "vulnbus/kafka_producer.h"

struct kafka_producer {
	struct rd_kafka_s *client;
	kafka_delivery_f *on_delivery;
	void *arg;
	bool has_doubt; /* of a record of the open transaction */
	uint32_t transaction_ms;
};

struct rd_kafka_topic_partition_list_s;
struct rd_kafka_consumer_group_metadata_s;

/* As kafka_producer_send_positions. */
enum status
kafka_producer_send_list(struct kafka_producer *producer,
    const struct rd_kafka_topic_partition_list_s *list,
    const struct rd_kafka_consumer_group_metadata_s *group, struct error *err);

#endif
