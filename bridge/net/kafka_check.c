/* SPDX-License-Identifier: Apache-2.0
 *
 * A door to librdkafka: which kafka.properties it takes, and which we do. */
#include <errno.h>
#include <librdkafka/rdkafka.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "vulnbus/kafka.h"
#include "vulnbus/kafka_consumer.h"
#include "vulnbus/kafka_producer.h"

/* These carry promises: a different value would break one silently. */
static const char *const reserved[] = { "acks", "request.required.acks",
	"enable.idempotence", "transactional.id", "enable.auto.commit",
	"enable.auto.offset.store", "isolation.level", "group.id",
	"group.instance.id", "partitioner", "bootstrap.servers",
	"metadata.broker.list", "partition.assignment.strategy",
	"delivery.report.only.error", "auto.offset.reset",
	"enable.partition.eof", "transaction.timeout.ms",
	"test.mock.num.brokers",
	/* Clients that nobody polls would pile them up. */
	"statistics.interval.ms" };

/* librdkafka judges settings together only when it makes a client: the two
 * with the strictest rules are made and thrown away. Neither asks a broker for
 * anything: the producer opens no session, the consumer joins no group. */
static enum status
try_clients(const struct config *config, struct error *err)
{
	static char no_servers[] = "";
	struct config offline = *config;
	const struct kafka_producer_options transactional = {
		.config = &offline,
		.client = "vulnbus-check",
		.transactional_id = "vulnbus-check",
		.transaction_timeout_ms =
		    config->enricher.transaction_timeout_ms,
	};
	const struct kafka_consumer_options reader = {
		.config = &offline,
		.client = "vulnbus-check",
		.instance_id = config->enricher.instance_id,
		.session_timeout_ms = config->enricher.session_timeout_ms,
	};
	struct kafka_producer *producer = NULL;
	struct kafka_consumer *consumer = NULL;
	struct error why;
	enum status status;

	/* A check neither needs a cluster nor talks to one. */
	offline.kafka.bootstrap_servers = no_servers;
	status = kafka_producer_open(&transactional, &producer, &why);

	if (status == STATUS_OK)
		status = kafka_consumer_open(&reader, &consumer, &why);
	kafka_producer_close(&producer, 0);
	kafka_consumer_close(&consumer);
	if (status == STATUS_OK)
		return STATUS_OK;
	if (status == STATUS_INVALID)
		return config_refuse(
		    config, config->kafka_place, err, "%s", why.text);
	*err = why;
	return status;
}

static bool
is_reserved(const char *name)
{
	for (size_t i = 0; i < sizeof(reserved) / sizeof(*reserved); i++)
		if (strcmp(reserved[i], name) == 0)
			return true;
	return false;
}

/* A client would wait for a token without end: nobody gives it one. */
static bool
is_without_tokens(const struct config_pair *pair)
{
	return strncmp(pair->key, "sasl.mechanism", 14) == 0 &&
	       strcasecmp(pair->value, "OAUTHBEARER") == 0;
}

/* librdkafka's own complaint names no file. */
static bool
is_unreadable(const struct config_pair *pair)
{
	return pair->value[0] == '/' && !pair->is_expanded &&
	       config_is_location(pair->key) && access(pair->value, R_OK) != 0;
}

static enum status
check_pair(const struct config *config, const struct config_pair *pair,
    rd_kafka_conf_t *conf, struct error *err)
{
	rd_kafka_conf_res_t result;
	char why[256];

	if (is_reserved(pair->key))
		return config_refuse(config, pair->place, err,
		    "kafka.properties: %s is set by vulnbus", pair->key);
	if (is_without_tokens(pair))
		return config_refuse(config, pair->place, err,
		    "kafka.properties: %s: OAUTHBEARER is not supported, "
		    "vulnbus has no tokens for it",
		    pair->key);
	if (is_unreadable(pair))
		return config_refuse(config, pair->place, err,
		    "kafka: %s: %s: %s", pair->key, pair->value,
		    strerror(errno));
	result = rd_kafka_conf_set(
	    conf, pair->key, pair->value, why, sizeof(why));
	if (result == RD_KAFKA_CONF_OK)
		return STATUS_OK;
	/* librdkafka quotes the value, which may be secret. */
	if (result == RD_KAFKA_CONF_INVALID && pair->is_expanded)
		return config_refuse(config, pair->place, err,
		    "kafka: %s: librdkafka does not take the value", pair->key);
	return config_refuse(config, pair->place, err, "kafka: %s", why);
}

enum status
kafka_check(const struct config *config, struct error *err)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	const struct config_pairs *properties = &config->kafka.properties;
	enum status status = STATUS_OK;

	for (size_t i = 0; status == STATUS_OK && i < properties->count; i++)
		status = check_pair(config, &properties->items[i], conf, err);
	rd_kafka_conf_destroy(conf);
	return status == STATUS_OK ? try_clients(config, err) : status;
}
