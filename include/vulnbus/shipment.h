/* SPDX-License-Identifier: Apache-2.0
 *
 * Who waits for the delivery report of a record: a member of what sent it. */
#ifndef VULNBUS_SHIPMENT_H
#define VULNBUS_SHIPMENT_H

#include "vulnbus/status.h"

struct shipment {
	/* Called once per record sent, on librdkafka's threads, which nothing
	 * may hold up: it neither waits nor sends. Only after STATUS_OK is the
	 * record safe. STATUS_TOO_LARGE or STATUS_INVALID: the brokers will
	 * not take it, however often. */
	void (*on_report)(
	    struct shipment *shipment, enum status status, const char *why);
};

#endif
