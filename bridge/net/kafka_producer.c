/* SPDX-License-Identifier: Apache-2.0
 *
 * A door to librdkafka: producing. */
#include "vulnbus/kafka_producer.h"

#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kafka_producer_state.h"
#include "vulnbus/kafka_statistics.h"
#include "vulnbus/log.h"
#include "vulnbus/timestamp.h"

#define PURGE_STEP_MS 1000
#define PURGE_MS      30000

static enum status
status_of_report(rd_kafka_resp_err_t code)
{
	switch (code) {
	case RD_KAFKA_RESP_ERR_NO_ERROR:
		return STATUS_OK;
	case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
	case RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
		return STATUS_TOO_LARGE;
	case RD_KAFKA_RESP_ERR_INVALID_RECORD:
		return STATUS_INVALID;
	default:
		return STATUS_UNAVAILABLE;
	}
}

/* librdkafka takes a batch that a broker refused for written when the broker
 * takes the one behind it ("implicit ack"); but a broker that has not heard of
 * the producer yet takes whatever comes first. What was really written has an
 * offset. */
static void
on_report(rd_kafka_t *client, const rd_kafka_message_t *message, void *opaque)
{
	struct kafka_producer *producer = opaque;
	const bool is_doubtful = message->err == RD_KAFKA_RESP_ERR_NO_ERROR &&
				 message->offset < 0;

	(void)client;
	if (is_doubtful)
		producer->has_doubt = true;
	if (producer->on_delivery != NULL)
		producer->on_delivery(message->_private,
		    &(struct kafka_report){
			.status = is_doubtful ? STATUS_UNAVAILABLE
					      : status_of_report(message->err),
			.why = is_doubtful ? "no broker says where it is"
					   : rd_kafka_err2str(message->err),
			.topic = rd_kafka_topic_name(message->rkt),
			.offset = message->offset,
			.bytes = message->len + message->key_len,
			.latency_us = rd_kafka_message_latency(message) },
		    producer->arg);
}

/* A record that producev refuses is reported within the call, and by what it
 * returns. */
static _Thread_local bool is_sending;

static rd_kafka_resp_err_t
on_acknowledgement(
    rd_kafka_t *client, rd_kafka_message_t *message, void *opaque)
{
	if (!is_sending)
		on_report(client, message, opaque);
	return RD_KAFKA_RESP_ERR_NO_ERROR;
}

static rd_kafka_resp_err_t
on_new(rd_kafka_t *client, const rd_kafka_conf_t *conf, void *opaque, char *why,
    size_t why_size)
{
	(void)conf;
	(void)why;
	(void)why_size;
	return rd_kafka_interceptor_add_on_acknowledgement(
	    client, "vulnbus", on_acknowledgement, opaque);
}

/* A delivery report callback is called by whoever polls; an interceptor by
 * the thread that read the broker's answer. */
static rd_kafka_resp_err_t
ask_for_reports(
    rd_kafka_conf_t *conf, struct kafka_producer *producer, bool is_prompt)
{
	if (is_prompt)
		return rd_kafka_conf_interceptor_add_on_new(
		    conf, "vulnbus", on_new, producer);
	rd_kafka_conf_set_dr_msg_cb(conf, on_report);
	return RD_KAFKA_RESP_ERR_NO_ERROR;
}

static void
on_error(rd_kafka_t *client, int code, const char *why, void *opaque)
{
	(void)client;
	(void)opaque;
	if (code == RD_KAFKA_RESP_ERR__FATAL)
		LOG_WARN(
		    "kafka producer broken", LOG_TEXT("error.message", why));
	else
		LOG_DEBUG("kafka producer", LOG_TEXT("error.message", why));
}

