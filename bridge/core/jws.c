/* SPDX-License-Identifier: Apache-2.0 */
#include "vulnbus/jws.h"

#include <string.h>

#include "vulnbus/base64url.h"

void
jws_init(struct jws *jws)
{
	jws->signing_input = VIEW("");
	buffer_init(&jws->header, JWS_BYTES_MAX);
	buffer_init(&jws->payload, JWS_BYTES_MAX);
	buffer_init(&jws->signature, ES512_SIGNATURE_BYTES + 3);
}

void
jws_clear(struct jws *jws)
{
	buffer_clear(&jws->header);
	buffer_clear(&jws->payload);
	buffer_clear(&jws->signature);
}

static size_t
count_dots(struct view text)
{
	size_t dots = 0;

	for (size_t i = 0; i < text.len; i++)
		dots += text.data[i] == '.';
	return dots;
}

/* RFC 8725 sections 2.10 and 3.10, RFC 7515 section 4.1.11: a token does not
 * get to bring its own key, nor rules we would have to understand. */
static enum status
check_header(const struct json_value *header, struct error *err)
{
	static const char *const refused[] = { "crit", "b64", "jwk", "jku",
		"x5c", "x5u" };
	const struct json_value *typ = json_member(header, "typ");

	if (json_type_of(header) != JSON_TYPE_MAP)
		return error_set(
		    err, STATUS_UNPROVED, "token header: not an object");
	if (!view_is(json_text(json_member(header, "alg")), "ES512"))
		return error_set(
		    err, STATUS_UNPROVED, "token header: alg is not ES512");
	if (json_type_of(typ) != JSON_TYPE_MISSING &&
	    !view_is(json_text(typ), "JWT"))
		return error_set(
		    err, STATUS_UNPROVED, "token header: typ is not JWT");
	for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++)
		if (json_member(header, refused[i]) != NULL)
			return error_set(err, STATUS_UNPROVED,
			    "token header: %s is not taken", refused[i]);
	return STATUS_OK;
}

static enum status
parse_header(struct view text, struct error *err)
{
	struct json_document *document = NULL;
	enum status status = json_parse(text, &document, err);

	if (status == STATUS_NO_MEMORY)
		return status;
	if (status != STATUS_OK)
		return error_add(err, STATUS_UNPROVED, "token header");
	status = check_header(json_root(document), err);
	json_free(document);
	return status;
}

enum status
jws_parse(struct view token, struct jws *jws, struct error *err)
{
	struct view rest = token;
	struct view header, payload;

	if (token.len > JWS_BYTES_MAX)
		return error_set(err, STATUS_UNPROVED, "token: too long");
	if (count_dots(token) != 2)
		return error_set(
		    err, STATUS_UNPROVED, "token: not three parts");
	header = view_cut(&rest, '.');
	payload = view_cut(&rest, '.');
	jws->signing_input = (struct view){ token.data,
		header.len + 1 + payload.len };
	/* 132 octets are 176 characters: the cheapest look comes first. */
	if (rest.len != ES512_SIGNATURE_BYTES / 3 * 4)
		return error_set(
		    err, STATUS_UNPROVED, "token signature: not 132 octets");
	if (base64url_decode(header, &jws->header) != STATUS_OK ||
	    base64url_decode(payload, &jws->payload) != STATUS_OK ||
	    base64url_decode(rest, &jws->signature) != STATUS_OK)
		return error_set(err, STATUS_UNPROVED, "token: not base64url");
	return parse_header(buffer_view(&jws->header), err);
}

enum status
jws_verify(const struct jws *jws, struct es512_key *const *keys, size_t count)
{
	enum status status = STATUS_UNPROVED;

	for (size_t i = 0; status == STATUS_UNPROVED && i < count; i++)
		status = es512_verify(
		    keys[i], jws->signing_input, buffer_view(&jws->signature));
	return status;
}

static enum status
add_key(struct jws_keys *keys, struct es512_key *key, struct error *err)
{
	for (size_t i = 0; i < keys->count; i++)
		if (es512_key_equal(keys->items[i], key)) {
			es512_key_free(key);
			return STATUS_OK;
		}
	if (keys->count == JWS_KEYS_MAX) {
		es512_key_free(key);
		return error_set(
		    err, STATUS_TOO_LARGE, "keys: over %d", JWS_KEYS_MAX);
	}
	keys->items[keys->count++] = key;
	return STATUS_OK;
}

static enum status
read_jwk(const struct json_value *jwk, struct jws_keys *keys, struct error *err)
{
	struct buffer x, y;
	struct es512_key *key = NULL;
	enum status status = STATUS_INVALID;

	if (!view_is(json_text(json_member(jwk, "kty")), "EC") ||
	    !view_is(json_text(json_member(jwk, "crv")), "P-521"))
		return error_set(err, STATUS_MISSING, "JWK: not a P-521 key");
	buffer_init(&x, ES512_COORDINATE_BYTES);
	buffer_init(&y, ES512_COORDINATE_BYTES);
	if (base64url_decode(json_text(json_member(jwk, "x")), &x) !=
		STATUS_OK ||
	    base64url_decode(json_text(json_member(jwk, "y")), &y) != STATUS_OK)
		error_set(err, status, "JWK: x or y is not base64url");
	else
		status = es512_key_from_point(
		    buffer_view(&x), buffer_view(&y), &key, err);
	buffer_clear(&x);
	buffer_clear(&y);
	return status == STATUS_OK ? add_key(keys, key, err) : status;
}

