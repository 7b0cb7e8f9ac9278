/* SPDX-License-Identifier: Apache-2.0
 *
 * Who asks, and what a webhook is told: a code, its headers, nothing else. */
#ifndef VULNBUS_ANSWER_H
#define VULNBUS_ANSWER_H

#include "vulnbus/accept.h"
#include "vulnbus/http_server.h"

/* As accept_peer, of this request. Empty when its address is not known. */
void
answer_peer(const struct http_request *request, const struct config *config,
    char out[PEER_TEXT_BYTES]);

/* Counts an answer that was given elsewhere. */
void
answer_count(const char *source, unsigned code);

/* Answers, counts and notes. `source` is "" for what names no source of ours;
 * `why` is of our own words. */
void
answer(struct http_request *request, const struct config *config,
    const char *source, unsigned code, const char *why);

#endif
