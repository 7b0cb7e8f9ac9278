/* SPDX-License-Identifier: Apache-2.0
 *
 * A door to librdkafka: configuration, topics, the embedded broker. */
#include "vulnbus/kafka.h"

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vulnbus/log.h"

#define MESSAGE_BYTES_DEFAULT 1000000 /* librdkafka CONFIGURATION.md */
#define SCRAM_HINT                                                       \
	"before librdkafka 2.6.1 Kafka 4.0 refuses SCRAM, whatever the " \
	"password"

struct view
kafka_record_header(const struct kafka_record *record, const char *name)
{
	for (size_t i = 0; i < record->header_count; i++)
		if (strcmp(record->headers[i].name, name) == 0)
			return record->headers[i].value;
	return VIEW("");
}

void
kafka_record_add_header(
    struct kafka_record *record, const char *name, struct view value)
{
	if (value.len == 0 || record->header_count == KAFKA_HEADERS_MAX)
		return;
	record->headers[record->header_count++] = (struct kafka_header){ name,
		value };
}

/* Before 2.6.1 the client's nonce is sent twice, which Kafka 4.0 takes for a
 * wrong password ("SASL/SCRAM authentication fix", librdkafka 2.6.1). */
static bool
is_scram_too_old(const char *text)
{
	return rd_kafka_version() < 0x020601ff &&
	       strstr(text, "SCRAM-SHA-") != NULL;
}

static void
on_log(
    const rd_kafka_t *client, int level, const char *facility, const char *text)
{
	(void)client;
	if (level <= 3 && is_scram_too_old(text))
		LOG_WARN("librdkafka", LOG_TEXT("facility", facility),
		    LOG_TEXT("error.message", text),
		    LOG_TEXT("hint", SCRAM_HINT),
		    LOG_TEXT("librdkafka.version", rd_kafka_version_str()));
	else if (level <= 3)
		LOG_WARN("librdkafka", LOG_TEXT("facility", facility),
		    LOG_TEXT("error.message", text));
	else
		LOG_DEBUG("librdkafka", LOG_TEXT("facility", facility),
		    LOG_TEXT("error.message", text));
}

static enum status
set(rd_kafka_conf_t *conf, const char *name, const char *value,
    struct error *err)
{
	char why[256];

	if (rd_kafka_conf_set(conf, name, value, why, sizeof(why)) ==
	    RD_KAFKA_CONF_OK)
		return STATUS_OK;
	return error_set(err, STATUS_INVALID, "kafka: %s", why);
}

size_t
kafka_message_bytes_max(const struct config *config)
{
	const struct config_pairs *properties = &config->kafka.properties;
	int64_t most = MESSAGE_BYTES_DEFAULT, number;

	for (size_t i = 0; i < properties->count; i++)
		if (strcmp(properties->items[i].key, "message.max.bytes") ==
			0 &&
		    view_to_int(view_of(properties->items[i].value), &number) ==
			STATUS_OK)
			most = number;
	return most > 0 ? (size_t)most : 0;
}

enum status
kafka_configure(const struct config *config, const char *client,
    const struct kafka_setting *settings, rd_kafka_conf_t **out_conf,
    struct error *err)
{
	static const struct kafka_setting common[] = {
		{ "socket.keepalive.enable", "true" },
		{ "socket.nagle.disable", "true" },
		{ "reconnect.backoff.max.ms", "1000" },
		{ "topic.metadata.refresh.fast.interval.ms", "100" },
		{ NULL, NULL },
	};
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	enum status status = set(
	    conf, "bootstrap.servers", config->kafka.bootstrap_servers, err);

	rd_kafka_conf_set_log_cb(conf, on_log);
	if (status == STATUS_OK)
		status = set(conf, "client.id", client, err);
	for (const struct kafka_setting *s = common;
	     status == STATUS_OK && s->name != NULL; s++)
		status = set(conf, s->name, s->value, err);
	for (; status == STATUS_OK && settings->name != NULL; settings++)
		if (settings->value != NULL)
			status = set(
			    conf, settings->name, settings->value, err);
	for (size_t i = 0;
	     status == STATUS_OK && i < config->kafka.properties.count; i++)
		status = set(conf, config->kafka.properties.items[i].key,
		    config->kafka.properties.items[i].value, err);
	if (status != STATUS_OK) {
		rd_kafka_conf_destroy(conf);
		return status;
	}
	*out_conf = conf;
	return STATUS_OK;
}

