/* SPDX-License-Identifier: Apache-2.0
 *
 * What came of each source's last notifications (in the ingress) and of its
 * last events (in the enricher), for the status page. Any thread. */
#ifndef VULNBUS_RECENT_H
#define VULNBUS_RECENT_H

#include "vulnbus/view.h"

#define RECENT_REFUSED_MAX 5

struct recent_refusal {
	int64_t at_ms;
	unsigned code; /* HTTP status; 0: none */
	char why[sizeof(((struct error *)0)->text)];
};

struct recent {
	int64_t accepted_ms;                               /* 0: never */
	struct recent_refusal refused[RECENT_REFUSED_MAX]; /* newest first */
	size_t refused_count;
};

/* Wall clock. A source is a configured name; beyond CONFIG_SOURCES_MAX names
 * nothing is noted. */
void
recent_accepted(const char *source, int64_t now_ms);

/* `why` is of our own words, as the log's reasons are. */
void
recent_refused(
    const char *source, int64_t now_ms, unsigned code, const char *why);

/* All zero when nothing was noted. */
void
recent_of(const char *source, struct recent *out);

#endif
