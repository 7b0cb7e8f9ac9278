/* SPDX-License-Identifier: Apache-2.0
 *
 * The produce stage against the embedded broker. It is compiled in here, with
 * its door, so that a fatal error can be raised in the client it holds. */
#include "check.h"

#include "../../bridge/flow/produce.c"
#include "../../bridge/net/kafka_producer.c"

#define DEADLINE_MS PATIENCE_OF_MS(15000)

struct fixture {
	struct shipment shipment; /* first: found from a report */
	struct kafka_broker *broker;
	struct config *config;
	struct topics topics;
	struct produce *produce;
	atomic_int delivered, failed;
};

static void
count_delivery(struct shipment *shipment, enum status status, const char *why)
{
	struct fixture *f = (struct fixture *)(void *)shipment;

	(void)why;
	atomic_fetch_add(status == STATUS_OK ? &f->delivered : &f->failed, 1);
}

static void
open_fixture(struct fixture *f)
{
	char text[512];
	struct error err = { "" };

	*f = (struct fixture){ .shipment = { count_delivery } };
	assert_int_equal(kafka_broker_open(&f->broker, &err), STATUS_OK);
	snprintf(text, sizeof(text),
	    "kafka:\n  bootstrap_servers: %s\n"
	    "  properties: {allow.auto.create.topics: true}\n"
	    "topics: {create: false}\n",
	    kafka_broker_address(f->broker));
	assert_int_equal(
	    config_parse("test", view_of(text), &f->config, &err), STATUS_OK);
	topics_init(&f->topics, f->config);
	assert_int_equal(
	    produce_open(f->config, &f->topics, &f->produce, &err), STATUS_OK);
}

static void
close_fixture(struct fixture *f)
{
	produce_close(&f->produce, 1000);
	config_free(f->config);
	kafka_broker_close(&f->broker);
}

static enum status
send_one(struct fixture *f)
{
	const struct kafka_record record = {
		.topic = f->topics.names[TOPIC_EVENTS],
		.partition = KAFKA_PARTITION_BY_KEY,
		.key = VIEW("acme/scan/1"),
		.value = VIEW("value"),
	};
	struct error err;

	return produce_send(f->produce, &record, &f->shipment, &err);
}

static bool
wait_for(struct fixture *f, bool (*is_so)(struct fixture *f))
{
	const int64_t until_ms = clock_steady_ms() + DEADLINE_MS;

	while (!is_so(f)) {
		if (clock_steady_ms() > until_ms)
			return false;
		poll(NULL, 0, 10);
	}
	return true;
}

static bool
is_up_after_a_tick(struct fixture *f)
{
	produce_tick(f->produce);
	return produce_is_ready(f->produce);
}

static bool
is_delivered(struct fixture *f)
{
	return atomic_load(&f->delivered) > 0;
}

static bool
is_rebuilt(struct fixture *f)
{
	bool answer;

	pthread_rwlock_rdlock(&f->produce->lock);
	answer = f->produce->producer != NULL &&
		 !kafka_producer_is_fatal(f->produce->producer);
	pthread_rwlock_unlock(&f->produce->lock);
	return answer;
}

/* Nothing is sent before Kafka was reached and the topics are there. */
static void
a_record_is_refused_until_kafka_was_reached(void **state)
{
	struct fixture f;

	(void)state;
	open_fixture(&f);
	assert_int_equal(send_one(&f), STATUS_UNAVAILABLE);
	assert_true(wait_for(&f, is_up_after_a_tick));
	assert_int_equal(send_one(&f), STATUS_OK);
	assert_true(wait_for(&f, is_delivered));
	assert_int_equal(atomic_load(&f.failed), 0);
	close_fixture(&f);
}

/* A fatal error ends the client, not the stage. */
static void
a_producer_with_a_fatal_error_is_rebuilt_and_delivers_again(void **state)
{
	struct fixture f;

	(void)state;
	open_fixture(&f);
	assert_true(wait_for(&f, is_up_after_a_tick));
	pthread_rwlock_rdlock(&f.produce->lock);
	rd_kafka_test_fatal_error(f.produce->producer->client,
	    RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER, "raised by a test");
	assert_true(kafka_producer_is_fatal(f.produce->producer));
	pthread_rwlock_unlock(&f.produce->lock);
	assert_true(wait_for(&f, is_rebuilt));
	assert_int_equal(send_one(&f), STATUS_OK);
	assert_true(wait_for(&f, is_delivered));
	assert_true(wait_for(&f, is_up_after_a_tick));
	close_fixture(&f);
}

static void *
tick_once(void *arg)
{
	produce_tick(arg);
	return NULL;
}

/* A probe of a cluster that is gone lasts a second, and the producer is
 * rebuilt behind it; whoever sends meanwhile is told at once. */
static void
senders_wait_for_no_probe_and_no_rebuild(void **state)
{
	struct fixture f;
	pthread_t ticking;

	(void)state;
	open_fixture(&f);
	assert_true(wait_for(&f, is_up_after_a_tick));
	kafka_broker_close(&f.broker);
	assert_int_equal(
	    pthread_create(&ticking, NULL, tick_once, f.produce), 0);
	poll(NULL, 0, 100);
	rd_kafka_test_fatal_error(f.produce->producer->client,
	    RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER, "raised by a test");
	poll(NULL, 0, 2 * POLL_MS);
	for (int i = 0; i < 10; i++) {
		const int64_t from_ms = clock_steady_ms();

		assert_int_not_equal(send_one(&f), STATUS_OK);
		assert_true(clock_steady_ms() - from_ms < 100);
		poll(NULL, 0, 10);
	}
	pthread_join(ticking, NULL);
	assert_false(produce_is_ready(f.produce));
	close_fixture(&f);
}

/* Every record is accounted for when the stage closes. */
static void
closing_without_a_broker_reports_every_record_as_failed(void **state)
{
	struct fixture f;

	(void)state;
	open_fixture(&f);
	assert_true(wait_for(&f, is_up_after_a_tick));
	kafka_broker_close(&f.broker);
	for (int i = 0; i < 100; i++)
		assert_int_equal(send_one(&f), STATUS_OK);
	produce_close(&f.produce, 100);
	assert_int_equal(atomic_load(&f.failed), 100);
	assert_int_equal(atomic_load(&f.delivered), 0);
	close_fixture(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_record_is_refused_until_kafka_was_reached),
		cmocka_unit_test(
		    a_producer_with_a_fatal_error_is_rebuilt_and_delivers_again),
		cmocka_unit_test(senders_wait_for_no_probe_and_no_rebuild),
		cmocka_unit_test(
		    closing_without_a_broker_reports_every_record_as_failed),
	};

	log_open("test", LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
