/* SPDX-License-Identifier: Apache-2.0
 *
 * The records of one notification on their way to where they are safe: Kafka,
 * or the spool when Kafka is away, slow, or still behind it. */
#ifndef VULNBUS_DELIVERY_H
#define VULNBUS_DELIVERY_H

#include "vulnbus/produce.h"
#include "vulnbus/spool.h"

#define DELIVERY_RECORDS_MAX 16 /* of one notification, with a spool */

/* What all deliveries share. */
struct deliveries {
	struct produce *produce;
	struct spool *spool; /* NULL: none is configured */
};

/* STATUS_OK: every record is safe. Anything else: not all of them are. Called
 * once for a sealed delivery, on any thread. */
typedef void
delivery_end_f(void *owner, enum status status, const char *why);

/* Any thread may call any of these. */
struct delivery;

/* NULL: no memory. */
struct delivery *
delivery_new(
    struct deliveries *deliveries, delivery_end_f *on_end, void *owner);

void
delivery_release(struct delivery *delivery);

/* Sends a record. An error ends the notification: there is no use in sending
 * the others. */
enum status
delivery_add(struct delivery *delivery, const struct kafka_record *record,
    struct error *err) MUST_CHECK;

/* All records were added: on_end may be called from now on, even before this
 * returns. */
void
delivery_seal(struct delivery *delivery);

/* Time runs out: what Kafka has not acknowledged by now goes to the spool. */
void
delivery_hurry(struct delivery *delivery);

/* spool_done_f, for whoever opens the spool. */
void
delivery_on_spooled(void *delivery, enum status status, const char *why);

#endif
