/* SPDX-License-Identifier: Apache-2.0
 *
 * The command "demo": everything at work in one terminal, from the vendor's
 * signature to the enriched record, and a count that must come out even. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sysexits.h>
#include <unistd.h>

#include "vulnbus/timestamp.h"
#include "vulnbus/tool_demo.h"

#define DEADLINE_MS    60000
#define KAFKA_MS       5000
#define ROWS           2000
#define ROWS_MAX       100000
#define WIDTH          100
#define WIDTH_MAX      120
#define EXIT_FAILED    1
#define EXIT_BY_SIGNAL 130

static uint32_t
find_width(bool is_terminal)
{
	struct winsize size;

	if (!is_terminal || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 ||
	    size.ws_col < 40)
		return WIDTH;
	return size.ws_col < WIDTH_MAX ? size.ws_col : WIDTH_MAX;
}

static enum status
open_vendor(struct demo *demo, struct error *err)
{
	enum status status = es512_key_generate(&demo->key, err);

	if (status == STATUS_OK)
		status = es512_key_generate(&demo->forger, err);
	if (status == STATUS_OK)
		status = demo_vendor_open(
		    &(struct demo_vendor_options){ .token = demo->token,
			.key = demo->key,
			.rows = demo->rows },
		    &demo->vendor, err);
	if (status == STATUS_OK)
		demo_say(demo, "vendor", PAINT_BOLD,
		    "a simulated VDR instance at http://%s",
		    demo_vendor_address(demo->vendor));
	return status;
}

static enum status
open_kafka(struct demo *demo, struct error *err)
{
	enum status status;

	if (demo->kafka != NULL) {
		/* Events that are known are not enriched again: a run of its
		 * own needs topics of its own. */
		snprintf(demo->prefix, sizeof(demo->prefix),
		    "vulnbus-demo-%lld", (long long)(clock_wall_ms() / 1000));
		demo_say(demo, "kafka", PAINT_BOLD,
		    "%s, topics %s.* for this run (they stay)", demo->kafka,
		    demo->prefix);
		return STATUS_OK;
	}
	snprintf(demo->prefix, sizeof(demo->prefix), "vulnbus-demo");
	status = kafka_broker_open(&demo->broker, err);
	if (status == STATUS_OK)
		demo_say(demo, "kafka", PAINT_BOLD,
		    "the embedded broker (librdkafka's mock cluster) at %s",
		    kafka_broker_address(demo->broker));
	return status;
}

/* The reader is opened while the enricher's group forms, which takes its time:
 * a broker waits for more members to come (3 s in the mock cluster). */
static enum status
open_daemons(struct demo *demo, struct error *err)
{
	struct reader_options reader = {
		.config = demo->config,
		.topics = &demo->topics,
		.timeout_ms = KAFKA_MS,
	};
	char took[32];
	enum status status = demo_children_start(demo, err);

	if (status == STATUS_OK)
		status = demo_child_await(demo, &demo->ingress, err);
	if (status != STATUS_OK)
		return status;
	demo_watch_vendor(demo);
	demo_say(demo, "ingress", PAINT_BOLD, "takes webhooks at http://%s",
	    demo->ingress.public);
	demo_say(demo, "enricher", PAINT_BOLD,
	    "is joining its consumer group, a matter of seconds ...");
	for (int i = 0; i < TOPIC_COUNT; i++)
		reader.is_wanted[i] = i != TOPIC_STATE &&
				      demo->topics.is_used[i];
	status = reader_open(&reader, &demo->reader, err);
	if (status == STATUS_OK)
		status = demo_child_await(demo, &demo->enricher, err);
	if (status != STATUS_OK)
		return status;
	demo_duration((clock_steady_ms() - demo->started_ms) * 1000, took);
	demo_say(
	    demo, "enricher", PAINT_BOLD, "ready, %s after the start", took);
	return STATUS_OK;
}

/* Before anything is started: is there a Kafka where the user says? */
static enum status
ask_kafka(const struct demo *demo, struct error *err)
{
	struct kafka_topic wanted[TOPIC_COUNT];
	int32_t count;
	enum status status;

	if (demo->kafka == NULL)
		return STATUS_OK;
	topics_wanted(&demo->topics, demo->config, wanted);
	status = kafka_topics_count(
	    demo->config, wanted, 1, KAFKA_MS, &count, err);
	return status == STATUS_OK
		   ? status
		   : error_add(err, status, "no Kafka at %s", demo->kafka);
}

static enum status
open_all(struct demo *demo, struct error *err)
{
	enum status status = open_kafka(demo, err);

	if (status == STATUS_OK)
		status = open_vendor(demo, err);
	if (status == STATUS_OK)
		status = demo_place_open(demo, err);
	if (status == STATUS_OK)
		status = ask_kafka(demo, err);
	if (status == STATUS_OK)
		status = open_daemons(demo, err);
	return status;
}

static void
close_all(struct demo *demo)
{
	reader_close(&demo->reader);
	demo_vendor_close(&demo->vendor);
	kafka_broker_close(&demo->broker);
	es512_key_free(demo->key);
	es512_key_free(demo->forger);
	demo_place_close(demo);
	tree_clear(&demo->value);
	buffer_clear(&demo->text);
}

