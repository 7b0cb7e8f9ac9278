/* SPDX-License-Identifier: Apache-2.0 */
#include "vulnbus/tool_body.h"

#include <stdio.h>
#include <string.h>

#include "vulnbus/json.h"
#include "vulnbus/jws.h"
#include "vulnbus/timestamp.h"

#define UUID_SIZE sizeof("00000000-0000-4000-8000-000000000000")

/* "{name}" or "{name=VALUE}" as it stands in a body. */
struct place {
	struct view name;
	struct view otherwise; /* VALUE; empty: there is none */
	size_t len;
};

/* A JSON object begins with "{" and then a quote, a blank or "}": a place can
 * be told from one. */
static bool
find_place(struct view text, struct place *out_place)
{
	struct view rest = { text.data + 1, text.len - 1 };
	size_t len = 0;

	if (text.data[0] != '{')
		return false;
	while (len < rest.len &&
	       (rest.data[len] == '_' ||
		   (rest.data[len] >= 'a' && rest.data[len] <= 'z')))
		len++;
	if (len == 0 || len == rest.len ||
	    (rest.data[len] != '}' && rest.data[len] != '=') ||
	    memchr(rest.data, '}', rest.len) == NULL)
		return false;
	rest = view_cut(&rest, '}');
	out_place->len = rest.len + 2;
	out_place->name = view_cut(&rest, '=');
	out_place->otherwise = rest;
	return true;
}

bool
body_has(struct view body, struct view name)
{
	struct place place;

	for (; body.len > 0; body.data++, body.len--)
		if (find_place(body, &place) && view_equal(place.name, name))
			return true;
	return false;
}

bool
body_set(struct body_values *values, struct view name, struct view value)
{
	size_t at = 0;

	while (at < values->count && !view_equal(values->items[at].name, name))
		at++;
	if (at == BODY_VALUES_MAX)
		return false;
	if (at == values->count)
		values->count++;
	values->items[at].name = name;
	values->items[at].value = value;
	return true;
}

/* RFC 4122 section 4.4. */
static void
print_uuid(char out[UUID_SIZE])
{
	unsigned char b[16];

	random_bytes(b, sizeof(b));
	b[6] = (b[6] & 0x0f) | 0x40;
	b[8] = (b[8] & 0x3f) | 0x80;
	snprintf(out, UUID_SIZE,
	    "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-"
	    "%02x%02x%02x%02x%02x%02x",
	    b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10],
	    b[11], b[12], b[13], b[14], b[15]);
}

static void
fill_new(const struct place *place, const struct body_values *values,
    struct buffer *out)
{
	char text[64];

	if (view_is(place->name, "uuid"))
		print_uuid(text);
	else if (view_is(place->name, "now"))
		timestamp_print(values->now_ms, text);
	else
		snprintf(text, sizeof(text), "%llu",
		    (unsigned long long)values->number);
	json_quote(view_of(text), out);
}

/* A text goes where a text stood, a bare word where one stood. */
static enum status
fill_given(const struct place *place, struct view value, struct buffer *out,
    struct error *err)
{
	const bool is_bool = view_is(place->otherwise, "true") ||
			     view_is(place->otherwise, "false");
	int64_t number;

	if (place->otherwise.len == 0 || place->otherwise.data[0] == '"') {
		json_quote(value, out);
		return STATUS_OK;
	}
	if (is_bool ? !view_is(value, "true") && !view_is(value, "false")
		    : view_to_int(value, &number) != STATUS_OK)
		return error_set(err, STATUS_INVALID, "%.*s: must be %s",
		    VIEW_ARGS(place->name),
		    is_bool ? "true or false" : "an integer");
	buffer_append_view(out, value);
	return STATUS_OK;
}

static enum status
fill_place(const struct place *place, const struct body_values *values,
    struct buffer *out, struct error *err)
{
	for (size_t i = 0; i < values->count; i++)
		if (view_equal(values->items[i].name, place->name))
			return fill_given(
			    place, values->items[i].value, out, err);
	if (place->otherwise.len > 0)
		buffer_append_view(out, place->otherwise);
	else
		fill_new(place, values, out);
	return STATUS_OK;
}

enum status
body_fill(struct view body, const struct body_values *values,
    struct buffer *out, struct error *err)
{
	enum status status = STATUS_OK;

	while (status == STATUS_OK && body.len > 0) {
		struct place place = { .len = 1 };

		if (find_place(body, &place))
			status = fill_place(&place, values, out, err);
		else
			buffer_append(out, body.data, 1);
		body.data += place.len;
		body.len -= place.len;
	}
	if (status == STATUS_OK && buffer_status(out) != STATUS_OK)
		status = error_set(err, buffer_status(out), "body: %s",
		    status_name(buffer_status(out)));
	return status;
}

void
body_claims(const struct source_authentication *how, struct view body,
    int64_t signed_ms, struct buffer *out)
{
	struct json_document *document = NULL;
	struct json_each first = { .at = NULL };
	struct error err;
	const struct view trimmed = view_trim(body);
	const struct json_value *root;

	if (json_parse(body, &document, &err) != STATUS_OK) {
		buffer_append_view(out, body);
		return;
	}
	root = json_root(document);
	if (json_type_of(root) != JSON_TYPE_MAP ||
	    json_member(root, how->stamp) != NULL) {
		buffer_append_view(out, body);
	} else {
		buffer_append(out, trimmed.data, trimmed.len - 1);
		buffer_print(out, "%s\"%s\":%lld}",
		    json_each(root, &first) ? "," : "", how->stamp,
		    (long long)(signed_ms / 1000));
	}
	json_free(document);
}

enum status
body_sign(const struct source_authentication *how, const struct es512_key *key,
    struct view claims, struct buffer *out, struct error *err)
{
	enum status status;

	buffer_print(out, "%s", how->prefix);
	status = jws_sign(key, claims, out, err);
	buffer_append(out, "", 1);
	if (status == STATUS_OK && buffer_status(out) != STATUS_OK)
		status = error_set(err, buffer_status(out), "token: too long");
	return status;
}

void
body_hint(const struct source_authentication *how, const char *key_path,
    struct buffer *out)
{
	/* The apostrophe is in the vendor's documentation. */
	buffer_print(out, "%s: 'ES512 %s", how->hint,
	    key_path != NULL ? key_path : how->key_path);
	buffer_append(out, "", 1);
}
