/* SPDX-License-Identifier: Apache-2.0 */
#include "vulnbus/admin.h"

#include <string.h>

#include "vulnbus/metrics.h"
#include "vulnbus/process.h"
#include "vulnbus/version.h"

/* status_page.html, made into a text by the build. */
extern const char status_page[];

#define METRICS_BYTES_MAX (16u << 20)

static void
answer_text(struct http_request *request, unsigned code, const char *type,
    struct view body)
{
	http_request_answer(
	    request, &(struct http_answer){
			 .code = code, .content_type = type, .body = body });
}

static void
answer_metrics(struct http_request *request, bool is_ready)
{
	struct buffer text;

	buffer_init(&text, METRICS_BYTES_MAX);
	metric_set(METRIC_READY, NULL, NULL, is_ready);
	process_measure();
	metrics_print(&text);
	if (buffer_status(&text) == STATUS_OK)
		answer_text(request, 200, "text/plain; version=0.0.4",
		    buffer_view(&text));
	else
		answer_text(request, 503, NULL, VIEW(""));
	buffer_clear(&text);
}

static void
answer_overview(struct http_request *request, struct admin *admin)
{
	struct buffer text;

	buffer_init(&text, OVERVIEW_BYTES_MAX);
	overview_print(admin->overview, admin->is_ready(admin->arg), &text);
	if (buffer_status(&text) == STATUS_OK)
		answer_text(
		    request, 200, "application/json", buffer_view(&text));
	else
		answer_text(request, 503, NULL, VIEW(""));
	buffer_clear(&text);
}

static void
on_request(struct http_request *request, void *arg)
{
	struct admin *admin = arg;
	const struct view path = http_request_path(request);
	const bool is_ready = admin->is_ready(admin->arg);

	if (strcmp(http_request_method(request), "GET") != 0 &&
	    strcmp(http_request_method(request), "HEAD") != 0)
		http_request_answer(request,
		    &(struct http_answer){ .code = 405, .allow = "GET" });
	else if (view_is(path, "/healthz"))
		answer_text(request, 200, "text/plain", VIEW("ok\n"));
	else if (view_is(path, "/readyz"))
		answer_text(request, is_ready ? 200 : 503, "text/plain",
		    is_ready ? VIEW("ready\n") : VIEW("not ready\n"));
	else if (view_is(path, "/metrics"))
		answer_metrics(request, is_ready);
	else if (view_is(path, "/overview.json"))
		answer_overview(request, admin);
	else if (view_is(path, "/"))
		answer_text(request, 200, "text/html; charset=utf-8",
		    view_of(status_page));
	else
		answer_text(request, 404, NULL, VIEW(""));
}

enum status
admin_open(struct admin *admin, const char *listen, struct error *err)
{
	const struct http_server_options options = {
		.name = "admin",
		.listen = listen,
		.threads = 1,
		.idle_timeout_ms = 30000,
		.connections_max = 64,
		.headers_bytes_max = 16384,
		.body_bytes_max = 4096,
		.on_request = on_request,
		.arg = admin,
	};

	return http_server_open(&options, &admin->server, err);
}

void
admin_close(struct admin *admin)
{
	http_server_close(&admin->server);
}
