/* SPDX-License-Identifier: Apache-2.0
 *
 * A door to librdkafka: records onto topics, with proof of their safety
 * (acks=all, idempotent), and transactions. */
#ifndef VULNBUS_KAFKA_PRODUCER_H
#define VULNBUS_KAFKA_PRODUCER_H

#include "vulnbus/kafka.h"

struct kafka_producer;
struct kafka_consumer;
struct rd_kafka_s;

/* What became of one record. Only after STATUS_OK, when a broker said at which
 * `offset` it is, is it safe. STATUS_TOO_LARGE, STATUS_INVALID: the brokers
 * refuse it, and will again. STATUS_UNAVAILABLE: anything else; it may be there
 * all the same. */
struct kafka_report {
	enum status status;
	const char *why;
	const char *topic;
	int64_t offset;
	size_t bytes;       /* of key and value */
	int64_t latency_us; /* since it was sent; -1: not known */
};

/* Called on the thread that polls, or with `is_prompt` on librdkafka's own,
 * several at a time. */
typedef void
kafka_delivery_f(
    void *record_arg, const struct kafka_report *report, void *arg);

struct kafka_producer_options {
	const struct config *config;
	const char *client;
	const char *transactional_id; /* NULL: no transactions */
	uint32_t transaction_timeout_ms;
	/* Records never time out, and none overtakes one that is tried again.
	 * It costs: of all partitions that a broker leads, one is served at a
	 * time. */
	bool is_ordered;
	/* Reports come without waiting for a poll, one thread less to be woken
	 * for each; on_delivery neither blocks nor calls the producer. */
	bool is_prompt;
	bool is_measured; /* kafka_statistics.h: it is polled all along */
	kafka_delivery_f *on_delivery;
	void *arg;
};

enum status
kafka_producer_open(const struct kafka_producer_options *options,
    struct kafka_producer **out_producer, struct error *err) MUST_CHECK;

/* Waits up to `flush_ms` for what is under way, then gives it up: on_delivery
 * is called for every record before this returns (librdkafka has half a
 * minute to hand them back). */
void
kafka_producer_close(struct kafka_producer **producer, uint32_t flush_ms);

/* Copies the record and returns at once; on_delivery tells the rest, unless
 * this fails. STATUS_UNAVAILABLE: the queue is full. STATUS_TOO_LARGE: over
 * message.max.bytes. STATUS_FATAL: the producer must be rebuilt. Any thread. */
enum status
kafka_producer_send(struct kafka_producer *producer,
    const struct kafka_record *record, void *record_arg,
    struct error *err) MUST_CHECK;

/* Waits up to `ms` until every record sent so far is reported. */
void
kafka_producer_flush(struct kafka_producer *producer, uint32_t ms);

/* Serves delivery reports for up to `ms`. */
void
kafka_producer_poll(struct kafka_producer *producer, uint32_t ms);

enum kafka_reach {
	KAFKA_AWAY,   /* no answer in time, or no partition has a leader */
	KAFKA_PARTLY, /* some partitions have no leader */
	KAFKA_THERE,
};

/* Asks the cluster for the topic, for up to `ms`. */
enum kafka_reach
kafka_producer_probe(
    struct kafka_producer *producer, const char *topic, uint32_t ms);

bool
kafka_producer_is_fatal(struct kafka_producer *producer);

/* Transactions. STATUS_ABORTED: abort, then run the same work again.
 * STATUS_FATAL: the session is over (fenced by a newer instance, or worse).
 * STATUS_UNAVAILABLE from _begin_session: try again. The calls block until
 * the coordinator has answered, or until it must have ended the transaction by
 * itself: twice the transaction's timeout, and then STATUS_FATAL, for how it
 * ended only another session can learn. */
enum status
kafka_producer_begin_session(
    struct kafka_producer *producer, uint32_t ms, struct error *err) MUST_CHECK;

enum status
kafka_producer_begin(
    struct kafka_producer *producer, struct error *err) MUST_CHECK;

/* Adds the group's positions to the transaction. An instance that lost its
 * membership gets STATUS_ABORTED here. */
enum status
kafka_producer_send_positions(struct kafka_producer *producer,
    struct kafka_consumer *consumer, const char *topic,
    const struct kafka_position *positions, size_t count,
    struct error *err) MUST_CHECK;

/* Waits for the reports of all its records first: with one that is not
 * certainly there nothing is committed, STATUS_ABORTED. */
enum status
kafka_producer_commit(
    struct kafka_producer *producer, struct error *err) MUST_CHECK;

enum status
kafka_producer_abort(
    struct kafka_producer *producer, struct error *err) MUST_CHECK;

/* For the other doors to librdkafka: the client, which stays the producer's,
 * and what librdkafka's code for a record comes to (statuses of
 * kafka_producer_send). */
struct rd_kafka_s *
kafka_producer_client(const struct kafka_producer *producer);

enum status
kafka_judge_send(int code, const char *topic, struct error *err) MUST_CHECK;

#endif
