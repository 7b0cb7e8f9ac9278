/* SPDX-License-Identifier: Apache-2.0
 *
 * The command "replay": sends a slice of a topic again. */
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "vulnbus/timestamp.h"
#include "vulnbus/tool_replay.h"
#include "vulnbus/tool_time.h"

#define UNASKED_MAX 10000
#define RATE_MAX    1000000000

struct options {
	struct replay_plan plan; /* what the options say of it */
	const char *to_topic;
	const char *resume;
	int64_t rate; /* 0: as fast as it goes */
	bool is_dry;
	bool is_sure;
	bool is_sliced; /* some option says what is replayed */
};

static int
take_bound(
    const struct tool *tool, const char *text, struct replay_bound *bound)
{
	*bound = (struct replay_bound){ INT64_MIN, REPLAY_OFFSET_NONE };
	if (text[0] == '@') {
		if (view_to_int(view_of(text + 1), &bound->offset) ==
			STATUS_OK &&
		    bound->offset >= 0)
			return -1;
	} else if (tool_time(view_of(text), clock_wall_ms(), &bound->ms) ==
		   STATUS_OK) {
		return -1;
	}
	return tool_usage(tool,
	    "%s: neither RFC 3339 nor -90s, -30m, -2h, -7d nor @OFFSET", text);
}

static int
take_text(const struct tool *tool, struct view *text)
{
	*text = view_of(optarg);
	if (text->len == 0)
		return tool_usage(tool, "an empty text filters nothing");
	return -1;
}

static int
take_option(const struct tool *tool, struct options *options, int option)
{
	struct filter *filter = &options->plan.filter;

	switch (option) {
	case 'F':
		return take_bound(tool, optarg, &options->plan.from);
	case 'T':
		return take_bound(tool, optarg, &options->plan.to);
	case 'o':
		return take_text(tool, &filter->source);
	case 'k':
		return take_text(tool, &filter->kind);
	case 'i':
		return take_text(tool, &filter->id);
	case 'K':
		return take_text(tool, &filter->key);
	case 't':
		options->to_topic = optarg;
		return -1;
	case 'r':
		if (view_to_int(view_of(optarg), &options->rate) != STATUS_OK ||
		    options->rate < 1 || options->rate > RATE_MAX)
			return tool_usage(tool, "--rate: a number from 1");
		return -1;
	case 'n':
		options->is_dry = true;
		return -1;
	case 'y':
		options->is_sure = true;
		return -1;
	default:
		options->resume = optarg;
		return -1;
	}
}

static int
choose_topics(
    const struct tool *tool, struct options *options, const char *name)
{
	struct replay_plan *plan = &options->plan;
	const int topic = topic_find(&plan->topics, name);
	const char *to = options->to_topic == NULL ? name : options->to_topic;
	const int to_topic = topic_find(&plan->topics, to);

	if (topic < 0)
		return tool_usage(tool,
		    "no such topic: %s (`vulnbus topics` lists them)", name);
	if (topic == TOPIC_STATE || to_topic == TOPIC_STATE)
		return tool_usage(tool,
		    "the state topic is the enricher's memory: it is not "
		    "replayed");
	if (to_topic == TOPIC_EVENTS && topic != TOPIC_EVENTS &&
	    topic != TOPIC_DEAD_LETTERS)
		return tool_usage(tool,
		    "%s holds no events, so it cannot be replayed to %s",
		    plan->topics.names[topic],
		    plan->topics.names[TOPIC_EVENTS]);
	plan->topic = (enum topic)topic;
	if (to_topic >= 0)
		to = plan->topics.names[to_topic];
	if (strlen(to) >= sizeof(plan->to_topic))
		return tool_usage(tool, "--to-topic: too long");
	snprintf(plan->to_topic, sizeof(plan->to_topic), "%s", to);
	return -1;
}

/* -1 to go on. */
static int
ask(const struct tool *tool, const struct replay_plan *plan)
{
	const long long total = plan_total(plan);
	char answer[16];

	if (total <= UNASKED_MAX)
		return -1;
	if (!isatty(STDIN_FILENO))
		return tool_fail(tool, EX_USAGE,
		    "up to %lld records of %s: narrow them down, or say --yes",
		    total, plan->topics.names[plan->topic]);
	fprintf(stderr, "Replay up to %lld records of %s to %s? [y/N] ", total,
	    plan->topics.names[plan->topic], plan->to_topic);
	fflush(stderr);
	if (fgets(answer, sizeof(answer), stdin) != NULL &&
	    (answer[0] == 'y' || answer[0] == 'Y'))
		return -1;
	return tool_fail(tool, EX_TEMPFAIL, "nothing is replayed");
}