static enum status
configure(const struct kafka_producer_options *options,
    rd_kafka_conf_t **out_conf, struct error *err)
{
	const struct config_kafka *kafka = &options->config->kafka;
	char messages[16], kibibytes[24], timeout[16];
	const bool is_transactional = options->transactional_id != NULL;
	/* What a transaction ends with is a flush, so nothing waits that long.
	 * But while one request of a partition is under way librdkafka sends no
	 * other, and polls without a pause once records are older than this. */
	const char *linger = is_transactional ? "100" : "0";
	/* Behind a record that is due and may not be sent yet librdkafka's
	 * thread polls without a pause, which with two requests is seldom; with
	 * one, a stuck request of another kind holds the records up. */
	const char *in_flight = options->is_ordered ? "1" : "2";
	const struct kafka_setting settings[] = {
		{ "enable.idempotence", "true" },
		{ "partitioner", "murmur2_random" },
		{ "linger.ms", linger },
		{ "queue.buffering.max.messages", messages },
		{ "queue.buffering.max.kbytes", kibibytes },
		{ "transactional.id", options->transactional_id },
		{ "transaction.timeout.ms", is_transactional ? timeout : NULL },
		{ "message.timeout.ms", options->is_ordered ? "0" : NULL },
		{ "max.in.flight.requests.per.connection",
		    is_transactional ? NULL : in_flight },
		{ NULL, NULL },
	};

	snprintf(messages, sizeof(messages), "%u", kafka->queue_messages_max);
	snprintf(kibibytes, sizeof(kibibytes), "%llu",
	    (unsigned long long)kafka->queue_bytes_max / 1024);
	snprintf(
	    timeout, sizeof(timeout), "%u", options->transaction_timeout_ms);
	return kafka_configure(
	    options->config, options->client, settings, out_conf, err);
}

enum status
kafka_producer_open(const struct kafka_producer_options *options,
    struct kafka_producer **out_producer, struct error *err)
{
	struct kafka_producer *producer = calloc(1, sizeof(*producer));
	rd_kafka_conf_t *conf = NULL;
	enum status status = STATUS_OK;
	char why[256];

	if (producer == NULL)
		return error_set(err, STATUS_NO_MEMORY, "kafka: no memory");
	producer->on_delivery = options->on_delivery;
	producer->arg = options->arg;
	producer->transaction_ms = options->transaction_timeout_ms;
	status = configure(options, &conf, err);
	if (status != STATUS_OK)
		goto out;
	if (ask_for_reports(conf, producer, options->is_prompt) !=
	    RD_KAFKA_RESP_ERR_NO_ERROR) {
		rd_kafka_conf_destroy(conf);
		status = error_set(
		    err, STATUS_NO_MEMORY, "kafka: no delivery reports");
		goto out;
	}
	rd_kafka_conf_set_error_cb(conf, on_error);
	rd_kafka_conf_set_opaque(conf, producer);
	if (options->is_measured)
		kafka_statistics_use(conf);
	producer->client = rd_kafka_new(
	    RD_KAFKA_PRODUCER, conf, why, sizeof(why));
	if (producer->client == NULL) {
		rd_kafka_conf_destroy(conf);
		status = error_set(err, STATUS_INVALID, "kafka: %s", why);
		goto out;
	}
	*out_producer = producer;
	producer = NULL;
out:
	free(producer);
	return status;
}

