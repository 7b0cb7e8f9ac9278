/* SPDX-License-Identifier: Apache-2.0
 *
 * Many webhooks, several at once: a small load test. */
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

#include "vulnbus/http_client.h"
#include "vulnbus/timestamp.h"
#include "vulnbus/tool_send.h"

#define CODES_MAX       600
#define WAIT_MS         100
#define REPLY_BYTES_MAX 65536
#define EX_REFUSED      1

struct many;

struct slot {
	struct many *many;
	int64_t began_us;
	bool is_busy;
};

struct many {
	const struct send *send;
	struct http_client *http;
	struct slot *slots; /* owned; send->concurrency */
	uint32_t *took_us;  /* owned; of those answered */
	int64_t began_us;
	int64_t started;
	int64_t answered;
	int64_t unanswered;
	int64_t counts[CODES_MAX];
	char why[256]; /* the first that had no answer */
};

static void
on_done(struct http_call *call, const struct http_reply *reply, void *arg)
{
	struct slot *slot = arg;
	struct many *many = slot->many;
	const int64_t took_us = clock_steady_us() - slot->began_us;

	(void)call;
	slot->is_busy = false;
	if (reply->code == 0 || reply->code >= CODES_MAX) {
		if (many->unanswered++ == 0)
			snprintf(many->why, sizeof(many->why), "%s",
			    reply->error == NULL ? "no HTTP" : reply->error);
		return;
	}
	many->counts[reply->code]++;
	many->took_us[many->answered++] = took_us < UINT32_MAX
					      ? (uint32_t)took_us
					      : UINT32_MAX;
}

static struct slot *
find_slot(struct many *many)
{
	for (int64_t i = 0; i < many->send->concurrency; i++)
		if (!many->slots[i].is_busy)
			return &many->slots[i];
	return NULL;
}

static enum status
start(struct many *many, struct slot *slot, struct error *err)
{
	const struct send *send = many->send;
	struct send_request request;
	struct http_call *call;
	enum status status;

	send_request_init(&request);
	status = send_request_make(send, many->started, &request, err);
	slot->many = many;
	slot->began_us = clock_steady_us();
	if (status == STATUS_OK)
		status = http_client_start(many->http,
		    &(struct http_call_options){
			.url = send->url.data,
			.method = "POST",
			.authorization = request.authorization.data,
			.content_type = "application/json",
			.body = buffer_view(&request.body),
			.extra_header = send->header.data,
			.ca_file = send->ca_file,
			.timeout_ms = SEND_ANSWER_MS,
			.body_bytes_max = REPLY_BYTES_MAX,
			.on_done = on_done,
			.arg = slot,
		    },
		    &call, err);
	slot->is_busy = status == STATUS_OK;
	many->started += status == STATUS_OK;
	send_request_clear(&request);
	return status;
}

/* How long until the next one is due; 0: now. */
static int64_t
due_in_us(const struct many *many)
{
	const int64_t rate = many->send->rate;
	const int64_t due_us =
	    rate == 0 ? 0 : many->began_us + many->started * 1000000 / rate;
	const int64_t now_us = clock_steady_us();

	return due_us > now_us ? due_us - now_us : 0;
}

static enum status
run(struct many *many, struct error *err)
{
	const int64_t count = many->send->count;
	enum status status = STATUS_OK;

	many->began_us = clock_steady_us();
	while (status == STATUS_OK && !tool_is_interrupted() &&
	       many->answered + many->unanswered < count) {
		struct slot *slot = find_slot(many);
		int64_t wait_us = (int64_t)WAIT_MS * 1000;

		while (status == STATUS_OK && slot != NULL &&
		       many->started < count && due_in_us(many) == 0) {
			status = start(many, slot, err);
			slot = find_slot(many);
		}
		if (slot != NULL && many->started < count &&
		    due_in_us(many) < wait_us)
			wait_us = due_in_us(many) + 999;
		http_client_poll(many->http, -1, (uint32_t)(wait_us / 1000));
	}
	return status;
}

static int
compare(const void *a, const void *b)
{
	const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* The smallest that `percent` of them do not exceed. */
static double
percentile_ms(const struct many *many, int64_t percent)
{
	const int64_t rank = (many->answered * percent + 99) / 100;

	return (double)many->took_us[rank > 0 ? rank - 1 : 0] / 1000.0;
}

static void
report(struct many *many, int64_t took_us)
{
	const double seconds = (double)(took_us > 0 ? took_us : 1) / 1e6;

	printf("%s: %lld webhooks in %.2f s (%.1f a second), %lld at once\n",
	    many->send->binding->config->name, (long long)many->started,
	    seconds, (double)(many->answered + many->unanswered) / seconds,
	    (long long)many->send->concurrency);
	for (int i = 0; i < CODES_MAX; i++)
		if (many->counts[i] > 0)
			printf("  %-9d  %lld\n", i, (long long)many->counts[i]);
	if (many->unanswered > 0)
		printf("  no answer  %lld (%s)\n", (long long)many->unanswered,
		    many->why);
	if (many->answered == 0)
		return;
	qsort(many->took_us, (size_t)many->answered, sizeof(*many->took_us),
	    compare);
	printf("  p50 %.1f ms  p90 %.1f ms  p99 %.1f ms  max %.1f ms\n",
	    percentile_ms(many, 50), percentile_ms(many, 90),
	    percentile_ms(many, 99), percentile_ms(many, 100));
}

static int
exit_status_of(const struct many *many)
{
	if (many->answered + many->unanswered < many->send->count)
		return EX_TEMPFAIL; /* a signal came */
	if (many->unanswered > 0)
		return EX_UNAVAILABLE;
	return many->counts[202] == many->send->count ? EX_OK : EX_REFUSED;
}

int
send_many(const struct send *send)
{
	struct many many = { .send = send };
	struct error err;
	enum status status = STATUS_OK;
	int exit_status = EX_OSERR;

	many.slots = calloc((size_t)send->concurrency, sizeof(*many.slots));
	many.took_us = calloc((size_t)send->count, sizeof(*many.took_us));
	if (many.slots == NULL || many.took_us == NULL)
		status = error_set(&err, STATUS_NO_MEMORY, "no memory");
	if (status == STATUS_OK)
		status = http_client_open(&many.http, &err);
	tool_catch_signals();
	if (status == STATUS_OK)
		status = run(&many, &err);
	if (status == STATUS_OK) {
		report(&many, clock_steady_us() - many.began_us);
		exit_status = exit_status_of(&many);
	} else {
		tool_fail(send->tool, EX_OSERR, "%s", err.text);
	}
	http_client_close(&many.http);
	free(many.slots);
	free(many.took_us);
	return exit_status;
}
