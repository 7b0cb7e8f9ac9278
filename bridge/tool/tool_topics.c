/* SPDX-License-Identifier: Apache-2.0
 *
 * The command "topics": what there is beside what there should be. */
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "vulnbus/timestamp.h"
#include "vulnbus/tool.h"
#include "vulnbus/topics.h"

#define ANSWER_MS     5000
#define CREATE_MS     15000
#define RETRY_MS      200
#define EX_DIFFERENCE 1

enum mode { MODE_LIST, MODE_CREATE, MODE_DIFF };

struct found {
	struct topics topics;
	struct kafka_topic wanted[TOPIC_COUNT];
	int32_t before[TOPIC_COUNT]; /* partitions; 0: missing */
	int32_t counts[TOPIC_COUNT];
};

static enum status
count(const struct config *config, struct found *found, struct error *err)
{
	return kafka_topics_count(
	    config, found->wanted, TOPIC_COUNT, ANSWER_MS, found->counts, err);
}

/* Like a daemon at its start; what was created a moment ago may take another
 * one until the brokers agree on it. */
static enum status
create(const struct config *config, struct found *found, struct error *err)
{
	const int64_t until_ms = clock_steady_ms() + CREATE_MS;
	struct config creating = *config;
	enum status status;
	int32_t partitions;
	struct error why;

	creating.topics.create = true;
	for (;;) {
		bool has_begun = false;

		status = topics_prepare(
		    &found->topics, &creating, ANSWER_MS, &partitions, err);
		if (status != STATUS_UNAVAILABLE ||
		    clock_steady_ms() >= until_ms ||
		    count(config, found, &why) != STATUS_OK)
			break;
		for (int i = 0; i < TOPIC_COUNT; i++)
			has_begun = has_begun ||
				    found->counts[i] != found->before[i];
		if (!has_begun)
			break;
		poll(NULL, 0, RETRY_MS);
	}
	return status;
}

/* Is it used, as things are configured? */
static bool
is_listed(const struct found *found, int i)
{
	return found->topics.is_used[i];
}

static bool
is_as_wanted(const struct found *found, int i)
{
	return found->counts[i] == found->wanted[i].partitions;
}

static void
print_retention(int64_t ms, char *out, size_t size)
{
	if (ms % DAY_MS == 0)
		snprintf(out, size, "%lld d", (long long)(ms / DAY_MS));
	else
		snprintf(out, size, "%lld s", (long long)(ms / 1000));
}

static void
print_state(const struct tool *tool, const struct found *found, int i)
{
	const char *plain = tool_paint(tool->is_colour, PAINT_PLAIN);
	const char *red = tool_paint(tool->is_colour, PAINT_RED);
	const char *green = tool_paint(tool->is_colour, PAINT_GREEN);

	if (found->counts[i] == 0)
		printf("%smissing%s", red, plain);
	else if (found->before[i] == 0)
		printf("%screated%s", green, plain);
	else
		printf("%sexists%s", green, plain);
	if (found->counts[i] != 0 && !is_as_wanted(found, i))
		printf(", %s%d partitions configured%s", red,
		    found->wanted[i].partitions, plain);
}

static void
print_table(const struct tool *tool, const struct found *found)
{
	int width = (int)strlen("TOPIC");

	for (int i = 0; i < TOPIC_COUNT; i++)
		if (is_listed(found, i) &&
		    (int)strlen(found->wanted[i].name) > width)
			width = (int)strlen(found->wanted[i].name);
	printf("%s%-*s  %10s  %9s  %-14s  %s%s\n",
	    tool_paint(tool->is_colour, PAINT_BOLD), width, "TOPIC",
	    "PARTITIONS", "RETENTION", "CLEANUP", "STATE",
	    tool_paint(tool->is_colour, PAINT_PLAIN));
	for (int i = 0; i < TOPIC_COUNT; i++) {
		const struct kafka_topic *wanted = &found->wanted[i];
		const int32_t partitions = found->counts[i] == 0
					       ? wanted->partitions
					       : found->counts[i];
		char retention[32];

		if (!is_listed(found, i))
			continue;
		print_retention(
		    wanted->retention_ms, retention, sizeof(retention));
		printf("%-*s  %10d  %9s  %-14s  ", width, wanted->name,
		    partitions, retention, wanted->cleanup_policy);
		print_state(tool, found, i);
		printf("\n");
	}
}

static void
print_differences(const struct found *found)
{
	for (int i = 0; i < TOPIC_COUNT; i++) {
		if (!is_listed(found, i))
			continue;
		if (found->counts[i] == 0)
			printf("%s: missing\n", found->wanted[i].name);
		else if (!is_as_wanted(found, i))
			printf("%s: %d partitions, %d configured\n",
			    found->wanted[i].name, found->counts[i],
			    found->wanted[i].partitions);
	}
	if (found->counts[TOPIC_EVENTS] != found->counts[TOPIC_STATE])
		printf("%s and %s must have equally many partitions\n",
		    found->wanted[TOPIC_EVENTS].name,
		    found->wanted[TOPIC_STATE].name);
}

static bool
has_difference(const struct found *found)
{
	for (int i = 0; i < TOPIC_COUNT; i++)
		if (is_listed(found, i) && !is_as_wanted(found, i))
			return true;
	return false;
}

static int
run(const struct tool *tool, const struct config *config, enum mode mode)
{
	struct found found = { .counts = { 0 } };
	struct error err;
	enum status status;

	topics_init(&found.topics, config);
	topics_wanted(&found.topics, config, found.wanted);
	status = count(config, &found, &err);
	memcpy(found.before, found.counts, sizeof(found.before));
	if (status == STATUS_OK && mode == MODE_CREATE) {
		status = create(config, &found, &err);
		if (status == STATUS_OK)
			status = count(config, &found, &err);
	}
	if (status != STATUS_OK)
		return tool_fail_kafka(tool, config, status, &err);
	if (mode == MODE_DIFF)
		print_differences(&found);
	else
		print_table(tool, &found);
	/* Created with what the configuration says, or there before: either
	 * way --create has done what it can. */
	return mode != MODE_CREATE && has_difference(&found) ? EX_DIFFERENCE
							     : EX_OK;
}

int
tool_topics(struct tool *tool, int argc, char **argv)
{
	static const struct option options[] = {
		{ "create", no_argument, NULL, 'C' },
		{ "diff", no_argument, NULL, 'D' },
		TOOL_LONG_OPTIONS,
	};
	struct config *config = NULL;
	enum mode mode = MODE_LIST;
	int option, exit_status;

	while ((option = tool_option(tool, argc, argv, TOOL_SHORT_OPTIONS,
		    options)) != TOOL_OPTION_END) {
		if (option == TOOL_OPTION_STOP)
			return tool->exit_status;
		if (mode != MODE_LIST)
			return tool_usage(tool, "--create or --diff, once");
		mode = option == 'C' ? MODE_CREATE : MODE_DIFF;
	}
	if (optind < argc)
		return tool_usage(tool, "takes no argument: %s", argv[optind]);
	exit_status = tool_load_config(tool, &config);
	if (exit_status >= 0)
		return exit_status;
	exit_status = run(tool, config, mode);
	config_free(config);
	return exit_status;
}
