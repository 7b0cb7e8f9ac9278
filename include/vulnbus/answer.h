/* SPDX-License-Identifier: Apache-2.0
 *
 * What a webhook is told: a code, its headers, and nothing else. */
#ifndef VULNBUS_ANSWER_H
#define VULNBUS_ANSWER_H

#include "vulnbus/config.h"
#include "vulnbus/http_server.h"

/* Answers and counts. `source` is "" for what names no source of ours. */
void
answer(struct http_request *request, const struct config *config,
    const char *source, unsigned code);

#endif
