/* SPDX-License-Identifier: Apache-2.0
 *
 * librdkafka as the ingress has it (acks=all, idempotent, no linger,
 * two requests under way), and nothing of the ingress. */
#ifndef BARE_PRODUCER_H
#define BARE_PRODUCER_H

#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>

typedef rd_kafka_resp_err_t
acknowledged_f(rd_kafka_t *rk, rd_kafka_message_t *message, void *arg);

static void
die(const char *what)
{
	fprintf(stderr, "%s\n", what);
	exit(1);
}

static rd_kafka_resp_err_t
on_new(rd_kafka_t *rk, const rd_kafka_conf_t *conf, void *arg, char *why,
    size_t size)
{
	(void)conf;
	(void)why;
	(void)size;
	return rd_kafka_interceptor_add_on_acknowledgement(
	    rk, "bare", *(acknowledged_f **)arg, NULL);
}

/* `*on_acknowledged` is called on librdkafka's threads. */
static rd_kafka_t *
bare_producer(const char *brokers, acknowledged_f **on_acknowledged)
{
	const char *const settings[][2] = {
		{ "bootstrap.servers", brokers },
		{ "enable.idempotence", "true" },
		{ "partitioner", "murmur2_random" },
		{ "socket.nagle.disable", "true" },
		{ "linger.ms", "0" },
		{ "max.in.flight.requests.per.connection", "2" },
	};
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	rd_kafka_t *client;
	char why[256];

	for (size_t i = 0; i < sizeof(settings) / sizeof(*settings); i++)
		if (rd_kafka_conf_set(conf, settings[i][0], settings[i][1], why,
			sizeof(why)) != RD_KAFKA_CONF_OK)
			die(why);
	rd_kafka_conf_interceptor_add_on_new(
	    conf, "bare", on_new, (void *)on_acknowledged);
	client = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof(why));
	if (client == NULL)
		die(why);
	return client;
}

#endif
