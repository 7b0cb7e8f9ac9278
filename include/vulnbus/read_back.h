/* SPDX-License-Identifier: Apache-2.0
 *
 * The events of waiting works that found no place in memory. */
#ifndef VULNBUS_READ_BACK_H
#define VULNBUS_READ_BACK_H

#include "vulnbus/partition.h"

/* Reads them from their state records: the first work's, and those of the
 * others that come along soon. Reorders the others. Blocks, up to a few
 * seconds: STATUS_UNAVAILABLE. The enricher's loop. */
enum status
read_back(const struct restore *restore, struct work **works, size_t count,
    struct error *err) MUST_CHECK;

#endif
