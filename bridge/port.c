/* SPDX-License-Identifier: Apache-2.0
 *
 * The public port: webhooks and connector documents, nothing else. */
#include "vulnbus/port.h"

#include <string.h>
#include <strings.h>

#include "vulnbus/accept.h"
#include "vulnbus/answer.h"
#include "vulnbus/authenticate.h"
#include "vulnbus/log.h"
#include "vulnbus/metrics.h"

struct site *
webhooks_site(struct webhooks *webhooks)
{
	struct site *site;

	pthread_mutex_lock(&webhooks->lock);
	site = site_hold(webhooks->site);
	pthread_mutex_unlock(&webhooks->lock);
	return site;
}

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

static bool
is_word(struct view text, struct view word)
{
	return text.len == word.len &&
	       strncasecmp(text.data, word.data, word.len) == 0;
}

/* "application/json", "application/cloudevents+json; charset=utf-8", or
 * nothing: not every vendor says what it sends. */
static bool
is_json(const struct http_request *request)
{
	size_t count;
	struct view type = http_request_header(request, "Content-Type", &count);
	const struct view suffix = VIEW("+json");

	type = view_trim(view_cut(&type, ';'));
	if (count > 1)
		return false;
	if (type.len == 0 || is_word(type, VIEW("application/json")))
		return true;
	return type.len > suffix.len && memchr(type.data, '/', type.len) &&
	       is_word((struct view){ type.data + type.len - suffix.len,
			   suffix.len },
		   suffix);
}

static bool
is_plain(const struct http_request *request)
{
	size_t count;
	const struct view coding = view_trim(
	    http_request_header(request, "Content-Encoding", &count));

	return count <= 1 &&
	       (coding.len == 0 || is_word(coding, VIEW("identity")));
}

/* The body of a source that signs is not kept: "The request body can be
 * entirely discarded as it brings no additional value" (Using VDR Webhooks).
 * That of any other is the document. */
static void
choose_body(const struct binding *binding, const struct config *config,
    struct http_request *request)
{
	if (binding->contract->authentication.proof != SOURCE_PROOF_SECRET_PATH)
		http_request_discard_body(request);
	else if (!is_json(request) || !is_plain(request))
		answer(request, config, binding->config->name, 415,
		    "not JSON, or encoded");
}

/* Whom the source does not expect is told what a stranger is told. */
static enum accept_route
route_of(const struct site *site, const struct http_request *request,
    const struct binding **out_binding)
{
	const enum accept_route route = accept_route(site->config,
	    &site->bindings, http_request_path(request), out_binding);
	char peer[PEER_TEXT_BYTES] = "";

	if (route == ACCEPT_NOTHING)
		return route;
	if ((*out_binding)->config->hook.allow_from.count > 0)
		answer_peer(request, site->config, peer);
	if (accept_is_expected(
		*out_binding, peer, http_request_subject(request)))
		return route;
	/* Counted, not logged: it has to take no longer than a stranger's. */
	metric_add(
	    METRIC_UNEXPECTED_PEERS, (*out_binding)->config->name, NULL, 1);
	return ACCEPT_NOTHING;
}

/* Before the body is read: source and secret, then the method. */
void
port_on_headers(struct http_request *request, void *arg)
{
	struct webhooks *webhooks = arg;
	struct site *site = webhooks_site(webhooks);
	const char *method = http_request_method(request);
	const struct binding *binding = NULL;
	const enum accept_route route = route_of(site, request, &binding);

	if (route == ACCEPT_NOTHING)
		answer(request, site->config, "", 404, "");
	else if (route == ACCEPT_HOOK && strcmp(method, "POST") != 0)
		answer(request, site->config, binding->config->name, 405,
		    "not POST");
	else if (route == ACCEPT_HOOK)
		choose_body(binding, site->config, request);
	else if (strcmp(method, "GET") != 0)
		http_request_answer(request,
		    &(struct http_answer){ .code = 405, .allow = "GET" });
	if (route != ACCEPT_HOOK)
		http_request_discard_body(request);
	site_release(site);
}

/* What disagrees is counted and logged, never refused, never followed. */
static void
check_hint(const struct binding *binding, struct http_request *request,
    const struct trace *trace)
{
	const char *name = binding->contract->authentication.hint;
	const char *source = binding->config->name;
	size_t count = 0;
	struct view hint;

	if (name == NULL)
		return;
	hint = http_request_header(request, name, &count);
	if (count == 0 || authenticate_hint_agrees(binding, hint))
		return;
	metric_add(METRIC_HINT_MISMATCHES, source, NULL, 1);
	LOG_INFO("X-Signature names another algorithm or key",
	    LOG_TEXT("source", source), LOG_TRACE(trace));
}

static void
take_webhook(struct webhooks *webhooks, struct site *site,
    const struct binding *binding, struct http_request *request)
{
	struct trace trace;

	http_request_trace(request, &trace);
	check_hint(binding, request, &trace);
	webhook_take(webhooks, site, binding, request, &trace);
}

void
port_on_request(struct http_request *request, void *arg)
{
	struct webhooks *webhooks = arg;
	struct site *site = webhooks_site(webhooks);
	const struct binding *binding = NULL;

	/* Asked again: a reload may have come between headers and body. */
	switch (route_of(site, request, &binding)) {
	case ACCEPT_HOOK:
		take_webhook(webhooks, site, binding, request);
		break;
	case ACCEPT_CONNECTOR:
		handle_connector(site, binding, request);
		break;
	case ACCEPT_NOTHING:
		answer(request, site->config, "", 404, "");
		break;
	}
	site_release(site);
}

/* Before anybody asked whose it is. */
void
port_on_refused(unsigned code, void *arg)
{
	(void)arg;
	answer_count("", code);
}
