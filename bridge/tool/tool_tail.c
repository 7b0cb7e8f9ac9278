/* SPDX-License-Identifier: Apache-2.0
 *
 * The command "tail": reads the topics' records, or follows them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "vulnbus/encode.h"
#include "vulnbus/json.h"
#include "vulnbus/tool.h"
#include "vulnbus/tool_filter.h"
#include "vulnbus/tool_line.h"
#include "vulnbus/tool_reader.h"
#include "vulnbus/tool_time.h"

#define ANSWER_MS  5000
#define STEP_MS    200
/* Without following, this long nothing and not at the end: Kafka has gone. */
#define SILENCE_MS 20000

enum form { FORM_LINE, FORM_TABLE, FORM_JSON, FORM_PRETTY };

struct tail {
	const struct tool *tool;
	struct reader_options reader;
	struct topics topics;
	enum form form;
	bool is_headed; /* the table's head is printed */
	bool is_following;
	bool is_from_beginning;
	int64_t count_max; /* 0: no limit */
	struct filter filter;
	int64_t since_ms;
	int64_t until_ms;
	int64_t count;
	struct tree value;
	struct buffer text;
};

static bool
is_json(const struct tail *tail)
{
	return tail->form == FORM_JSON || tail->form == FORM_PRETTY;
}

static void
complain(const struct kafka_record *record, const char *why)
{
	fprintf(stderr, "%s/%d/%lld: %s\n", record->topic, record->partition,
	    (long long)record->offset, why);
}

/* Whatever is in it, a record becomes a document: one that says why not. */
static void
print_json(struct tail *tail, const struct line_record *line)
{
	const bool is_pretty = tail->form == FORM_PRETTY;
	struct kafka_record bare = *line->record;
	struct line_record broken = { .topic = line->topic, .record = &bare };
	struct error err, again;

	if (line_json(&tail->text, line, is_pretty, &err) == STATUS_OK)
		return;
	bare.header_count = 0;
	broken.why = err.text;
	buffer_reset(&tail->text);
	if (line_json(&tail->text, &broken, is_pretty, &again) != STATUS_OK) {
		buffer_reset(&tail->text);
		complain(line->record, err.text);
	}
}

static void
print(struct tail *tail, const struct line_record *line)
{
	const bool is_colour = tail->tool->is_colour;

	buffer_reset(&tail->text);
	if (is_json(tail)) {
		print_json(tail, line);
	} else if (tail->form == FORM_TABLE) {
		if (!tail->is_headed)
			line_table_head(&tail->text, is_colour);
		tail->is_headed = true;
		line_table(&tail->text, line, is_colour);
	} else {
		line_print(&tail->text, line, is_colour);
	}
	fwrite(tail->text.data, 1, tail->text.len, stdout);
	if (tail->is_following || tail->count_max > 0)
		fflush(stdout);
}

/* A record that is not what it should be is told and passed over: what comes
 * after it is not its fault. */
static void
pass_over(struct tail *tail, const struct line_record *line)
{
	if (is_json(tail))
		print(tail, line);
	else
		complain(line->record, line->why);
}

static void
take(struct tail *tail, enum topic topic, const struct kafka_record *record)
{
	struct line_record line = { .topic = topic, .record = record };
	struct json_document *document = NULL;
	struct error err = { "" };

	if (record->timestamp_ms < tail->since_ms ||
	    record->timestamp_ms > tail->until_ms)
		return;
	tree_reset(&tail->value);
	if (!record->is_tombstone) {
		if (decode_value(record, &tail->value, &document, &err) ==
		    STATUS_OK) {
			line.value = &tail->value;
		} else {
			tree_reset(&tail->value);
			line.why = err.text;
		}
	}
	if (line.why != NULL) {
		pass_over(tail, &line);
	} else if (filter_takes(&tail->filter, record, &tail->value)) {
		tail->count++;
		print(tail, &line);
	}
	json_free(document);
}

static bool
is_at_end(const struct tail *tail, const struct reader *reader)
{
	if (tail->count_max > 0)
		return tail->count >= tail->count_max;
	return !tail->is_following && reader_is_at_mark(reader);
}

static int
read_on(struct tail *tail, struct reader *reader)
{
	int64_t heard_ms = clock_steady_ms();
	struct error err = { "nothing more comes" };

	while (!tool_is_interrupted() && !tool_is_output_gone() &&
	       !is_at_end(tail, reader)) {
		struct kafka_record record;
		enum topic topic;
		const enum status status = reader_next(
		    reader, STEP_MS, &topic, &record, &err);

		if (status == STATUS_FATAL || status == STATUS_UNPROVED)
			return tool_fail_kafka(
			    tail->tool, tail->reader.config, status, &err);
		if (status == STATUS_OK) {
			heard_ms = clock_steady_ms();
			take(tail, topic, &record);
		} else if (!tail->is_following && tail->count_max == 0 &&
			   clock_steady_ms() - heard_ms > SILENCE_MS) {
			return tool_fail_kafka(tail->tool, tail->reader.config,
			    STATUS_UNAVAILABLE, &err);
		}
	}
	return EX_OK;
}

