/* SPDX-License-Identifier: Apache-2.0 */
#include "vulnbus/oauth2.h"

#include "vulnbus/url.h"

void
oauth2_write_client(struct view id, struct view secret, struct buffer *out)
{
	buffer_print(out, "client_id=");
	url_encode(id, out);
	if (secret.len == 0)
		return;
	buffer_print(out, "&client_secret=");
	url_encode(secret, out);
}

void
oauth2_write_request(enum oauth2_field field, struct view refresh_token,
    struct view client, struct buffer *out)
{
	buffer_print(out, "grant_type=refresh_token&%s=",
	    field == OAUTH2_CODE ? "code" : "refresh_token");
	url_encode(refresh_token, out);
	buffer_append(out, "&", 1);
	buffer_append_view(out, client);
}

/* RFC 6749 appendix A: visible characters, and no spaces, since an access
 * token stands in a header. */
bool
oauth2_is_token(struct view text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.data[i] <= ' ' || text.data[i] > '~')
			return false;
	return text.len > 0 && text.len <= OAUTH2_TOKEN_BYTES_MAX;
}

/* Some write the number as a text. */
static int64_t
lifetime_ms(const struct json_value *value)
{
	double seconds = json_number(value, 0);
	int64_t whole = 0;

	if (view_to_int(json_text(value), &whole) == STATUS_OK)
		seconds = (double)whole;
	if (!(seconds > 0))
		return 0;
	if (seconds >= OAUTH2_LIFETIME_MAX_MS / 1000.0)
		return OAUTH2_LIFETIME_MAX_MS;
	return (int64_t)(seconds * 1000);
}

static bool
is_absent(const struct json_value *value)
{
	const enum json_type type = json_type_of(value);

	return type == JSON_TYPE_MISSING || type == JSON_TYPE_NULL ||
	       (type == JSON_TYPE_TEXT && json_text(value).len == 0);
}

enum status
oauth2_read_reply(
    struct view body, struct oauth2_reply *out_reply, struct error *err)
{
	struct oauth2_reply reply = { .document = NULL };
	const struct json_value *root, *refresh_token;
	enum status status = json_parse(body, &reply.document, err);

	if (status != STATUS_OK)
		return error_add(err, STATUS_INVALID, "the reply");
	root = json_root(reply.document);
	refresh_token = json_member(root, "refresh_token");
	reply.access_token = json_text(json_member(root, "access_token"));
	reply.refresh_token = json_text(refresh_token);
	reply.lifetime_ms = lifetime_ms(json_member(root, "expires_in"));
	if (!oauth2_is_token(reply.access_token))
		status = error_set(err, STATUS_INVALID,
		    "the reply holds no access token that can be used");
	else if (!is_absent(refresh_token) &&
		 !oauth2_is_token(reply.refresh_token))
		status = error_set(err, STATUS_INVALID,
		    "the reply holds a refresh token that cannot be used");
	if (status != STATUS_OK) {
		oauth2_reply_clear(&reply);
		return status;
	}
	*out_reply = reply;
	return STATUS_OK;
}

void
oauth2_reply_clear(struct oauth2_reply *reply)
{
	json_free(reply->document);
	*reply = (struct oauth2_reply){ .document = NULL };
}

const char *
oauth2_error(struct view body)
{
	static const char *const words[] = { "invalid_request",
		"invalid_client", "invalid_grant", "unauthorized_client",
		"unsupported_grant_type", "invalid_scope" };
	struct json_document *document = NULL;
	struct error ignored;
	const char *found = "";
	struct view word;

	if (json_parse(body, &document, &ignored) != STATUS_OK)
		return "";
	word = json_text(json_member(json_root(document), "error"));
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (view_is(word, words[i]))
			found = words[i];
	json_free(document);
	return found;
}
