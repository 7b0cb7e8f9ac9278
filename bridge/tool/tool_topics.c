/* SPDX-License-Identifier: Apache-2.0
 *
 * The command "topics": what there is beside what there should be. */
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "vulnbus/timestamp.h"
#include "vulnbus/tool_topics.h"

#define ANSWER_MS     5000
#define CREATE_MS     15000
#define RETRY_MS      200
#define EX_DIFFERENCE 1

enum mode { MODE_LIST, MODE_CREATE, MODE_DIFF, MODE_ACLS };

struct request {
	enum mode mode;
	enum acls_form form;
	struct acls_options acls;
};

/* Like a daemon at its start; what was created a moment ago may take another
 * one until the brokers agree on it. */
static enum status
create(
    const struct config *config, struct topics_found *found, struct error *err)
{
	const int64_t until_ms = clock_steady_ms() + CREATE_MS;
	int32_t counts[TOPIC_COUNT] = { 0 };
	struct config creating = *config;
	enum status status, counted;
	int32_t partitions;
	struct error why;

	creating.topics.create = true;
	for (;;) {
		status = topics_prepare(
		    &found->topics, &creating, ANSWER_MS, &partitions, err);
		counted = kafka_topics_count(config, found->wanted, TOPIC_COUNT,
		    ANSWER_MS, counts, &why);
		if (status != STATUS_UNAVAILABLE ||
		    clock_steady_ms() >= until_ms || counted != STATUS_OK)
			break;
		poll(NULL, 0, RETRY_MS);
	}
	if (status == STATUS_OK && counted != STATUS_OK) {
		*err = why;
		return counted;
	}
	for (int i = 0; i < TOPIC_COUNT; i++) {
		struct kafka_topic_state *state = &found->states[i];

		if (state->partitions > 0 || counts[i] == 0)
			continue;
		found->is_new[i] = true;
		state->partitions = counts[i];
		state->retention_ms = found->wanted[i].retention_ms;
		snprintf(state->cleanup_policy, sizeof(state->cleanup_policy),
		    "%s", found->wanted[i].cleanup_policy);
	}
	return status;
}

static void
print_state(const struct tool *tool, const struct config *config,
    const struct topics_found *found, enum topic topic)
{
	const char *plain = tool_paint(tool->is_colour, PAINT_PLAIN);
	const char *red = tool_paint(tool->is_colour, PAINT_RED);
	const char *green = tool_paint(tool->is_colour, PAINT_GREEN);

	if (found->states[topic].partitions == 0)
		printf("%smissing%s", red, plain);
	else if (found->is_new[topic])
		printf("%screated%s", green, plain);
	else if (topics_differences(config, found, topic) > 0)
		printf("%sdiffers%s", red, plain);
	else
		printf("%sexists%s", green, plain);
}

static void
print_table(const struct tool *tool, const struct config *config,
    const struct topics_found *found)
{
	int width = (int)strlen("TOPIC");

	for (int i = 0; i < TOPIC_COUNT; i++)
		if (found->wanted[i].name != NULL &&
		    (int)strlen(found->wanted[i].name) > width)
			width = (int)strlen(found->wanted[i].name);
	printf("%s%-*s  %10s  %9s  %-14s  %s%s\n",
	    tool_paint(tool->is_colour, PAINT_BOLD), width, "TOPIC",
	    "PARTITIONS", "RETENTION", "CLEANUP", "STATE",
	    tool_paint(tool->is_colour, PAINT_PLAIN));
	for (int i = 0; i < TOPIC_COUNT; i++) {
		const struct kafka_topic *wanted = &found->wanted[i];
		const struct kafka_topic_state *state = &found->states[i];
		const bool is_there = state->partitions > 0;
		char retention[TOPICS_DURATION_SIZE];

		if (wanted->name == NULL)
			continue;
		topics_duration(
		    is_there ? state->retention_ms : wanted->retention_ms,
		    retention);
		printf("%-*s  %10d  %9s  %-14s  ", width, wanted->name,
		    is_there ? state->partitions : wanted->partitions,
		    retention,
		    is_there ? state->cleanup_policy : wanted->cleanup_policy);
		print_state(tool, config, found, (enum topic)i);
		printf("\n");
	}
}