static enum status
open_client(const struct config *config, rd_kafka_type_t type,
    rd_kafka_t **out_client, struct error *err)
{
	static const struct kafka_setting none[] = { { NULL, NULL } };
	rd_kafka_conf_t *conf = NULL;
	char why[256];
	enum status status = kafka_configure(
	    config, "vulnbus-admin", none, &conf, err);

	if (status != STATUS_OK)
		return status;
	*out_client = rd_kafka_new(type, conf, why, sizeof(why));
	if (*out_client == NULL) {
		rd_kafka_conf_destroy(conf);
		return error_set(err, STATUS_INVALID, "kafka: %s", why);
	}
	return STATUS_OK;
}

static rd_kafka_NewTopic_t *
new_topic(const struct kafka_topic *topic)
{
	char why[256], retention[24];
	rd_kafka_NewTopic_t *made = rd_kafka_NewTopic_new(topic->name,
	    topic->partitions, topic->replication_factor, why, sizeof(why));

	if (made == NULL)
		return NULL;
	snprintf(retention, sizeof(retention), "%lld",
	    (long long)topic->retention_ms);
	rd_kafka_NewTopic_set_config(
	    made, "cleanup.policy", topic->cleanup_policy);
	rd_kafka_NewTopic_set_config(made, "retention.ms", retention);
	return made;
}

static enum status
check_created(rd_kafka_event_t *event, struct error *err)
{
	const rd_kafka_CreateTopics_result_t *result =
	    event == NULL ? NULL : rd_kafka_event_CreateTopics_result(event);
	const rd_kafka_topic_result_t **topics;
	size_t count = 0;

	if (result == NULL || rd_kafka_event_error(event) != 0)
		return error_set(err, STATUS_UNAVAILABLE,
		    "kafka: topics not created: %s",
		    event == NULL ? "no answer"
				  : rd_kafka_event_error_string(event));
	topics = rd_kafka_CreateTopics_result_topics(result, &count);
	for (size_t i = 0; i < count; i++) {
		const rd_kafka_resp_err_t code = rd_kafka_topic_result_error(
		    topics[i]);
		const char *why = rd_kafka_topic_result_error_string(topics[i]);

		if (code == RD_KAFKA_RESP_ERR_NO_ERROR ||
		    code == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS)
			continue;
		return error_set(err, STATUS_UNAVAILABLE,
		    "kafka: topic %s not created: %s",
		    rd_kafka_topic_result_name(topics[i]),
		    why == NULL ? rd_kafka_err2str(code) : why);
	}
	return STATUS_OK;
}

static enum status
create(rd_kafka_t *client, rd_kafka_NewTopic_t **topics, size_t count,
    uint32_t timeout_ms, struct error *err)
{
	rd_kafka_queue_t *queue = rd_kafka_queue_new(client);
	rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(
	    client, RD_KAFKA_ADMIN_OP_CREATETOPICS);
	rd_kafka_event_t *event = NULL;
	enum status status;
	char why[256];

	rd_kafka_AdminOptions_set_request_timeout(
	    options, (int)timeout_ms, why, sizeof(why));
	rd_kafka_AdminOptions_set_operation_timeout(
	    options, (int)timeout_ms, why, sizeof(why));
	rd_kafka_CreateTopics(client, topics, count, options, queue);
	event = rd_kafka_queue_poll(queue, (int)timeout_ms + 1000);
	status = check_created(event, err);
	if (event != NULL)
		rd_kafka_event_destroy(event);
	rd_kafka_AdminOptions_destroy(options);
	rd_kafka_queue_destroy(queue);
	return status;
}

enum status
kafka_topics_create(const struct config *config,
    const struct kafka_topic *topics, size_t count, uint32_t timeout_ms,
    struct error *err)
{
	rd_kafka_NewTopic_t **made = calloc(count, sizeof(*made));
	rd_kafka_t *client = NULL;
	enum status status = made == NULL
				 ? error_set(err, STATUS_NO_MEMORY, "no memory")
				 : open_client(
				       config, RD_KAFKA_PRODUCER, &client, err);

