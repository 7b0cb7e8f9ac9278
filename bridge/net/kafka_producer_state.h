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

#endif
