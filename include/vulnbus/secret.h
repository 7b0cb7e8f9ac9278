/* SPDX-License-Identifier: Apache-2.0
 *
 * Memory for secrets: pages of their own, which are in no core dump, are not
 * swapped out where the limit on locked memory allows it, and are wiped when
 * given back. From any thread. */
#ifndef VULNBUS_SECRET_H
#define VULNBUS_SECRET_H

#include "vulnbus/view.h"

/* Makes those pages; before the sandbox is entered, which would not have them
 * locked. Whoever does not call it has them made by the first secret. */
void
secret_begin(void);

/* NULL: no memory. When the pages are taken up to the share that is ours, it is
 * ordinary memory; that is wiped, too. */
void *
secret_alloc(size_t bytes) MUST_CHECK;

/* A copy with a NUL. */
char *
secret_copy(struct view text) MUST_CHECK;

/* Wipes and frees; `bytes` as asked for. NULL is fine. */
void
secret_free(void *memory, size_t bytes);

/* Of a copy; *text is NULL afterwards. */
void
secret_drop(char **text);

#endif
