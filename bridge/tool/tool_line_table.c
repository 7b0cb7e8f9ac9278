/* SPDX-License-Identifier: Apache-2.0
 *
 * A record as a row: columns of fixed width, so that following needs no look
 * ahead; what does not fit is cut, but for the last one's. */
#include <stdio.h>

#include "vulnbus/timestamp.h"
#include "vulnbus/tool.h"
#include "vulnbus/tool_line.h"

enum column { TIME, TOPIC, PLACE, KIND, KEY, ID, COLUMN_COUNT };

static const struct {
	const char *title;
	uint32_t width; /* in characters */
} columns[COLUMN_COUNT] = {
	[TIME] = { "TIME", 24 },
	[TOPIC] = { "TOPIC", 12 },
	[PLACE] = { "PARTITION/OFFSET", 16 },
	[KIND] = { "KIND", 20 },
	[KEY] = { "KEY", 32 },
	[ID] = { "ID", 0 },
};

/* The first `count` characters. */
static struct view
head_of(struct view text, uint32_t count)
{
	size_t len = 0;

	for (; count > 0 && len < text.len; count--)
		len += view_character(
		    (struct view){ text.data + len, text.len - len });
	return (struct view){ text.data, len };
}

static void
print_cell(struct buffer *out, enum column column, const char *paint,
    const char *plain, struct view text)
{
	const uint32_t width = columns[column].width;
	struct buffer clean;
	uint32_t used;

	buffer_init(&clean, LINE_BYTES_MAX);
	line_text(&clean, text, LINE_BYTES_MAX / 4);
	used = line_columns(buffer_view(&clean));
	buffer_print(out, "%s", paint);
	if (column == ID) {
		buffer_append_view(out, buffer_view(&clean));
	} else if (used > width) {
		buffer_append_view(
		    out, head_of(buffer_view(&clean), width - 3));
		buffer_print(out, "...");
	} else {
		buffer_append_view(out, buffer_view(&clean));
	}
	buffer_print(out, "%s%*s", plain,
	    column == ID ? 0 : (int)(used < width ? width - used : 0) + 2, "");
	buffer_clear(&clean);
}

void
line_table_head(struct buffer *out, bool is_colour)
{
	buffer_print(out, "%s", tool_paint(is_colour, PAINT_BOLD));
	for (int i = 0; i < COLUMN_COUNT; i++)
		print_cell(
		    out, (enum column)i, "", "", view_of(columns[i].title));
	buffer_print(out, "%s\n", tool_paint(is_colour, PAINT_PLAIN));
}

void
line_table(struct buffer *out, const struct line_record *r, bool is_colour)
{
	const char *plain = tool_paint(is_colour, PAINT_PLAIN);
	char time[TIMESTAMP_TEXT_SIZE] = "-", place[48];

	if (r->record->timestamp_ms >= 0)
		timestamp_print(r->record->timestamp_ms, time);
	snprintf(place, sizeof(place), "%d/%lld", r->record->partition,
	    (long long)r->record->offset);
	print_cell(
	    out, TIME, tool_paint(is_colour, PAINT_DIM), plain, view_of(time));
	print_cell(out, TOPIC, line_topic_paint(is_colour, r->topic), plain,
	    view_of(topic_short_name(r->topic)));
	print_cell(out, PLACE, "", "", view_of(place));
	print_cell(out, KIND, tool_paint(is_colour, PAINT_BOLD), plain,
	    r->value == NULL && r->why == NULL ? VIEW("(deleted)")
					       : line_kind(r));
	print_cell(out, KEY, "", "", r->record->key);
	print_cell(
	    out, ID, tool_paint(is_colour, PAINT_DIM), plain, line_id(r));
	buffer_append(out, "\n", 1);
}
