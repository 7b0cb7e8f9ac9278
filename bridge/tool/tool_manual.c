/* SPDX-License-Identifier: Apache-2.0
 *
 * The commands and their options as sections of a manual page: what
 * `vulnbus help` prints, in mdoc. */
#include <ctype.h>
#include <stdio.h>

#include "vulnbus/mdoc.h"
#include "vulnbus/tool_help.h"

static void
print_option(const struct help_option *option)
{
	fputs(".It", stdout);
	if (option->letter != 0)
		printf(" Fl %c ,", option->letter);
	printf(" Fl \\-%.*s", VIEW_ARGS(option->name));
	if (option->argument.len > 0)
		printf(" Ar %.*s", VIEW_ARGS(option->argument));
	fputc('\n', stdout);
	mdoc_text(stdout, option->prose);
}

/* *is_open: a list was begun. */
static void
print_options(struct view *text, bool *is_open)
{
	struct help_option option;

	while (help_cut_option(text, &option)) {
		if (!*is_open)
			puts(".Bl -tag -width Ds");
		*is_open = true;
		print_option(&option);
	}
}

static void
end_list(bool is_open)
{
	if (is_open)
		puts(".El");
}

static void
print_command(const struct tool_command *command)
{
	struct view text = view_of(command->options);
	bool is_open = false;

	printf(".Ss %s\n.Dl vulnbus %s%s", command->name, command->name,
	    command->arguments[0] == '\0' ? "" : " ");
	mdoc_words(stdout, view_of(command->arguments));
	printf("\n.Pp\n%c", toupper((unsigned char)command->summary[0]));
	mdoc_words(stdout, view_of(command->summary + 1));
	puts(".");
	print_options(&text, &is_open);
	end_list(is_open);
	for (;;) {
		const struct view paragraph = help_cut_paragraph(&text);

		if (paragraph.len == 0)
			break;
		puts(".Pp");
		mdoc_text(stdout, paragraph);
	}
}

void
tool_print_manual(const struct tool *tool)
{
	struct view common = VIEW(TOOL_COMMON_HELP);
	struct view own = view_of(tool->own_help);
	bool is_open = false;

	print_options(&common, &is_open);
	print_options(&own, &is_open);
	end_list(is_open);
	puts(".Sh COMMANDS");
	for (const struct tool_command *command = tool->commands;
	     command->name != NULL; command++)
		print_command(command);
}
