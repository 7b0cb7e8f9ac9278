/* SPDX-License-Identifier: Apache-2.0
 *
 * The records of several topics as one stream, read_committed, without joining
 * a group. Knows when everything that was there at some moment has been read.
 */
#ifndef VULNBUS_TOOL_READER_H
#define VULNBUS_TOOL_READER_H

#include "vulnbus/kafka_consumer.h"
#include "vulnbus/topics.h"

struct reader;

struct reader_options {
	const struct config *config;
	const struct topics *topics;
	bool is_wanted[TOPIC_COUNT];
	bool is_from_end;    /* only what comes from now on */
	uint32_t timeout_ms; /* for Kafka's answers while opening */
};

/* STATUS_MISSING: a topic does not exist, `err` names it.
 * STATUS_UNAVAILABLE: Kafka does not answer. */
enum status
reader_open(const struct reader_options *options, struct reader **out_reader,
    struct error *err) MUST_CHECK;

void
reader_close(struct reader **reader);

/* STATUS_OK: a record, valid until the next call. STATUS_END: none within
 * `ms`, or a signal came. STATUS_UNAVAILABLE: a passing error, read on.
 * STATUS_UNPROVED: a topic may not be read; of the others more may come.
 * STATUS_FATAL: open it again. */
enum status
reader_next(struct reader *reader, uint32_t ms, enum topic *out_topic,
    struct kafka_record *out_record, struct error *err) MUST_CHECK;

/* Sets the mark to where the topics end now. */
enum status
reader_mark(struct reader *reader, struct error *err) MUST_CHECK;

/* Everything up to the mark has been read. */
bool
reader_is_at_mark(const struct reader *reader);

#endif
