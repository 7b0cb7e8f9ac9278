/* SPDX-License-Identifier: Apache-2.0
 *
 * A record for Kafka as the spool keeps it. */
#ifndef VULNBUS_SPOOL_RECORD_H
#define VULNBUS_SPOOL_RECORD_H

#include "vulnbus/kafka.h"

struct topics;

/* Appends the record to `out`. Its topic is one of ours, and is kept by its
 * short name: a spool outlives a change of the prefix. */
void
spool_record_write(const struct kafka_record *record,
    const struct topics *topics, struct buffer *out);

/* *out_record borrows from `payload` and `topics`. STATUS_INVALID: it is not
 * what spool_record_write made, or of a topic that is not known any more. */
enum status
spool_record_read(struct view payload, const struct topics *topics,
    struct kafka_record *out_record, struct error *err) MUST_CHECK;

#endif
