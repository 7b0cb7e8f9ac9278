/* SPDX-License-Identifier: Apache-2.0
 *
 * What the help texts of the commands say, taken apart again: completions and
 * the manual page are made of them, so that neither lists anything by hand.
 *
 *       --from-beginning  from the first record (default unless
 *                         following)
 *   -n, --count N         end after N records
 *
 * One option a line, its argument behind one space, what it does behind two;
 * further lines stand farther in. Paragraphs follow behind an empty line. */
#ifndef VULNBUS_TOOL_HELP_H
#define VULNBUS_TOOL_HELP_H

#include "vulnbus/tool.h"

/* Views of the text they were cut from. */
struct help_option {
	char letter;          /* 0: none */
	struct view name;     /* "count" */
	struct view argument; /* "N"; empty: it takes none */
	struct view prose;    /* with its line breaks and indentation */
};

/* Cuts the first option off `text`. False when no option is left: `text` is
 * then the paragraphs. */
bool
help_cut_option(struct view *text, struct help_option *out_option);

/* Cuts the first paragraph off `text`; empty when none is left. */
struct view
help_cut_paragraph(struct view *text);

/* The option that `word` ("--count", "-n", "--count=3") names among those of
 * `command` (NULL: before a command is named). */
bool
help_find_option(const struct tool *tool, const struct tool_command *command,
    struct view word, struct help_option *out_option);

/* The first argument that `command` takes beside options: "TOPIC" of
 * "[options] [TOPIC...]", or "bash|zsh|fish"; empty when it takes none. */
struct view
help_argument(const struct tool *tool, const struct tool_command *command,
    bool *out_more);

#endif
