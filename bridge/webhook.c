/* SPDX-License-Identifier: Apache-2.0
 *
 * The life of one webhook: accept -> authenticate -> normalise -> encode ->
 * produce, and the answer once the event is safe. The one place where the
 * ingress' stages meet. */
#include "vulnbus/webhook.h"

#include <stddef.h>
#include <stdlib.h>

#include "vulnbus/accept.h"
#include "vulnbus/answer.h"
#include "vulnbus/log.h"
#include "vulnbus/metrics.h"
#include "vulnbus/normalise.h"

/* One webhook from its headers to its answer. Held by whoever may still
 * answer it: the handler, each record under way, a wait for a key. */
struct webhook {
	struct deadline deadline;
	struct deadline patience; /* with Kafka: the spool needs its time too */
	struct webhooks *webhooks;
	struct site *site;
	const struct binding *binding;
	struct http_request *request; /* gone once answered */
	int64_t received_ms;
	atomic_int holders;
	atomic_bool is_answered;
	struct delivery *delivery; /* held */
	struct buffer token;
	char peer[PEER_TEXT_BYTES];
	struct trace trace;
};

static void
webhook_release(struct webhook *webhook)
{
	if (atomic_fetch_sub(&webhook->holders, 1) != 1)
		return;
	/* Never the last holder: the main thread keeps sites until they are
	 * idle, so that none is closed on a thread of its own. */
	site_release(webhook->site);
	delivery_release(webhook->delivery);
	buffer_clear(&webhook->token);
	free(webhook);
}

/* Each holds the webhook while it runs. */
static void
start_clocks(struct webhook *webhook)
{
	struct webhooks *webhooks = webhook->webhooks;

	atomic_fetch_add(&webhook->holders, 1);
	deadlines_add(webhooks->deadlines, &webhook->deadline);
	if (webhooks->patience == NULL)
		return;
	atomic_fetch_add(&webhook->holders, 1);
	deadlines_add(webhooks->patience, &webhook->patience);
}

static void
stop_clocks(struct webhook *webhook)
{
	struct webhooks *webhooks = webhook->webhooks;

	if (deadlines_remove(webhooks->deadlines, &webhook->deadline))
		webhook_release(webhook);
	if (webhooks->patience != NULL &&
	    deadlines_remove(webhooks->patience, &webhook->patience))
		webhook_release(webhook);
}

/* Whoever comes first answers; the others find it done. */
static void
webhook_answer(struct webhook *webhook, unsigned code, const char *why)
{
	const char *source = webhook->binding->config->name;

	if (atomic_exchange(&webhook->is_answered, true))
		return;
	stop_clocks(webhook);
	if (code == 202)
		LOG_DEBUG("accepted", LOG_TEXT("source", source),
		    LOG_TRACE(&webhook->trace));
	else
		LOG_INFO("refused", LOG_TEXT("source", source),
		    LOG_TRACE(&webhook->trace),
		    LOG_INT("http.response.status_code", code),
		    LOG_TEXT("client.ip", webhook->peer),
		    LOG_TEXT("reason", why));
	answer(webhook->request, webhook->site->config, source, code, why);
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

void
webhook_on_patience_ended(struct deadline *patience, void *arg)
{
	struct webhooks *webhooks = arg;
	struct webhook *webhook =
	    (struct webhook *)(void *)((char *)patience -
				       offsetof(struct webhook, patience));

	atomic_fetch_add(&webhooks->handling, 1);
	if (!atomic_load(&webhooks->is_closing))
		delivery_hurry(webhook->delivery);
	atomic_fetch_sub(&webhooks->handling, 1);
	webhook_release(webhook);
}

/* delivery_end_f: 202 only if every record is safe. */
static void
on_delivery_ended(void *owner, enum status status, const char *why)
{
	struct webhook *webhook = owner;

	metric_add(status == STATUS_OK ? METRIC_EVENTS_DELIVERED
				       : METRIC_EVENTS_FAILED,
	    webhook->binding->config->name, NULL, 1);
	webhook_answer(webhook, status_http(status), why);
	webhook_release(webhook);
}

static enum status
send_event(struct webhook *webhook, struct event *event, enum status normalised,
    const char *reason, struct error *err)
{
	const struct encoding *encoding = &webhook->webhooks->encoding;
	const struct encode_failure failure = {
		.reason = reason, .stage = "normalise", .attempts = 1
	};
	const struct view url = view_of(webhook->binding->base_url);
	struct encoded encoded;
	enum status status;

	encoded_init(&encoded);
	if (normalised == STATUS_OK)
		status = encode_event(
		    encoding, event, url, &webhook->trace, &encoded, err);
	else
		status = encode_dead_letter(encoding, event, &failure, url,
		    &webhook->trace, webhook->received_ms, &encoded, err);
	if (status == STATUS_OK)
		status = delivery_add(webhook->delivery, &encoded.record, err);
	if (status == STATUS_OK && normalised != STATUS_OK)
		metric_add(METRIC_DEAD_LETTERS, webhook->binding->config->name,
		    failure.stage, 1);
	encoded_clear(&encoded);
	return status;
}

/* A notification may hold several events: all of them or none. */
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
		    authenticate_proof(webhook->binding), webhook->received_ms,
		    &event, &why);
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

