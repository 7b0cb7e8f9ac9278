/* SPDX-License-Identifier: Apache-2.0
 *
 * Counters and gauges of the process, printed in Prometheus' text format. One
 * table names them all. Any thread may add; a label value is a source's name
 * or a word of ours, never anything a stranger chose. */
#ifndef VULNBUS_METRICS_H
#define VULNBUS_METRICS_H

#include "vulnbus/buffer.h"

/*  symbol, name, type, first label, second label, meaning */
#define METRIC_TABLE(X)                                                        \
	X(WEBHOOKS, "vulnbus_webhooks_total", "counter", "source", "code",     \
	    "Webhook requests by source and answer")                           \
	X(BAD_SIGNATURES, "vulnbus_bad_signatures_total", "counter", "source", \
	    NULL, "Webhooks whose origin was not proved")                      \
	X(HINT_MISMATCHES, "vulnbus_signature_hint_mismatches_total",          \
	    "counter", "source", NULL,                                         \
	    "Webhooks whose X-Signature disagrees with the configuration")     \
	X(UNEXPECTED_PEERS, "vulnbus_unexpected_peers_total", "counter",       \
	    "source", NULL,                                                    \
	    "Requests with the right secret, but not of hook.allow_from or "   \
	    "hook.client_subject")                                             \
	X(EVENTS_DELIVERED, "vulnbus_events_delivered_total", "counter",       \
	    "source", NULL, "Webhooks whose events are on Kafka or spooled")   \
	X(EVENTS_FAILED, "vulnbus_events_failed_total", "counter", "source",   \
	    NULL, "Webhooks whose events could not be made safe")              \
	X(SPOOLED, "vulnbus_spooled_total", "counter", NULL, NULL,             \
	    "Records written to the spool")                                    \
	X(SPOOL_EVENTS, "vulnbus_spool_events", "gauge", NULL, NULL,           \
	    "Records in the spool")                                            \
	X(SPOOL_ASIDE, "vulnbus_spool_refused_events", "gauge", NULL, NULL,    \
	    "Records in the spool that Kafka refuses for good")                \
	X(SPOOL_BYTES, "vulnbus_spool_bytes", "gauge", NULL, NULL,             \
	    "How much of the spool's file is in use")                          \
	X(SPOOL_OLDEST, "vulnbus_spool_oldest_age_seconds", "gauge", NULL,     \
	    NULL, "For how long the oldest record is in the spool")            \
	X(KEY_FETCHES, "vulnbus_key_fetches_total", "counter", "source",       \
	    "outcome", "Fetches of a vendor's public key")                     \
	X(KEYS, "vulnbus_keys", "gauge", "source", NULL,                       \
	    "Public keys accepted now")                                        \
	X(KAFKA_UP, "vulnbus_kafka_up", "gauge", NULL, NULL,                   \
	    "1 while Kafka answers")                                           \
	X(RELOAD_OK, "vulnbus_config_last_reload_successful", "gauge", NULL,   \
	    NULL, "1 when the last reload of the configuration took effect")   \
	X(EVENTS_TAKEN, "vulnbus_events_taken_total", "counter", "source",     \
	    "outcome", "Events read from the topic: new, duplicate, broken")   \
	X(EVENTS_IN_MEMORY, "vulnbus_events_in_memory", "gauge", NULL, NULL,   \
	    "Events that wait with their content in memory")                   \
	X(EVENTS_WAITING, "vulnbus_events_waiting", "gauge", NULL, NULL,       \
	    "Events that wait for the vendor")                                 \
	X(EVENTS_DONE, "vulnbus_events_done_total", "counter", "source",       \
	    "outcome", "Events ended: enriched, dead-letter, nothing to do")   \
	X(API_CALLS, "vulnbus_api_calls_total", "counter", "source", "code",   \
	    "Calls of a vendor's API by HTTP status, 0 for none")              \
	X(TOKEN_REQUESTS, "vulnbus_token_requests_total", "counter", "source", \
	    "outcome", "Requests for an access token: given, refused, failed") \
	X(RECONCILED, "vulnbus_reconciled_total", "counter", "source", NULL,   \
	    "Events found by asking a vendor's API for them")                  \
	X(SOURCE_AUTHORISED, "vulnbus_source_authorised", "gauge", "source",   \
	    NULL, "0 while the vendor refuses the token")                      \
	X(TRANSACTIONS, "vulnbus_transactions_total", "counter", "outcome",    \
	    NULL, "Kafka transactions: committed, aborted, fatal")             \
	X(ROWS, "vulnbus_export_rows_total", "counter", "source", NULL,        \
	    "Rows of exports written")                                         \
	X(PARTITIONS, "vulnbus_partitions_assigned", "gauge", NULL, NULL,      \
	    "Partitions of the events topic this instance holds")

enum metric {
#define X(symbol, name, type, label1, label2, meaning) METRIC_##symbol,
	METRIC_TABLE(X)
#undef X
	    METRIC_COUNT
};

/* Label values; NULL where the metric has no such label. Beyond 4096 series a
 * new one is not made. */
void
metric_add(
    enum metric metric, const char *label1, const char *label2, int64_t amount);

void
metric_set(
    enum metric metric, const char *label1, const char *label2, int64_t value);

/* One observation of how long an answer took, in microseconds. */
void
metric_answer_time(int64_t us);

void
metrics_print(struct buffer *out);

#endif
