/* SPDX-License-Identifier: Apache-2.0 */
#include "vulnbus/fetch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "vulnbus/credential.h"
#include "vulnbus/json.h"
#include "vulnbus/metrics.h"
#include "vulnbus/url.h"

#define URL_BYTES_MAX 8192
#define PAGE          "the file is an HTML page"

static void
next_step(struct conversation *c);

static void
end(struct conversation *c, enum fetch_outcome outcome, const char *why)
{
	c->outcome = outcome;
	if (why != NULL && why != c->why.text)
		snprintf(c->why.text, sizeof(c->why.text), "%s", why);
}

static void
add_reply(struct conversation *c, struct source_reply reply)
{
	if (c->replies.count == SOURCE_STEPS_MAX) {
		end(c, FETCH_HOPELESS, "too many requests for one event");
		return;
	}
	c->replies.items[c->replies.count++] = reply;
	next_step(c);
}

static void
count_call(const struct conversation *c, unsigned code)
{
	char text[8];

	snprintf(text, sizeof(text), "%u", code);
	metric_add(METRIC_API_CALLS, c->binding->config->name, text, 1);
}

static bool
is_passing(unsigned code)
{
	return code == 0 || code == 408 || code == 425 || code == 429 ||
	       code >= 500;
}

/* Everything but a 200. A 403 or 404 is a result: the record will say so. */
static void
take_refusal(struct conversation *c, const struct http_reply *reply)
{
	int64_t wait_ms;

	if (reply->code == 403 || reply->code == 404 || reply->code == 410) {
		add_reply(c, (struct source_reply){ .code = reply->code });
		return;
	}
	/* Elsewhere the token was not sent, so nothing is said of it. */
	if (reply->code == 401 && !reply->is_elsewhere) {
		end(c, FETCH_REFUSED, "HTTP 401");
		return;
	}
	if (reply->error != NULL)
		error_set(&c->why, STATUS_UNAVAILABLE, "%s", reply->error);
	else
		error_set(&c->why, STATUS_UNAVAILABLE, "HTTP %u", reply->code);
	if (retry_after_parse(reply->retry_after, clock_wall_ms(), &wait_ms) ==
	    STATUS_OK)
		c->retry_after_ms = wait_ms;
	end(c, is_passing(reply->code) ? FETCH_RETRY : FETCH_HOPELESS, NULL);
}

static void
take_document(struct conversation *c, const struct http_reply *reply)
{
	struct json_document *document = NULL;

	if (reply->is_truncated) {
		end(c, FETCH_HOPELESS, "the answer is over max_reply");
		return;
	}
	/* Proxies answer for vendors with pages of their own. */
	if (json_parse(reply->body, &document, &c->why) != STATUS_OK) {
		end(c, FETCH_RETRY, NULL);
		return;
	}
	if (c->replies.count == SOURCE_STEPS_MAX) {
		json_free(document);
		end(c, FETCH_HOPELESS, "too many requests for one event");
		return;
	}
	c->documents[c->replies.count] = document;
	add_reply(c, (struct source_reply){ .code = reply->code,
			 .document = json_root(document) });
}

static void
take_file_end(struct conversation *c)
{
	const enum status status = rows_finish(c->rows, &c->why);
	const struct progress *at = rows_progress(c->rows);

	/* The last row may have been one that cannot be written. */
	if (c->outcome != FETCH_UNDER_WAY)
		return;
	if (status != STATUS_OK) {
		end(c, status == STATUS_ABORTED ? FETCH_CHANGED : FETCH_RETRY,
		    NULL);
		return;
	}
	c->work->next.progress = *at;
	sha256_hex(at->digest, c->sha256);
	c->summary = (struct source_rows){ .rows = at->rows,
		.bytes = at->bytes,
		.sha256 = view_of(c->sha256),
		.generation = at->generation };
	c->summary.columns = rows_columns(c->rows, &c->summary.column_count);
	add_reply(c, (struct source_reply){ .code = 200, .rows = &c->summary });
}

