/* SPDX-License-Identifier: Apache-2.0 */
#include "vulnbus/answer.h"

#include <stdio.h>

#include "vulnbus/metrics.h"
#include "vulnbus/timestamp.h"

static uint32_t
retry_after_s(const struct config *config, unsigned code)
{
	if (code == 429)
		return 60;
	return code == 503 ? (config->ingress.retry_after_ms + 999) / 1000 : 0;
}

void
answer(struct http_request *request, const struct config *config,
    const char *source, unsigned code)
{
	char text[8];

	snprintf(text, sizeof(text), "%u", code);
	metric_add(METRIC_WEBHOOKS, source, text, 1);
	metric_answer_time(
	    clock_steady_us() - http_request_started_us(request));
	http_request_answer(
	    request, &(struct http_answer){ .code = code,
			 .allow = code == 405 ? "POST" : NULL,
			 .retry_after_s = retry_after_s(config, code) });
}
