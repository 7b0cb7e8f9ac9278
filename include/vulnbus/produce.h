/* SPDX-License-Identifier: Apache-2.0
 *
 * Stage: encoded records onto Kafka, and proof that they are safe there. Keeps
 * a producer alive: creates topics, notices outages, rebuilds after a fatal
 * error. */
#ifndef VULNBUS_PRODUCE_H
#define VULNBUS_PRODUCE_H

#include "vulnbus/kafka_producer.h"
#include "vulnbus/shipment.h"
#include "vulnbus/topics.h"

struct produce;

/* Starts the thread that serves the producer. Kafka need not be there
 * yet. `config` is borrowed; produce_renew alone changes it. */
enum status
produce_open(struct config *config, const struct topics *topics,
    struct produce **out_produce, struct error *err) MUST_CHECK;

/* Waits up to `drain_ms` for what is under way; every record was reported when
 * this returns. */
void
produce_close(struct produce **produce, uint32_t drain_ms);

/* Takes the kafka.properties of `fresh`, which gets the former ones, and soon
 * makes another producer of them. The thread that ticks. */
void
produce_renew(struct produce *produce, struct config *fresh);

/* As kafka_producer_send; the shipment's on_report tells the rest, unless this
 * fails. STATUS_UNAVAILABLE also while Kafka was never reached or the producer
 * is being rebuilt. Any thread. */
enum status
produce_send(struct produce *produce, const struct kafka_record *record,
    struct shipment *shipment, struct error *err) MUST_CHECK;

/* To be called about once a second: prepares the topics and asks Kafka
 * whether it is there. May block for a second or two. */
void
produce_tick(struct produce *produce);

/* At the last tick: is there somebody who takes records, for some partition,
 * and for every one? Any thread. */
bool
produce_is_up(const struct produce *produce);

bool
produce_is_ready(const struct produce *produce);

#endif
