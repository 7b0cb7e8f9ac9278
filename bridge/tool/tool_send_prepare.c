/* SPDX-License-Identifier: Apache-2.0
 *
 * What is sent: the body, the key, the headers and where to. */
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "vulnbus/event.h"
#include "vulnbus/file.h"
#include "vulnbus/jws.h"
#include "vulnbus/key_file.h"
#include "vulnbus/timestamp.h"
#include "vulnbus/tool_send.h"

void
send_request_init(struct send_request *request)
{
	buffer_init(&request->body, BODY_BYTES_MAX);
	buffer_init(&request->claims, BODY_BYTES_MAX);
	buffer_init(&request->authorization, 2 * BODY_BYTES_MAX);
}

void
send_request_clear(struct send_request *request)
{
	buffer_clear(&request->body);
	buffer_clear(&request->claims);
	buffer_clear(&request->authorization);
}

/* An --id that would make all requests the same notification counts on. */
static void
count_on(const struct send *send, int64_t index, struct body_values *values,
    char *text, size_t size)
{
	int64_t number;

	for (size_t i = 0; i < values->count && index > 0; i++) {
		const struct view id = values->items[i].value;

		if (!view_is(values->items[i].name, "id") ||
		    body_has(send->body, VIEW("uuid")))
			continue;
		if (view_to_int(id, &number) == STATUS_OK &&
		    number <= INT64_MAX - index)
			snprintf(text, size, "%lld", (long long)number + index);
		else
			snprintf(text, size, "%.*s-%lld", VIEW_ARGS(id),
			    (long long)index);
		values->items[i].value = view_of(text);
	}
}

enum status
send_request_make(const struct send *send, int64_t index,
    struct send_request *request, struct error *err)
{
	const struct source_authentication *how =
	    &send->binding->contract->authentication;
	struct body_values values = send->values;
	char id[EVENT_ID_BYTES_MAX + 32];
	enum status status;

	values.number = send->number + (uint64_t)index;
	values.now_ms = clock_wall_ms();
	count_on(send, index, &values, id, sizeof(id));
	status = body_fill(send->body, &values, &request->body, err);
	if (status != STATUS_OK || send->key == NULL)
		return status;
	body_claims(
	    how, buffer_view(&request->body), values.now_ms, &request->claims);
	return body_sign(how, send->key, buffer_view(&request->claims),
	    &request->authorization, err);
}

static int
read_body(struct send *send)
{
	const struct source_webhook *webhook =
	    send->binding->contract->webhooks;
	struct error err;

	if (send->body_path != NULL) {
		/* "-" has no name of its own. */
		const char *path = strcmp(send->body_path, "-") == 0
				       ? "/dev/stdin"
				       : send->body_path;

		if (key_file_text(path, &send->file, &err) != STATUS_OK)
			return tool_fail(
			    send->tool, EX_NOINPUT, "%s", err.text);
		send->body = buffer_view(&send->file);
		return -1;
	}
	while (send->kind != NULL && webhook->kind != NULL &&
	       strcmp(webhook->kind, send->kind) != 0)
		webhook++;
	if (webhook->kind == NULL)
		return tool_usage(send->tool,
		    "%s sends no %s (--list says what it does)",
		    send->binding->config->vendor, send->kind);
	send->body = view_of(webhook->body);
	return -1;
}

static int
check_values(const struct send *send)
{
	for (size_t i = 0; i < send->values.count; i++)
		if (!body_has(send->body, send->values.items[i].name))
			return tool_usage(send->tool,
			    "there is no {%.*s} in what is sent (--list shows "
			    "what there is)",
			    VIEW_ARGS(send->values.items[i].name));
	return -1;
}

static int
say_public_key(const struct send *send)
{
	struct buffer pem;
	struct error err;
	enum status status;

	buffer_init(&pem, KEY_FILE_BYTES_MAX);
	status = es512_key_to_pem(send->key, &pem, &err);
	if (status == STATUS_OK && send->public_path != NULL)
		status = file_replace(
		    send->public_path, buffer_view(&pem), 0644, &err);
	else if (status == STATUS_OK)
		printf("%.*s", VIEW_ARGS(buffer_view(&pem)));
	buffer_clear(&pem);
	if (status != STATUS_OK)
		return tool_fail(send->tool, EX_CANTCREAT, "%s", err.text);
	return -1;
}

/* Signed vendors alone have one: the operator's, or one for this call. */
static int
read_key(struct send *send)
{
	const bool is_signed = send->binding->contract->authentication.proof ==
			       SOURCE_PROOF_JWS_ES512;
	struct buffer text;
	struct error err;
	enum status status;

	if (!is_signed && (send->key_path != NULL || send->public_path != NULL))
		return tool_usage(send->tool, "%s signs nothing",
		    send->binding->config->vendor);
	if (!is_signed)
		return -1;
	buffer_init(&text, KEY_FILE_BYTES_MAX);
	if (send->key_path == NULL) {
		status = es512_key_generate(&send->key, &err);
	} else {
		status = key_file_text(send->key_path, &text, &err);
		if (status == STATUS_OK) {
			status = jws_private_key_read(
			    buffer_view(&text), &send->key, &err);
			if (status != STATUS_OK)
				error_add(&err, status, "%s", send->key_path);
		}
	}
	buffer_clear(&text);
	if (status != STATUS_OK)
		return tool_fail(send->tool,
		    status == STATUS_MISSING ? EX_NOINPUT : EX_DATAERR, "%s",
		    err.text);
	if (send->key_path == NULL || send->public_path != NULL)
		return say_public_key(send);
	return -1;
}

static void
write_header(struct send *send)
{
	const struct source_authentication *how =
	    &send->binding->contract->authentication;
	const struct config_source *source = send->binding->config;

	if (how->hint != NULL)
		body_hint(how, source->signature.key_path, &send->header);
	else if (source->hook.app_secret.value != NULL)
		buffer_print(&send->header, "%s: %s%c", how->app_secret,
		    source->hook.app_secret.value, '\0');
}

static int
write_url(struct send *send)
{
	struct config there = *send->config;
	char base[VENDOR_URL_BYTES_MAX];
	struct view url = view_of(send->base_url != NULL
				      ? send->base_url
				      : send->config->ingress.public_url);

	if (url.len == 0)
		return tool_usage(send->tool,
		    "--url, or ingress.public_url in the configuration");
	if ((!view_starts(url, VIEW("http://")) &&
		!view_starts(url, VIEW("https://"))) ||
	    url.len >= sizeof(base) || !view_is_printable(url))
		return tool_usage(
		    send->tool, "--url: http:// or https:// and a host");
	while (url.data[url.len - 1] == '/')
		url.len--;
	snprintf(base, sizeof(base), "%.*s", VIEW_ARGS(url));
	there.ingress.public_url = base;
	binding_hook_url(&there, send->binding, &send->url);
	buffer_append(&send->url, "", 1);
	if (buffer_status(&send->url) != STATUS_OK)
		return tool_usage(send->tool, "--url: too long");
	return -1;
}

int
send_prepare(struct send *send)
{
	int exit_status = read_body(send);

	if (exit_status < 0)
		exit_status = check_values(send);
	if (exit_status < 0)
		exit_status = write_url(send);
	if (exit_status < 0)
		exit_status = read_key(send);
	if (exit_status >= 0)
		return exit_status;
	write_header(send);
	random_bytes(&send->number, sizeof(send->number));
	send->number >>= 16; /* 15 digits, and room to count on */
	return -1;
}