static enum status
play_step(struct demo *demo, size_t index, struct error *err)
{
	const struct demo_step *step = &demo_steps[index];
	const struct demo_result *result = &demo->results[index];
	char took[32];
	enum status status;

	demo_head(demo, "%zu. %s", index + 1, step->title);
	status = demo_webhook_send(demo, index, err);
	if (status != STATUS_OK)
		return status;
	demo_duration(result->answer_us, took);
	demo_watch_vendor(demo);
	demo_say(demo, "webhook", PAINT_YELLOW, "%s %s %s -> %s%u %s%s in %s",
	    step->kind, step->id, step->status,
	    tool_paint(demo->tool->is_colour,
		result->code == 202 ? PAINT_GREEN : PAINT_RED),
	    result->code, result->code == 202 ? "accepted" : "refused",
	    tool_paint(demo->tool->is_colour, PAINT_PLAIN), took);
	if (result->code != step->code)
		return error_set(err, STATUS_FATAL,
		    "the webhook was answered %u instead of %u", result->code,
		    step->code);
	return demo_watch_step(demo, index, err);
}

static enum status
play(struct demo *demo, struct error *err)
{
	enum status status = STATUS_OK;

	for (size_t i = 0; status == STATUS_OK && i < demo_step_count; i++)
		status = play_step(demo, i, err);
	if (status == STATUS_OK)
		status = demo_watch_rest(demo, err);
	return status;
}

static enum status
keep(struct demo *demo, struct error *err)
{
	enum status status = STATUS_OK;

	demo_head(demo, "Everything keeps running until Ctrl-C");
	demo_say(demo, "config", PAINT_BOLD, "%s", demo->config_path);
	demo_say(demo, "webhooks", PAINT_BOLD,
	    "http://%s/hooks/" DEMO_SOURCE "/%s", demo->ingress.public,
	    demo->secret);
	demo_say(demo, "metrics", PAINT_BOLD,
	    "http://%s/metrics (ingress), http://%s/metrics (enricher)",
	    demo->ingress.admin, demo->enricher.admin);
	demo_say(demo, "logs", PAINT_BOLD, "%s, %s", demo->ingress.log,
	    demo->enricher.log);
	demo_say(demo, "try", PAINT_BOLD, "%s tail -c %s --pretty scans",
	    program_invocation_name, demo->config_path);
	while (status == STATUS_OK)
		status = demo_watch(demo, 200, err);
	return status;
}

static enum status
run_to_end(struct demo *demo, bool *out_is_shown, struct error *err)
{
	enum status status = open_all(demo, err);

	if (status == STATUS_OK)
		status = play(demo, err);
	if (status != STATUS_OK)
		return status;
	if (!demo_report(demo))
		return error_set(err, STATUS_FATAL, "the figures do not agree");
	*out_is_shown = true;
	if (demo->is_keeping)
		status = keep(demo, err);
	return status;
}

static int
run(struct demo *demo)
{
	struct error err = { "" };
	bool is_shown = false;
	enum status status = run_to_end(demo, &is_shown, &err);

	if (!demo_children_stop(demo) && status == STATUS_OK)
		status = error_set(
		    &err, STATUS_FATAL, "a daemon did not end with status 0");
	if (status == STATUS_OK || (status == STATUS_END && is_shown))
		return EX_OK;
	if (status == STATUS_END)
		return EXIT_BY_SIGNAL;
	fflush(stdout);
	tool_fail(demo->tool, EXIT_FAILED, "%s", err.text);
	demo_children_show_logs(demo);
	return status == STATUS_UNAVAILABLE ? EX_UNAVAILABLE : EXIT_FAILED;
}

static int
take_options(struct demo *demo, struct tool *tool, int argc, char **argv)
{
	static const struct option options[] = {
		{ "kafka", required_argument, NULL, 'K' },
		{ "rows", required_argument, NULL, 'R' },
		{ "keep", no_argument, NULL, 'k' },
		TOOL_LONG_OPTIONS,
	};
	int option;

	while ((option = tool_option(tool, argc, argv, TOOL_SHORT_OPTIONS,
		    options)) != TOOL_OPTION_END) {
		if (option == TOOL_OPTION_STOP)
			return tool->exit_status;
		if (option == 'K')
			demo->kafka = optarg;
		else if (option == 'k')
			demo->is_keeping = true;
		else if (view_to_int(view_of(optarg), &demo->rows) !=
			     STATUS_OK ||
			 demo->rows < 1 || demo->rows > ROWS_MAX)
			return tool_usage(
			    tool, "--rows: a number from 1 to %d", ROWS_MAX);
	}
	if (optind < argc)
		return tool_usage(tool, "takes no argument: %s", argv[optind]);
	return -1;
}

int
tool_demo(struct tool *tool, int argc, char **argv)
{
	struct demo demo = {
		.tool = tool,
		.rows = ROWS,
		.is_terminal = isatty(STDOUT_FILENO),
		.started_ms = clock_steady_ms(),
		.until_ms = clock_steady_ms() + DEADLINE_MS,
		.ingress = { .program = "vulnbus-ingress" },
		.enricher = { .program = "vulnbus-enricher" },
		.counts = { .next_row = 1 },
	};
	int exit_status = take_options(&demo, tool, argc, argv);

	if (exit_status >= 0)
		return exit_status;
	/* What talks here talks within this machine. */
	setenv("no_proxy", "127.0.0.1", 1);
	demo.width = find_width(demo.is_terminal);
	tree_init(&demo.value, LINE_NODES_MAX);
	buffer_init(&demo.text, LINE_BYTES_MAX);
	demo_place_secret(demo.token);
	tool_catch_signals();
	demo_head(&demo, "vendor -> ingress -> Kafka -> enricher -> Kafka, "
			 "all on this machine");
	exit_status = run(&demo);
	close_all(&demo);
	return exit_status;
}
