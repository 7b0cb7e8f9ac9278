/* SPDX-License-Identifier: Apache-2.0
 *
 * A door to librdkafka: consuming. */
#include "vulnbus/kafka_consumer.h"

#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vulnbus/kafka_bounds.h"
#include "vulnbus/kafka_statistics.h"
#include "vulnbus/log.h"

struct kafka_consumer {
	rd_kafka_t *client;
	rd_kafka_queue_t *queue;
	rd_kafka_consumer_group_metadata_t *membership; /* owned */
	kafka_assign_f *on_assign;
	kafka_assign_f *on_revoke;
	void *arg;
	char *topic;
	bool is_member;
	bool is_strict;
	bool is_closing; /* partitions that still come are not taken */
};

static void
call_with_partitions(kafka_assign_f *callback,
    const rd_kafka_topic_partition_list_t *list, void *arg)
{
	int32_t *partitions;

	if (callback == NULL)
		return;
	partitions = calloc((size_t)list->cnt + 1, sizeof(*partitions));
	/* Half an assignment would be worse than none: without memory for a
	 * list of numbers the process cannot keep its word. */
	if (partitions == NULL)
		abort();
	for (int i = 0; i < list->cnt; i++)
		partitions[i] = list->elems[i].partition;
	callback(partitions, (size_t)list->cnt, arg);
	free(partitions);
}

/* As it was when these partitions were given: whatever the client makes of a
 * later loss, what was done with them is committed as that member or not at
 * all. */
static void
keep_membership(struct kafka_consumer *consumer)
{
	if (consumer->membership != NULL)
		rd_kafka_consumer_group_metadata_destroy(consumer->membership);
	consumer->membership = rd_kafka_consumer_group_metadata(
	    consumer->client);
}

/* What is owned is settled before it is fetched, and dropped before it is
 * given up: a member that no longer owns a partition could still commit its
 * offsets within the same generation. */
static void
on_rebalance(rd_kafka_t *client, rd_kafka_resp_err_t code,
    rd_kafka_topic_partition_list_t *partitions, void *opaque)
{
	struct kafka_consumer *consumer = opaque;
	const bool is_gain = code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS &&
			     !consumer->is_closing;
	rd_kafka_resp_err_t result;

	if (is_gain)
		keep_membership(consumer);
	call_with_partitions(
	    is_gain ? consumer->on_assign : consumer->on_revoke, partitions,
	    consumer->arg);
	result = rd_kafka_assign(client, is_gain ? partitions : NULL);
	if (result != RD_KAFKA_RESP_ERR_NO_ERROR)
		LOG_WARN("kafka assignment",
		    LOG_TEXT("error.message", rd_kafka_err2str(result)));
}

static void
on_error(rd_kafka_t *client, int code, const char *why, void *opaque)
{
	(void)client;
	(void)code;
	(void)opaque;
	LOG_DEBUG("kafka consumer", LOG_TEXT("error.message", why));
}

static enum status
configure(const struct kafka_consumer_options *options,
    rd_kafka_conf_t **out_conf, struct error *err)
{
	char session[16];
	const struct kafka_setting settings[] = {
		{ "enable.auto.commit", "false" },
		{ "enable.auto.offset.store", "false" },
		{ "auto.offset.reset", "earliest" },
		{ "fetch.wait.max.ms", options->is_hasty ? "10" : "100" },
		{ "queued.max.messages.kbytes",
		    options->is_bulk ? "65536" : "16384" },
		/* Until librdkafka 2.2 a queue that was full once is not
		 * filled for a second: it must last that long. */
		{ "queued.min.messages", options->is_bulk ? "1000000" : NULL },
		{ "isolation.level", options->is_read_uncommitted
					 ? "read_uncommitted"
					 : "read_committed" },
		{ "enable.partition.eof", "true" },
		/* A plain reader joins no group, but librdkafka wants a name.
		 */
		{ "group.id", options->group_id != NULL ? options->group_id
							: "vulnbus-reader" },
		{ "group.instance.id", options->instance_id },
		{ "partition.assignment.strategy", "range" },
		{ "session.timeout.ms",
		    options->session_timeout_ms > 0 ? session : NULL },
		{ NULL, NULL },
	};

	snprintf(session, sizeof(session), "%u", options->session_timeout_ms);
	return kafka_configure(
	    options->config, options->client, settings, out_conf, err);
}

