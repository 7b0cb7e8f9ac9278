/* SPDX-License-Identifier: Apache-2.0
 *
 * The life of one webhook: accept -> authenticate -> normalise -> encode ->
 * produce, and the answer once Kafka has said that the event is safe. The one
 * place where the ingress' stages meet. */
#include "vulnbus/webhook.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vulnbus/accept.h"
#include "vulnbus/log.h"
#include "vulnbus/metrics.h"
#include "vulnbus/normalise.h"

/* One webhook from its headers to its answer. Held by whoever may still
 * answer it: the handler, each record under way, a wait for a key. */
struct webhook {
	struct deadline deadline;
	struct webhooks *webhooks;
	struct site *site;
	const struct binding *binding;
	struct http_request *request; /* gone once answered */
	int64_t started_us;
	int64_t received_ms;
	atomic_int holders;
	atomic_bool is_answered;
	atomic_int records_pending;
	atomic_bool has_failed;
	struct buffer token;
	char peer[PEER_TEXT_BYTES];
	char trace[TRACEPARENT_BYTES + 1];
};

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
webhook_release(struct webhook *webhook)
{
	if (atomic_fetch_sub(&webhook->holders, 1) != 1)
		return;
	/* Never the last holder: the main thread keeps sites until they are
	 * idle, so that none is closed on a thread of its own. */
	site_release(webhook->site);
	buffer_clear(&webhook->token);
	free(webhook);
}

static uint32_t
retry_after_s(const struct config *config, unsigned code)
{
	if (code == 429)
		return 60;
	return code == 503 ? (config->ingress.retry_after_ms + 999) / 1000 : 0;
}

static void
count_answer(const char *source, unsigned code, int64_t started_us)
{
	char text[8];

	snprintf(text, sizeof(text), "%u", code);
	metric_add(METRIC_WEBHOOKS, source, text, 1);
	metric_answer_time(clock_steady_us() - started_us);
}

/* Whoever comes first answers; the others find it done. */
static void
webhook_answer(struct webhook *webhook, unsigned code, const char *why)
{
	const char *source = webhook->binding->config->name;

	if (atomic_exchange(&webhook->is_answered, true))
		return;
	if (deadlines_remove(webhook->webhooks->deadlines, &webhook->deadline))
		webhook_release(webhook);
	count_answer(source, code, webhook->started_us);
	if (code == 202)
		LOG_DEBUG("accepted", LOG_TEXT("source", source));
	else
		LOG_INFO("refused", LOG_TEXT("source", source),
		    LOG_INT("http.response.status_code", code),
		    LOG_TEXT("client.ip", webhook->peer),
		    LOG_TEXT("reason", why));
	http_request_answer(webhook->request,
	    &(struct http_answer){ .code = code,
		.retry_after_s = retry_after_s(webhook->site->config, code) });
	atomic_fetch_sub(&webhook->webhooks->unanswered, 1);
}

void
webhook_on_expired(struct deadline *deadline, void *arg)
{
	struct webhook *webhook = (struct webhook *)(void *)deadline;

	(void)arg;
	webhook_answer(webhook, 503, "not safe within answer_within");
	webhook_release(webhook);
}

/* The last record decides: 202 only if Kafka has acknowledged all of them. */
static void
settle(struct webhook *webhook, const char *why)
{
	const char *source = webhook->binding->config->name;

	if (why != NULL) {
		atomic_store(&webhook->has_failed, true);
		metric_add(METRIC_EVENTS_FAILED, source, NULL, 1);
	}
	if (atomic_fetch_sub(&webhook->records_pending, 1) != 1)
		return;
	if (atomic_load(&webhook->has_failed))
		webhook_answer(webhook, 503, why == NULL ? "not safe" : why);
	else
		webhook_answer(webhook, 202, NULL);
}

void
webhook_on_delivery(
    void *record_arg, const char *why, int64_t offset, void *arg)
{
	struct webhook *webhook = record_arg;

	(void)offset;
	(void)arg;
	if (why == NULL)
		metric_add(METRIC_EVENTS_DELIVERED,
		    webhook->binding->config->name, NULL, 1);
	settle(webhook, why);
	webhook_release(webhook);
}

