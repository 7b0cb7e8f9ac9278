/* SPDX-License-Identifier: Apache-2.0
 *
 * The public port: webhooks and connector documents, nothing else. */
#include "vulnbus/port.h"

#include <string.h>

#include "vulnbus/accept.h"
#include "vulnbus/log.h"

static void
handle_connector(struct site *site, const struct binding *binding,
    struct http_request *request)
{
	const char *source = binding->config->name;
	struct buffer document;
	struct error err;

	buffer_init(&document, 16384);
	if (accept_connector(site->config, binding, &document, &err) ==
	    STATUS_OK) {
		http_request_answer(
		    request, &(struct http_answer){ .code = 200,
				 .content_type = "application/json",
				 .body = buffer_view(&document) });
	} else {
		LOG_WARN("connector document not made",
		    LOG_TEXT("source", source),
		    LOG_TEXT("error.message", err.text));
		http_request_answer(
		    request, &(struct http_answer){ .code = 404 });
	}
	buffer_clear(&document);
}

/* Before the body is read: source and secret, then the method. */
void
port_on_headers(struct http_request *request, void *arg)
{
	struct webhooks *webhooks = arg;
	struct site *site = webhooks_site(webhooks);
	const char *method = http_request_method(request);
	const struct binding *binding = NULL;
	const enum accept_route route = accept_route(site->config,
	    &site->bindings, http_request_path(request), &binding);

	if (route == ACCEPT_NOTHING)
		webhook_refuse(request, site->config, "", 404);
	else if (route == ACCEPT_HOOK && strcmp(method, "POST") != 0)
		webhook_refuse(
		    request, site->config, binding->config->name, 405);
	else if (route == ACCEPT_CONNECTOR && strcmp(method, "GET") != 0)
		http_request_answer(request,
		    &(struct http_answer){ .code = 405, .allow = "GET" });
	/* "The request body can be entirely discarded as it brings no
	 * additional value" (Using VDR Webhooks). */
	http_request_discard_body(request);
	site_release(site);
}

void
port_on_request(struct http_request *request, void *arg)
{
	struct webhooks *webhooks = arg;
	struct site *site = webhooks_site(webhooks);
	const struct binding *binding = NULL;

	/* Asked again: a reload may have come between headers and body. */
	switch (accept_route(site->config, &site->bindings,
	    http_request_path(request), &binding)) {
	case ACCEPT_HOOK:
		webhook_take(webhooks, site, binding, request);
		break;
	case ACCEPT_CONNECTOR:
		handle_connector(site, binding, request);
		break;
	case ACCEPT_NOTHING:
		webhook_refuse(request, site->config, "", 404);
		break;
	}
	site_release(site);
}