void
kafka_producer_close(struct kafka_producer **producer, uint32_t flush_ms)
{
	const int64_t until_ms = clock_steady_ms() + flush_ms + PURGE_MS;
	rd_kafka_t *client;

	if (*producer == NULL)
		return;
	client = (*producer)->client;
	rd_kafka_flush(client, (int)flush_ms);
	/* What is on its way from queue to wire escapes a purge. */
	do {
		rd_kafka_purge(
		    client, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
		rd_kafka_flush(client, PURGE_STEP_MS);
	} while (rd_kafka_outq_len(client) > 0 && clock_steady_ms() < until_ms);
	if (rd_kafka_outq_len(client) > 0)
		LOG_WARN("kafka producer closed with records unreported",
		    LOG_INT("records", rd_kafka_outq_len(client)));
	rd_kafka_destroy(client);
	free(*producer);
	*producer = NULL;
}

static rd_kafka_headers_t *
headers_of(const struct kafka_record *record)
{
	rd_kafka_headers_t *headers = rd_kafka_headers_new(
	    record->header_count);

	for (size_t i = 0; headers != NULL && i < record->header_count; i++)
		rd_kafka_header_add(headers, record->headers[i].name, -1,
		    record->headers[i].value.data,
		    (ssize_t)record->headers[i].value.len);
	return headers;
}

enum status
kafka_judge_send(int code, const char *topic, struct error *err)
{
	enum status status;

	switch (code) {
	case RD_KAFKA_RESP_ERR_NO_ERROR:
		return STATUS_OK;
	case RD_KAFKA_RESP_ERR__QUEUE_FULL:
		status = STATUS_UNAVAILABLE;
		break;
	case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
		status = STATUS_TOO_LARGE;
		break;
	case RD_KAFKA_RESP_ERR__STATE:
		status = STATUS_ABORTED;
		break;
	default:
		status = STATUS_FATAL;
		break;
	}
	return error_set(
	    err, status, "kafka: %s: %s", topic, rd_kafka_err2str(code));
}

enum status
kafka_producer_send(struct kafka_producer *producer,
    const struct kafka_record *record, void *record_arg, struct error *err)
{
	rd_kafka_headers_t *headers = headers_of(record);
	rd_kafka_resp_err_t code;

	if (headers == NULL)
		return error_set(err, STATUS_NO_MEMORY, "kafka: no memory");
	is_sending = true;
	code = rd_kafka_producev(producer->client,
	    RD_KAFKA_V_TOPIC(record->topic),
	    RD_KAFKA_V_PARTITION(record->partition == KAFKA_PARTITION_BY_KEY
				     ? RD_KAFKA_PARTITION_UA
				     : record->partition),
	    RD_KAFKA_V_KEY(record->key.data, record->key.len),
	    RD_KAFKA_V_VALUE(
		(void *)(uintptr_t)record->value.data, record->value.len),
	    RD_KAFKA_V_HEADERS(headers),
	    RD_KAFKA_V_TIMESTAMP(record->timestamp_ms),
	    RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
	    RD_KAFKA_V_OPAQUE(record_arg), RD_KAFKA_V_END);
	is_sending = false;
	if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
		rd_kafka_headers_destroy(headers);
	return kafka_judge_send(code, record->topic, err);
}

void
kafka_producer_flush(struct kafka_producer *producer, uint32_t ms)
{
	rd_kafka_flush(producer->client, (int)ms);
}

void
kafka_producer_poll(struct kafka_producer *producer, uint32_t ms)
{
	rd_kafka_poll(producer->client, (int)ms);
}

static enum kafka_reach
reach_of(const struct rd_kafka_metadata *metadata)
{
	const rd_kafka_metadata_topic_t *topic = metadata->topics;
	int led = 0;

	if (metadata->topic_cnt != 1)
		return KAFKA_AWAY;
	for (int i = 0; i < topic->partition_cnt; i++)
		led += topic->partitions[i].leader >= 0;
	if (led == 0)
		return KAFKA_AWAY;
	return led == topic->partition_cnt ? KAFKA_THERE : KAFKA_PARTLY;
}

enum kafka_reach
kafka_producer_probe(
    struct kafka_producer *producer, const char *topic, uint32_t ms)
{
	const struct rd_kafka_metadata *metadata = NULL;
	rd_kafka_topic_t *handle = rd_kafka_topic_new(
	    producer->client, topic, NULL);
	enum kafka_reach reach = KAFKA_AWAY;

	if (handle != NULL &&
	    rd_kafka_metadata(producer->client, 0, handle, &metadata,
		(int)ms) == RD_KAFKA_RESP_ERR_NO_ERROR)
		reach = reach_of(metadata);
	if (metadata != NULL)
		rd_kafka_metadata_destroy(metadata);
	if (handle != NULL)
		rd_kafka_topic_destroy(handle);
	return reach;
}

bool
kafka_producer_is_fatal(struct kafka_producer *producer)
{
	char why[256];

	return rd_kafka_fatal_error(producer->client, why, sizeof(why)) !=
	       RD_KAFKA_RESP_ERR_NO_ERROR;
}

struct rd_kafka_s *
kafka_producer_client(const struct kafka_producer *producer)
{
	return producer->client;
}
