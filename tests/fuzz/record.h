/* SPDX-License-Identifier: Apache-2.0
 *
 * A record of Kafka out of any bytes: as a row of the spool has it, which
 * holds all that a record may be. */
#ifndef VULNBUS_TESTS_FUZZ_RECORD_H
#define VULNBUS_TESTS_FUZZ_RECORD_H

#include "fuzz.h"

#include "vulnbus/spool_record.h"
#include "vulnbus/topics.h"

static struct topics topics;

/* False: it is none. The record's views look into the bytes. */
static inline bool
take_record(struct view bytes, struct kafka_record *out)
{
	struct error err = { "" };

	for (int i = 0; i < TOPIC_COUNT; i++)
		snprintf(topics.names[i], sizeof(topics.names[i]),
		    "vulnbus.%s.v1", topic_short_name((enum topic)i));
	if (spool_record_read(bytes, &topics, out, &err) == STATUS_OK)
		return true;
	REQUIRE(err.text[0] != '\0');
	return false;
}

#endif
