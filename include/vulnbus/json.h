/* SPDX-License-Identifier: Apache-2.0
 *
 * The door to jansson: reads JSON strictly (RFC 8259, UTF-8, duplicate names
 * refused, nothing after the document) and writes a tree as JSON.
 *
 * A json_value is borrowed from its document and dies with it. Every reader
 * takes NULL for a value and answers as for a missing one. */
#ifndef VULNBUS_JSON_H
#define VULNBUS_JSON_H

#include "vulnbus/buffer.h"
#include "vulnbus/tree.h"

struct json_document;
struct json_value;

enum json_type {
	JSON_TYPE_MISSING,
	JSON_TYPE_NULL,
	JSON_TYPE_BOOL,
	JSON_TYPE_INT,
	JSON_TYPE_REAL,
	JSON_TYPE_TEXT,
	JSON_TYPE_LIST,
	JSON_TYPE_MAP,
};

/* STATUS_INVALID: not JSON. STATUS_TOO_MANY: JSON but for a name that stands
 * twice in one object. The text need not outlive the document. */
enum status
json_parse(struct view text, struct json_document **out_document,
    struct error *err) MUST_CHECK;

void
json_free(struct json_document *document);

const struct json_value *
json_root(const struct json_document *document);

enum json_type
json_type_of(const struct json_value *value);

/* A member of a map; NULL when `value` is no map or has no such member. */
const struct json_value *
json_member(const struct json_value *value, const char *name);

/* An element of a list; NULL past its end or when `value` is no list. */
const struct json_value *
json_element(const struct json_value *value, size_t index);

/* One member after the other, in the order they came. */
struct json_each {
	void *at;
	struct view name; /* borrowed, as a value is */
	const struct json_value *value;
};

/* From an `each` of zeros, the next member; false when there is none left, or
 * `map` is no map. */
bool
json_each(const struct json_value *map, struct json_each *each);

/* The text, or an empty view for anything else. */
struct view
json_text(const struct json_value *value);

int64_t
json_int(const struct json_value *value, int64_t fallback);

/* Integers and reals. */
double
json_number(const struct json_value *value, double fallback);

bool
json_bool(const struct json_value *value, bool fallback);

/* The whole document into `out`, texts borrowed from the document. The root
 * must be a map. */
enum status
json_to_tree(const struct json_document *document, struct tree *out_tree,
    struct error *err) MUST_CHECK;

enum json_style { JSON_STYLE_COMPACT, JSON_STYLE_PRETTY };

/* Texts and names that are no UTF-8 are written with U+FFFD in place of bad
 * bytes, NaN and infinity as null. */
enum status
json_write(const struct tree *t, enum json_style style, struct buffer *out,
    struct error *err) MUST_CHECK;

/* One text as a JSON string, quotes included. */
void
json_quote(struct view text, struct buffer *out);

#endif