/* Of a proxy or a login, in place of the file. */
static bool
is_page(struct view content_type)
{
	const size_t len = sizeof("text/html") - 1;

	return content_type.len >= len &&
	       strncasecmp(content_type.data, "text/html", len) == 0;
}

static void
on_done(struct http_call *call, const struct http_reply *reply, void *arg)
{
	struct conversation *c = arg;

	(void)call;
	c->call = NULL;
	c->http_status = reply->code;
	count_call(c, reply->code);
	if (c->outcome != FETCH_UNDER_WAY)
		return; /* the file's rows have decided already */
	if (reply->code != 200)
		take_refusal(c, reply);
	else if (c->rows != NULL && is_page(reply->content_type))
		end(c, FETCH_RETRY, PAGE);
	else if (c->rows != NULL)
		take_file_end(c);
	else
		take_document(c, reply);
}

/* A piece of the file. False pauses the transfer: it goes on once the rows so
 * far are committed, or is cancelled because of the outcome. */
static bool
on_data(struct http_call *call, struct view piece, void *arg)
{
	struct conversation *c = arg;
	enum status status;

	if (is_page(http_call_content_type(call))) {
		end(c, FETCH_RETRY, PAGE);
		return false;
	}
	status = rows_take(c->rows, piece, &c->why);
	if (status == STATUS_OK || status == STATUS_END)
		c->work->next.progress = *rows_progress(c->rows);
	c->is_paused = status != STATUS_OK;
	if (status == STATUS_ABORTED)
		end(c, FETCH_CHANGED, NULL);
	else if (status == STATUS_NO_MEMORY)
		end(c, FETCH_RETRY, NULL);
	else if (status != STATUS_OK && status != STATUS_END)
		end(c, FETCH_HOPELESS, NULL);
	return status == STATUS_OK;
}

static enum status
make_url(const struct conversation *c, const struct source_request *request,
    struct buffer *out, struct error *err)
{
	const struct view base = view_of(c->binding->base_url);
	enum status status = STATUS_OK;

	if (request->path != NULL)
		url_fill(base, view_of(binding_path(c->binding, request->path)),
		    request->id, request->page, view_of(request->other), out);
	else
		status = url_resolve(base, request->location, out, err);
	if (status != STATUS_OK)
		return status;
	buffer_append(out, "", 1);
	if (buffer_status(out) != STATUS_OK)
		return error_set(err, buffer_status(out), "address: too long");
	return STATUS_OK;
}

static enum status
send_request(struct conversation *c, const struct source_request *request,
    struct error *err)
{
	const struct config_source *source = c->binding->config;
	const bool is_file = request->ask == SOURCE_ASK_ROWS;
	struct buffer url, authorization;
	char trace[TRACE_HEADER_BYTES];
	enum status status;

	buffer_init(&url, URL_BYTES_MAX);
	buffer_init_secret(&authorization, CREDENTIAL_BYTES_MAX);
	trace_call(&c->work->trace, trace);
	status = make_url(c, request, &url, err);
	if (status == STATUS_OK)
		status = credential_write(c->binding,
		    buffer_view(&c->access_token), &authorization, err);
	if (status == STATUS_OK && is_file)
		status = rows_open(&c->work->next.progress, c->row_bytes_max,
		    c->on_row, c, &c->rows, err);
	if (status == STATUS_OK)
		status = http_client_start(c->client,
		    &(struct http_call_options){
			.url = url.data,
			.authorization = authorization.data,
			.extra_header = trace,
			.ca_file = source->ca_file,
			.timeout_ms = source->api.timeout_ms,
			.body_bytes_max = c->reply_bytes_max,
			.on_data = is_file ? on_data : NULL,
			.on_done = on_done,
			.arg = c,
		    },
		    &c->call, err);
	if (status == STATUS_OK)
		c->requests++;
	buffer_clear(&url);
	buffer_clear(&authorization);
	return status;
}

