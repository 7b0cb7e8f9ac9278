/* SPDX-License-Identifier: Apache-2.0
 *
 * The tool's reader, on the embedded broker. */
#include "check.h"

#include "../../bridge/tool/tool_reader.c"

#include "vulnbus/kafka_producer.h"
#include "vulnbus/timestamp.h"

#define DEADLINE_MS 20000

struct bench {
	struct kafka_broker *broker;
	struct config *config;
	struct topics topics;
	struct kafka_producer *producer;
	int delivered;
};

static void
on_delivery(void *record_arg, const struct kafka_report *report, void *arg)
{
	struct bench *bench = arg;

	(void)record_arg;
	bench->delivered += report->status == STATUS_OK;
}

static int
setup(void **state)
{
	static struct bench bench;
	char text[1024];
	struct error err;

	bench = (struct bench){ .broker = NULL };
	*state = &bench;
	assert_ok(kafka_broker_open(&bench.broker, &err), &err);
	snprintf(text, sizeof(text),
	    "kafka:\n"
	    "  bootstrap_servers: \"%s\"\n"
	    "  properties: {allow.auto.create.topics: true, "
	    "fetch.wait.max.ms: 10}\n"
	    "topics: {prefix: t}\n",
	    kafka_broker_address(bench.broker));
	assert_ok(
	    config_parse("test", view_of(text), &bench.config, &err), &err);
	topics_init(&bench.topics, bench.config);
	assert_ok(kafka_producer_open(
		      &(struct kafka_producer_options){
			  .config = bench.config,
			  .client = "test",
			  .on_delivery = on_delivery,
			  .arg = &bench,
		      },
		      &bench.producer, &err),
	    &err);
	return 0;
}

static int
teardown(void **state)
{
	struct bench *bench = *state;

	kafka_producer_close(&bench->producer, 1000);
	config_free(bench->config);
	kafka_broker_close(&bench->broker);
	return 0;
}

static void
write_records(struct bench *bench, enum topic topic, int count)
{
	const int wanted = bench->delivered + count;
	const int64_t until_ms = clock_steady_ms() + DEADLINE_MS;
	struct error err;

	assert_true(kafka_producer_probe(
	    bench->producer, bench->topics.names[topic], 5000));
	for (int i = 0; i < count; i++) {
		const struct kafka_record record = {
			.topic = bench->topics.names[topic],
			.partition = i % 4,
			.value = VIEW("v"),
			.key = VIEW("k"),
		};

		assert_ok(
		    kafka_producer_send(bench->producer, &record, NULL, &err),
		    &err);
	}
	while (bench->delivered < wanted && clock_steady_ms() < until_ms)
		kafka_producer_poll(bench->producer, 10);
	assert_int_equal(bench->delivered, wanted);
}

static struct reader *
open_reader(struct bench *bench, bool is_from_end)
{
	const struct reader_options options = {
		.config = bench->config,
		.topics = &bench->topics,
		.is_wanted = { [TOPIC_EVENTS] = true, [TOPIC_SCANS] = true },
		.is_from_end = is_from_end,
		.timeout_ms = 5000,
	};
	struct reader *reader = NULL;
	struct error err;

	assert_ok(reader_open(&options, &reader, &err), &err);
	return reader;
}

/* Reads up to the mark; how many records of each topic there were. */
static void
read_to_mark(struct reader *reader, int counts[TOPIC_COUNT])
{
	const int64_t until_ms = clock_steady_ms() + DEADLINE_MS;
	struct error err;

	while (!reader_is_at_mark(reader) && clock_steady_ms() < until_ms) {
		struct kafka_record record;
		enum topic topic;

		if (reader_next(reader, 50, &topic, &record, &err) ==
		    STATUS_OK) {
			assert_view(record.value, "v");
			counts[topic]++;
		}
	}
	assert_true(reader_is_at_mark(reader));
}

/* All records of the topics wanted, none of another. */
static void
all_there_is_is_read_up_to_the_mark(void **state)
{
	struct bench *bench = *state;
	int counts[TOPIC_COUNT] = { 0 };
	struct reader *reader;
	struct error err;

	write_records(bench, TOPIC_EVENTS, 10);
	write_records(bench, TOPIC_SCANS, 3);
	write_records(bench, TOPIC_EXPORTS, 5);
	reader = open_reader(bench, false);
	assert_ok(reader_mark(reader, &err), &err);
	assert_false(reader_is_at_mark(reader));
	read_to_mark(reader, counts);
	assert_int_equal(counts[TOPIC_EVENTS], 10);
	assert_int_equal(counts[TOPIC_SCANS], 3);
	assert_int_equal(counts[TOPIC_EXPORTS], 0);
	write_records(bench, TOPIC_SCANS, 2);
	assert_ok(reader_mark(reader, &err), &err);
	read_to_mark(reader, counts);
	assert_int_equal(counts[TOPIC_SCANS], 5);
	reader_close(&reader);
	assert_null(reader);
}

/* Nothing that was there before. */
static void
from_the_end_only_what_is_new_is_read(void **state)
{
	struct bench *bench = *state;
	int counts[TOPIC_COUNT] = { 0 };
	struct reader *reader;
	struct error err;

	write_records(bench, TOPIC_EVENTS, 10);
	reader = open_reader(bench, true);
	assert_ok(reader_mark(reader, &err), &err);
	assert_true(reader_is_at_mark(reader));
	write_records(bench, TOPIC_EVENTS, 4);
	assert_ok(reader_mark(reader, &err), &err);
	read_to_mark(reader, counts);
	assert_int_equal(counts[TOPIC_EVENTS], 4);
	reader_close(&reader);
}

/* An empty topic's end is known at once. */
static void
empty_topics_are_at_their_end(void **state)
{
	struct bench *bench = *state;
	struct reader *reader = open_reader(bench, false);
	int counts[TOPIC_COUNT] = { 0 };
	struct error err;

	assert_ok(reader_mark(reader, &err), &err);
	read_to_mark(reader, counts);
	assert_int_equal(counts[TOPIC_EVENTS], 0);
	reader_close(&reader);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    all_there_is_is_read_up_to_the_mark, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    from_the_end_only_what_is_new_is_read, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    empty_topics_are_at_their_end, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
