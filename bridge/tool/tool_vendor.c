/* SPDX-License-Identifier: Apache-2.0 */
#include "vulnbus/tool_vendor.h"

#include <stdio.h>
#include <sysexits.h>

#include "vulnbus/credential.h"
#include "vulnbus/http_client.h"

int
vendor_find(const struct tool *tool, const struct config *config,
    const char *name, struct bindings *out_bindings,
    const struct binding **out_binding)
{
	struct error err;

	if (bindings_open(config, out_bindings, &err) != STATUS_OK)
		return tool_fail(tool, EX_CONFIG, "%s", err.text);
	*out_binding = bindings_find(out_bindings, view_of(name));
	if (*out_binding != NULL)
		return -1;
	bindings_close(out_bindings);
	return tool_fail(tool, EX_CONFIG, "no source is called %s", name);
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

/* The token is sent to the configured host alone. */
enum status
vendor_call(const struct binding *binding, const char *method, const char *url,
    struct view body, struct buffer *out_reply, unsigned *out_code,
    struct error *err)
{
	const struct config_source *source = binding->config;
	struct buffer authorization;
	enum status status;

	buffer_init(&authorization, CREDENTIAL_BYTES_MAX);
	status = credential_write(binding, &authorization, err);
	if (status == STATUS_OK)
		status = http_fetch(
		    &(struct http_call_options){
			.url = url,
			.method = method,
			.authorization = authorization.data,
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
