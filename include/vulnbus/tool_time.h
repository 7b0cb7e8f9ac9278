/* SPDX-License-Identifier: Apache-2.0
 *
 * A moment as people type one. */
#ifndef VULNBUS_TOOL_TIME_H
#define VULNBUS_TOOL_TIME_H

#include "vulnbus/view.h"

/* RFC 3339, or so long before `now_ms`: -90s, -30m, -2h, -7d. */
enum status
tool_time(struct view text, int64_t now_ms, int64_t *out_ms) MUST_CHECK;

#endif
