/* SPDX-License-Identifier: Apache-2.0
 *
 * A grant's request for an access token, and what the vendor says to it. */
#include "vulnbus/grant.h"

#include "vulnbus/timestamp.h"

#define MARGIN_MS 60000

static http_done_f on_done;

static enum oauth2_field
field_of(const struct grant *grant)
{
	const enum oauth2_field other = grant->field == OAUTH2_CODE
					    ? OAUTH2_REFRESH_TOKEN
					    : OAUTH2_CODE;

	return grant->is_second ? other : grant->field;
}

/* No redirect is followed: http_client follows those of a GET alone. */
static enum status
send_request(struct grant *grant, struct error *err)
{
	struct buffer body;
	enum status status;

	buffer_init_secret(&body, OAUTH2_REQUEST_BYTES_MAX);
	oauth2_write_request(field_of(grant),
	    buffer_view(&grant->refresh_token), buffer_view(&grant->client),
	    &body);
	status = buffer_status(&body);
	if (status == STATUS_OK)
		status = http_client_start(grant->http,
		    &(struct http_call_options){
			.url = grant->url,
			.method = "POST",
			.content_type = "application/x-www-form-urlencoded",
			.accept = "application/json",
			.body = buffer_view(&body),
			.ca_file = grant->ca_file,
			.timeout_ms = grant->timeout_ms,
			.body_bytes_max = OAUTH2_REPLY_BYTES_MAX,
			.is_reply_secret = true,
			.on_done = on_done,
			.arg = grant,
		    },
		    &grant->call, err);
	else
		error_set(err, status, "the request is too long");
	grant->asked_at_ms = clock_steady_ms();
	buffer_clear(&body);
	return status;
}

static void
end(struct grant *grant, enum grant_outcome outcome)
{
	grant->outcome = outcome;
	buffer_clear(&grant->client);
}

static void
take_token(struct grant *grant, const struct http_reply *reply)
{
	struct oauth2_reply given;
	struct view former = buffer_view(&grant->refresh_token);
	int64_t margin_ms;

	if (oauth2_read_reply(reply->body, &given, &grant->why) != STATUS_OK) {
		end(grant, GRANT_FAILED);
		return;
	}
	if (given.refresh_token.len > 0 &&
	    !view_equal(given.refresh_token, former)) {
		buffer_reset(&grant->refresh_token);
		buffer_append_view(&grant->refresh_token, given.refresh_token);
		grant->is_unsaved = true;
		if (grant_save(grant, &grant->unsaved_why) == STATUS_OK)
			grant->unsaved_why = (struct error){ "" };
	}
	buffer_reset(&grant->access_token);
	buffer_append_view(&grant->access_token, given.access_token);
	margin_ms = given.lifetime_ms / 10 < MARGIN_MS ? given.lifetime_ms / 10
						       : MARGIN_MS;
	grant->expires_at_ms = given.lifetime_ms == 0
				   ? INT64_MAX
				   : grant->asked_at_ms + given.lifetime_ms;
	grant->renew_at_ms = grant->expires_at_ms - margin_ms;
	grant->number++;
	grant->is_accepted = false;
	grant->field = field_of(grant);
	oauth2_reply_clear(&given);
	end(grant, GRANT_GIVEN);
}

/* To the second form, an endpoint that does not know it may say anything. */
static bool
is_refusal(const struct grant *grant, unsigned code)
{
	if (code == 400 || code == 401 || code == 403)
		return true;
	return grant->is_second && code > 403 && code < 500 && code != 408 &&
	       code != 425 && code != 429;
}

static void
take_refusal(struct grant *grant, const struct http_reply *reply)
{
	const char *word = oauth2_error(reply->body);
	enum status status;

	error_set(&grant->why, STATUS_UNPROVED, "HTTP %u%s%s", reply->code,
	    word[0] == '\0' ? "" : ", ", word);
	if (!grant->is_second && reply->code != 403) {
		grant->is_second = true;
		status = send_request(grant, &grant->why);
	} else if (grant_has_file_changed(grant)) {
		grant->is_second = false;
		status = grant_read(grant, &grant->why);
		if (status == STATUS_OK)
			status = send_request(grant, &grant->why);
	} else {
		buffer_clear(&grant->access_token);
		end(grant, GRANT_REFUSED);
		return;
	}
	if (status != STATUS_OK)
		end(grant, GRANT_FAILED);
}

static void
on_done(struct http_call *call, const struct http_reply *reply, void *arg)
{
	struct grant *grant = arg;
	int64_t wait_ms;

	(void)call;
	grant->call = NULL;
	if (reply->code == 200 && !reply->is_truncated) {
		take_token(grant, reply);
		return;
	}
	if (is_refusal(grant, reply->code)) {
		take_refusal(grant, reply);
		return;
	}
	if (reply->is_truncated)
		error_set(
		    &grant->why, STATUS_UNAVAILABLE, "the reply is too long");
	else if (reply->error != NULL)
		error_set(&grant->why, STATUS_UNAVAILABLE, "%s", reply->error);
	else
		error_set(
		    &grant->why, STATUS_UNAVAILABLE, "HTTP %u", reply->code);
	if (retry_after_parse(reply->retry_after, clock_wall_ms(), &wait_ms) ==
	    STATUS_OK)
		grant->retry_after_ms = wait_ms;
	end(grant, GRANT_FAILED);
}

static enum status
read_client(
    struct grant *grant, const struct binding *binding, struct error *err)
{
	const struct config_source *source = binding->config;
	struct buffer secret;
	enum status status = STATUS_OK;

	buffer_init_secret(&secret, OAUTH2_TOKEN_BYTES_MAX);
	if (source->api_oauth2.client_secret.raw != NULL)
		status = secret_read(
		    &source->api_oauth2.client_secret, &secret, err);
	buffer_reset(&grant->client);
	oauth2_write_client(view_of(source->api_oauth2.client_id),
	    buffer_view(&secret), &grant->client);
	if (status == STATUS_OK && buffer_status(&grant->client) != STATUS_OK)
		status = error_set(err, STATUS_TOO_LARGE, "too long");
	if (status != STATUS_OK)
		error_add(err, status, "api_oauth2.client_secret");
	buffer_clear(&secret);
	return status;
}

enum status
grant_ask(struct grant *grant, const struct binding *binding,
    struct http_client *http, struct error *err)
{
	enum status status = grant_use(grant, binding, err);

	grant->outcome = GRANT_UNASKED;
	grant->retry_after_ms = 0;
	grant->is_second = false;
	grant->http = http;
	grant->timeout_ms = binding->config->api.timeout_ms;
	if (status == STATUS_OK)
		status = read_client(grant, binding, err);
	if (status == STATUS_OK)
		status = grant_read(grant, err);
	if (status == STATUS_OK)
		status = send_request(grant, err);
	if (status == STATUS_OK)
		return STATUS_OK;
	buffer_clear(&grant->client);
	return STATUS_UNAVAILABLE;
}
