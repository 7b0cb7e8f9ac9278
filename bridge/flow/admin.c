/* SPDX-License-Identifier: Apache-2.0 */
#include "vulnbus/admin.h"

#include <string.h>

#include "vulnbus/metrics.h"
#include "vulnbus/process.h"
#include "vulnbus/version.h"

#define METRICS_BYTES_MAX (4u << 20)

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
answer_overview(struct http_request *request, const struct admin *admin)
{
	struct buffer text;

	buffer_init(&text, 1024);
	buffer_print(&text,
	    "%s %s\n%s\n\n/healthz  the process lives\n"
	    "/readyz   it can take work\n/metrics  its figures\n",
	    admin->service, VULNBUS_VERSION,
	    admin->is_ready(admin->arg) ? "ready" : "not ready");
	answer_text(
	    request, 200, "text/plain; charset=utf-8", buffer_view(&text));
	buffer_clear(&text);
}

static void
on_request(struct http_request *request, void *arg)
{
	const struct admin *admin = arg;
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
	else if (view_is(path, "/"))
		answer_overview(request, admin);
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
