/* SPDX-License-Identifier: Apache-2.0
 *
 * A record for people and for programs: a line, or a JSON document. Nothing a
 * record says reaches a terminal as a control sequence. */
#ifndef VULNBUS_TOOL_LINE_H
#define VULNBUS_TOOL_LINE_H

#include "vulnbus/topics.h"
#include "vulnbus/tree.h"

/* A decoded value may have this many nodes. */
#define LINE_NODES_MAX  65536
/* One record, written out. */
#define LINE_BYTES_MAX  (16u << 20)
#define LINE_COLUMN_MAX UINT32_MAX

struct line_record {
	enum topic topic;
	const struct kafka_record *record;
	const struct tree *value; /* NULL: a tombstone, or not decoded */
	const char *why;          /* not decoded: the reason */
};

/* A character that a terminal would act on, or show otherwise than it stands.
 */
bool
line_is_hazard(struct view character);

/* Appends `text` with hazards and bytes that are no UTF-8 replaced by "?", cut
 * to `bytes_max` at the end of a character. */
void
line_text(struct buffer *out, struct view text, size_t bytes_max);

/* "name=value ... map: name=value ...": the record's own facts, all but what
 * stands in every record. With a width, facts that do not fit into a line
 * together, and maps, go into a new one after `indent` spaces. */
struct line_layout {
	bool is_colour;
	uint32_t width; /* LINE_COLUMN_MAX: one line */
	uint32_t indent;
	uint32_t column; /* where it begins */
};

void
line_facts(struct buffer *out, const struct line_record *record,
    struct line_layout *layout);

/* "time  topic  kind  key  id  facts" and a line feed. */
void
line_print(
    struct buffer *out, const struct line_record *record, bool is_colour);

/* How many columns of a terminal a UTF-8 text takes, if no character takes
 * two. */
uint32_t
line_columns(struct view text);

/* As the value says, or the CloudEvents headers. */
struct view
line_id(const struct line_record *record);

struct view
line_kind(const struct line_record *record);

/* A row of a table, and what stands above the first. */
void
line_table_head(struct buffer *out, bool is_colour);

void
line_table(
    struct buffer *out, const struct line_record *record, bool is_colour);

/* {"topic", "partition", "offset", "timestamp_ms", "key", "headers", "value"}
 * and a line feed; "error" in place of a value that is not decoded. Hazards are
 * written as escapes. */
enum status
line_json(struct buffer *out, const struct line_record *record, bool is_pretty,
    struct error *err) MUST_CHECK;

/* The colour of a topic's name. */
const char *
line_topic_paint(bool is_colour, enum topic topic);

#endif
