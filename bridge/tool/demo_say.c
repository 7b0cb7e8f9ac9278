/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "vulnbus/timestamp.h"
#include "vulnbus/tool_demo.h"

#define LABEL_COLUMNS    13
#define INDENT           (2 + LABEL_COLUMNS)
#define COUNTER_EVERY_MS 50

static void
close_counter(struct demo *demo)
{
	if (demo->is_counter_open)
		fputs("\r\033[K", stdout);
	demo->is_counter_open = false;
}

static void
print_label(struct demo *demo, const char *label, const char *sequence)
{
	close_counter(demo);
	printf("  %s%-*s%s", sequence, LABEL_COLUMNS, label,
	    tool_paint(demo->tool->is_colour, PAINT_PLAIN));
}

void
demo_say(struct demo *demo, const char *label, enum tool_paint paint,
    const char *fmt, ...)
{
	va_list args;

	print_label(demo, label, tool_paint(demo->tool->is_colour, paint));
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	fputs("\n", stdout);
	fflush(stdout);
}

void
demo_head(struct demo *demo, const char *fmt, ...)
{
	va_list args;

	close_counter(demo);
	printf("\n%s", tool_paint(demo->tool->is_colour, PAINT_BOLD));
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	printf("%s\n", tool_paint(demo->tool->is_colour, PAINT_PLAIN));
	fflush(stdout);
}

void
demo_say_record(struct demo *demo, const struct line_record *record)
{
	const bool is_colour = demo->tool->is_colour;
	struct line_layout layout = { .is_colour = is_colour,
		.width = demo->width,
		.indent = INDENT,
		.column = INDENT };
	const struct view kind = tree_get_text(record->value, 0, "kind");
	struct buffer *text = &demo->text;

	buffer_reset(text);
	buffer_print(text, "%s", tool_paint(is_colour, PAINT_BOLD));
	line_text(text, kind, DEMO_TEXT_BYTES);
	buffer_print(text, "%s  ", tool_paint(is_colour, PAINT_PLAIN));
	line_text(text, tree_get_text(record->value, 0, "id"), 256);
	buffer_print(text, "\n%*s", INDENT, "");
	line_facts(text, record, &layout);
	print_label(demo, topic_short_name(record->topic),
	    line_topic_paint(is_colour, record->topic));
	fwrite(text->data, 1, text->len, stdout);
	fputs("\n", stdout);
	fflush(stdout);
}

void
demo_say_counter(struct demo *demo, const char *label, int64_t count)
{
	const int64_t now_ms = clock_steady_ms();
	char number[32];

	if (!demo->is_terminal || now_ms - demo->counter_ms < COUNTER_EVERY_MS)
		return;
	demo->counter_ms = now_ms;
	demo_number(count, number);
	print_label(demo, label, tool_paint(demo->tool->is_colour, PAINT_CYAN));
	printf("%s ...", number);
	fflush(stdout);
	demo->is_counter_open = true;
}

void
demo_number(int64_t number, char out[32])
{
	char digits[24];
	const int count = snprintf(
	    digits, sizeof(digits), "%lld", (long long)number);
	size_t at = 0;

	for (int i = 0; i < count; i++) {
		out[at++] = digits[i];
		if (digits[i] != '-' && i + 1 < count &&
		    (count - i - 1) % 3 == 0)
			out[at++] = ',';
	}
	out[at] = '\0';
}

void
demo_duration(int64_t us, char out[32])
{
	if (us < 1000000)
		snprintf(out, 32, "%.1f ms", (double)us / 1e3);
	else
		snprintf(out, 32, "%.2f s", (double)us / 1e6);
}
