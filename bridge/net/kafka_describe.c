/* SPDX-License-Identifier: Apache-2.0 */
#include "vulnbus/kafka_describe.h"

#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum status
fail(const char *topic, rd_kafka_resp_err_t code, const char *why,
    struct error *err)
{
	const bool is_forbidden =
	    code == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED ||
	    code == RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED;

	return error_set(err,
	    is_forbidden ? STATUS_UNPROVED : STATUS_UNAVAILABLE,
	    "kafka: topic %s: %s", topic,
	    why == NULL ? rd_kafka_err2str(code) : why);
}

static enum status
ask_metadata(rd_kafka_t *client, const char *name, uint32_t timeout_ms,
    struct kafka_topic_state *state, struct error *err)
{
	const struct rd_kafka_metadata *metadata = NULL;
	rd_kafka_topic_t *handle = rd_kafka_topic_new(client, name, NULL);
	rd_kafka_resp_err_t code = rd_kafka_metadata(
	    client, 0, handle, &metadata, (int)timeout_ms);
	enum status status = STATUS_OK;

	if (code == RD_KAFKA_RESP_ERR_NO_ERROR && metadata->topic_cnt == 1 &&
	    metadata->topics[0].err ==
		RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED)
		code = metadata->topics[0].err;
	if (code != RD_KAFKA_RESP_ERR_NO_ERROR || metadata->topic_cnt != 1) {
		status = fail(name, code, NULL, err);
	} else if (metadata->topics[0].partition_cnt > 0) {
		state->partitions = metadata->topics[0].partition_cnt;
		state->copies = metadata->topics[0].partitions[0].replica_cnt;
	}
	if (metadata != NULL)
		rd_kafka_metadata_destroy(metadata);
	rd_kafka_topic_destroy(handle);
	return status;
}

static void
take_entry(const rd_kafka_ConfigEntry_t *entry, struct kafka_topic_state *state)
{
	const char *name = rd_kafka_ConfigEntry_name(entry);
	const struct view value = view_of(rd_kafka_ConfigEntry_value(entry));
	int64_t number;

	if (strcmp(name, "cleanup.policy") == 0)
		snprintf(state->cleanup_policy, sizeof(state->cleanup_policy),
		    "%.*s", VIEW_ARGS(value));
	if (view_to_int(value, &number) != STATUS_OK)
		return;
	if (strcmp(name, "retention.ms") == 0)
		state->retention_ms = number;
	else if (strcmp(name, "max.message.bytes") == 0)
		state->batch_bytes_max = number;
}

static enum status
take_configs(const rd_kafka_event_t *event, const struct kafka_topic *topics,
    size_t count, struct kafka_topic_state *states, struct error *err)
{
	const rd_kafka_DescribeConfigs_result_t *result =
	    rd_kafka_event_DescribeConfigs_result((rd_kafka_event_t *)event);
	const rd_kafka_ConfigResource_t **resources;
	size_t resource_count = 0;

	resources = rd_kafka_DescribeConfigs_result_resources(
	    result, &resource_count);
	for (size_t i = 0; i < resource_count; i++) {
		const rd_kafka_ConfigResource_t *resource = resources[i];
		const char *name = rd_kafka_ConfigResource_name(resource);
		const rd_kafka_resp_err_t code = rd_kafka_ConfigResource_error(
		    resource);
		const rd_kafka_ConfigEntry_t **entries;
		size_t entry_count = 0, at = 0;

		if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
			return fail(name, code,
			    rd_kafka_ConfigResource_error_string(resource),
			    err);
		while (at < count && (topics[at].name == NULL ||
					 strcmp(topics[at].name, name) != 0))
			at++;
		entries = rd_kafka_ConfigResource_configs(
		    resource, &entry_count);
		for (size_t k = 0; at < count && k < entry_count; k++)
			take_entry(entries[k], &states[at]);
	}
	return STATUS_OK;
}

static enum status
ask_configs(rd_kafka_t *client, rd_kafka_ConfigResource_t **resources,
    size_t resource_count, uint32_t timeout_ms, rd_kafka_event_t **out_event,
    struct error *err)
{
	rd_kafka_queue_t *queue = rd_kafka_queue_new(client);
	rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(
	    client, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS);
	rd_kafka_event_t *event;
	char why[256];

	rd_kafka_AdminOptions_set_request_timeout(
	    options, (int)timeout_ms, why, sizeof(why));
	rd_kafka_DescribeConfigs(
	    client, resources, resource_count, options, queue);
	event = rd_kafka_queue_poll(queue, (int)timeout_ms + 1000);
	rd_kafka_AdminOptions_destroy(options);
	rd_kafka_queue_destroy(queue);
	*out_event = event;
	if (event != NULL &&
	    rd_kafka_event_error(event) == RD_KAFKA_RESP_ERR_NO_ERROR &&
	    rd_kafka_event_DescribeConfigs_result(event) != NULL)
		return STATUS_OK;
	return error_set(err, STATUS_UNAVAILABLE,
	    "kafka: topics not described: %s",
	    event == NULL ? "no answer" : rd_kafka_event_error_string(event));
}

static enum status
describe(rd_kafka_t *client, const struct kafka_topic *topics, size_t count,
    uint32_t timeout_ms, struct kafka_topic_state *states, struct error *err)
{
	rd_kafka_ConfigResource_t **resources = calloc(
	    count + 1, sizeof(*resources));
	rd_kafka_event_t *event = NULL;
	enum status status = STATUS_OK;
	size_t there = 0;

	if (resources == NULL)
		return error_set(err, STATUS_NO_MEMORY, "no memory");
	for (size_t i = 0; status == STATUS_OK && i < count; i++) {
		if (topics[i].name == NULL)
			continue;
		status = ask_metadata(
		    client, topics[i].name, timeout_ms, &states[i], err);
		if (status == STATUS_OK && states[i].partitions > 0)
			resources[there++] = rd_kafka_ConfigResource_new(
			    RD_KAFKA_RESOURCE_TOPIC, topics[i].name);
	}
	if (status == STATUS_OK && there > 0)
		status = ask_configs(
		    client, resources, there, timeout_ms, &event, err);
	if (status == STATUS_OK && there > 0)
		status = take_configs(event, topics, count, states, err);
	if (event != NULL)
		rd_kafka_event_destroy(event);
	for (size_t i = 0; i < there; i++)
		rd_kafka_ConfigResource_destroy(resources[i]);
	free(resources);
	return status;
}

enum status
kafka_describe(const struct config *config, const struct kafka_topic *topics,
    size_t count, uint32_t timeout_ms, struct kafka_topic_state *out_states,
    struct error *err)
{
	static const struct kafka_setting none[] = { { NULL, NULL } };
	rd_kafka_conf_t *conf = NULL;
	rd_kafka_t *client;
	char why[256];
	enum status status = kafka_configure(
	    config, "vulnbus-admin", none, &conf, err);

	if (status != STATUS_OK)
		return status;
	/* A producer's question would make brokers create the topics. */
	client = rd_kafka_new(RD_KAFKA_CONSUMER, conf, why, sizeof(why));
	if (client == NULL) {
		rd_kafka_conf_destroy(conf);
		return error_set(err, STATUS_INVALID, "kafka: %s", why);
	}
	for (size_t i = 0; i < count; i++)
		out_states[i] = (struct kafka_topic_state){ .partitions = 0 };
	status = describe(client, topics, count, timeout_ms, out_states, err);
	rd_kafka_destroy(client);
	return status;
}