static int
run_new(const struct tool *tool, struct options *options)
{
	struct replay_plan *plan = &options->plan;
	struct replay *replay = NULL;
	struct error err;
	enum status status = plan_settle(plan, &err);
	int exit_status = -1;

	if (status != STATUS_OK)
		return tool_fail_kafka(tool, plan->config, status, &err);
	tool_catch_signals();
	if (options->is_dry)
		return replay_count(tool, plan);
	if (!options->is_sure)
		exit_status = ask(tool, plan);
	if (exit_status >= 0)
		return exit_status;
	plan_name(plan);
	fprintf(stderr, "replay %s: %s to %s, up to %lld records\n", plan->id,
	    plan->topics.names[plan->topic], plan->to_topic,
	    (long long)plan_total(plan));
	status = replay_open(plan, &replay, &err);
	exit_status = status == STATUS_OK
			  ? replay_run(replay, tool, options->rate, true)
			  : tool_fail_kafka(tool, plan->config, status, &err);
	replay_close(&replay);
	return exit_status;
}

/* What the earlier process left open is aborted before anything is looked
 * up: until then nobody knows how far it came. */
static int
run_on(const struct tool *tool, struct options *options)
{
	struct replay_plan *plan = &options->plan;
	struct replay *replay = NULL;
	struct error err;
	enum status status = replay_open(plan, &replay, &err);
	int exit_status = EX_OK;

	tool_catch_signals();
	if (status == STATUS_OK)
		status = plan_recall(plan, &err);
	if (status != STATUS_OK) {
		exit_status = status == STATUS_INVALID
				  ? tool_fail(tool, EX_DATAERR, "%s", err.text)
				  : tool_fail_kafka(
					tool, plan->config, status, &err);
	} else if (plan_is_done(plan)) {
		printf(
		    "replay %s has ended: nothing is left of it\n", plan->id);
	} else {
		fprintf(stderr,
		    "replay %s: %s to %s, up to %lld records are left\n",
		    plan->id, plan->topics.names[plan->topic], plan->to_topic,
		    (long long)(plan_total(plan) - plan_passed(plan)));
		exit_status = replay_run(replay, tool, options->rate, false);
	}
	replay_close(&replay);
	return exit_status;
}

static int
run(const struct tool *tool, struct options *options, int argc, char **argv)
{
	int exit_status;

	if (options->resume != NULL) {
		if (argc > 0 || options->is_sliced || options->is_dry)
			return tool_usage(tool,
			    "--resume: the replay has kept its topics and "
			    "filters; only --rate may be given");
		if (plan_take_id(&options->plan, options->resume) != STATUS_OK)
			return tool_usage(tool, "--resume: not the id of a "
						"replay");
		return run_on(tool, options);
	}
	if (argc != 1)
		return tool_usage(tool, "one topic, please");
	exit_status = choose_topics(tool, options, argv[0]);
	return exit_status >= 0 ? exit_status : run_new(tool, options);
}

int
tool_replay(struct tool *tool, int argc, char **argv)
{
	static const struct option known[] = {
		{ "from", required_argument, NULL, 'F' },
		{ "to", required_argument, NULL, 'T' },
		{ "source", required_argument, NULL, 'o' },
		{ "kind", required_argument, NULL, 'k' },
		{ "id", required_argument, NULL, 'i' },
		{ "key", required_argument, NULL, 'K' },
		{ "to-topic", required_argument, NULL, 't' },
		{ "rate", required_argument, NULL, 'r' },
		{ "dry-run", no_argument, NULL, 'n' },
		{ "yes", no_argument, NULL, 'y' },
		{ "resume", required_argument, NULL, 'R' },
		TOOL_LONG_OPTIONS,
	};
	const struct replay_bound none = { INT64_MIN, REPLAY_OFFSET_NONE };
	struct options options = { .plan = { .from = none, .to = none } };
	struct config *config = NULL;
	int option, exit_status = -1;

	while ((option = tool_option(tool, argc, argv, TOOL_SHORT_OPTIONS "y",
		    known)) != TOOL_OPTION_END) {
		if (option == TOOL_OPTION_STOP)
			return tool->exit_status;
		options.is_sliced |= strchr("FTokiKt", option) != NULL;
		exit_status = take_option(tool, &options, option);
		if (exit_status >= 0)
			return exit_status;
	}
	exit_status = tool_load_config(tool, &config);
	if (exit_status < 0) {
		options.plan.config = config;
		topics_init(&options.plan.topics, config);
		exit_status = run(tool, &options, argc - optind, argv + optind);
	}
	plan_clear(&options.plan);
	config_free(config);
	return exit_status;
}
