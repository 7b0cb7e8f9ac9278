/* SPDX-License-Identifier: Apache-2.0 */
#include "vulnbus/answer.h"

#include <stdio.h>

#include "vulnbus/metrics.h"
#include "vulnbus/recent.h"
#include "vulnbus/timestamp.h"

#define FORWARDED_BYTES_MAX 65536

/* A list too long to be looked at is nobody's. */
void
answer_peer(const struct http_request *request, const struct config *config,
    char out[PEER_TEXT_BYTES])
{
	struct buffer forwarded;

	buffer_init(&forwarded, FORWARDED_BYTES_MAX);
	http_request_list(request, "X-Forwarded-For", &forwarded);
	if (buffer_status(&forwarded) == STATUS_OK)
		accept_peer(&config->ingress.trusted_proxies,
		    http_request_peer(request), buffer_view(&forwarded), out);
	else
		out[0] = '\0';
	buffer_clear(&forwarded);
}

static uint32_t
retry_after_s(const struct config *config, unsigned code)
{
	if (code == 429)
		return 60;
	return code == 503 ? (config->ingress.retry_after_ms + 999) / 1000 : 0;
}

void
answer_count(const char *source, unsigned code)
{
	char text[8];

	snprintf(text, sizeof(text), "%u", code);
	metric_add(METRIC_WEBHOOKS, source, text, 1);
}

void
answer(struct http_request *request, const struct config *config,
    const char *source, unsigned code, const char *why)
{
	if (code == 202)
		recent_accepted(source, clock_wall_ms());
	else if (source[0] != '\0')
		recent_refused(source, clock_wall_ms(), code, why);
	answer_count(source, code);
	metric_observe(METRIC_ANSWER_TIME,
	    clock_steady_us() - http_request_started_us(request));
	http_request_answer(
	    request, &(struct http_answer){ .code = code,
			 .allow = code == 405 ? "POST" : NULL,
			 .retry_after_s = retry_after_s(config, code) });
}
