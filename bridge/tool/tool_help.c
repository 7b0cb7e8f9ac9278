/* SPDX-License-Identifier: Apache-2.0 */
#include "vulnbus/tool_help.h"

#include <string.h>

#define INDENT_MAX 8 /* of the line that names an option */

static size_t
indent_of(struct view line)
{
	size_t indent = 0;

	while (indent < line.len && line.data[indent] == ' ')
		indent++;
	return indent;
}

static bool
is_option_line(struct view line)
{
	const size_t indent = indent_of(line);

	return indent > 0 && indent < INDENT_MAX && indent < line.len &&
	       line.data[indent] == '-';
}

/* "-f, --follow", "--count N": what stands in front of two spaces. */
static void
read_names(struct view head, struct help_option *option)
{
	if (head.len > 4 && head.data[1] != '-') {
		option->letter = head.data[1];
		head.data += strlen("-f, ");
		head.len -= strlen("-f, ");
	}
	option->name = view_cut(&head, ' ');
	option->name.data += strlen("--");
	option->name.len -= strlen("--");
	option->argument = head;
}

bool
help_cut_option(struct view *text, struct help_option *out_option)
{
	struct view rest = *text, line = view_cut(&rest, '\n'), head;
	const char *gap;

	if (!is_option_line(line))
		return false;
	*out_option = (struct help_option){ 0 };
	head = view_trim(line);
	gap = memmem(head.data, head.len, "  ", 2);
	out_option->prose = head;
	if (gap != NULL)
		head.len = (size_t)(gap - head.data);
	out_option->prose.data += head.len;
	read_names(head, out_option);
	*text = rest;
	for (line = view_cut(&rest, '\n'); indent_of(line) >= INDENT_MAX;
	     line = view_cut(&rest, '\n'))
		*text = rest;
	out_option->prose.len = (size_t)(text->data - out_option->prose.data);
	return true;
}

struct view
help_cut_paragraph(struct view *text)
{
	struct view paragraph;
	const char *end;

	while (text->len > 0 && text->data[0] == '\n') {
		text->data++;
		text->len--;
	}
	paragraph = *text;
	end = memmem(text->data, text->len, "\n\n", 2);
	if (end != NULL)
		paragraph.len = (size_t)(end - text->data) + 1;
	text->data += paragraph.len;
	text->len -= paragraph.len;
	return paragraph;
}

static bool
is_named(const struct help_option *option, struct view word)
{
	if (view_starts(word, VIEW("--"))) {
		word = view_cut(&word, '=');
		word.data += strlen("--");
		word.len -= strlen("--");
		return view_equal(option->name, word);
	}
	return option->letter != 0 && word.len > 1 &&
	       word.data[1] == option->letter;
}

static bool
find_among(struct view text, struct view word, struct help_option *out_option)
{
	struct help_option option;

	while (help_cut_option(&text, &option))
		if (is_named(&option, word)) {
			*out_option = option;
			return true;
		}
	return false;
}

bool
help_find_option(const struct tool *tool, const struct tool_command *command,
    struct view word, struct help_option *out_option)
{
	if (find_among(VIEW(TOOL_COMMON_HELP), word, out_option))
		return true;
	return find_among(
	    view_of(command == NULL ? tool->own_help : command->options), word,
	    out_option);
}

/* "TOPIC" of "[TOPIC...]". */
static struct view
bare(struct view token)
{
	while (token.len > 0 && token.data[0] == '[') {
		token.data++;
		token.len--;
	}
	while (token.len > 0 && strchr("].", token.data[token.len - 1]))
		token.len--;
	return token;
}

struct view
help_argument(
    const struct tool *tool, const struct tool_command *command, bool *out_more)
{
	struct view rest = view_of(command->arguments);
	struct help_option option;

	*out_more = false;
	while (rest.len > 0) {
		const struct view token = view_cut(&rest, ' ');
		const struct view word = bare(token);

		if (view_starts(word, VIEW("-"))) {
			if (help_find_option(tool, command, word, &option) &&
			    option.argument.len > 0)
				(void)view_cut(&rest, ' ');
		} else if (!view_is(word, "|") && !view_is(word, "options")) {
			*out_more = memmem(token.data, token.len, "...", 3) !=
				    NULL;
			return word;
		}
	}
	return VIEW("");
}
