/* SPDX-License-Identifier: Apache-2.0 */
#include "vulnbus/tool_vendor.h"

#include <stdio.h>
#include <sysexits.h>

#include "vulnbus/credential.h"
#include "vulnbus/http_client.h"

#define POLL_MS 100

int
vendor_find(const struct tool *tool, const struct config *config,
    const char *name, struct vendor *out_vendor)
{
	struct vendor vendor = { .tool = tool };
	struct error err;

	if (bindings_open(config, &vendor.bindings, &err) != STATUS_OK)
		return tool_fail(tool, EX_CONFIG, "%s", err.text);
	vendor.binding = bindings_find(&vendor.bindings, view_of(name));
	if (vendor.binding == NULL) {
		bindings_close(&vendor.bindings);
		return tool_fail(
		    tool, EX_CONFIG, "no source is called %s", name);
	}
	grant_init(&vendor.grant);
	trace_begin(&vendor.trace);
	*out_vendor = vendor;
	return -1;
}

void
vendor_close(struct vendor *vendor)
{
	grant_clear(&vendor->grant);
	bindings_close(&vendor->bindings);
}

void
vendor_id(const struct json_value *object, char *out, size_t size)
{
	const struct json_value *id = json_member(object, "id");
	const struct view text = json_text(id);

	out[0] = '\0';
	if (json_type_of(id) == JSON_TYPE_INT)
		snprintf(out, size, "%lld", (long long)json_int(id, 0));
	else if (text.len < size && view_is_printable(text))
		snprintf(out, size, "%.*s", VIEW_ARGS(text));
}

static enum status
ask_for_token(struct vendor *vendor, struct error *err)
{
	struct grant *grant = &vendor->grant;
	struct http_client *http = NULL;
	enum status status = http_client_open(&http, err);

	if (status == STATUS_OK)
		status = grant_ask(grant, vendor->binding, http, err);
	while (status == STATUS_OK && grant_is_asking(grant))
		http_client_poll(http, -1, POLL_MS);
	http_client_close(&http);
	if (status == STATUS_OK && grant->outcome != GRANT_GIVEN)
		status = error_set(
		    err, STATUS_UNAVAILABLE, "%s", grant->why.text);
	if (status != STATUS_OK)
		return error_add(err, status, "no access token");
	if (grant->is_unsaved)
		tool_fail(vendor->tool, EX_OK,
		    "the new refresh token is lost, it is not written: %s",
		    grant->unsaved_why.text);
	return STATUS_OK;
}

/* The token is sent to the configured host alone. */
enum status
vendor_call(struct vendor *vendor, const char *method, const char *url,
    struct view body, struct buffer *out_reply, unsigned *out_code,
    struct error *err)
{
	const struct config_source *source = vendor->binding->config;
	char trace[TRACE_HEADER_BYTES];
	struct buffer authorization;
	enum status status = STATUS_OK;

	buffer_init_secret(&authorization, CREDENTIAL_BYTES_MAX);
	trace_call(&vendor->trace, trace);
	if (source->api_oauth2.refresh_token_file != NULL &&
	    !grant_is_usable(&vendor->grant, true))
		status = ask_for_token(vendor, err);
	if (status == STATUS_OK)
		status = credential_write(vendor->binding,
		    buffer_view(&vendor->grant.access_token), &authorization,
		    err);
	if (status == STATUS_OK)
		status = http_fetch(
		    &(struct http_call_options){
			.url = url,
			.method = method,
			.authorization = authorization.data,
			.extra_header = trace,
			.content_type = body.len > 0 ? "application/json"
						     : NULL,
			.body = body,
			.ca_file = source->ca_file,
			.timeout_ms = source->api.timeout_ms,
			.body_bytes_max = VENDOR_REPLY_BYTES_MAX,
		    },
		    out_reply, out_code, err);
	buffer_clear(&authorization);
	return status;
}
