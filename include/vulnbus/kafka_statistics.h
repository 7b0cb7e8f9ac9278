/* SPDX-License-Identifier: Apache-2.0
 *
 * A door to librdkafka: its figures of itself become metrics (STATISTICS.md of
 * librdkafka). A few sums over topics and brokers, never one of each: the set
 * of series does not grow with the cluster. */
#ifndef VULNBUS_KAFKA_STATISTICS_H
#define VULNBUS_KAFKA_STATISTICS_H

#include "vulnbus/view.h"

struct rd_kafka_conf_s;

/* The client made of `conf` tells its figures every five seconds, to whoever
 * polls it: one that nobody polls would pile them up. Of a process one
 * producer and one consumer may. */
void
kafka_statistics_use(struct rd_kafka_conf_s *conf);

/* For kafka_statistics_use and tests: one such document, as the metrics of
 * `client`. What it does not have stays as it was. */
void
kafka_statistics_note(const char *client, struct view document);

#endif