static enum status
send_event(struct webhook *webhook, struct event *event, enum status normalised,
    const char *reason, struct error *err)
{
	const struct encoding *encoding = &webhook->webhooks->encoding;
	const struct view base_url = view_of(webhook->binding->base_url);
	const struct view trace = view_of(webhook->trace);
	struct encoded encoded;
	enum status status;

	encoded_init(&encoded);
	if (normalised == STATUS_OK)
		status = encode_event(
		    encoding, event, base_url, trace, &encoded, err);
	else
		status = encode_dead_letter(encoding, event,
		    &(struct encode_failure){
			.reason = reason, .stage = "normalise", .attempts = 1 },
		    base_url, trace, webhook->received_ms, &encoded, err);
	if (status == STATUS_OK) {
		atomic_fetch_add(&webhook->holders, 1);
		atomic_fetch_add(&webhook->records_pending, 1);
		status = produce_send(
		    webhook->webhooks->produce, &encoded.record, webhook, err);
		if (status != STATUS_OK) {
			atomic_fetch_sub(&webhook->records_pending, 1);
			webhook_release(webhook);
		}
	}
	encoded_clear(&encoded);
	return status;
}

/* One notification may hold several events; all of them or none. */
static enum status
send_events(struct webhook *webhook, const struct json_value *document,
    struct error *err)
{
	enum status status = STATUS_OK;

	for (size_t i = 0; status == STATUS_OK; i++) {
		struct event event;
		struct error why = { "" }; /* apart: a dead letter quotes it */
		enum status normalised;

		event_init(&event);
		normalised = normalise(webhook->binding, document, i,
		    "jws-es512", webhook->received_ms, &event, &why);
		if (normalised == STATUS_OK || normalised == STATUS_UNKNOWN) {
			status = send_event(
			    webhook, &event, normalised, why.text, err);
		} else {
			status = normalised;
			*err = why;
		}
		event_clear(&event);
	}
	return status == STATUS_END ? STATUS_OK : status;
}

/* The whole of it for what is proved. records_pending starts at one, which is
 * ours, so that early reports do not answer before the last event is out. */
static void
handle_proved(struct webhook *webhook, const struct proved *proved)
{
	struct error err = { "not JSON" };
	enum status status = STATUS_INVALID;

	atomic_store(&webhook->records_pending, 1);
	if (proved->claims != NULL)
		status = send_events(webhook, json_root(proved->claims), &err);
	if (status == STATUS_OK)
		settle(webhook, NULL);
	else
		webhook_answer(webhook, status_http(status), err.text);
}

static void
on_key_ready(void *arg);

static void
handle_refused(struct webhook *webhook, enum status status,
    bool is_bad_signature, bool may_wait, const char *why)
{
	struct webhooks *webhooks = webhook->webhooks;
	struct site *site = webhook->site;

	if (may_wait && (is_bad_signature || status == STATUS_UNAVAILABLE)) {
		atomic_fetch_add(&webhook->holders, 1);
		if (!atomic_load(&webhooks->is_draining) &&
		    keyring_wait(
			site->keyring, webhook->binding, on_key_ready, webhook))
			return;
		webhook_release(webhook);
	}
	if (status == STATUS_UNPROVED) {
		metric_add(METRIC_BAD_SIGNATURES,
		    webhook->binding->config->name, NULL, 1);
		offenders_note(site->offenders, webhook->binding->config->name,
		    view_of(webhook->peer), clock_steady_ms());
	}
	webhook_answer(webhook, status_http(status), why);
}

static void
handle(struct webhook *webhook, bool may_wait)
{
	struct error err = { "" };
	struct proved proved;
	bool is_bad_signature;
	enum status status;

	proved_init(&proved);
	status = authenticate(webhook->site->keyring, webhook->binding,
	    buffer_view(&webhook->token), webhook->received_ms, &proved,
	    &is_bad_signature, &err);
	if (status == STATUS_OK)
		handle_proved(webhook, &proved);
	else
		handle_refused(
		    webhook, status, is_bad_signature, may_wait, err.text);
	proved_clear(&proved);
}