	for (size_t i = 0; status == STATUS_OK && i < count; i++) {
		made[i] = new_topic(&topics[i]);
		if (made[i] == NULL)
			status = error_set(err, STATUS_INVALID,
			    "kafka: topic %s cannot be made", topics[i].name);
	}
	if (status == STATUS_OK)
		status = create(client, made, count, timeout_ms, err);
	for (size_t i = 0; made != NULL && i < count; i++)
		if (made[i] != NULL)
			rd_kafka_NewTopic_destroy(made[i]);
	free(made);
	if (client != NULL)
		rd_kafka_destroy(client);
	return status;
}

static enum status
count_partitions(rd_kafka_t *client, const char *topic, uint32_t timeout_ms,
    int32_t *out_count, struct error *err)
{
	const struct rd_kafka_metadata *metadata = NULL;
	rd_kafka_topic_t *handle = rd_kafka_topic_new(client, topic, NULL);
	const rd_kafka_resp_err_t code = rd_kafka_metadata(
	    client, 0, handle, &metadata, (int)timeout_ms);
	enum status status = STATUS_OK;

	if (code != RD_KAFKA_RESP_ERR_NO_ERROR || metadata->topic_cnt != 1)
		status = error_set(err, STATUS_UNAVAILABLE, "kafka: %s",
		    rd_kafka_err2str(code));
	else
		*out_count = metadata->topics[0].partition_cnt;
	if (metadata != NULL)
		rd_kafka_metadata_destroy(metadata);
	rd_kafka_topic_destroy(handle);
	return status;
}

enum status
kafka_topics_count(const struct config *config,
    const struct kafka_topic *topics, size_t count, uint32_t timeout_ms,
    int32_t *out_partitions, struct error *err)
{
	rd_kafka_t *client = NULL;
	/* A producer's question would make brokers create the topic, with
	 * settings that are not ours; a consumer's does not. */
	enum status status = open_client(
	    config, RD_KAFKA_CONSUMER, &client, err);

	if (status != STATUS_OK)
		return status;
	for (size_t i = 0; status == STATUS_OK && i < count; i++) {
		out_partitions[i] = 0;
		if (topics[i].name != NULL)
			status = count_partitions(client, topics[i].name,
			    timeout_ms, &out_partitions[i], err);
	}
	rd_kafka_destroy(client);
	return status;
}

struct kafka_broker {
	rd_kafka_t *client;
	rd_kafka_mock_cluster_t *cluster;
};

enum status
kafka_broker_open(struct kafka_broker **out_broker, struct error *err)
{
	struct kafka_broker *broker = calloc(1, sizeof(*broker));
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	char why[256] = "no memory";

	rd_kafka_conf_set_log_cb(conf, on_log);
	if (broker != NULL)
		broker->client = rd_kafka_new(
		    RD_KAFKA_PRODUCER, conf, why, sizeof(why));
	if (broker != NULL && broker->client != NULL)
		broker->cluster = rd_kafka_mock_cluster_new(broker->client, 1);
	if (broker == NULL || broker->client == NULL) {
		rd_kafka_conf_destroy(conf);
		free(broker);
		return error_set(err, STATUS_NO_MEMORY, "broker: %s", why);
	}
	if (broker->cluster == NULL) {
		kafka_broker_close(&broker);
		return error_set(err, STATUS_UNAVAILABLE,
		    "the embedded broker did not start");
	}
	*out_broker = broker;
	return STATUS_OK;
}

void
kafka_broker_close(struct kafka_broker **broker)
{
	if (*broker == NULL)
		return;
	if ((*broker)->cluster != NULL)
		rd_kafka_mock_cluster_destroy((*broker)->cluster);
	rd_kafka_destroy((*broker)->client);
	free(*broker);
	*broker = NULL;
}

const char *
kafka_broker_address(const struct kafka_broker *broker)
{
	return rd_kafka_mock_cluster_bootstraps(broker->cluster);
}

int32_t
kafka_partition_of(struct view key, int32_t count)
{
	return rd_kafka_msg_partitioner_murmur2(
	    NULL, key.data, key.len, count, NULL, NULL);
}
