/* SPDX-License-Identifier: Apache-2.0
 *
 * One call of a vendor's API by a command, with the source's own token. */
#ifndef VULNBUS_TOOL_VENDOR_H
#define VULNBUS_TOOL_VENDOR_H

#include "vulnbus/binding.h"

#define VENDOR_REPLY_BYTES_MAX (1u << 20)
#define VENDOR_URL_BYTES_MAX   16384

/* `url` ends in a NUL. An empty `body` sends none; any other is JSON. The reply
 * is appended to `out_reply`. STATUS_OK for an answer of any code. */
enum status
vendor_call(const struct binding *binding, const char *method, const char *url,
    struct view body, struct buffer *out_reply, unsigned *out_code,
    struct error *err) MUST_CHECK;

#endif
