/* SPDX-License-Identifier: Apache-2.0
 *
 * A door to librdkafka: transactions. */
#include <librdkafka/rdkafka.h>

#include "kafka_producer_state.h"
#include "vulnbus/kafka_consumer.h"
#include "vulnbus/timestamp.h"

/* The order of the questions matters: a fatal error may also claim to want
 * an abort, and only what is neither may be retried. */
static enum status
triage(struct rd_kafka_error_s *error, const char *what, struct error *err)
{
	enum status status = STATUS_FATAL;

	if (error == NULL)
		return STATUS_OK;
	if (rd_kafka_error_is_fatal(error))
		status = STATUS_FATAL;
	else if (rd_kafka_error_txn_requires_abort(error))
		status = STATUS_ABORTED;
	else if (rd_kafka_error_is_retriable(error))
		status = STATUS_UNAVAILABLE;
	error_set(
	    err, status, "kafka: %s: %s", what, rd_kafka_error_string(error));
	rd_kafka_error_destroy(error);
	return status;
}

enum status
kafka_producer_begin_session(
    struct kafka_producer *producer, uint32_t ms, struct error *err)
{
	const int64_t until_ms = clock_steady_ms() + ms;
	enum status status;

	do {
		status = triage(
		    rd_kafka_init_transactions(producer->client, (int)ms),
		    "init_transactions", err);
	} while (status == STATUS_UNAVAILABLE && clock_steady_ms() < until_ms);
	return status;
}

enum status
kafka_producer_begin(struct kafka_producer *producer, struct error *err)
{
	producer->has_doubt = false;
	return triage(rd_kafka_begin_transaction(producer->client),
	    "begin_transaction", err);
}

/* By then the coordinator has ended the transaction by itself, one way or the
 * other, and waiting on would only keep the program from new credentials. */
static int64_t
patience_until(const struct kafka_producer *producer)
{
	return clock_steady_ms() + 2 * (int64_t)producer->transaction_ms;
}

static enum status
end_of_patience(enum status status)
{
	return status == STATUS_UNAVAILABLE ? STATUS_FATAL : status;
}

enum status
kafka_producer_send_list(struct kafka_producer *producer,
    const rd_kafka_topic_partition_list_t *list,
    const rd_kafka_consumer_group_metadata_t *group, struct error *err)
{
	const int64_t until_ms = patience_until(producer);
	enum status status;

	do {
		status = triage(
		    rd_kafka_send_offsets_to_transaction(producer->client, list,
			group, (int)producer->transaction_ms),
		    "send_offsets_to_transaction", err);
	} while (status == STATUS_UNAVAILABLE && clock_steady_ms() < until_ms);
	return end_of_patience(status);
}

enum status
kafka_producer_send_positions(struct kafka_producer *producer,
    struct kafka_consumer *consumer, const char *topic,
    const struct kafka_position *positions, size_t count, struct error *err)
{
	rd_kafka_topic_partition_list_t *list =
	    rd_kafka_topic_partition_list_new((int)count);
	enum status status;

	for (size_t i = 0; i < count; i++)
		rd_kafka_topic_partition_list_add(
		    list, topic, positions[i].partition)
		    ->offset = positions[i].next_offset;
	status = kafka_producer_send_list(
	    producer, list, kafka_consumer_membership(consumer), err);
	rd_kafka_topic_partition_list_destroy(list);
	return status;
}

enum status
kafka_producer_commit(struct kafka_producer *producer, struct error *err)
{
	const int64_t until_ms = patience_until(producer);
	enum status status;

	/* Only when all reports are in is there none that could still doubt. */
	if (rd_kafka_flush(producer->client, (int)producer->transaction_ms) !=
		RD_KAFKA_RESP_ERR_NO_ERROR ||
	    producer->has_doubt)
		return error_set(err, STATUS_ABORTED,
		    "kafka: no broker says where a record is");
	do {
		status = triage(rd_kafka_commit_transaction(producer->client,
				    (int)producer->transaction_ms),
		    "commit_transaction", err);
	} while (status == STATUS_UNAVAILABLE && clock_steady_ms() < until_ms);
	return end_of_patience(status);
}

enum status
kafka_producer_abort(struct kafka_producer *producer, struct error *err)
{
	const int64_t until_ms = patience_until(producer);
	enum status status;

	do {
		status = triage(rd_kafka_abort_transaction(producer->client,
				    (int)producer->transaction_ms),
		    "abort_transaction", err);
	} while (status == STATUS_UNAVAILABLE && clock_steady_ms() < until_ms);
	return end_of_patience(status);
}
