/* SPDX-License-Identifier: Apache-2.0
 *
 * Delve: the same product as Taegis VDR on other hosts. The two webhook
 * articles ("Using VDR Webhooks", "Using Delve Webhooks") differ only in the
 * host, which is configuration. */
#include "vulnbus/source.h"

extern const struct source source_delve;

const struct source source_delve = {
	.name = "delve",
	.product = { "Delve", "Secureworks" },
	.like = "taegis-vdr",
};