static enum status
subscribe(struct kafka_consumer *consumer, const char *topic, struct error *err)
{
	rd_kafka_topic_partition_list_t *list;
	rd_kafka_resp_err_t code;

	consumer->topic = strdup(topic);
	if (consumer->topic == NULL)
		return error_set(err, STATUS_NO_MEMORY, "kafka: no memory");
	list = rd_kafka_topic_partition_list_new(1);
	rd_kafka_topic_partition_list_add(list, topic, RD_KAFKA_PARTITION_UA);
	code = rd_kafka_subscribe(consumer->client, list);
	rd_kafka_topic_partition_list_destroy(list);
	if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
		return STATUS_OK;
	return error_set(err, STATUS_UNAVAILABLE, "kafka: subscribe: %s",
	    rd_kafka_err2str(code));
}

enum status
kafka_consumer_open(const struct kafka_consumer_options *options,
    struct kafka_consumer **out_consumer, struct error *err)
{
	struct kafka_consumer *consumer = calloc(1, sizeof(*consumer));
	rd_kafka_conf_t *conf = NULL;
	enum status status;
	char why[256];

	if (consumer == NULL)
		return error_set(err, STATUS_NO_MEMORY, "kafka: no memory");
	consumer->on_assign = options->on_assign;
	consumer->on_revoke = options->on_revoke;
	consumer->arg = options->arg;
	consumer->is_strict = options->is_strict;
	consumer->is_member = options->group_id != NULL &&
			      options->topic != NULL;
	status = configure(options, &conf, err);
	if (status != STATUS_OK)
		goto out;
	rd_kafka_conf_set_opaque(conf, consumer);
	rd_kafka_conf_set_error_cb(conf, on_error);
	if (options->is_measured)
		kafka_statistics_use(conf);
	if (consumer->is_member)
		rd_kafka_conf_set_rebalance_cb(conf, on_rebalance);
	consumer->client = rd_kafka_new(
	    RD_KAFKA_CONSUMER, conf, why, sizeof(why));
	if (consumer->client == NULL) {
		rd_kafka_conf_destroy(conf);
		status = error_set(err, STATUS_INVALID, "kafka: %s", why);
		goto out;
	}
	rd_kafka_poll_set_consumer(consumer->client);
	consumer->queue = rd_kafka_queue_get_consumer(consumer->client);
	if (consumer->is_member)
		status = subscribe(consumer, options->topic, err);
	if (status != STATUS_OK)
		goto out;
	*out_consumer = consumer;
	consumer = NULL;
out:
	kafka_consumer_close(&consumer);
	return status;
}

void
kafka_consumer_close(struct kafka_consumer **consumer)
{
	if (*consumer == NULL)
		return;
	if ((*consumer)->queue != NULL) {
		rd_kafka_queue_io_event_enable((*consumer)->queue, -1, NULL, 0);
		rd_kafka_queue_destroy((*consumer)->queue);
	}
	if ((*consumer)->client != NULL) {
		(*consumer)->is_closing = true;
		rd_kafka_consumer_close((*consumer)->client);
		rd_kafka_destroy((*consumer)->client);
	}
	if ((*consumer)->membership != NULL)
		rd_kafka_consumer_group_metadata_destroy(
		    (*consumer)->membership);
	free((*consumer)->topic);
	free(*consumer);
	*consumer = NULL;
}

static void
read_headers(const rd_kafka_message_t *message, struct kafka_record *out)
{
	rd_kafka_headers_t *headers = NULL;
	const void *value;
	const char *name;
	size_t size;

	if (rd_kafka_message_headers(message, &headers) !=
	    RD_KAFKA_RESP_ERR_NO_ERROR)
		return;
	for (size_t i = 0; i < KAFKA_HEADERS_MAX &&
			   rd_kafka_header_get_all(headers, i, &name, &value,
			       &size) == RD_KAFKA_RESP_ERR_NO_ERROR;
	     i++)
		kafka_record_add_header(out, name,
		    (struct view){
			value == NULL ? "" : value, value == NULL ? 0 : size });
}

static void
read_record(const rd_kafka_message_t *message, struct kafka_record *out)
{
	rd_kafka_timestamp_type_t type;

	*out = (struct kafka_record){
		.topic = rd_kafka_topic_name(message->rkt),
		.partition = message->partition,
		.offset = message->offset,
		.timestamp_ms = rd_kafka_message_timestamp(message, &type),
		.key = { message->key == NULL ? "" : message->key,
		    message->key_len },
		.value = { message->payload == NULL ? "" : message->payload,
		    message->len },
		.is_tombstone = message->payload == NULL,
	};
	read_headers(message, out);
}

enum status
kafka_consumer_poll(struct kafka_consumer *consumer, uint32_t ms,
    struct kafka_record *out_record, struct kafka_message **out_message,
    struct error *err)
{
	rd_kafka_message_t *message = rd_kafka_consumer_poll(
	    consumer->client, (int)ms);
	enum status status;

