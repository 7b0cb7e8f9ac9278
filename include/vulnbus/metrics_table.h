/* SPDX-License-Identifier: Apache-2.0
 *
 * Every metric there is. What is printed, counted, documented
 * (`vulnbus metrics-reference`, deploy/metrics.md) and checked is made of this
 * one table; operators' alerts name what stands here, so names stay. */
#ifndef VULNBUS_METRICS_TABLE_H
#define VULNBUS_METRICS_TABLE_H

/* What an ingress answers, and what a vendor's API answers: the codes that
 * have a meaning here. Any other is "other". */
#define METRIC_ANSWERS "202 400 401 404 405 413 415 429 431 503 other"
#define METRIC_API_CODES \
	"0 200 400 401 403 404 408 409 410 422 425 429 500 502 503 504 other"

/*  symbol, name, type, daemons, unit, first label, second label, words of the
 *  second label (NULL: any of ours), meaning.
 *  Types: counter, gauge, histogram (no labels). Daemons: I ingress, E
 * enricher. What is in seconds is given in microseconds. */
#define METRIC_TABLE(X)                                                        \
	X(BUILD, "vulnbus_build_info", "gauge", "IE", "1", "service",          \
	    "version", NULL, "Which daemon this is, in which version")         \
	X(READY, "vulnbus_ready", "gauge", "IE", "0 or 1", NULL, NULL, NULL,   \
	    "1 while /readyz says that it can take work")                      \
	X(KAFKA_UP, "vulnbus_kafka_up", "gauge", "IE", "0 or 1", NULL, NULL,   \
	    NULL, "1 while Kafka answers and every partition has a leader")    \
	X(RELOAD_OK, "vulnbus_config_last_reload_successful", "gauge", "IE",   \
	    "0 or 1", NULL, NULL, NULL,                                        \
	    "1 when the last reload of the configuration took effect")         \
	X(RELOAD_TIME, "vulnbus_config_last_reload_success_timestamp_seconds", \
	    "gauge", "IE", "seconds", NULL, NULL, NULL,                        \
	    "When the configuration in force was loaded (Unix time)")          \
	X(WEBHOOKS, "vulnbus_webhooks_total", "counter", "I", "requests",      \
	    "source", "code", METRIC_ANSWERS,                                  \
	    "Webhook requests by source and answer")                           \
	X(ANSWER_TIME, "vulnbus_answer_duration_seconds", "histogram", "I",    \
	    "seconds", NULL, NULL, NULL, "Time from request to answer")        \
	X(BAD_SIGNATURES, "vulnbus_bad_signatures_total", "counter", "I",      \
	    "requests", "source", NULL, NULL,                                  \
	    "Webhooks whose origin was not proved")                            \
	X(HINT_MISMATCHES, "vulnbus_signature_hint_mismatches_total",          \
	    "counter", "I", "requests", "source", NULL, NULL,                  \
	    "Webhooks whose X-Signature disagrees with the configuration")     \
	X(UNEXPECTED_PEERS, "vulnbus_unexpected_peers_total", "counter", "I",  \
	    "requests", "source", NULL, NULL,                                  \
	    "Requests with the right secret, but not of hook.allow_from or "   \
	    "hook.client_subject")                                             \
	X(EVENTS_DELIVERED, "vulnbus_events_delivered_total", "counter", "I",  \
	    "requests", "source", NULL, NULL,                                  \
	    "Webhooks whose events are on Kafka or spooled")                   \
	X(EVENTS_FAILED, "vulnbus_events_failed_total", "counter", "I",        \
	    "requests", "source", NULL, NULL,                                  \
	    "Webhooks whose events could not be made safe")                    \
	X(DELIVERY_TIME, "vulnbus_delivery_duration_seconds", "histogram",     \
	    "IE", "seconds", NULL, NULL, NULL,                                 \
	    "Time of a record from the producer's queue to Kafka's "           \
	    "acknowledgement, or its failure")                                 \
	X(SPOOLED, "vulnbus_spooled_total", "counter", "I", "records", NULL,   \
	    NULL, NULL, "Records written to the spool")                        \
	X(SPOOL_EVENTS, "vulnbus_spool_events", "gauge", "I", "records", NULL, \
	    NULL, NULL, "Records in the spool")                                \
	X(SPOOL_ASIDE, "vulnbus_spool_refused_events", "gauge", "I",           \
	    "records", NULL, NULL, NULL,                                       \
	    "Records in the spool that Kafka refuses for good")                \
	X(SPOOL_BYTES, "vulnbus_spool_bytes", "gauge", "I", "bytes", NULL,     \
	    NULL, NULL, "How much of the spool's file is in use")              \
	X(SPOOL_BYTES_MAX, "vulnbus_spool_max_bytes", "gauge", "I", "bytes",   \
	    NULL, NULL, NULL, "ingress.spool.max_size")                        \
	X(SPOOL_OLDEST, "vulnbus_spool_oldest_age_seconds", "gauge", "I",      \
	    "seconds", NULL, NULL, NULL,                                       \
	    "For how long the oldest record is in the spool")                  \
	X(KEYS, "vulnbus_keys", "gauge", "I", "keys", "source", NULL, NULL,    \
	    "Public keys accepted now, of a source that signs")                \
	X(KEY_TIME, "vulnbus_key_timestamp_seconds", "gauge", "I", "seconds",  \
	    "source", NULL, NULL,                                              \
	    "When the keys in use were fetched, or their file was written "    \
	    "(Unix time): time() minus this is their age")                     \
	X(KEY_FETCHES, "vulnbus_key_fetches_total", "counter", "I",            \
	    "requests", "source", "outcome", "fetched failed",                 \
	    "Fetches of a vendor's public key")                                \
	X(PARTITIONS, "vulnbus_partitions_assigned", "gauge", "E",             \
	    "partitions", NULL, NULL, NULL,                                    \
	    "Partitions of the events topic this instance holds")              \
	X(PARTITIONS_ALL, "vulnbus_partitions", "gauge", "E", "partitions",    \
	    NULL, NULL, NULL, "Partitions the events topic has")               \
	X(LAG, "vulnbus_consumer_lag_records", "gauge", "E", "records", NULL,  \
	    NULL, NULL,                                                        \
	    "Records of the partitions held that are not taken in yet")        \
	X(EVENTS_TAKEN, "vulnbus_events_taken_total", "counter", "E",          \
	    "events", "source", "outcome", "new duplicate broken",             \
	    "Events read from the topic")                                      \
	X(EVENTS_WAITING, "vulnbus_events_waiting", "gauge", "E", "events",    \
	    "source", NULL, NULL, "Events that wait for the vendor")           \
	X(EVENTS_WAITING_MAX, "vulnbus_events_waiting_max", "gauge", "E",      \
	    "events", NULL, NULL, NULL,                                        \
	    "enricher.max_waiting: with so many waiting none are taken in")    \
	X(EVENTS_IN_MEMORY, "vulnbus_events_in_memory", "gauge", "E",          \
	    "events", NULL, NULL, NULL,                                        \
	    "Events that wait with their content in memory")                   \
	X(EVENTS_DONE, "vulnbus_events_done_total", "counter", "E", "events",  \
	    "source", "outcome", "enriched dead-letter", "Events ended")       \
	X(DEAD_LETTERS, "vulnbus_dead_letters_total", "counter", "IE",         \
	    "records", "source", "stage", "normalise consume fetch commit",    \
	    "Dead letters written, by the stage that gave up")                 \
	X(RECONCILED, "vulnbus_reconciled_total", "counter", "E", "events",    \
	    "source", NULL, NULL,                                              \
	    "Events found by asking a vendor's API for them")                  \
	X(ROWS, "vulnbus_export_rows_total", "counter", "E", "rows", "source", \
	    NULL, NULL, "Rows of exports written")                             \
	X(TRANSACTIONS, "vulnbus_transactions_total", "counter", "E",          \
	    "transactions", NULL, "outcome", "committed aborted fatal",        \
	    "Kafka transactions ended")                                        \
	X(API_CALLS, "vulnbus_api_calls_total", "counter", "E", "requests",    \
	    "source", "code", METRIC_API_CODES,                                \
	    "Calls of a vendor's API by HTTP status, 0 for none")              \
	X(API_WAITS, "vulnbus_api_waits_total", "counter", "E", "waits",       \
	    "source", "reason", "budget retry-after",                          \
	    "Times a source's calls had to wait: its hourly budget was "       \
	    "spent, or the vendor asked for a pause")                          \
	X(TOKEN_REQUESTS, "vulnbus_token_requests_total", "counter", "E",      \
	    "requests", "source", "outcome", "given refused failed",           \
	    "Requests for an access token")                                    \
	X(SOURCE_AUTHORISED, "vulnbus_source_authorised", "gauge", "E",        \
	    "0 or 1", "source", NULL, NULL,                                    \
	    "0 while the vendor refuses the token")                            \
	X(KAFKA_QUEUED, "vulnbus_kafka_queue_records", "gauge", "IE",          \
	    "records", "client", NULL, NULL,                                   \
	    "Records in the producer's queue or under way")                    \
	X(KAFKA_QUEUED_BYTES, "vulnbus_kafka_queue_bytes", "gauge", "IE",      \
	    "bytes", "client", NULL, NULL,                                     \
	    "Size of the records in the producer's queue or under way")        \
	X(KAFKA_OUTGOING, "vulnbus_kafka_outgoing_requests", "gauge", "IE",    \
	    "requests", "client", NULL, NULL,                                  \
	    "Requests that wait to be sent to a broker")                       \
	X(KAFKA_IN_FLIGHT, "vulnbus_kafka_in_flight_requests", "gauge", "IE",  \
	    "requests", "client", NULL, NULL,                                  \
	    "Requests that wait for a broker's answer")                        \
	X(KAFKA_SENT, "vulnbus_kafka_sent_records_total", "counter", "IE",     \
	    "records", "client", NULL, NULL, "Records sent to brokers")        \
	X(KAFKA_RECEIVED, "vulnbus_kafka_received_records_total", "counter",   \
	    "IE", "records", "client", NULL, NULL,                             \
	    "Records received from brokers")                                   \
	X(KAFKA_ERRORS, "vulnbus_kafka_request_errors_total", "counter", "IE", \
	    "requests", "client", NULL, NULL,                                  \
	    "Requests that could not be sent, failed, or timed out")           \
	X(KAFKA_RTT, "vulnbus_kafka_rtt_seconds", "gauge", "IE", "seconds",    \
	    "client", "statistic", NULL,                                       \
	    "How long the slowest broker takes to answer: mean, p99; a "       \
	    "consumer's with the time it lets brokers wait for records")       \
	X(KAFKA_BROKERS, "vulnbus_kafka_brokers", "gauge", "IE", "brokers",    \
	    "client", "state", NULL,                                           \
	    "Brokers known: up, down, idle (not connected, not needed)")       \
	X(PROCESS_CPU, "process_cpu_seconds_total", "counter", "IE",           \
	    "seconds", NULL, NULL, NULL, "CPU time, user and system")          \
	X(PROCESS_MEMORY, "process_resident_memory_bytes", "gauge", "IE",      \
	    "bytes", NULL, NULL, NULL, "Resident memory")                      \
	X(PROCESS_FILES, "process_open_fds", "gauge", "IE", "files", NULL,     \
	    NULL, NULL, "Open file descriptors")                               \
	X(PROCESS_FILES_MAX, "process_max_fds", "gauge", "IE", "files", NULL,  \
	    NULL, NULL, "How many file descriptors may be open")               \
	X(PROCESS_START, "process_start_time_seconds", "gauge", "IE",          \
	    "seconds", NULL, NULL, NULL, "When it started (Unix time)")

#endif
