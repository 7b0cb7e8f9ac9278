/* SPDX-License-Identifier: Apache-2.0 */
#include "vulnbus/tool_line.h"

#include <stdio.h>
#include <string.h>

#include "vulnbus/timestamp.h"
#include "vulnbus/tool.h"

#define FACT_BYTES_MAX 80
#define NAME_BYTES_MAX 128

/* These stand in every record, or in its key. */
static const char *const common[] = { "id", "event_id", "source", "vendor",
	"kind", "subject", "export_id", "received_ms", "occurred_ms",
	"fetched_ms", "failed_ms", "event" };

/* C0, DEL and C1 steer a terminal; U+2028 and U+2029 end a line; U+202A to
 * U+202E and U+2066 to U+2069 make text read otherwise than it stands
 * (Unicode Technical Report 36, "Bidirectional Text Spoofing"). */
bool
line_is_hazard(struct view character)
{
	const unsigned char *at = (const unsigned char *)character.data;
	unsigned code;

	if (character.len == 1)
		return at[0] < 0x20 || at[0] == 0x7f;
	if (character.len == 2)
		return at[0] == 0xc2 && at[1] < 0xa0;
	if (character.len != 3)
		return false;
	code = (at[0] & 0x0fu) << 12 | (at[1] & 0x3fu) << 6 | (at[2] & 0x3fu);
	return (code >= 0x2028 && code <= 0x202e) ||
	       (code >= 0x2066 && code <= 0x2069);
}

void
line_text(struct buffer *out, struct view text, size_t bytes_max)
{
	const bool is_cut = text.len > bytes_max;

	if (is_cut)
		text = view_head(text, bytes_max - 3);
	while (text.len > 0) {
		const size_t known = view_character(text);
		const size_t len = known == 0 ? 1 : known;

		if (known == 0 ||
		    line_is_hazard((struct view){ text.data, len }))
			buffer_append(out, "?", 1);
		else
			buffer_append(out, text.data, len);
		text.data += len;
		text.len -= len;
	}
	if (is_cut)
		buffer_append(out, "...", 3);
}

/* Characters, not bytes: continuation bytes take no column. */
uint32_t
line_columns(struct view text)
{
	uint32_t columns = 0;

	for (size_t i = 0; i < text.len; i++)
		columns += ((unsigned char)text.data[i] & 0xc0) != 0x80;
	return columns;
}

static bool
ends_in_ms(struct view name)
{
	return name.len > 3 && memcmp(name.data + name.len - 3, "_ms", 3) == 0;
}

static void
print_value(struct buffer *out, const struct tree_node *node)
{
	char time[TIMESTAMP_TEXT_SIZE];
	bool is_quoted;

	switch (node->type) {
	case TREE_TEXT:
		is_quoted = node->text.len == 0 || memchr(node->text.data, ' ',
						       node->text.len) != NULL;
		buffer_append(out, "\"", is_quoted);
		line_text(out, node->text, FACT_BYTES_MAX);
		buffer_append(out, "\"", is_quoted);
		break;
	case TREE_INT:
		if (ends_in_ms(node->name) && node->integer >= 0) {
			timestamp_print(node->integer, time);
			buffer_print(out, "%s", time);
		} else {
			buffer_print(out, "%lld", (long long)node->integer);
		}
		break;
	case TREE_REAL:
		buffer_print(out, "%g", node->real);
		break;
	case TREE_BOOL:
		buffer_print(out, "%s", node->boolean ? "true" : "false");
		break;
	case TREE_NULL:
		buffer_print(out, "null");
		break;
	case TREE_LIST:
	case TREE_MAP:
		buffer_print(out, "[%u]", node->count);
		break;
	}
}

/* A space, or a new line when `columns` more do not fit into this one. */
static void
print_gap(struct buffer *out, struct line_layout *layout, uint32_t columns)
{
	if (layout->column > layout->indent &&
	    layout->column + 1 + columns > layout->width) {
		buffer_print(out, "\n%*s", (int)layout->indent, "");
		layout->column = layout->indent;
	} else if (layout->column > layout->indent) {
		buffer_append(out, " ", 1);
		layout->column++;
	}
	layout->column += columns;
}

static void
print_fact(struct buffer *out, const struct tree_node *node,
    struct line_layout *layout)
{
	struct buffer value;
	struct view name = node->name;

	if (node->type == TREE_INT && ends_in_ms(name))
		name.len -= 3;
	buffer_init(&value, FACT_BYTES_MAX + TIMESTAMP_TEXT_SIZE);
	print_value(&value, node);
	print_gap(out, layout,
	    line_columns(name) + 1 + line_columns(buffer_view(&value)));
	buffer_print(out, "%s", tool_paint(layout->is_colour, PAINT_DIM));
	line_text(out, name, NAME_BYTES_MAX);
	buffer_print(out, "=%s", tool_paint(layout->is_colour, PAINT_PLAIN));
	buffer_append_view(out, buffer_view(&value));
	buffer_clear(&value);
}

