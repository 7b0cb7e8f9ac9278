/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of keys as documents: a reference in Markdown and for a manual
 * page, and an example file. What they say cannot differ from what the loader
 * does. */
#include <stdio.h>
#include <string.h>

#include "config_table.h"
#include "vulnbus/mdoc.h"

#define WIDTH 80

static const char *
type_text(const struct config_key *key)
{
	switch (key->type) {
	case CONFIG_TEXT:
		return "text";
	case CONFIG_ADDRESS:
		return "host:port";
	case CONFIG_URL:
		return "URL";
	case CONFIG_BOOL:
		return "true or false";
	case CONFIG_COUNT:
		return key->unit;
	case CONFIG_DURATION:
		return "duration";
	case CONFIG_SIZE:
		return "size";
	case CONFIG_ENUM:
		return "one of";
	case CONFIG_LIST:
		return "list";
	case CONFIG_PAIRS:
		return "mapping";
	case CONFIG_SECRET:
		return "secret";
	}
	return "";
}

/* "duration, 100ms to 1m": the type and what it is bounded by. */
static void
type_describe(const struct config_key *key, struct buffer *out)
{
	buffer_print(out, "%s", type_text(key));
	switch (key->type) {
	case CONFIG_COUNT:
	case CONFIG_DURATION:
	case CONFIG_SIZE:
		buffer_print(out, ", %s to %s",
		    config_number_text(key->type, key->minimum).text,
		    config_number_text(key->type, key->maximum).text);
		break;
	case CONFIG_ENUM:
		for (size_t i = 0; key->choices[i]; i++)
			buffer_print(
			    out, "%s %s", i > 0 ? "," : "", key->choices[i]);
		break;
	case CONFIG_TEXT:
	case CONFIG_ADDRESS:
	case CONFIG_URL:
	case CONFIG_BOOL:
	case CONFIG_LIST:
	case CONFIG_PAIRS:
	case CONFIG_SECRET:
		break;
	}
}

/* "kafka", "ingress", ...: what stands before the first dot. */
static struct view
section_of(const struct config_key *key)
{
	struct view path = view_of(key->path);

	return view_cut(&path, '.');
}

/* What a reload takes along need not be said: it is what people expect. */
static void
print_meaning(const struct config_key *key, struct buffer *out)
{
	buffer_print(out, "%s%s", key->prose,
	    key->is_reloaded || config_key_is_source(key)
		? ""
		: " Takes a restart.");
}

void
config_print_reference(FILE *out)
{
	struct view section = VIEW("");

	fputs("# Configuration reference\n\n"
	      "Generated from the table of keys. Durations take `ms`, `s`, "
	      "`m`, `h` or `d`; sizes take `B`,\n"
	      "`KiB`, `MiB`, `GiB`, `KB`, `MB` or `GB`. Any value may hold "
	      "`${env:NAME}`, `${env:NAME:-default}`\n"
	      "and `${file:PATH}`; a dollar sign is written `$$`. `null` is "
	      "as if the key were not there.\n",
	    out);
	for (size_t i = 0; i < config_key_count; i++) {
		const struct config_key *key = &config_keys[i];
		struct buffer type, meaning;

		if (!view_equal(section, section_of(key))) {
			section = section_of(key);
			fprintf(out,
			    "\n## `%.*s`\n\n"
			    "| key | type | default | meaning |\n"
			    "|---|---|---|---|\n",
			    VIEW_ARGS(section));
		}
		buffer_init(&type, 256);
		buffer_init(&meaning, 1024);
		type_describe(key, &type);
		print_meaning(key, &meaning);
		fprintf(out, "| `%s` | %.*s | ", key->path,
		    VIEW_ARGS(buffer_view(&type)));
		if (key->fallback)
			fprintf(out, "`%s`", key->fallback);
		else if (key->is_required)
			fputs("**required**", out);
		fprintf(out, " | %.*s |\n", VIEW_ARGS(buffer_view(&meaning)));
		buffer_clear(&type);
		buffer_clear(&meaning);
	}
}