	*out_record = (struct kafka_record){ .topic = NULL };
	if (message == NULL)
		return STATUS_END;
	if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
		read_record(message, out_record);
		*out_message = (struct kafka_message *)(void *)message;
		return STATUS_OK;
	}
	if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
		out_record->topic = ""; /* the message is about to go */
		out_record->partition = message->partition;
		out_record->offset = message->offset;
		status = STATUS_END;
	} else if (message->err == RD_KAFKA_RESP_ERR__FATAL ||
		   message->err == RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID ||
		   message->err == RD_KAFKA_RESP_ERR__MAX_POLL_EXCEEDED) {
		status = error_set(err, STATUS_FATAL, "kafka: %s",
		    rd_kafka_message_errstr(message));
	} else {
		status = error_set(err,
		    consumer->is_strict &&
			    message->err ==
				RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED
			? STATUS_UNPROVED
			: STATUS_UNAVAILABLE,
		    "kafka: %s", rd_kafka_message_errstr(message));
	}
	rd_kafka_message_destroy(message);
	return status;
}

void
kafka_message_free(struct kafka_message *message)
{
	if (message != NULL)
		rd_kafka_message_destroy((rd_kafka_message_t *)(void *)message);
}

void
kafka_consumer_signal(struct kafka_consumer *consumer, int fd)
{
	/* Eight bytes, so that an eventfd takes them. */
	static const uint64_t one = 1;

	rd_kafka_queue_io_event_enable(consumer->queue, fd, &one, sizeof(one));
}

static rd_kafka_topic_partition_list_t *
list_of(const char *topic, const struct kafka_position *positions, size_t count)
{
	rd_kafka_topic_partition_list_t *list =
	    rd_kafka_topic_partition_list_new((int)count);

	for (size_t i = 0; i < count; i++)
		rd_kafka_topic_partition_list_add(
		    list, topic, positions[i].partition)
		    ->offset = positions[i].next_offset ==
				       KAFKA_OFFSET_BEGINNING
				   ? RD_KAFKA_OFFSET_BEGINNING
				   : positions[i].next_offset;
	return list;
}

void
kafka_consumer_pause(struct kafka_consumer *consumer, const int32_t *partitions,
    size_t count, bool is_paused)
{
	rd_kafka_topic_partition_list_t *list =
	    rd_kafka_topic_partition_list_new((int)count);

	for (size_t i = 0; i < count; i++)
		rd_kafka_topic_partition_list_add(
		    list, consumer->topic, partitions[i]);
	if (is_paused)
		rd_kafka_pause_partitions(consumer->client, list);
	else
		rd_kafka_resume_partitions(consumer->client, list);
	rd_kafka_topic_partition_list_destroy(list);
}

enum status
kafka_consumer_committed(struct kafka_consumer *consumer, const char *topic,
    struct kafka_position *positions, size_t count, uint32_t ms,
    struct error *err)
{
	rd_kafka_topic_partition_list_t *list = list_of(
	    topic, positions, count);
	rd_kafka_resp_err_t code = rd_kafka_committed(
	    consumer->client, list, (int)ms);

	for (size_t i = 0; i < count; i++) {
		if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
			code = list->elems[i].err;
		positions[i].next_offset = list->elems[i].offset < 0
					       ? -1
					       : list->elems[i].offset;
	}
	rd_kafka_topic_partition_list_destroy(list);
	if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
		return STATUS_OK;
	return error_set(err, STATUS_UNAVAILABLE,
	    "kafka: committed offsets: %s", rd_kafka_err2str(code));
}

enum status
kafka_consumer_assign(struct kafka_consumer *consumer, const char *topic,
    const struct kafka_position *positions, size_t count, struct error *err)
{
	rd_kafka_topic_partition_list_t *list = list_of(
	    topic, positions, count);
	const rd_kafka_resp_err_t code = rd_kafka_assign(
	    consumer->client, count == 0 ? NULL : list);

	rd_kafka_topic_partition_list_destroy(list);
	if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
		return STATUS_OK;
	return error_set(err, STATUS_UNAVAILABLE, "kafka: assign: %s",
	    rd_kafka_err2str(code));
}

enum status
kafka_consumer_bounds(struct kafka_consumer *consumer, const char *topic,
    int32_t partition, uint32_t ms, int64_t *out_first, int64_t *out_next,
    struct error *err)
{
	return kafka_bounds(
	    consumer->client, topic, partition, ms, out_first, out_next, err);
}

const struct rd_kafka_consumer_group_metadata_s *
kafka_consumer_membership(const struct kafka_consumer *consumer)
{
	return consumer->membership;
}

struct rd_kafka_s *
kafka_consumer_client(const struct kafka_consumer *consumer)
{
	return consumer->client;
}
