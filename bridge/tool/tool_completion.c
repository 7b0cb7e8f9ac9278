/* SPDX-License-Identifier: Apache-2.0
 *
 * completion: what may follow the words of a command line. The shells' scripts
 * only ask (`vulnbus completion words -- WORD...`, the last word is the one
 * that is being typed) and show; what fits is read from the help texts.
 *
 * An answer is a line: the word, a tab, what it means. ":files" says that the
 * name of a file is wanted, which shells know better. */
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "tool_completion.h"
#include "vulnbus/tool_help.h"
#include "vulnbus/topics.h"

struct completion {
	const struct tool *tool;
	const struct tool_command *command; /* NULL: not named yet */
	const char *config_path;
	struct help_option pending; /* waits for its argument, if it has one */
	size_t arguments;           /* so many are there already */
	bool is_behind_options;     /* "--" was seen */
	struct view front;          /* "--source=", which all answers repeat */
	struct view typed;          /* what they begin with */
};

static void
offer(const struct completion *c, struct view word, struct view meaning)
{
	if (!view_starts(word, c->typed))
		return;
	printf("%.*s%.*s\t", VIEW_ARGS(c->front), VIEW_ARGS(word));
	while (meaning.len > 0) {
		const struct view line = view_trim(view_cut(&meaning, '\n'));

		printf("%.*s%s", VIEW_ARGS(line), meaning.len > 0 ? " " : "");
	}
	fputc('\n', stdout);
}

static void
offer_sources(const struct completion *c)
{
	struct config *config = NULL;
	struct error err;

	/* Nobody wants to hear of errors while typing. */
	if (config_load(c->config_path, &config, &err) != STATUS_OK)
		return;
	for (size_t i = 0; i < config->source_count; i++)
		offer(c, view_of(config->sources[i].name),
		    view_of(config->sources[i].vendor));
	config_free(config);
}

static void
offer_topics(const struct completion *c)
{
	for (unsigned topic = 0; topic < TOPIC_COUNT; topic++)
		offer(c, view_of(topic_short_name(topic)), VIEW("topic"));
}

static void
offer_commands(const struct completion *c)
{
	for (const struct tool_command *command = c->tool->commands;
	     command->name != NULL; command++)
		offer(c, view_of(command->name), view_of(command->summary));
}

/* `kind` as the help texts name arguments. */
static void
offer_argument(const struct completion *c, struct view kind)
{
	if (view_is(kind, "FILE")) {
		puts(":files");
	} else if (view_is(kind, "SOURCE")) {
		offer_sources(c);
	} else if (view_is(kind, "TOPIC")) {
		offer_topics(c);
	} else if (view_is(kind, "COMMAND")) {
		offer_commands(c);
	} else if (memchr(kind.data, '|', kind.len) != NULL) {
		while (kind.len > 0)
			offer(c, view_cut(&kind, '|'), VIEW(""));
	}
}

static void
offer_value(const struct completion *c, const struct help_option *option)
{
	/* `--source NAME`: any other NAME could be anything. */
	offer_argument(c, view_is(option->name, "source") ? VIEW("SOURCE")
							  : option->argument);
}

static void
offer_options_of(const struct completion *c, struct view text)
{
	struct help_option option;
	char word[64];

	while (help_cut_option(&text, &option)) {
		snprintf(word, sizeof(word), "--%.*s", VIEW_ARGS(option.name));
		offer(c, view_of(word), option.prose);
	}
}

static void
offer_options(const struct completion *c)
{
	offer_options_of(c, view_of(c->command == NULL ? c->tool->own_help
						       : c->command->options));
	offer_options_of(c, VIEW(TOOL_COMMON_HELP));
}

static void
take_value(
    struct completion *c, const struct help_option *option, const char *value)
{
	if (view_is(option->name, "config"))
		c->config_path = value;
}

/* "-f", "-fn", "-n5": the first letter that takes an argument ends it. */
static void
take_letters(struct completion *c, const char *word)
{
	struct help_option option;

	for (const char *at = word + 1; *at != '\0'; at++) {
		const char name[] = { '-', *at, '\0' };

		if (!help_find_option(
			c->tool, c->command, view_of(name), &option) ||
		    option.argument.len == 0)
			continue;
		if (at[1] == '\0')
			c->pending = option;
		else
			take_value(c, &option, at + 1);
		return;
	}
}

static void
take_option(struct completion *c, const char *word)
{
	const char *value = strchr(word, '=');
	struct help_option option;

	if (word[1] != '-')
		take_letters(c, word);
	else if (word[2] == '\0')
		c->is_behind_options = true;
	else if (!help_find_option(
		     c->tool, c->command, view_of(word), &option) ||
		 option.argument.len == 0)
		return;
	else if (value == NULL)
		c->pending = option;
	else
		take_value(c, &option, value + 1);
}

/* False when nothing is known of what follows. */
static bool
take(struct completion *c, const char *word)
{
	if (c->pending.argument.len > 0) {
		/* bash has "--count=3" as three words. */
		if (strcmp(word, "=") == 0)
			return true;
		take_value(c, &c->pending, word);
		c->pending = (struct help_option){ 0 };
	} else if (word[0] == '-' && word[1] != '\0' && !c->is_behind_options) {
		take_option(c, word);
	} else if (c->command == NULL) {
		c->command = tool_find_command(c->tool, view_of(word));
		return c->command != NULL;
	} else {
		c->arguments++;
	}
	return true;
}

static void
offer_all(struct completion *c, const char *word)
{
	const char *value = strchr(word, '=');
	struct help_option option;
	bool is_more = false;
	struct view kind;

	c->typed = view_of(word);
	if (c->pending.argument.len > 0) {
		if (view_is(c->typed, "="))
			c->typed = VIEW("");
		offer_value(c, &c->pending);
	} else if (word[0] == '-' && !c->is_behind_options && value == NULL) {
		offer_options(c);
	} else if (word[0] == '-' && !c->is_behind_options) {
		c->front = (struct view){ word, (size_t)(value + 1 - word) };
		c->typed = view_of(value + 1);
		if (help_find_option(c->tool, c->command, c->front, &option))
			offer_value(c, &option);
	} else if (c->command == NULL) {
		offer_commands(c);
	} else {
		kind = help_argument(c->tool, c->command, &is_more);
		if (is_more || c->arguments == 0)
			offer_argument(c, kind);
	}
}

int
tool_completion(struct tool *tool, int argc, char **argv)
{
	struct completion c = { .tool = tool };
	static const struct option options[] = { TOOL_LONG_OPTIONS };
	const char *script;

	if (tool_option(tool, argc, argv, TOOL_SHORT_OPTIONS, options) ==
	    TOOL_OPTION_STOP)
		return tool->exit_status;
	if (optind == argc)
		return tool_usage(tool, "for which shell?");
	script = completion_script(argv[optind]);
	if (script != NULL && optind + 1 == argc) {
		fputs(script, stdout);
		return EX_OK;
	}
	if (strcmp(argv[optind], "words") != 0 || optind + 1 == argc)
		return tool_usage(tool, "no such shell: %s", argv[optind]);
	c.config_path = tool->config_path;
	for (optind++; optind + 1 < argc; optind++)
		if (!take(&c, argv[optind]))
			return EX_OK;
	offer_all(&c, argv[optind]);
	return EX_OK;
}