void
config_print_manual(FILE *out)
{
	struct view section = VIEW("");

	for (size_t i = 0; i < config_key_count; i++) {
		const struct config_key *key = &config_keys[i];
		struct buffer text;

		if (!view_equal(section, section_of(key))) {
			fputs(i > 0 ? ".El\n" : "", out);
			section = section_of(key);
			fprintf(out, ".Ss %.*s\n.Bl -tag -width Ds\n",
			    VIEW_ARGS(section));
		}
		buffer_init(&text, 1024);
		print_meaning(key, &text);
		buffer_print(&text, " (");
		type_describe(key, &text);
		if (key->fallback)
			buffer_print(&text, "; default `%s`", key->fallback);
		buffer_print(
		    &text, "%s)", key->is_required ? "; required" : "");
		fprintf(out, ".It Ic %s\n", key->path);
		mdoc_text(out, buffer_view(&text));
		buffer_clear(&text);
	}
	fputs(".El\n", out);
}

/* Prose as comment lines that end before column WIDTH. */
static void
print_comment(FILE *out, int indent, struct view text)
{
	int column = 0;

	while (text.len > 0) {
		struct view word = view_cut(&text, ' ');

		if (column > 0 && column + 1 + (int)word.len > WIDTH) {
			fputc('\n', out);
			column = 0;
		}
		if (column == 0)
			column = fprintf(out, "%*s#", indent, "");
		column += fprintf(out, " %.*s", VIEW_ARGS(word));
	}
	fputc('\n', out);
}

/* A source's first key opens the list's item. */
static void
print_example_key(
    FILE *out, const struct config_key *key, int indent, bool is_item)
{
	struct buffer comment;
	const char *dot = strrchr(key->path, '.');
	const char *name = dot == NULL ? key->path : dot + 1;
	const char *value = key->fallback;

	if (!value && key->type == CONFIG_LIST)
		value = "[]";
	else if (!value && key->type == CONFIG_PAIRS)
		value = "{}";
	else if (!value)
		value = "null";
	buffer_init(&comment, 1024);
	buffer_print(&comment, "%s (", key->prose);
	type_describe(key, &comment);
	buffer_print(&comment, ")");
	print_comment(out, indent, buffer_view(&comment));
	buffer_clear(&comment);
	if (key->example && is_item)
		fprintf(
		    out, "%*s- %s: %s\n", indent - 2, "", name, key->example);
	else if (key->example)
		fprintf(out, "%*s%s: %s\n", indent, "", name, key->example);
	else
		fprintf(out, "%*s#%s: %s\n", indent, "", name, value);
}

/* "hook" of "sources[].hook.secret"; empty for "sources[].name". */
static struct view
subsection_of(const struct config_key *key)
{
	struct view path = view_of(key->path);

	(void)view_cut(&path, '.');
	if (!memchr(path.data, '.', path.len))
		return VIEW("");
	return view_cut(&path, '.');
}

void
config_print_example(FILE *out)
{
	struct view section = VIEW("");
	struct view subsection = VIEW("");

	fputs("# An example for vulnbus. Keys behind a # stand with their "
	      "defaults.\n",
	    out);
	for (size_t i = 0; i < config_key_count; i++) {
		const struct config_key *key = &config_keys[i];
		bool is_source = config_key_is_source(key);
		bool is_first = !view_equal(section, section_of(key));
		const bool is_alone = strchr(key->path, '.') == NULL;
		int indent = is_source ? 4 : is_alone ? 0 : 2;

		if (is_first) {
			section = section_of(key);
			fprintf(out, is_alone ? "\n" : "\n%.*s:\n",
			    (int)section.len - (is_source ? 2 : 0),
			    section.data);
		}
		if (!view_equal(subsection, subsection_of(key))) {
			subsection = subsection_of(key);
			if (subsection.len > 0)
				fprintf(out, "%*s%.*s:\n", indent, "",
				    VIEW_ARGS(subsection));
		}
		if (subsection.len > 0)
			indent += 2;
		print_example_key(out, key, indent, is_source && is_first);
	}
}
