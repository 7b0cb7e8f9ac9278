/* SPDX-License-Identifier: Apache-2.0
 *
 * A record as a JSON document. */
#include <string.h>

#include "vulnbus/json.h"
#include "vulnbus/tool_line.h"

/* What stands around the value: places, key, headers. */
#define ENVELOPE_NODES (16 + KAFKA_HEADERS_MAX)

static void
add_headers(struct tree *t, const struct kafka_record *record)
{
	tree_open_map(t, VIEW("headers"));
	for (size_t i = 0; i < record->header_count; i++) {
		const char *name = record->headers[i].name;
		bool is_first = true;

		/* Kafka allows a name twice, JSON readers do not. */
		for (size_t k = 0; is_first && k < i; k++)
			is_first = strcmp(record->headers[k].name, name) != 0;
		if (is_first)
			tree_text(t, view_of(name), record->headers[i].value);
	}
	tree_close(t);
}

/* JSON may hold U+007F to U+009F and all the other hazards as they stand
 * (RFC 8259, section 7); a terminal may not. They occur in texts alone. */
static void
escape(struct view text, struct buffer *out)
{
	while (text.len > 0) {
		const size_t known = view_character(text);
		const size_t len = known == 0 ? 1 : known;
		const unsigned char *at = (const unsigned char *)text.data;

		if (len == 1 && at[0] == 0x7f)
			buffer_print(out, "\\u007f");
		else if (len == 2 &&
			 line_is_hazard((struct view){ text.data, len }))
			buffer_print(out, "\\u00%02x", at[1]);
		else if (len == 3 &&
			 line_is_hazard((struct view){ text.data, len }))
			buffer_print(out, "\\u20%02x",
			    (at[1] & 0x03u) << 6 | (at[2] & 0x3fu));
		else
			buffer_append(out, text.data, len);
		text.data += len;
		text.len -= len;
	}
}

static enum status
write_escaped(
    const struct tree *t, bool is_pretty, struct buffer *out, struct error *err)
{
	struct buffer plain;
	enum status status;

	buffer_init(&plain, LINE_BYTES_MAX);
	status = json_write(
	    t, is_pretty ? JSON_STYLE_PRETTY : JSON_STYLE_COMPACT, &plain, err);
	if (status == STATUS_OK) {
		escape(buffer_view(&plain), out);
		buffer_append(out, "\n", 1);
		status = buffer_status(out);
		if (status != STATUS_OK)
			error_set(
			    err, status, "record: %s", status_name(status));
	}
	buffer_clear(&plain);
	return status;
}

enum status
line_json(struct buffer *out, const struct line_record *r, bool is_pretty,
    struct error *err)
{
	struct tree t;
	enum status status;

	tree_init(&t, LINE_NODES_MAX + ENVELOPE_NODES);
	tree_text(&t, VIEW("topic"), view_of(r->record->topic));
	tree_int(&t, VIEW("partition"), r->record->partition);
	tree_int(&t, VIEW("offset"), r->record->offset);
	tree_int(&t, VIEW("timestamp_ms"), r->record->timestamp_ms);
	tree_text(&t, VIEW("key"), r->record->key);
	add_headers(&t, r->record);
	if (r->value != NULL) {
		tree_open_map(&t, VIEW("value"));
		tree_copy(&t, r->value, 0);
		tree_close(&t);
	} else if (r->why != NULL) {
		tree_text(&t, VIEW("error"), view_of(r->why));
	} else {
		tree_null(&t, VIEW("value"));
	}
	status = tree_status(&t);
	if (status != STATUS_OK)
		error_set(err, status, "record: %s", status_name(status));
	else
		status = write_escaped(&t, is_pretty, out, err);
	tree_clear(&t);
	return status;
}
