/* SPDX-License-Identifier: Apache-2.0 */
#include "vulnbus/credential.h"

#include "vulnbus/file.h"
#include "vulnbus/jws.h"
#include "vulnbus/key_file.h"
#include "vulnbus/timestamp.h"

#define CLAIMS_MAX 64

static enum status
read_file(const struct binding *binding, struct buffer *out, struct error *err)
{
	const struct config_source *source = binding->config;

	if (source->api_oauth2.refresh_token_file != NULL)
		return file_read(
		    source->api_oauth2.refresh_token_file, out, err);
	return source->api_jwt.key_file != NULL
		   ? key_file_text(source->api_jwt.key_file, out, err)
		   : secret_read(&source->api.token, out, err);
}

/* Which claims the vendor wants is between it and the operator. */
static enum status
write_claims(
    const struct binding *binding, struct buffer *out, struct error *err)
{
	const struct config_pairs *pairs = &binding->config->api_jwt.claims;
	const int64_t now_s = clock_wall_ms() / 1000;
	struct tree t;
	enum status status;

	tree_init(&t, CLAIMS_MAX);
	for (size_t i = 0; i < pairs->count; i++)
		tree_text(&t, view_of(pairs->items[i].key),
		    view_of(pairs->items[i].value));
	tree_int(&t, VIEW("iat"), now_s);
	tree_int(&t, VIEW("exp"),
	    now_s + binding->config->api_jwt.lifetime_ms / 1000);
	status = json_write(&t, JSON_STYLE_COMPACT, out, err);
	tree_clear(&t);
	return status;
}

static enum status
write_jwt(const struct binding *binding, struct view pem, struct buffer *out,
    struct error *err)
{
	struct es512_key *key = NULL;
	struct buffer claims;
	enum status status;

	buffer_init(&claims, CREDENTIAL_BYTES_MAX);
	status = write_claims(binding, &claims, err);
	if (status == STATUS_OK)
		status = es512_key_from_pem(pem, &key, err);
	if (status == STATUS_OK)
		status = jws_sign(key, buffer_view(&claims), out, err);
	es512_key_free(key);
	buffer_clear(&claims);
	return status;
}

enum status
credential_write(const struct binding *binding, struct view access_token,
    struct buffer *out, struct error *err)
{
	const bool is_jwt = binding->config->api_jwt.key_file != NULL;
	struct buffer text;
	enum status status = STATUS_OK;

	if (!is_jwt && binding->config->api.token.raw == NULL &&
	    access_token.len == 0)
		return STATUS_OK;
	buffer_init_secret(&text, CREDENTIAL_BYTES_MAX);
	buffer_print(out, "%s ", binding->contract->api.authorization);
	if (access_token.len > 0)
		buffer_append_view(&text, access_token);
	else
		status = read_file(binding, &text, err);
	if (status == STATUS_OK && is_jwt)
		status = write_jwt(binding, buffer_view(&text), out, err);
	else if (status == STATUS_OK)
		buffer_append_view(out, buffer_view(&text));
	buffer_append(out, "", 1);
	if (status == STATUS_OK && buffer_status(out) != STATUS_OK)
		status = error_set(err, buffer_status(out), "too long");
	if (status != STATUS_OK)
		status = error_add(err, STATUS_UNAVAILABLE,
		    is_jwt ? "api_jwt" : "the token's file");
	buffer_clear(&text);
	return status;
}

bool
credential_digest(
    const struct binding *binding, unsigned char out[SHA256_BYTES])
{
	struct buffer text;
	struct error err;
	bool is_read;

	buffer_init_secret(&text, CREDENTIAL_BYTES_MAX);
	is_read = read_file(binding, &text, &err) == STATUS_OK;
	if (is_read)
		sha256_of(buffer_view(&text), out);
	buffer_clear(&text);
	return is_read;
}
