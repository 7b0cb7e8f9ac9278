/* SPDX-License-Identifier: Apache-2.0
 *
 * Metrics in Prometheus' text format. The process has one table: what a test
 * counts stays for those after it, none of which needs it. */
#include "check.h"

#include <pthread.h>

#include "vulnbus/kafka_statistics.h"
#include "vulnbus/metrics.h"
#include "vulnbus/process.h"

static void
assert_printed(const char *part)
{
	struct buffer out;

	buffer_init(&out, 4 << 20);
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
	struct view rest;
	size_t count = 0;
	const char *at;

	buffer_init(&out, 4 << 20);
	metrics_print(&out);
	assert_status(buffer_status(&out), STATUS_OK);
	rest = buffer_view(&out);
	/* Not strstr: AddressSanitizer's has to find the end each time. */
	while ((at = memmem(rest.data, rest.len, part, strlen(part))) != NULL) {
		rest.len -= (size_t)(at - rest.data) + 1;
		rest.data = at + 1;
		count++;
	}
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
	metric_observe(METRIC_ANSWER_TIME, 250);
	metric_observe(METRIC_ANSWER_TIME, 251);
	metric_observe(METRIC_ANSWER_TIME, 3000000);
	metric_observe(METRIC_ANSWER_TIME, 60000000);
	assert_printed("answer_duration_seconds_bucket{le=\"0.00025\"} 1\n");
	assert_printed("answer_duration_seconds_bucket{le=\"0.0005\"} 2\n");
	assert_printed("answer_duration_seconds_bucket{le=\"2.5\"} 2\n");
	assert_printed("answer_duration_seconds_bucket{le=\"5\"} 3\n");
	assert_printed("answer_duration_seconds_bucket{le=\"+Inf\"} 4\n");
	metric_observe(METRIC_ANSWER_TIME, -1); /* not known: none */
	assert_printed("answer_duration_seconds_sum 63.000501\n");
	assert_printed("answer_duration_seconds_count 4\n");
}

static void
seconds_are_given_in_microseconds(void **state)
{
	(void)state;
	metric_set(METRIC_SPOOL_OLDEST, NULL, NULL, 1500000);
	assert_printed("\nvulnbus_spool_oldest_age_seconds 1.500000\n");
	metric_set(METRIC_SPOOL_OLDEST, NULL, NULL, 7);
	assert_printed("\nvulnbus_spool_oldest_age_seconds 0.000007\n");
}

/* From an object of librdkafka's STATISTICS.md, without what is not read. */
static void
note_producer(void)
{
	kafka_statistics_note("producer",
	    VIEW(
		"{\"msg_cnt\":3,\"msg_size\":900,\"txmsgs\":40,\"rxmsgs\":0,"
		"\"brokers\":{"
		"\"a:1/bootstrap\":{\"nodeid\":-1,\"source\":\"configured\","
		"\"state\":\"DOWN\",\"outbuf_cnt\":1,\"waitresp_cnt\":0,"
		"\"txerrs\":1,\"rxerrs\":2,\"req_timeouts\":3,"
		"\"rtt\":{\"avg\":0,\"p99\":0,\"cnt\":0}},"
		"\"a:1/1\":{\"nodeid\":1,\"source\":\"configured\","
		"\"state\":\"UP\","
		"\"outbuf_cnt\":4,\"waitresp_cnt\":5,"
		"\"rtt\":{\"avg\":1500,\"p99\":9000,\"cnt\":7}},"
		"\"a:2/2\":{\"nodeid\":2,\"source\":\"learned\",\"state\":\"INIT\"},"
		"\"Group\":{\"nodeid\":1,\"source\":\"logical\","
		"\"state\":\"UP\"},"
		"\"a:3/3\":{\"nodeid\":3,\"source\":\"learned\","
		"\"state\":\"DOWN\"}}}"));
}

static void
librdkafka_figures_are_summed_over_brokers(void **state)
{
	(void)state;
	note_producer();
	assert_printed("vulnbus_kafka_queue_records{client=\"producer\"} 3\n");
	assert_printed("vulnbus_kafka_queue_bytes{client=\"producer\"} 900\n");
	assert_printed(
	    "vulnbus_kafka_sent_records_total{client=\"producer\"} 40\n");
	assert_printed(
	    "vulnbus_kafka_outgoing_requests{client=\"producer\"} 5\n");
	assert_printed(
	    "vulnbus_kafka_in_flight_requests{client=\"producer\"} 5\n");
	assert_printed(
	    "vulnbus_kafka_request_errors_total{client=\"producer\"} 6\n");
	assert_printed("{client=\"producer\",state=\"up\"} 1\n");
	assert_printed("{client=\"producer\",state=\"idle\"} 1\n");
	assert_printed("{client=\"producer\",state=\"down\"} 1\n");
	assert_printed("{client=\"producer\",statistic=\"mean\"} 0.001500\n");
	assert_printed("{client=\"producer\",statistic=\"p99\"} 0.009000\n");
}

