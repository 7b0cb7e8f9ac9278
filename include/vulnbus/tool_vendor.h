/* SPDX-License-Identifier: Apache-2.0
 *
 * A source by its name, and calls of its vendor's API with its own token. One
 * thread. */
#ifndef VULNBUS_TOOL_VENDOR_H
#define VULNBUS_TOOL_VENDOR_H

#include "vulnbus/binding.h"
#include "vulnbus/grant.h"
#include "vulnbus/json.h"
#include "vulnbus/tool.h"
#include "vulnbus/trace.h"

#define VENDOR_REPLY_BYTES_MAX (1u << 20)
#define VENDOR_URL_BYTES_MAX   16384

struct vendor {
	const struct tool *tool;
	struct bindings bindings;
	const struct binding *binding; /* one of them */
	struct grant grant;            /* of api_oauth2 */
	struct trace trace;            /* of all its calls */
};

/* -1 to go on, else the exit status with the reason printed. *out_vendor is
 * to be closed after a -1. */
int
vendor_find(const struct tool *tool, const struct config *config,
    const char *name, struct vendor *out_vendor);

void
vendor_close(struct vendor *vendor);

/* The member "id" as text; empty when there is none that is short and
 * printable enough to be asked for again. `size` counts the NUL. */
void
vendor_id(const struct json_value *object, char *out, size_t size);

/* With api_oauth2 an access token is asked for first, if there is none yet; a
 * new refresh token is written, or it is said that it is not. `url` ends in a
 * NUL. An empty `body` sends none; any other is JSON. The reply
 * is appended to `out_reply`. STATUS_OK for an answer of any code. */
enum status
vendor_call(struct vendor *vendor, const char *method, const char *url,
    struct view body, struct buffer *out_reply, unsigned *out_code,
    struct error *err) MUST_CHECK;

#endif
