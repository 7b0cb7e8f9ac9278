/* SPDX-License-Identifier: Apache-2.0
 *
 * What the status page says beside the metrics: the sources in force, what to
 * paste into the vendors' forms, and what came of the last notifications. No
 * secret: where a webhook's URL has one, "<hook.secret>" stands. */
#ifndef VULNBUS_OVERVIEW_H
#define VULNBUS_OVERVIEW_H

#include <pthread.h>

#include "vulnbus/site.h"

#define OVERVIEW_BYTES_MAX (8u << 20)

struct overview_source;

struct overview {
	const char *service;
	int64_t started_ms;
	pthread_mutex_t lock;
	struct overview_source *sources; /* owned */
	size_t count;
};

void
overview_init(struct overview *overview, const char *service);

/* Copies what is told of the site's sources: at start and at each reload. Out
 * of memory, what was told before is told on. */
void
overview_use(struct overview *overview, const struct site *site);

/* Appends the document: JSON. Any thread. */
void
overview_print(struct overview *overview, bool is_ready, struct buffer *out);

void
overview_clear(struct overview *overview);

#endif
