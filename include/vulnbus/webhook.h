/* SPDX-License-Identifier: Apache-2.0
 *
 * The life of one webhook, as callbacks for the port, the producer and the
 * deadlines. */
#ifndef VULNBUS_WEBHOOK_H
#define VULNBUS_WEBHOOK_H

#include <pthread.h>

#include "vulnbus/deadline.h"
#include "vulnbus/delivery.h"
#include "vulnbus/encode.h"
#include "vulnbus/http_server.h"
#include "vulnbus/site.h"

/* What all webhooks share; the program fills it in. */
struct webhooks {
	pthread_mutex_t lock;
	struct site *site; /* in force; under `lock` */
	struct encoding encoding;
	struct deliveries deliveries;
	struct deadlines *deadlines;
	struct deadlines *patience; /* NULL without a spool */
	atomic_bool is_draining;    /* 503 for whatever still comes */
	atomic_bool is_closing;     /* every record is about to be reported */
	atomic_int unanswered;
	atomic_int handling; /* threads that may be using `deliveries` */
};

/* Takes a request whose source and secret are right; it is answered when the
 * event is safe, refused, or out of time. */
void
webhook_take(struct webhooks *webhooks, struct site *site,
    const struct binding *binding, struct http_request *request,
    const struct trace *trace);

/* deadline_f, of `deadlines` and of `patience`. */
void
webhook_on_expired(struct deadline *deadline, void *webhooks);

void
webhook_on_patience_ended(struct deadline *patience, void *webhooks);

#endif