static int
run(struct tail *tail, const struct config *config)
{
	struct reader *reader = NULL;
	struct error err;
	enum status status;
	int exit_status;

	tail->reader.config = config;
	tail->reader.topics = &tail->topics;
	tail->reader.timeout_ms = ANSWER_MS;
	status = reader_open(&tail->reader, &reader, &err);
	if (status == STATUS_OK && !tail->is_following)
		status = reader_mark(reader, &err);
	if (status != STATUS_OK) {
		reader_close(&reader);
		return tool_fail_kafka(tail->tool, config, status, &err);
	}
	tree_init(&tail->value, LINE_NODES_MAX);
	buffer_init(&tail->text, LINE_BYTES_MAX);
	tool_catch_signals();
	exit_status = read_on(tail, reader);
	tree_clear(&tail->value);
	buffer_clear(&tail->text);
	reader_close(&reader);
	return exit_status;
}

static int
choose_topics(
    struct tail *tail, const struct config *config, int argc, char **argv)
{
	topics_init(&tail->topics, config);
	for (int i = 0; i < TOPIC_COUNT; i++)
		tail->reader.is_wanted[i] = argc == 0 && i != TOPIC_STATE &&
					    tail->topics.is_used[i];
	for (int i = 0; i < argc; i++) {
		const int topic = topic_find(&tail->topics, argv[i]);

		if (topic < 0)
			return tool_usage(tail->tool,
			    "no such topic: %s (`vulnbus topics` lists them)",
			    argv[i]);
		tail->reader.is_wanted[topic] = true;
	}
	return -1;
}

static int
take_option(struct tail *tail, int option)
{
	const int64_t now_ms = clock_wall_ms();
	int64_t *time_ms = option == 'S' ? &tail->since_ms : &tail->until_ms;

	switch (option) {
	case 'f':
		tail->is_following = true;
		break;
	case 'B':
		tail->is_from_beginning = true;
		break;
	case 'n':
		if (view_to_int(view_of(optarg), &tail->count_max) !=
			STATUS_OK ||
		    tail->count_max < 1)
			return tool_usage(
			    tail->tool, "--count: a number from 1");
		break;
	case 'o':
		tail->filter.source = view_of(optarg);
		break;
	case 'k':
		tail->filter.kind = view_of(optarg);
		break;
	case 'i':
		tail->filter.id = view_of(optarg);
		break;
	case 'S':
	case 'U':
		if (tool_time(view_of(optarg), now_ms, time_ms) != STATUS_OK)
			return tool_usage(tail->tool,
			    "%s: neither RFC 3339 nor -90s, -30m, -2h, -7d",
			    optarg);
		break;
	case 'K':
		tail->filter.key = view_of(optarg);
		break;
	case 'j':
		if (tail->form != FORM_PRETTY)
			tail->form = FORM_JSON;
		break;
	default:
		tail->form = option == 't' ? FORM_TABLE : FORM_PRETTY;
		break;
	}
	return -1;
}

int
tool_tail(struct tool *tool, int argc, char **argv)
{
	static const struct option options[] = {
		{ "follow", no_argument, NULL, 'f' },
		{ "from-beginning", no_argument, NULL, 'B' },
		{ "count", required_argument, NULL, 'n' },
		{ "source", required_argument, NULL, 'o' },
		{ "kind", required_argument, NULL, 'k' },
		{ "id", required_argument, NULL, 'i' },
		{ "since", required_argument, NULL, 'S' },
		{ "until", required_argument, NULL, 'U' },
		{ "key", required_argument, NULL, 'K' },
		{ "table", no_argument, NULL, 't' },
		{ "json", no_argument, NULL, 'j' },
		{ "pretty", no_argument, NULL, 'p' },
		TOOL_LONG_OPTIONS,
	};
	struct tail tail = {
		.tool = tool, .since_ms = INT64_MIN, .until_ms = INT64_MAX
	};
	struct config *config = NULL;
	int option, exit_status = -1;

	while ((option = tool_option(tool, argc, argv,
		    TOOL_SHORT_OPTIONS "fn:", options)) != TOOL_OPTION_END) {
		if (option == TOOL_OPTION_STOP)
			return tool->exit_status;
		exit_status = take_option(&tail, option);
		if (exit_status >= 0)
			return exit_status;
	}
	tail.reader.is_from_end = tail.is_following &&
				  !tail.is_from_beginning &&
				  tail.since_ms == INT64_MIN;
	exit_status = tool_load_config(tool, &config);
	if (exit_status < 0)
		exit_status = choose_topics(
		    &tail, config, argc - optind, argv + optind);
	if (exit_status < 0)
		exit_status = run(&tail, config);
	config_free(config);
	return exit_status;
}
