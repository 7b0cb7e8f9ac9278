/* SPDX-License-Identifier: Apache-2.0 */
#include "vulnbus/kafka_statistics.h"

#include <librdkafka/rdkafka.h>

#include "vulnbus/json.h"
#include "vulnbus/log.h"
#include "vulnbus/metrics.h"

#define EVERY_MS "5000"

/* Over all brokers of one document. */
struct sums {
	int64_t outgoing, in_flight, errors;
	int64_t up, down, idle;
	int64_t mean_us, p99_us; /* of the slowest; -1: none was asked */
};

static void
count_state(struct sums *sums, struct view state)
{
	if (view_is(state, "UP") || view_is(state, "UPDATE"))
		sums->up++;
	else if (view_is(state, "INIT"))
		sums->idle++;
	else
		sums->down++;
}

static void
note_rtt(struct sums *sums, const struct json_value *rtt)
{
	const int64_t mean_us = json_int(json_member(rtt, "avg"), 0);
	const int64_t p99_us = json_int(json_member(rtt, "p99"), 0);

	if (json_int(json_member(rtt, "cnt"), 0) == 0)
		return;
	if (mean_us > sums->mean_us)
		sums->mean_us = mean_us;
	if (p99_us > sums->p99_us)
		sums->p99_us = p99_us;
}

/* A broker has a number once it is known: a bootstrap server may stay without
 * one. The group's coordinator ("logical") is a broker once more. */
static void
add_broker(struct sums *sums, const struct json_value *broker)
{
	sums->outgoing += json_int(json_member(broker, "outbuf_cnt"), 0);
	sums->in_flight += json_int(json_member(broker, "waitresp_cnt"), 0);
	sums->errors += json_int(json_member(broker, "txerrs"), 0) +
			json_int(json_member(broker, "rxerrs"), 0) +
			json_int(json_member(broker, "req_timeouts"), 0);
	note_rtt(sums, json_member(broker, "rtt"));
	if (json_int(json_member(broker, "nodeid"), -1) >= 0 &&
	    !view_is(json_text(json_member(broker, "source")), "logical"))
		count_state(sums, json_text(json_member(broker, "state")));
}

static void
note_sums(const char *client, const struct json_value *brokers)
{
	struct sums sums = { .mean_us = -1, .p99_us = -1 };
	struct json_each each = { .at = NULL };

	while (json_each(brokers, &each))
		add_broker(&sums, each.value);
	metric_set(METRIC_KAFKA_OUTGOING, client, NULL, sums.outgoing);
	metric_set(METRIC_KAFKA_IN_FLIGHT, client, NULL, sums.in_flight);
	metric_set(METRIC_KAFKA_ERRORS, client, NULL, sums.errors);
	metric_set(METRIC_KAFKA_BROKERS, client, "up", sums.up);
	metric_set(METRIC_KAFKA_BROKERS, client, "down", sums.down);
	metric_set(METRIC_KAFKA_BROKERS, client, "idle", sums.idle);
	if (sums.mean_us < 0)
		return;
	metric_set(METRIC_KAFKA_RTT, client, "mean", sums.mean_us);
	metric_set(METRIC_KAFKA_RTT, client, "p99", sums.p99_us);
}

void
kafka_statistics_note(const char *client, struct view document)
{
	static const struct {
		const char *name;
		enum metric metric;
	} totals[] = {
		{ "msg_cnt", METRIC_KAFKA_QUEUED },
		{ "msg_size", METRIC_KAFKA_QUEUED_BYTES },
		{ "txmsgs", METRIC_KAFKA_SENT },
		{ "rxmsgs", METRIC_KAFKA_RECEIVED },
	};
	struct json_document *parsed = NULL;
	const struct json_value *root;
	struct error err;

	if (json_parse(document, &parsed, &err) != STATUS_OK) {
		LOG_DEBUG("librdkafka's statistics not understood",
		    LOG_TEXT("error.message", err.text));
		return;
	}
	root = json_root(parsed);
	for (size_t i = 0; i < sizeof(totals) / sizeof(*totals); i++) {
		const int64_t value = json_int(
		    json_member(root, totals[i].name), -1);

		if (value >= 0)
			metric_set(totals[i].metric, client, NULL, value);
	}
	if (json_type_of(json_member(root, "brokers")) == JSON_TYPE_MAP)
		note_sums(client, json_member(root, "brokers"));
	json_free(parsed);
}

static int
on_statistics(rd_kafka_t *client, char *json, size_t len, void *opaque)
{
	(void)opaque;
	kafka_statistics_note(rd_kafka_type(client) == RD_KAFKA_PRODUCER
				  ? "producer"
				  : "consumer",
	    (struct view){ json, len });
	return 0; /* librdkafka frees it */
}

void
kafka_statistics_use(rd_kafka_conf_t *conf)
{
	char why[64];

	rd_kafka_conf_set_stats_cb(conf, on_statistics);
	rd_kafka_conf_set(
	    conf, "statistics.interval.ms", EVERY_MS, why, sizeof(why));
}