static bool
has_difference(const struct config *config, const struct topics_found *found)
{
	for (int i = 0; i < TOPIC_COUNT; i++)
		if (topics_differences(config, found, (enum topic)i) > 0)
			return true;
	return false;
}

static int
run(const struct tool *tool, const struct config *config,
    const struct request *request)
{
	struct topics_found found = { .is_new = { false } };
	struct error err;
	enum status status;

	if (request->mode == MODE_ACLS)
		return acls_print(tool, config, request->form, &request->acls);
	topics_init(&found.topics, config);
	topics_wanted(&found.topics, config, found.wanted);
	status = kafka_describe(
	    config, found.wanted, TOPIC_COUNT, ANSWER_MS, found.states, &err);
	if (status == STATUS_OK && request->mode == MODE_CREATE)
		status = create(config, &found, &err);
	if (status != STATUS_OK)
		return tool_fail_kafka(tool, config, status, &err);
	if (request->mode == MODE_DIFF)
		topics_explain(
		    tool, config, request->acls.command_config, &found);
	else
		print_table(tool, config, &found);
	/* Created with what the configuration says, or there before: either
	 * way --create has done what it can. */
	if (request->mode == MODE_CREATE || !has_difference(config, &found))
		return EX_OK;
	if (request->mode == MODE_LIST)
		fprintf(stderr, "`vulnbus topics --diff` says what differs and "
				"what mends it\n");
	return EX_DIFFERENCE;
}

static int
take_option(const struct tool *tool, int option, struct request *request)
{
	switch (option) {
	case 'i':
		request->acls.ingress = optarg;
		return -1;
	case 'e':
		request->acls.enricher = optarg;
		return -1;
	case 'o':
		request->acls.operator= optarg;
		return -1;
	case 'k':
		request->acls.cluster = optarg;
		return -1;
	case 'f':
		request->acls.command_config = optarg;
		return -1;
	default:
		break;
	}
	if (request->mode != MODE_LIST)
		return tool_usage(tool, "--create, --diff or --acls, once");
	request->mode = option == 'C'   ? MODE_CREATE
			: option == 'D' ? MODE_DIFF
					: MODE_ACLS;
	if (option != 'A')
		return -1;
	if (strcmp(optarg, "strimzi") == 0)
		request->form = ACLS_STRIMZI;
	else if (strcmp(optarg, "kafka-acls") != 0)
		return tool_usage(tool, "--acls: kafka-acls or strimzi");
	return -1;
}

int
tool_topics(struct tool *tool, int argc, char **argv)
{
	static const struct option options[] = {
		{ "create", no_argument, NULL, 'C' },
		{ "diff", no_argument, NULL, 'D' },
		{ "acls", required_argument, NULL, 'A' },
		{ "ingress", required_argument, NULL, 'i' },
		{ "enricher", required_argument, NULL, 'e' },
		{ "operator", required_argument, NULL, 'o' },
		{ "cluster", required_argument, NULL, 'k' },
		{ "command-config", required_argument, NULL, 'f' },
		TOOL_LONG_OPTIONS,
	};
	struct request request = { .mode = MODE_LIST };
	struct config *config = NULL;
	int option, exit_status = -1;

	while ((option = tool_option(tool, argc, argv, TOOL_SHORT_OPTIONS,
		    options)) != TOOL_OPTION_END) {
		if (option == TOOL_OPTION_STOP)
			return tool->exit_status;
		exit_status = take_option(tool, option, &request);
		if (exit_status >= 0)
			return exit_status;
	}
	if (optind < argc)
		return tool_usage(tool, "takes no argument: %s", argv[optind]);
	exit_status = tool_load_config(tool, &config);
	if (exit_status >= 0)
		return exit_status;
	exit_status = run(tool, config, &request);
	config_free(config);
	return exit_status;
}