static enum status
read_json(struct view text, struct jws_keys *keys, struct error *err)
{
	struct json_document *document = NULL;
	const struct json_value *set, *jwk;
	enum status status = json_parse(text, &document, err);

	if (status != STATUS_OK)
		return error_add(err, STATUS_INVALID, "JWK");
	set = json_member(json_root(document), "keys");
	if (set == NULL)
		status = read_jwk(json_root(document), keys, err);
	for (size_t i = 0; (jwk = json_element(set, i)) != NULL; i++) {
		status = read_jwk(jwk, keys, err);
		/* RFC 7517 section 5: keys one does not understand should be
		 * passed over. */
		if (status != STATUS_OK && status != STATUS_MISSING)
			break;
		status = STATUS_OK;
	}
	json_free(document);
	return status == STATUS_MISSING ? STATUS_INVALID : status;
}

static enum status
read_pem(struct view text, struct jws_keys *keys, struct error *err)
{
	static const char end[] = "-----END ";

	while (view_trim(text).len > 0) {
		const char *at = memmem(
		    text.data, text.len, end, sizeof(end) - 1);
		const char *line_end =
		    at == NULL
			? NULL
			: memchr(at, '\n', text.len - (size_t)(at - text.data));
		const size_t len = line_end == NULL
				       ? text.len
				       : (size_t)(line_end - text.data) + 1;
		struct es512_key *key = NULL;
		enum status status = es512_key_from_pem(
		    (struct view){ text.data, len }, &key, err);

		if (status == STATUS_OK)
			status = add_key(keys, key, err);
		if (status != STATUS_OK)
			return status;
		text.data += len;
		text.len -= len;
	}
	return STATUS_OK;
}

enum status
jws_keys_read(struct view text, struct jws_keys *keys, struct error *err)
{
	const struct view start = view_trim(text);
	struct jws_keys read = { .count = 0 };
	enum status status;

	if (start.len > 0 && start.data[0] == '{')
		status = read_json(text, &read, err);
	else
		status = read_pem(text, &read, err);
	if (status == STATUS_OK && read.count == 0)
		status = error_set(err, STATUS_INVALID, "no P-521 key in it");
	for (size_t i = 0; status == STATUS_OK && i < read.count; i++)
		status = add_key(keys, es512_key_hold(read.items[i]), err);
	jws_keys_clear(&read);
	return status;
}

void
jws_keys_clear(struct jws_keys *keys)
{
	for (size_t i = 0; i < keys->count; i++)
		es512_key_free(keys->items[i]);
	keys->count = 0;
}

static enum status
read_private_jwk(
    struct view text, struct es512_key **out_key, struct error *err)
{
	static const char *const names[] = { "x", "y", "d" };
	struct json_document *document = NULL;
	const struct json_value *jwk;
	struct buffer parts[3];
	enum status status = json_parse(text, &document, err);

	if (status != STATUS_OK)
		return error_add(err, STATUS_INVALID, "JWK");
	jwk = json_root(document);
	if (!view_is(json_text(json_member(jwk, "kty")), "EC") ||
	    !view_is(json_text(json_member(jwk, "crv")), "P-521"))
		status = error_set(err, STATUS_INVALID, "JWK: not a P-521 key");
	for (size_t i = 0; i < 3; i++) {
		buffer_init(&parts[i], ES512_COORDINATE_BYTES);
		if (status == STATUS_OK &&
		    base64url_decode(json_text(json_member(jwk, names[i])),
			&parts[i]) != STATUS_OK)
			status = error_set(err, STATUS_INVALID,
			    "JWK: %s is not base64url of 66 octets", names[i]);
	}
	if (status == STATUS_OK)
		status = es512_private_from_jwk(buffer_view(&parts[0]),
		    buffer_view(&parts[1]), buffer_view(&parts[2]), out_key,
		    err);
	for (size_t i = 0; i < 3; i++)
		buffer_clear(&parts[i]);
	json_free(document);
	return status;
}

enum status
jws_private_key_read(
    struct view text, struct es512_key **out_key, struct error *err)
{
	const struct view start = view_trim(text);

	if (start.len > 0 && start.data[0] == '{')
		return read_private_jwk(text, out_key, err);
	return es512_private_from_pem(text, out_key, err);
}

enum status
jws_sign(const struct es512_key *key, struct view claims, struct buffer *out,
    struct error *err)
{
	const size_t start = out->len;
	struct buffer signature;
	enum status status;

	base64url_encode(VIEW("{\"typ\":\"JWT\",\"alg\":\"ES512\"}"), out);
	buffer_append(out, ".", 1);
	base64url_encode(claims, out);
	status = buffer_status(out);
	if (status != STATUS_OK)
		return error_set(err, status, "token: %s", status_name(status));
	buffer_init(&signature, ES512_SIGNATURE_BYTES);
	status = es512_sign(key,
	    (struct view){ out->data + start, out->len - start }, &signature,
	    err);
	buffer_append(out, ".", 1);
	base64url_encode(buffer_view(&signature), out);
	buffer_clear(&signature);
	if (status == STATUS_OK && buffer_status(out) != STATUS_OK)
		status = error_set(err, buffer_status(out), "token: too long");
	return status;
}
