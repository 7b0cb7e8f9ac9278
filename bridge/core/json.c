/* SPDX-License-Identifier: Apache-2.0
 *
 * The door to jansson. A json_document and a json_value are jansson's json_t
 * behind names of our own. */
#include "vulnbus/json.h"

#include <jansson.h>
#include <math.h>
#include <string.h>

static const json_t *
unwrap(const struct json_value *value)
{
	return (const json_t *)(const void *)value;
}

static const struct json_value *
wrap(const json_t *value)
{
	return (const struct json_value *)(const void *)value;
}

enum status
json_parse(
    struct view text, struct json_document **out_document, struct error *err)
{
	const size_t flags = JSON_REJECT_DUPLICATES | JSON_DECODE_ANY |
			     JSON_ALLOW_NUL;
	json_error_t why;
	json_t *root = json_loadb(text.data, text.len, flags, &why);

	if (root != NULL) {
		*out_document = (struct json_document *)(void *)root;
		return STATUS_OK;
	}
	if (json_error_code(&why) == json_error_duplicate_key)
		return error_set(err, STATUS_TOO_MANY,
		    "JSON: a name stands twice in one object");
	if (json_error_code(&why) == json_error_out_of_memory)
		return error_set(err, STATUS_NO_MEMORY, "JSON: no memory");
	/* jansson quotes the text near the error; that text is a stranger's
	 * and may be secret, so only the place is kept. */
	return error_set(err, STATUS_INVALID, "not JSON (line %d, column %d)",
	    why.line, why.column);
}

void
json_free(struct json_document *document)
{
	json_decref((json_t *)(void *)document);
}

const struct json_value *
json_root(const struct json_document *document)
{
	return (const struct json_value *)(const void *)document;
}

enum json_type
json_type_of(const struct json_value *value)
{
	if (value == NULL)
		return JSON_TYPE_MISSING;
	switch (json_typeof(unwrap(value))) {
	case JSON_OBJECT:
		return JSON_TYPE_MAP;
	case JSON_ARRAY:
		return JSON_TYPE_LIST;
	case JSON_STRING:
		return JSON_TYPE_TEXT;
	case JSON_INTEGER:
		return JSON_TYPE_INT;
	case JSON_REAL:
		return JSON_TYPE_REAL;
	case JSON_TRUE:
	case JSON_FALSE:
		return JSON_TYPE_BOOL;
	case JSON_NULL:
		break;
	}
	return JSON_TYPE_NULL;
}

const struct json_value *
json_member(const struct json_value *value, const char *name)
{
	return wrap(json_object_get(unwrap(value), name));
}

const struct json_value *
json_element(const struct json_value *value, size_t index)
{
	return wrap(json_array_get(unwrap(value), index));
}

bool
json_each(const struct json_value *map, struct json_each *each)
{
	/* jansson's iterators want a pointer they may write through. */
	json_t *json = (json_t *)(uintptr_t)map;

	each->at = each->at == NULL ? json_object_iter(json)
				    : json_object_iter_next(json, each->at);
	if (each->at == NULL)
		return false;
	each->name = view_of(json_object_iter_key(each->at));
	each->value = wrap(json_object_iter_value(each->at));
	return true;
}

struct view
json_text(const struct json_value *value)
{
	const json_t *json = unwrap(value);

	if (!json_is_string(json))
		return VIEW("");
	return (
	    struct view){ json_string_value(json), json_string_length(json) };
}

int64_t
json_int(const struct json_value *value, int64_t fallback)
{
	const json_t *json = unwrap(value);

	return json_is_integer(json) ? json_integer_value(json) : fallback;
}

double
json_number(const struct json_value *value, double fallback)
{
	const json_t *json = unwrap(value);

	return json_is_number(json) ? json_number_value(json) : fallback;
}

bool
json_bool(const struct json_value *value, bool fallback)
{
	const json_t *json = unwrap(value);

	return json_is_boolean(json) ? json_is_true(json) : fallback;
}

static void
add_value(struct tree *t, struct view name, const json_t *json);

static void
add_members(struct tree *t, const json_t *json)
{
	const char *name;
	json_t *member;
	size_t i;

	if (json_is_array(json)) {
		json_array_foreach(json, i, member)
		    add_value(t, VIEW(""), member);
		return;
	}
	/* json_object_foreach wants a pointer it may write through. */
	json_object_foreach((json_t *)(uintptr_t)json, name, member)
	    add_value(t, view_of(name), member);
}

static void
add_value(struct tree *t, struct view name, const json_t *json)
{
	switch (json_typeof(json)) {
	case JSON_OBJECT:
	case JSON_ARRAY:
		if (json_is_object(json))
			tree_open_map(t, name);
		else
			tree_open_list(t, name);
		/* The tree refuses what is too deep, which ends the
		 * recursion. */
		if (tree_status(t) == STATUS_OK)
			add_members(t, json);
		tree_close(t);
		break;
	case JSON_STRING:
		tree_text(t, name,
		    (struct view){
			json_string_value(json), json_string_length(json) });
		break;
	case JSON_INTEGER:
		tree_int(t, name, json_integer_value(json));
		break;
	case JSON_REAL:
		tree_real(t, name, json_real_value(json));
		break;
	case JSON_TRUE:
	case JSON_FALSE:
		tree_bool(t, name, json_is_true(json));
		break;
	case JSON_NULL:
		tree_null(t, name);
		break;
	}
}

enum status
json_to_tree(const struct json_document *document, struct tree *out_tree,
    struct error *err)
{
	const json_t *root = unwrap(json_root(document));
	enum status status;

