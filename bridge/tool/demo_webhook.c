/* SPDX-License-Identifier: Apache-2.0
 *
 * Webhooks as "Using VDR Webhooks" has them: the claims signed with ES512 in
 * `Authorization: Signed <jws>`, the same without the signature as the body. */
#include <stdio.h>
#include <string.h>

#include "vulnbus/http_client.h"
#include "vulnbus/timestamp.h"
#include "vulnbus/tool_body.h"
#include "vulnbus/tool_demo.h"

#define ANSWER_MS       10000
#define TOKEN_BYTES_MAX 8192

const struct demo_step demo_steps[] = {
	{ .title = "A scan of a website is done",
	    .kind = "scan",
	    .event_kind = "scan.completed",
	    .id = "39836",
	    .status = "done",
	    .asset_type = "site",
	    .asset_id = "1",
	    .attempt = 1,
	    .signed_before_s = 30,
	    .code = 202,
	    .topic = TOPIC_SCANS },
	{ .title = "A scan of a server is done",
	    .kind = "scan",
	    .event_kind = "scan.completed",
	    .id = "39837",
	    .status = "done",
	    .asset_type = "server",
	    .asset_id = "7",
	    .attempt = 1,
	    .code = 202,
	    .topic = TOPIC_SCANS },
	{ .title = "A scan has failed, at its second attempt",
	    .kind = "scan",
	    .event_kind = "scan.failed",
	    .id = "39838",
	    .status = "failed",
	    .asset_type = "site",
	    .asset_id = "1",
	    .attempt = 2,
	    .code = 202,
	    .topic = TOPIC_SCANS },
	{ .title = "The first webhook comes again: an event more, no scan more",
	    .kind = "scan",
	    .event_kind = "scan.completed",
	    .id = "39836",
	    .status = "done",
	    .asset_type = "site",
	    .asset_id = "1",
	    .attempt = 1,
	    .is_again = true,
	    .code = 202,
	    .topic = TOPIC_SCANS },
	{ .title = "Somebody forges a webhook: signed, but not by the vendor",
	    .kind = "scan",
	    .event_kind = "scan.completed",
	    .id = "66666",
	    .status = "done",
	    .asset_type = "site",
	    .asset_id = "1",
	    .attempt = 1,
	    .is_forged = true,
	    .code = 401,
	    .topic = TOPIC_SCANS },
	{ .title = "An export is done; its file takes a moment",
	    .kind = "export",
	    .event_kind = "export.completed",
	    .id = "212",
	    .status = "done",
	    .code = 202,
	    .topic = TOPIC_EXPORTS },
};

const size_t demo_step_count = sizeof(demo_steps) / sizeof(*demo_steps);

_Static_assert(sizeof(demo_steps) / sizeof(*demo_steps) <= DEMO_STEPS_MAX,
    "raise DEMO_STEPS_MAX");

struct demo_result *
demo_webhook_result(struct demo *demo, size_t index)
{
	for (size_t i = 0; demo_steps[index].is_again && i < index; i++)
		if (strcmp(demo_steps[i].kind, demo_steps[index].kind) == 0 &&
		    strcmp(demo_steps[i].id, demo_steps[index].id) == 0)
			return &demo->results[i];
	return &demo->results[index];
}

static struct view
body_of(const struct demo_step *step)
{
	const struct source_webhook *webhook =
	    source_find(DEMO_VENDOR)->webhooks;

	while (strcmp(webhook->kind, step->event_kind) != 0)
		webhook++;
	return view_of(webhook->body);
}

static enum status
write_body(const struct demo_step *step, struct buffer *out, struct error *err)
{
	struct body_values values = { .now_ms = clock_wall_ms() };
	char attempt[16];

	snprintf(attempt, sizeof(attempt), "%d", (int)step->attempt);
	body_set(&values, VIEW("id"), view_of(step->id));
	body_set(&values, VIEW("status"), view_of(step->status));
	body_set(&values, VIEW("attempt"), view_of(attempt));
	if (step->asset_id != NULL) {
		body_set(&values, VIEW("asset"), view_of(step->asset_id));
		body_set(
		    &values, VIEW("asset_type"), view_of(step->asset_type));
	}
	return body_fill(body_of(step), &values, out, err);
}

static enum status
post(struct demo *demo, const char *authorization, struct view body,
    struct demo_result *result, struct error *err)
{
	char url[3 * DEMO_TEXT_BYTES];
	struct buffer answer, hint;
	enum status status;

	buffer_init(&hint, TOKEN_BYTES_MAX);
	body_hint(&source_find(DEMO_VENDOR)->authentication, NULL, &hint);
	snprintf(url, sizeof(url), "http://%s/hooks/" DEMO_SOURCE "/%s",
	    demo->ingress.public, demo->secret);
	buffer_init(&answer, 4096);
	result->sent_us = clock_steady_us();
	status = http_fetch(
	    &(struct http_call_options){
		.url = url,
		.method = "POST",
		.authorization = authorization,
		.content_type = "application/json",
		.body = body,
		.extra_header = hint.data,
		.timeout_ms = ANSWER_MS,
		.body_bytes_max = 4096,
	    },
	    &answer, &result->code, err);
	result->answer_us = clock_steady_us() - result->sent_us;
	result->is_sent = true;
	buffer_clear(&answer);
	buffer_clear(&hint);
	return status;
}

enum status
demo_webhook_send(struct demo *demo, size_t index, struct error *err)
{
	const struct demo_step *step = &demo_steps[index];
	const struct source_authentication *how =
	    &source_find(DEMO_VENDOR)->authentication;
	struct demo_result *result = &demo->results[index];
	struct buffer body, claims, token;
	enum status status;

	snprintf(result->event_id, sizeof(result->event_id),
	    DEMO_SOURCE ":%s:%s:%lld:%s", step->kind, step->id,
	    (long long)step->attempt, step->status);
	buffer_init(&body, TOKEN_BYTES_MAX);
	buffer_init(&claims, TOKEN_BYTES_MAX);
	buffer_init(&token, TOKEN_BYTES_MAX);
	status = write_body(step, &body, err);
	body_claims(how, buffer_view(&body),
	    clock_wall_ms() - step->signed_before_s * 1000, &claims);
	if (status == STATUS_OK)
		status = body_sign(how,
		    step->is_forged ? demo->forger : demo->key,
		    buffer_view(&claims), &token, err);
	if (status == STATUS_OK)
		status = post(
		    demo, token.data, buffer_view(&body), result, err);
	buffer_clear(&body);
	buffer_clear(&claims);
	buffer_clear(&token);
	if (status != STATUS_OK)
		return error_add(err, status, "webhook");
	return STATUS_OK;
}