static bool
is_common(const struct tree_node *node)
{
	for (size_t i = 0; i < sizeof(common) / sizeof(*common); i++)
		if (view_is(node->name, common[i]))
			return true;
	return false;
}

static void
print_members(struct buffer *out, const struct tree *t, uint32_t at,
    struct line_layout *layout)
{
	for (uint32_t i = at + 1; i < t->nodes[at].end; i = t->nodes[i].end)
		if (!is_common(&t->nodes[i]) &&
		    (at > 0 || t->nodes[i].type != TREE_MAP))
			print_fact(out, &t->nodes[i], layout);
}

/* A map's name stands once, in front of its members; what lies deeper is for
 * --json. */
static void
print_map(struct buffer *out, const struct tree *t, uint32_t at,
    struct line_layout *layout)
{
	const struct view name = t->nodes[at].name;

	if (layout->width != LINE_COLUMN_MAX &&
	    layout->column > layout->indent) {
		buffer_print(out, "\n%*s", (int)layout->indent, "");
		layout->column = layout->indent;
	}
	print_gap(out, layout, line_columns(name) + 1);
	buffer_print(out, "%s", tool_paint(layout->is_colour, PAINT_CYAN));
	line_text(out, name, NAME_BYTES_MAX);
	buffer_print(out, ":%s", tool_paint(layout->is_colour, PAINT_PLAIN));
	print_members(out, t, at, layout);
}

void
line_facts(struct buffer *out, const struct line_record *record,
    struct line_layout *layout)
{
	const struct tree *t = record->value;

	if (t == NULL || t->count == 0)
		return;
	print_members(out, t, 0, layout);
	for (uint32_t i = 1; i < t->nodes[0].end; i = t->nodes[i].end)
		if (t->nodes[i].type == TREE_MAP && !is_common(&t->nodes[i]))
			print_map(out, t, i, layout);
}

const char *
line_topic_paint(bool is_colour, enum topic topic)
{
	static const enum tool_paint paints[TOPIC_COUNT] = {
		[TOPIC_EVENTS] = PAINT_BLUE,
		[TOPIC_SCANS] = PAINT_GREEN,
		[TOPIC_EXPORTS] = PAINT_MAGENTA,
		[TOPIC_EXPORT_ROWS] = PAINT_CYAN,
		[TOPIC_DEAD_LETTERS] = PAINT_RED,
		[TOPIC_STATE] = PAINT_YELLOW,
	};

	return tool_paint(is_colour, paints[topic]);
}

struct view
line_id(const struct line_record *r)
{
	struct view id = VIEW("");

	if (r->value != NULL)
		id = tree_get_text(r->value, 0, "id");
	return id.len > 0 ? id : kafka_record_header(r->record, "ce_id");
}

struct view
line_kind(const struct line_record *r)
{
	struct view kind = VIEW("");

	if (r->value != NULL)
		kind = tree_get_text(r->value, 0, "kind");
	if (kind.len == 0)
		kind = kafka_record_header(r->record, "ce_type");
	return kind.len > 0 ? kind : VIEW("-");
}

void
line_print(struct buffer *out, const struct line_record *r, bool is_colour)
{
	struct line_layout layout = { .is_colour = is_colour,
		.width = LINE_COLUMN_MAX };
	const char *plain = tool_paint(is_colour, PAINT_PLAIN);
	char time[TIMESTAMP_TEXT_SIZE] = "-";
	const struct view kind = line_kind(r), id = line_id(r);

	if (r->record->timestamp_ms >= 0)
		timestamp_print(r->record->timestamp_ms, time);
	buffer_print(out, "%s%-24s%s %s%-12s%s ",
	    tool_paint(is_colour, PAINT_DIM), time, plain,
	    line_topic_paint(is_colour, r->topic), topic_short_name(r->topic),
	    plain);
	buffer_print(out, "%s", tool_paint(is_colour, PAINT_BOLD));
	line_text(out, kind, NAME_BYTES_MAX);
	buffer_print(
	    out, "%s%*s ", plain, kind.len < 16 ? 16 - (int)kind.len : 0, "");
	line_text(out, r->record->key, 2 * NAME_BYTES_MAX);
	if (id.len > 0) {
		buffer_print(out, " %s", tool_paint(is_colour, PAINT_DIM));
		line_text(out, id, 4 * NAME_BYTES_MAX);
		buffer_print(out, "%s", plain);
	}
	buffer_append(out, " ", 1);
	line_facts(out, r, &layout);
	if (r->value == NULL && r->why == NULL)
		buffer_print(out, "(deleted)");
	buffer_append(out, "\n", 1);
}