/* A sweep asks for one page at a time. */
static enum status
locate(struct conversation *c, struct source_request *out_request)
{
	const struct source *contract = c->binding->contract;

	if (!c->work->is_sweep)
		return contract->locate(
		    &c->decoded.event, &c->replies, out_request, &c->why);
	*out_request = (struct source_request){ .ask = SOURCE_ASK_NOTHING };
	if (c->replies.count == 0)
		contract->reconciliation.ask(&c->sweep, out_request);
	return STATUS_OK;
}

static void
next_step(struct conversation *c)
{
	struct source_request request;
	enum status status = locate(c, &request);

	if (status != STATUS_OK) {
		end(c, FETCH_HOPELESS, NULL);
		return;
	}
	if (request.ask == SOURCE_ASK_NOTHING) {
		end(c, FETCH_COMPLETE, NULL);
		return;
	}
	if (request.ask == SOURCE_ASK_LATER) {
		end(c, FETCH_LATER, "the vendor is not ready");
		return;
	}
	status = send_request(c, &request, &c->why);
	if (status == STATUS_UNPROVED || status == STATUS_INVALID)
		end(c, FETCH_HOPELESS, NULL);
	else if (status != STATUS_OK)
		end(c, FETCH_RETRY, NULL);
}

static void
begin(struct conversation *c)
{
	const struct cursor *cursor = &c->work->next.cursor;
	const struct event *event = &c->decoded.event;

	c->sweep = (struct source_sweep){
		.source = event->source,
		.subject = event->subject_id,
		.since_ms = cursor->since_ms,
		.until_ms = cursor->until_ms > 0 ? cursor->until_ms
						 : clock_wall_ms(),
		.list = cursor->list,
		.page = cursor->page,
	};
	next_step(c);
}

static enum status
take_access_token(struct conversation *c, const struct grant *grant)
{
	buffer_init_secret(&c->access_token, OAUTH2_TOKEN_BYTES_MAX);
	if (grant == NULL)
		return STATUS_OK;
	c->token_number = grant->number;
	buffer_append_view(&c->access_token, buffer_view(&grant->access_token));
	return buffer_status(&c->access_token);
}

bool
fetch_is_swept(const struct conversation *c)
{
	return binding_swept(c->binding) != SOURCE_SWEPT_NOTHING &&
	       view_is(c->decoded.event.vendor, c->binding->config->vendor);
}

struct conversation *
fetch_open(struct work *work, struct site *site, const struct binding *binding,
    const struct grant *grant, struct http_client *client, rows_row_f *on_row,
    void *owner)
{
	struct conversation *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->work = work;
	c->site = site_hold(site);
	c->binding = binding;
	c->client = client;
	c->on_row = on_row;
	c->owner = owner;
	c->row_bytes_max = site->config->enricher.max_row_bytes;
	c->reply_bytes_max = site->config->enricher.max_reply_bytes;
	decoded_init(&c->decoded);
	if (work_decode(work, &c->decoded, &c->why) != STATUS_OK)
		end(c, FETCH_HOPELESS, NULL);
	else if (binding == NULL)
		end(c, FETCH_RETRY, "the source is not configured");
	else if (work->is_sweep && !fetch_is_swept(c))
		end(c, FETCH_RETRY, "the source is not reconciled");
	else if (take_access_token(c, grant) != STATUS_OK)
		end(c, FETCH_RETRY, "no memory");
	else
		begin(c);
	return c;
}

void
fetch_close(struct conversation *c)
{
	if (c == NULL)
		return;
	http_call_cancel(&c->call);
	rows_close(&c->rows);
	for (size_t i = 0; i < SOURCE_STEPS_MAX; i++)
		json_free(c->documents[i]);
	decoded_clear(&c->decoded);
	buffer_clear(&c->access_token);
	site_release(c->site);
	free(c);
}

void
fetch_resume(struct conversation *c)
{
	if (!c->is_paused || c->call == NULL)
		return;
	c->is_paused = false;
	http_call_resume(c->call);
}
