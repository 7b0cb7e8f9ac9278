/* SPDX-License-Identifier: Apache-2.0
 *
 * The topics: one table of what each is for and how it is kept. */
#ifndef VULNBUS_TOPICS_H
#define VULNBUS_TOPICS_H

#include "vulnbus/kafka.h"

#define DAY_MS 86400000LL

/*  symbol, short name, record (its schema), cleanup, retention */
#define TOPIC_TABLE(X)                                                        \
	X(EVENTS, "events", "event", "delete", 30 * DAY_MS)                   \
	X(SCANS, "scans", "scan", "delete", 90 * DAY_MS)                      \
	X(EXPORTS, "exports", "export", "delete", 90 * DAY_MS)                \
	X(EXPORT_ROWS, "export-rows", "export-row", "delete", 30 * DAY_MS)    \
	X(FINDINGS, "findings", "finding", "compact,delete", 90 * DAY_MS)     \
	X(TARGETS, "targets", "target", "compact,delete", 90 * DAY_MS)        \
	X(SCORECARDS, "scorecards", "scorecard", "compact,delete",            \
	    90 * DAY_MS)                                                      \
	X(DEAD_LETTERS, "dead-letters", "dead-letter", "delete", 90 * DAY_MS) \
	X(OCSF, "ocsf", "ocsf", "delete", 90 * DAY_MS)                        \
	X(STATE, "state", "", "compact,delete", 0)

enum topic {
#define X(symbol, name, record, cleanup, retention) TOPIC_##symbol,
	TOPIC_TABLE(X)
#undef X
	    TOPIC_COUNT
};

#define TOPIC_NAME_BYTES 250

/* Full names under the configured prefix. What is not used is neither created
 * nor asked for. */
struct topics {
	char names[TOPIC_COUNT][TOPIC_NAME_BYTES];
	bool is_used[TOPIC_COUNT];
};

void
topics_init(struct topics *topics, const struct config *config);

/* "scans", and "scan" for its record; empty for a topic without a schema. */
const char *
topic_short_name(enum topic topic);

const char *
topic_record(enum topic topic);

/* The record's ce_dataschema, and its ce_type where it comes from an API. */
const char *
topic_schema(enum topic topic);

const char *
topic_type(enum topic topic);

/* By short or full name, -1 when it is none of ours. */
int
topic_find(const struct topics *topics, const char *name);

/* How each topic should be kept: what topics_prepare creates. Names are
 * borrowed from `topics`; NULL: it is not used. */
void
topics_wanted(const struct topics *topics, const struct config *config,
    struct kafka_topic out_wanted[TOPIC_COUNT]);

/* Creates what is missing if topics.create, then checks that every used topic
 * is there and that state and events have equally many partitions.
 * STATUS_UNAVAILABLE: Kafka does not answer. STATUS_INVALID: it does, and the
 * topics will not do. *out_partitions is that of the events topic. */
enum status
topics_prepare(const struct topics *topics, const struct config *config,
    uint32_t timeout_ms, int32_t *out_partitions, struct error *err) MUST_CHECK;

#endif
