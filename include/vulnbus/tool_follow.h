/* SPDX-License-Identifier: Apache-2.0
 *
 * An export on its way, as the topics tell of it: its rows, and its end. */
#ifndef VULNBUS_TOOL_FOLLOW_H
#define VULNBUS_TOOL_FOLLOW_H

#include "vulnbus/tool.h"

struct follow;

/* From now on, or with everything there is already. STATUS_MISSING: a topic
 * does not exist; STATUS_UNAVAILABLE: Kafka does not answer. */
enum status
follow_open(const struct config *config, bool is_from_now,
    struct follow **out_follow, struct error *err) MUST_CHECK;

void
follow_close(struct follow **follow);

/* Until the manifest or a dead letter of that export is there: says how it
 * ended. Exit status 0: complete; 1: it failed, or was given up; 75: a signal
 * came first. */
int
follow_run(struct follow *follow, const struct tool *tool, const char *source,
    const char *export_id);

#endif
