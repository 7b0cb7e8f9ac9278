/* SPDX-License-Identifier: Apache-2.0
 *
 * What people or scanned sites wrote, made fit to be forwarded. One thread. */
#ifndef VULNBUS_PROSE_H
#define VULNBUS_PROSE_H

#include "vulnbus/view.h"

#define PROSE_TEXT_BYTES_MAX 4096
#define PROSE_BYTES_MAX      (1 << 20)

/* The memory of one record's free text; begins, and begins again, with a `len`
 * of 0. Owned by whoever allocates it. */
struct prose {
	size_t len;
	char bytes[PROSE_BYTES_MAX];
};

/* The text with "[e-mail]" in place of e-mail addresses, "[redacted]" in place
 * of the HTTP headers Authorization and Cookie up to the end of the line,
 * without control characters but newline and tab, at most PROSE_TEXT_BYTES_MAX
 * bytes of whole UTF-8 characters. It lies in `prose`; empty when that is full.
 */
struct view
prose_add(struct prose *prose, struct view text);

#endif
