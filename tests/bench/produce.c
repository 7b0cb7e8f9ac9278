/* SPDX-License-Identifier: Apache-2.0
 *
 * Records as the rows of an export have them, by nothing but librdkafka: what
 * is left of a machine for whoever makes them.
 * Usage: bench-produce BROKERS TOPIC RECORDS BYTES
 * Prints seconds and CPU-seconds. */
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BATCH_BYTES (4u << 20)
#define ANSWER_MS   60000

static const struct {
	const char *name, *value;
} headers[] = {
	{ "content-type", "application/vnd.msgpack" },
	{ "ce_specversion", "1.0" },
	{ "ce_id", "acme-vdr:export:1000000:0:done/row/1/123456" },
	{ "ce_source", "https://acme.vdr.example.com" },
	{ "ce_type", "vulnbus.export-row.enriched" },
	{ "ce_time", "2024-01-01T00:00:00.000Z" },
	{ "ce_subject", "export/1000000" },
	{ "ce_partitionkey", "acme-vdr/export/1000000" },
	{ "ce_dataschema", "urn:vulnbus:schema:export-row:v1" },
	{ "traceparent",
	    "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01" },
	{ "ce_traceparent",
	    "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01" },
};

static void
require(const char *what, rd_kafka_error_t *error)
{
	if (error == NULL)
		return;
	fprintf(stderr, "%s: %s\n", what, rd_kafka_error_string(error));
	exit(EXIT_FAILURE);
}

static void
set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
	char why[256];

	if (rd_kafka_conf_set(conf, name, value, why, sizeof(why)) ==
	    RD_KAFKA_CONF_OK)
		return;
	fprintf(stderr, "%s\n", why);
	exit(EXIT_FAILURE);
}

static void
on_report(rd_kafka_t *client, const rd_kafka_message_t *message, void *opaque)
{
	(void)client;
	(void)opaque;
	if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR)
		return;
	fprintf(stderr, "%s\n", rd_kafka_err2str(message->err));
	exit(EXIT_FAILURE);
}

static void
send_one(rd_kafka_t *client, const char *topic, const char *value, size_t bytes)
{
	const char *key = "acme-vdr/export/1000000";
	rd_kafka_headers_t *made = rd_kafka_headers_new(
	    sizeof(headers) / sizeof(*headers));
	rd_kafka_resp_err_t code;

	for (size_t i = 0; i < sizeof(headers) / sizeof(*headers); i++)
		rd_kafka_header_add(
		    made, headers[i].name, -1, headers[i].value, -1);
	do {
		code = rd_kafka_producev(client, RD_KAFKA_V_TOPIC(topic),
		    RD_KAFKA_V_KEY((void *)(uintptr_t)key, strlen(key)),
		    RD_KAFKA_V_VALUE((void *)(uintptr_t)value, bytes),
		    RD_KAFKA_V_HEADERS(made),
		    RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
		if (code == RD_KAFKA_RESP_ERR__QUEUE_FULL)
			rd_kafka_poll(client, 10);
	} while (code == RD_KAFKA_RESP_ERR__QUEUE_FULL);
	if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
		exit(EXIT_FAILURE);
}

static double
seconds(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

int
main(int argc, char **argv)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	size_t bytes, sent = 0;
	double began, used;
	rd_kafka_t *client;
	char *value, why[256];
	long records;

	if (argc != 5)
		return EXIT_FAILURE;
	records = strtol(argv[3], NULL, 10);
	bytes = (size_t)strtol(argv[4], NULL, 10);
	value = malloc(bytes);
	set(conf, "bootstrap.servers", argv[1]);
	set(conf, "transactional.id", argv[2]);
	/* As the enricher has it: with less librdkafka polls without a pause.
	 */
	set(conf, "linger.ms", "100");
	set(conf, "queue.buffering.max.kbytes", "2048");
	rd_kafka_conf_set_dr_msg_cb(conf, on_report);
	client = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof(why));
	if (client == NULL || value == NULL)
		return EXIT_FAILURE;
	memset(value, 'x', bytes);
	require("init", rd_kafka_init_transactions(client, ANSWER_MS));
	began = seconds(CLOCK_MONOTONIC);
	used = seconds(CLOCK_PROCESS_CPUTIME_ID);
	require("begin", rd_kafka_begin_transaction(client));
	for (long i = 0; i < records; i++) {
		send_one(client, argv[2], value, bytes);
		sent += bytes;
		if (sent < BATCH_BYTES && i + 1 < records)
			continue;
		require(
		    "commit", rd_kafka_commit_transaction(client, ANSWER_MS));
		sent = 0;
		if (i + 1 < records)
			require("begin", rd_kafka_begin_transaction(client));
	}
	printf("%.3f %.3f\n", seconds(CLOCK_MONOTONIC) - began,
	    seconds(CLOCK_PROCESS_CPUTIME_ID) - used);
	rd_kafka_destroy(client);
	free(value);
	return EXIT_SUCCESS;
}
