/* SPDX-License-Identifier: Apache-2.0
 *
 * Stage: a proved document becomes events. */
#ifndef VULNBUS_NORMALISE_H
#define VULNBUS_NORMALISE_H

#include "vulnbus/binding.h"

struct json_value;

/* Event `index` (from 0) of the document. STATUS_OK; STATUS_END: there are no
 * more; STATUS_UNKNOWN: proved, but of a new kind or shape, so it goes to the
 * dead letters with what `event` holds and the reason `err` gives;
 * STATUS_INVALID: less than the vendor documents. `event` is freshly
 * initialised and borrows from document and binding. */
enum status
normalise(const struct binding *binding, const struct json_value *document,
    size_t index, const char *proof, int64_t now_ms, struct event *event,
    struct error *err) MUST_CHECK;

#endif