	if (!json_is_object(root))
		return error_set(err, STATUS_INVALID, "JSON: not an object");
	tree_reset(out_tree);
	add_members(out_tree, root);
	status = tree_status(out_tree);
	if (status != STATUS_OK)
		return error_set(err, status, "JSON: %s", status_name(status));
	return STATUS_OK;
}

/* jansson takes only UTF-8: U+FFFD stands for every byte that is none. */
static void
clean_text(struct view text, struct buffer *out)
{
	static const char replacement[] = "\xEF\xBF\xBD";

	while (text.len > 0) {
		const size_t len = view_character(text);

		if (len > 0)
			buffer_append(out, text.data, len);
		else
			buffer_append(out, replacement, 3);
		text.data += len > 0 ? len : 1;
		text.len -= len > 0 ? len : 1;
	}
}

static json_t *
text_from(struct view text)
{
	/* An empty view may be NULL, which jansson takes for an error. */
	json_t *json = text.len == 0 ? json_string("")
				     : json_stringn(text.data, text.len);
	struct buffer clean;

	if (json != NULL)
		return json;
	buffer_init(&clean, text.len * 3 + 1);
	clean_text(text, &clean);
	if (buffer_status(&clean) == STATUS_OK)
		json = json_stringn(clean.data, clean.len);
	buffer_clear(&clean);
	return json;
}

static json_t *
value_from(const struct tree *t, uint32_t index)
{
	const struct tree_node *node = &t->nodes[index];

	switch (node->type) {
	case TREE_MAP:
		return json_object();
	case TREE_LIST:
		return json_array();
	case TREE_TEXT:
		return text_from(node->text);
	case TREE_INT:
		return json_integer(node->integer);
	case TREE_REAL:
		/* JSON has neither NaN nor infinity. */
		return isfinite(node->real) ? json_real(node->real)
					    : json_null();
	case TREE_BOOL:
		return json_boolean(node->boolean);
	case TREE_NULL:
		break;
	}
	return json_null();
}

static enum status
attach_cleaned(json_t *parent, struct view name, json_t *value)
{
	struct buffer clean;
	enum status status;

	buffer_init(&clean, name.len * 3 + 1);
	clean_text(name, &clean);
	buffer_append(&clean, "", 1);
	status = buffer_status(&clean);
	if (status != STATUS_OK)
		json_decref(value);
	else if (json_object_set_new(parent, clean.data, value) != 0)
		status = STATUS_NO_MEMORY;
	buffer_clear(&clean);
	return status;
}

static enum status
attach(json_t *parent, struct view name, json_t *value)
{
	char key[256];

	if (json_is_array(parent))
		return json_array_append_new(parent, value) == 0
			   ? STATUS_OK
			   : STATUS_NO_MEMORY;
	if (name.len >= sizeof(key)) {
		json_decref(value);
		return STATUS_TOO_LARGE;
	}
	if (name.len > 0) /* memcpy may not be given NULL */
		memcpy(key, name.data, name.len);
	key[name.len] = '\0';
	if (json_object_set(parent, key, value) == 0) {
		json_decref(value);
		return STATUS_OK;
	}
	return attach_cleaned(parent, name, value);
}

static enum status
build(const struct tree *t, json_t **out_root)
{
	json_t *parents[TREE_DEPTH_MAX];
	uint32_t ends[TREE_DEPTH_MAX];
	uint32_t depth = 1;
	json_t *root = json_object();
	enum status status = root == NULL ? STATUS_NO_MEMORY : STATUS_OK;

	parents[0] = root;
	ends[0] = t->count;
	for (uint32_t i = 1; status == STATUS_OK && i < t->count; i++) {
		const struct tree_node *node = &t->nodes[i];
		json_t *value = value_from(t, i);

		while (ends[depth - 1] == i)
			depth--;
		status = value == NULL
			     ? STATUS_NO_MEMORY
			     : attach(parents[depth - 1], node->name, value);
		if (status == STATUS_OK &&
		    (node->type == TREE_MAP || node->type == TREE_LIST)) {
			parents[depth] = value;
			ends[depth++] = node->end;
		}
	}
	if (status != STATUS_OK) {
		json_decref(root);
		root = NULL;
	}
	*out_root = root;
	return status;
}

static int
write_to_buffer(const char *data, size_t len, void *arg)
{
	struct buffer *out = arg;

	buffer_append(out, data, len);
	return buffer_status(out) == STATUS_OK ? 0 : -1;
}

enum status
json_write(const struct tree *t, enum json_style style, struct buffer *out,
    struct error *err)
{
	/* A decimal of up to 15 digits comes out as it went in. */
	const size_t flags = JSON_REAL_PRECISION(15) |
			     (style == JSON_STYLE_PRETTY ? JSON_INDENT(2)
							 : JSON_COMPACT);
	json_t *root = NULL;
	enum status status = tree_status(t);

	if (status == STATUS_OK)
		status = build(t, &root);
	if (status == STATUS_OK &&
	    json_dump_callback(root, write_to_buffer, out, flags) != 0)
		status = buffer_status(out) != STATUS_OK ? buffer_status(out)
							 : STATUS_INVALID;
	json_decref(root);
	if (status != STATUS_OK)
		return error_set(err, status, "JSON: %s", status_name(status));
	return STATUS_OK;
}

void
json_quote(struct view text, struct buffer *out)
{
	json_t *json = text_from(text);

	if (json == NULL || json_dump_callback(json, write_to_buffer, out,
				JSON_ENCODE_ANY | JSON_COMPACT) != 0)
		out->status = STATUS_NO_MEMORY;
	json_decref(json);
}