/* What is no such document changes nothing. */
static void
what_is_no_statistics_is_passed_over(void **state)
{
	(void)state;
	note_producer();
	kafka_statistics_note("producer", VIEW("{\"msg_cnt\":"));
	kafka_statistics_note("producer", VIEW("{}"));
	kafka_statistics_note("producer", VIEW("[1]"));
	kafka_statistics_note(
	    "producer", VIEW("{\"msg_cnt\":\"x\",\"brokers\":[]}"));
	assert_printed("vulnbus_kafka_queue_records{client=\"producer\"} 3\n");
	assert_printed("{client=\"producer\",state=\"up\"} 1\n");
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

static const char two_sources[] = "kafka: {bootstrap_servers: 127.0.0.1:9}\n"
				  "sources:\n"
				  "  - name: one\n    vendor: delve\n"
				  "    base_url: https://one.example.com\n"
				  "    hook: {secret: 0123456789abcdef}\n"
				  "  - name: two\n    vendor: delve\n"
				  "    base_url: https://two.example.com\n"
				  "    hook: {secret: 0123456789abcdef}\n";

/* From here on what the table does not have is folded. */
static void
settle(void)
{
	static bool is_settled;
	struct config *config = NULL;
	struct error err;

	if (is_settled)
		return;
	metrics_begin('I', "vulnbus-ingress");
	assert_status(
	    config_parse("test", VIEW(two_sources), &config, &err), STATUS_OK);
	metrics_know_sources(config);
	config_free(config);
	is_settled = true;
}

static void
a_daemon_settles_its_series(void **state)
{
	size_t before;

	(void)state;
	settle();
	assert_printed(
	    "\nvulnbus_webhooks_total{source=\"two\",code=\"503\"} 0\n");
	assert_printed(
	    "\nvulnbus_webhooks_total{source=\"\",code=\"404\"} 0\n");
	assert_printed("\nvulnbus_spooled_total 0\n");
	assert_int_equal(count_printed("vulnbus_api_calls_total{"), 0);
	before = count_printed("\n");
	metric_add(METRIC_WEBHOOKS, "nobody", "404", 1);
	metric_add(METRIC_WEBHOOKS, "one", "777", 2);
	metric_add(METRIC_BAD_SIGNATURES, "nobody", NULL, 1);
	assert_int_equal(count_printed("\n"), before);
	assert_int_equal(count_printed("nobody"), 0);
	assert_printed(
	    "\nvulnbus_webhooks_total{source=\"\",code=\"404\"} 1\n");
	assert_printed(
	    "\nvulnbus_webhooks_total{source=\"one\",code=\"other\"} 2\n");
}

/* Its counters stay: what was counted was. */
static void
gauges_of_a_source_that_is_gone_are_not_printed(void **state)
{
	struct config *config = NULL;
	struct error err;

	(void)state;
	settle();
	assert_status(
	    config_parse("test", VIEW(two_sources), &config, &err), STATUS_OK);
	metric_set(METRIC_KEYS, "one", NULL, 0);
	metric_set(METRIC_KEYS, "two", NULL, 0);
	metrics_note_reload(NULL);
	assert_printed("\nvulnbus_config_last_reload_successful 0\n");
	assert_int_equal(count_printed("vulnbus_keys{source=\"two\"}"), 1);
	config->source_count = 1;
	metrics_note_reload(config);
	config->source_count = 2;
	assert_printed("\nvulnbus_config_last_reload_successful 1\n");
	assert_printed("\nvulnbus_keys{source=\"one\"} 0\n");
	assert_int_equal(count_printed("vulnbus_keys{source=\"two\"}"), 0);
	assert_int_equal(
	    count_printed("vulnbus_key_fetches_total{source=\"two\","), 2);
	metric_set(METRIC_KEYS, "two", NULL, 1);
	assert_printed("\nvulnbus_keys{source=\"two\"} 1\n");
	config_free(config);
}

static void
the_process_is_measured(void **state)
{
	(void)state;
	settle();
	process_begin();
	process_measure();
	assert_int_equal(count_printed("\nprocess_cpu_seconds_total 0."), 1);
	assert_int_equal(count_printed("\nprocess_resident_memory_bytes "), 1);
	assert_int_equal(count_printed("\nprocess_resident_memory_bytes 0"), 0);
	assert_int_equal(count_printed("\nprocess_open_fds "), 1);
	assert_int_equal(count_printed("\nprocess_start_time_seconds "), 1);
}

/* Beyond 65536 series, and with labels beyond 63 bytes, none is made; those
 * that are there go on. Comes last. */
static void
the_table_has_a_ceiling(void **state)
{
	char label[80];

	(void)state;
	settle();
	memset(label, 'x', sizeof(label) - 1);
	label[sizeof(label) - 1] = '\0';
	metric_add(METRIC_KAFKA_SENT, label, NULL, 1);
	assert_int_equal(count_printed("xxxx"), 0);
	for (int i = 0; i < 70000; i++) {
		snprintf(label, sizeof(label), "s%d", i);
		metric_add(METRIC_KAFKA_SENT, label, NULL, 1);
	}
	assert_true(count_printed("vulnbus_kafka_sent_records_total{") > 60000);
	assert_true(count_printed("vulnbus_kafka_sent_records_total{") < 65536);
	metric_add(METRIC_WEBHOOKS, "one", "401", 1);
	assert_printed(
	    "\nvulnbus_webhooks_total{source=\"one\",code=\"401\"} 1\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_never_counted_is_not_printed),
		cmocka_unit_test(counters_add_up_by_label),
		cmocka_unit_test(gauges_are_set),
		cmocka_unit_test(answer_times_fall_into_buckets),
		cmocka_unit_test(seconds_are_given_in_microseconds),
		cmocka_unit_test(librdkafka_figures_are_summed_over_brokers),
		cmocka_unit_test(what_is_no_statistics_is_passed_over),
		cmocka_unit_test(threads_lose_no_count),
		cmocka_unit_test(a_daemon_settles_its_series),
		cmocka_unit_test(
		    gauges_of_a_source_that_is_gone_are_not_printed),
		cmocka_unit_test(the_process_is_measured),
		cmocka_unit_test(the_table_has_a_ceiling),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
