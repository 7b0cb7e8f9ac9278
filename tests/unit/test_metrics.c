/* SPDX-License-Identifier: Apache-2.0
 *
 * Metrics in Prometheus' text format. The process has one table, so each test
 * counts from where the one before it ended. */
#include "check.h"

#include <pthread.h>

#include "vulnbus/metrics.h"

static void
assert_printed(const char *part)
{
	struct buffer out;

	buffer_init(&out, 1 << 20);
	metrics_print(&out);
	buffer_append(&out, "", 1);
	assert_status(buffer_status(&out), STATUS_OK);
	assert_contains(out.data, part);
	buffer_clear(&out);
}

static size_t
count_printed(const char *part)
{
	struct buffer out;
	size_t count = 0;

	buffer_init(&out, 1 << 20);
	metrics_print(&out);
	buffer_append(&out, "", 1);
	for (const char *at = out.data; (at = strstr(at, part)) != NULL; at++)
		count++;
	buffer_clear(&out);
	return count;
}

static void
what_was_never_counted_is_not_printed(void **state)
{
	(void)state;
	assert_int_equal(count_printed("vulnbus_webhooks_total"), 0);
	assert_printed("vulnbus_answer_duration_seconds_count 0\n");
}

static void
counters_add_up_by_label(void **state)
{
	(void)state;
	metric_add(METRIC_WEBHOOKS, "acme", "202", 1);
	metric_add(METRIC_WEBHOOKS, "acme", "202", 2);
	metric_add(METRIC_WEBHOOKS, "acme", "401", 1);
	metric_add(METRIC_BAD_SIGNATURES, "acme", NULL, 5);
	assert_printed("# HELP vulnbus_webhooks_total Webhook requests");
	assert_printed("\n# TYPE vulnbus_webhooks_total counter\n");
	assert_printed(
	    "\nvulnbus_webhooks_total{source=\"acme\",code=\"202\"} 3\n");
	assert_printed(
	    "\nvulnbus_webhooks_total{source=\"acme\",code=\"401\"} 1\n");
	assert_printed("\nvulnbus_bad_signatures_total{source=\"acme\"} 5\n");
	assert_int_equal(count_printed("# TYPE vulnbus_webhooks_total"), 1);
}

static void
gauges_are_set(void **state)
{
	(void)state;
	metric_set(METRIC_KAFKA_UP, NULL, NULL, 1);
	assert_printed("\nvulnbus_kafka_up 1\n");
	metric_set(METRIC_KAFKA_UP, NULL, NULL, 0);
	assert_printed("# TYPE vulnbus_kafka_up gauge\nvulnbus_kafka_up 0\n");
}

/* Bounds are upper and inclusive, buckets cumulative. */
static void
answer_times_fall_into_buckets(void **state)
{
	(void)state;
	metric_answer_time(250);
	metric_answer_time(251);
	metric_answer_time(3000000);
	metric_answer_time(60000000);
	assert_printed("duration_seconds_bucket{le=\"0.00025\"} 1\n");
	assert_printed("duration_seconds_bucket{le=\"0.0005\"} 2\n");
	assert_printed("duration_seconds_bucket{le=\"2.5\"} 2\n");
	assert_printed("duration_seconds_bucket{le=\"5\"} 3\n");
	assert_printed("duration_seconds_bucket{le=\"+Inf\"} 4\n");
	assert_printed("duration_seconds_sum 63.000501\n");
	assert_printed("duration_seconds_count 4\n");
}

static void *
count_many(void *arg)
{
	char label[16];

	(void)arg;
	for (int i = 0; i < 10000; i++) {
		snprintf(label, sizeof(label), "l%d", i % 50);
		metric_add(METRIC_EVENTS_DELIVERED, label, NULL, 1);
	}
	return NULL;
}

static void
threads_lose_no_count(void **state)
{
	pthread_t threads[4];
	char line[100];

	(void)state;
	for (size_t i = 0; i < COUNT(threads); i++)
		assert_int_equal(
		    pthread_create(&threads[i], NULL, count_many, NULL), 0);
	for (size_t i = 0; i < COUNT(threads); i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < 50; i++) {
		snprintf(line, sizeof(line),
		    "\nvulnbus_events_delivered_total{source=\"l%d\"} 800\n",
		    i);
		assert_printed(line);
	}
	assert_int_equal(count_printed("vulnbus_events_delivered_total{"), 50);
}

/* Beyond 4096 series, and with labels beyond 63 bytes, none is made; those
 * that are there go on. Comes last. */
static void
the_table_has_a_ceiling(void **state)
{
	char label[80];

	(void)state;
	memset(label, 'x', sizeof(label) - 1);
	label[sizeof(label) - 1] = '\0';
	metric_add(METRIC_KEYS, label, NULL, 1);
	assert_int_equal(count_printed("xxxx"), 0);
	for (int i = 0; i < 5000; i++) {
		snprintf(label, sizeof(label), "s%d", i);
		metric_add(METRIC_KEYS, label, NULL, 1);
	}
	assert_true(count_printed("vulnbus_keys{") < 4096);
	metric_add(METRIC_WEBHOOKS, "acme", "401", 1);
	assert_printed(
	    "\nvulnbus_webhooks_total{source=\"acme\",code=\"401\"} 2\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_never_counted_is_not_printed),
		cmocka_unit_test(counters_add_up_by_label),
		cmocka_unit_test(gauges_are_set),
		cmocka_unit_test(answer_times_fall_into_buckets),
		cmocka_unit_test(threads_lose_no_count),
		cmocka_unit_test(the_table_has_a_ceiling),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
