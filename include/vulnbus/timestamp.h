/* SPDX-License-Identifier: Apache-2.0
 *
 * Wall time as milliseconds since the Unix epoch, in and out of text. */
#ifndef VULNBUS_TIMESTAMP_H
#define VULNBUS_TIMESTAMP_H

#include "vulnbus/view.h"

#define TIMESTAMP_NONE      INT64_MIN
#define TIMESTAMP_TEXT_SIZE sizeof("9999-12-31T23:59:59.999Z")

/* The wall clock, and one that never goes back (for deadlines). */
int64_t
clock_wall_ms(void);

int64_t
clock_steady_ms(void);

int64_t
clock_steady_us(void);

/* RFC 3339 with 0 to 9 fractional digits; without an offset it is UTC (vendors
 * leave it out). Years 1970 to 9999. */
enum status
timestamp_parse(struct view text, int64_t *out_ms) MUST_CHECK;

/* "2020-08-27T14:43:12Z", with ".123" only when there are milliseconds. */
void
timestamp_print(int64_t ms, char out[TIMESTAMP_TEXT_SIZE]);

/* RFC 9110 section 10.2.3, Retry-After: seconds, or an IMF-fixdate counted
 * from `now_ms`. *out_ms is never negative. */
enum status
retry_after_parse(struct view text, int64_t now_ms, int64_t *out_ms) MUST_CHECK;

#endif