/* The whole of it for what is proved. */
static void
handle_proved(struct webhook *webhook, const struct proved *proved)
{
	struct error err = { "not JSON" };
	enum status status = STATUS_INVALID;

	if (proved->claims != NULL)
		status = send_events(webhook, json_root(proved->claims), &err);
	if (status != STATUS_OK) {
		webhook_answer(webhook, status_http(status), err.text);
		return;
	}
	atomic_fetch_add(&webhook->holders, 1); /* on_delivery_ended's */
	delivery_seal(webhook->delivery);
}

static void
on_key_ready(void *arg);

static void
handle_refused(struct webhook *webhook, enum status status,
    bool is_bad_signature, bool may_wait, const char *why)
{
	struct site *site = webhook->site;

	if (may_wait && (is_bad_signature || status == STATUS_UNAVAILABLE)) {
		atomic_fetch_add(&webhook->holders, 1);
		if (!atomic_load(&webhook->webhooks->is_draining) &&
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

static bool
is_blocked(const struct webhook *webhook)
{
	return offenders_is_blocked(webhook->site->offenders,
	    webhook->binding->config->name, view_of(webhook->peer),
	    clock_steady_ms());
}

/* The path was the proof, with a secret in a header perhaps. The request is
 * read before the deadline may answer and so end it; the document has texts of
 * its own. */
static void
handle_body(struct webhook *webhook)
{
	const char *name =
	    webhook->binding->contract->authentication.app_secret;
	struct error err = { "" };
	struct proved proved;
	enum status status;
	size_t count;
	const struct view header = http_request_header(
	    webhook->request, name, &count);

	proved_init(&proved);
	status = authenticate_app_secret(webhook->binding, header, count, &err);
	if (status == STATUS_OK)
		status = authenticate_body(
		    http_request_body(webhook->request), &proved, &err);
	start_clocks(webhook);
	if (is_blocked(webhook))
		webhook_answer(webhook, 429, "too many bad signatures");
	else if (status == STATUS_OK)
		handle_proved(webhook, &proved);
	else
		handle_refused(webhook, status, false, false, err.text);
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
    const struct binding *binding, struct http_request *request,
    const struct trace *trace)
{
	struct webhook *webhook = calloc(1, sizeof(*webhook));

	if (webhook != NULL)
		webhook->delivery = delivery_new(
		    &webhooks->deliveries, on_delivery_ended, webhook);
	if (webhook == NULL || webhook->delivery == NULL) {
		free(webhook);
		return NULL;
	}
	webhook->webhooks = webhooks;
	webhook->site = site_hold(site);
	webhook->binding = binding;
	webhook->request = request;
	webhook->received_ms = clock_wall_ms();
	atomic_init(&webhook->holders, 1);
	buffer_init(&webhook->token, JWS_BYTES_MAX);
	answer_peer(request, site->config, webhook->peer);
	webhook->trace = *trace;
	atomic_fetch_add(&webhooks->unanswered, 1);
	return webhook;
}

/* What needs no waiting, in the order of the contract. */
static void
handle_token(struct webhook *webhook)
{
	const struct source_authentication *how =
	    &webhook->binding->contract->authentication;
	struct view token = VIEW("");
	struct error err;
	size_t count;
	const struct view header = http_request_header(
	    webhook->request, how->header, &count);
	enum status status = authenticate_token(
	    how, header, count, &token, &err);

	buffer_append_view(&webhook->token, token);
	start_clocks(webhook);
	if (is_blocked(webhook))
		webhook_answer(webhook, 429, "too many bad signatures");
	else if (status != STATUS_OK)
		handle_refused(webhook, status, false, false, err.text);
	else
		handle(webhook, true);
}

/* The request is suspended, so that whoever is done first may answer it. */
static void
take(struct webhooks *webhooks, struct site *site,
    const struct binding *binding, struct http_request *request,
    const struct trace *trace)
{
	/* Not suspended any more: the port is about to close. */
	struct webhook *webhook = atomic_load(&webhooks->is_draining)
				      ? NULL
				      : webhook_new(webhooks, site, binding,
					    request, trace);

	if (webhook == NULL) {
		answer(request, site->config, binding->config->name, 503,
		    "draining, or no memory");
		return;
	}
	http_request_suspend(request);
	if (binding->contract->authentication.proof == SOURCE_PROOF_SECRET_PATH)
		handle_body(webhook);
	else
		handle_token(webhook);
	webhook_release(webhook);
}

/* Counted before is_draining is looked at: a drain that sees nobody in here
 * is seen by all who come later. */
void
webhook_take(struct webhooks *webhooks, struct site *site,
    const struct binding *binding, struct http_request *request,
    const struct trace *trace)
{
	atomic_fetch_add(&webhooks->handling, 1);
	take(webhooks, site, binding, request, trace);
	atomic_fetch_sub(&webhooks->handling, 1);
}
