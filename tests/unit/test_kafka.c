/* SPDX-License-Identifier: Apache-2.0
 *
 * What kafka_check lets pass: properties no client can be made of are refused
 * before a start, without a broker. And that a client, when there is one, has
 * all it needs. */
#include "check.h"

#include "vulnbus/kafka.h"
#include "vulnbus/kafka_consumer.h"
#include "vulnbus/log.h"
#include "vulnbus/timestamp.h"

/* Nobody listens there. */
#define BROKER "bootstrap_servers: 127.0.0.1:1"

static enum status
check(const char *text, struct error *err)
{
	struct config *config = NULL;
	enum status status;

	err->text[0] = '\0';
	assert_ok(config_parse("t.yaml", view_of(text), &config, err), err);
	status = kafka_check(config, err);
	config_free(config);
	return status;
}

static void
settings_that_can_start_pass_and_quickly(void **state)
{
	static const char *const good[] = {
		"kafka: {" BROKER "}\n",
		"kafka: {" BROKER ", properties: {message.timeout.ms: 15000, "
		"max.in.flight: 5, socket.timeout.ms: 9000}}\n",
		"kafka: {" BROKER "}\nenricher: {session_timeout: 5m}\n",
		"kafka: {" BROKER "}\nenricher: {transaction_timeout: 15m}\n",
	};
	const int64_t from_ms = clock_steady_ms();
	struct error err;

	(void)state;
	for (size_t i = 0; i < COUNT(good); i++)
		assert_status_of(good[i], check(good[i], &err), STATUS_OK);
	assert_true(clock_steady_ms() - from_ms < 5000);
}

static void
settings_that_can_never_start_are_refused_at_their_place(void **state)
{
	static const struct {
		const char *text;
		const char *complaint;
	} bad[] = {
		{ "kafka: {" BROKER ", properties: {nonesuch: 1}}\n",
		    "t.yaml:1:" },
		{ "kafka:\n  " BROKER "\n  properties:\n    acks: 1\n",
		    "t.yaml:4:11: kafka.properties: acks is set by vulnbus" },
		{ "kafka:\n  " BROKER
		  "\n  properties:\n    enable.partition.eof: true\n",
		    "enable.partition.eof is set by vulnbus" },
		{ "kafka:\n  " BROKER
		  "\n  properties:\n    transaction.timeout.ms: 1000\n",
		    "transaction.timeout.ms is set by vulnbus" },
		{ "kafka:\n  " BROKER
		  "\n  properties:\n    test.mock.num.brokers: 1\n",
		    "test.mock.num.brokers is set by vulnbus" },
		{ "topics: {}\nkafka:\n  " BROKER
		  "\n  properties: {message.timeout.ms: 15001}\n",
		    "t.yaml:2:1: kafka: `message.timeout.ms`" },
		{ "kafka: {" BROKER ", properties: {max.in.flight: 6}}\n",
		    "t.yaml:1:1: kafka: `max.in.flight`" },
		{ "kafka: {" BROKER
		  ", properties: {max.poll.interval.ms: 9000}}\n",
		    "t.yaml:1:1: kafka: " },
	};
	struct error err;

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		assert_status_of(
		    bad[i].text, check(bad[i].text, &err), STATUS_INVALID);
		assert_contains(err.text, bad[i].complaint);
	}
}

static void
a_member_that_was_opened_can_be_paused(void **state)
{
	struct config *config = NULL;
	struct kafka_consumer *consumer = NULL;
	const int32_t partition = 0;
	struct error err;

	(void)state;
	assert_ok(config_parse(
		      "t.yaml", VIEW("kafka: {" BROKER "}\n"), &config, &err),
	    &err);
	assert_ok(kafka_consumer_open(
		      &(struct kafka_consumer_options){ .config = config,
			  .client = "test",
			  .group_id = "group",
			  .session_timeout_ms = 10000,
			  .topic = "events" },
		      &consumer, &err),
	    &err);
	kafka_consumer_pause(consumer, &partition, 1, true);
	kafka_consumer_close(&consumer);
	config_free(config);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(settings_that_can_start_pass_and_quickly),
		cmocka_unit_test(
		    settings_that_can_never_start_are_refused_at_their_place),
		cmocka_unit_test(a_member_that_was_opened_can_be_paused),
	};

	log_open("test", LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
