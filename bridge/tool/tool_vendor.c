/* SPDX-License-Identifier: Apache-2.0 */
#include "vulnbus/tool_vendor.h"

#include "vulnbus/credential.h"
#include "vulnbus/http_client.h"

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
