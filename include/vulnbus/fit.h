/* SPDX-License-Identifier: Apache-2.0
 *
 * A record that is too large for Kafka is shortened, and says so in `cut`: the
 * names of texts that end early and of lists that lack elements. Pure. */
#ifndef VULNBUS_FIT_H
#define VULNBUS_FIT_H

#include "vulnbus/tree.h"

/* How much is written of each text that may be shortened (tree_long_text),
 * and of each list. */
struct fit {
	size_t text_bytes_max;
	uint32_t elements_max;
};

/* All of it. */
#define FIT_WHOLE ((struct fit){ SIZE_MAX, UINT32_MAX })

/* The members of `from`, as much of them as `fit` says, and `cut`, into the
 * open map of `to`. Errors stick to `to`. */
void
fit_copy(struct tree *to, const struct tree *from, const struct fit *fit);

/* By a quarter less, of texts first, then of lists. False: there is nothing
 * left to leave out. */
bool
fit_tighten(struct fit *fit, const struct tree *from);

#endif