static void
on_key_ready(void *arg)
{
	struct webhook *webhook = arg;
	struct webhooks *webhooks = webhook->webhooks;

	atomic_fetch_add(&webhooks->handling, 1);
	if (atomic_load(&webhooks->is_draining))
		webhook_answer(webhook, 503, "draining");
	else if (!atomic_load(&webhook->is_answered))
		handle(webhook, false);
	webhook_release(webhook);
	atomic_fetch_sub(&webhooks->handling, 1);
}

static struct webhook *
webhook_new(struct webhooks *webhooks, struct site *site,
    const struct binding *binding, struct http_request *request)
{
	struct webhook *webhook = calloc(1, sizeof(*webhook));
	size_t count;

	if (webhook == NULL)
		return NULL;
	webhook->webhooks = webhooks;
	webhook->site = site_hold(site);
	webhook->binding = binding;
	webhook->request = request;
	webhook->started_us = http_request_started_us(request);
	webhook->received_ms = clock_wall_ms();
	/* Ours and the deadline's. */
	atomic_init(&webhook->holders, 2);
	buffer_init(&webhook->token, JWS_BYTES_MAX + 1);
	accept_peer(&site->config->ingress.trusted_proxies,
	    http_request_peer(request),
	    http_request_header(request, "X-Forwarded-For", &count),
	    webhook->peer);
	trace_continue(http_request_header(request, "traceparent", &count),
	    webhook->trace);
	atomic_fetch_add(&webhooks->unanswered, 1);
	return webhook;
}

static void
check_hint(const struct binding *binding, struct http_request *request)
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
	    LOG_TEXT("source", source));
}

void
webhook_refuse(struct http_request *request, const struct config *config,
    const char *source, unsigned code)
{
	count_answer(source, code, http_request_started_us(request));
	http_request_answer(
	    request, &(struct http_answer){ .code = code,
			 .allow = code == 405 ? "POST" : NULL,
			 .retry_after_s = retry_after_s(config, code) });
}

/* What needs no waiting, in the order of the contract; then the request is
 * suspended, so that whoever is done first may answer it. */
static void
take(struct webhooks *webhooks, struct site *site,
    const struct binding *binding, struct http_request *request)
{
	const char *source = binding->config->name;
	const struct source_authentication *how =
	    &binding->contract->authentication;
	struct webhook *webhook = NULL;
	struct view token = VIEW("");
	struct error err;
	enum status status;
	struct view header;
	size_t count;

	/* Not suspended any more: the port is about to close. */
	if (!atomic_load(&webhooks->is_draining))
		webhook = webhook_new(webhooks, site, binding, request);
	if (webhook == NULL) {
		webhook_refuse(request, site->config, source, 503);
		return;
	}
	http_request_suspend(request);
	header = http_request_header(request, how->header, &count);
	check_hint(binding, request);
	status = authenticate_token(how, header, count, &token, &err);
	buffer_append_view(&webhook->token, token);
	deadlines_add(webhooks->deadlines, &webhook->deadline);
	if (offenders_is_blocked(site->offenders, source,
		view_of(webhook->peer), clock_steady_ms()))
		webhook_answer(webhook, 429, "too many bad signatures");
	else if (status == STATUS_OK &&
		 buffer_status(&webhook->token) != STATUS_OK)
		handle_refused(
		    webhook, STATUS_UNPROVED, false, false, "token: too long");
	else if (status != STATUS_OK)
		handle_refused(webhook, status, false, false, err.text);
	else
		handle(webhook, true);
	webhook_release(webhook);
}

/* Counted before is_draining is looked at: a drain that sees nobody in here
 * is seen by all who come later. */
void
webhook_take(struct webhooks *webhooks, struct site *site,
    const struct binding *binding, struct http_request *request)
{
	atomic_fetch_add(&webhooks->handling, 1);
	take(webhooks, site, binding, request);
	atomic_fetch_sub(&webhooks->handling, 1);
}
