/* SPDX-License-Identifier: Apache-2.0
 *
 * The life of one webhook, as callbacks for the port, the producer and the
 * deadlines. */
#ifndef VULNBUS_WEBHOOK_H
#define VULNBUS_WEBHOOK_H

#include <pthread.h>

#include "vulnbus/deadline.h"
#include "vulnbus/encode.h"
#include "vulnbus/http_server.h"
#include "vulnbus/produce.h"
#include "vulnbus/site.h"

/* What all webhooks share; the program fills it in. */
struct webhooks {
	pthread_mutex_t lock;
	struct site *site; /* in force; under `lock` */
	struct encoding encoding;
	struct produce *produce;
	struct deadlines *deadlines;
	atomic_bool is_draining; /* 503 for whatever still comes */
	atomic_int unanswered;
	atomic_int handling; /* threads that may be using `produce` */
};

/* The site in force, held for the caller. */
struct site *
webhooks_site(struct webhooks *webhooks);

/* Takes a request whose source and secret are right; it is answered when the
 * event is safe, refused, or out of time. */
void
webhook_take(struct webhooks *webhooks, struct site *site,
    const struct binding *binding, struct http_request *request);

/* Answers a request that does not become a webhook. */
void
webhook_refuse(struct http_request *request, const struct config *config,
    const char *source, unsigned code);

/* kafka_delivery_f and deadline_f. */
void
webhook_on_delivery(
    void *record_arg, const char *why, int64_t offset, void *webhooks);

void
webhook_on_expired(struct deadline *deadline, void *webhooks);

#endif
