/* SPDX-License-Identifier: Apache-2.0
 *
 * One deadline for each request that waits. All wait equally long, so they
 * stand in a line in the order they came. */
#ifndef VULNBUS_DEADLINE_H
#define VULNBUS_DEADLINE_H

#include "vulnbus/status.h"

#include <stdbool.h>
#include <stdint.h>

/* A member of what waits; the caller's memory. */
struct deadline {
	struct deadline *next, *previous;
	int64_t at_ms;
	bool is_waiting;
};

/* Called on the deadlines' thread, after the deadline was taken out. */
typedef void
deadline_f(struct deadline *deadline, void *arg);

struct deadlines;

enum status
deadlines_open(uint32_t within_ms, deadline_f *on_expired, void *arg,
    struct deadlines **out_deadlines, struct error *err) MUST_CHECK;

/* Nothing may be waiting any more. */
void
deadlines_close(struct deadlines **deadlines);

void
deadlines_add(struct deadlines *deadlines, struct deadline *deadline);

/* True when it was still waiting: then on_expired will not be called. */
bool
deadlines_remove(struct deadlines *deadlines, struct deadline *deadline);

#endif
