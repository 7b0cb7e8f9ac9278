/* SPDX-License-Identifier: Apache-2.0
 *
 * Web addresses: what a vendor's id becomes in a path, and what "the same
 * host" means. */
#ifndef VULNBUS_URL_H
#define VULNBUS_URL_H

#include "vulnbus/buffer.h"

/* Appends `id` percent-encoded whole: everything but RFC 3986's unreserved
 * characters, and "." and ".." too, which a server would walk. */
void
url_encode(struct view id, struct buffer *out);

/* Decodes %XX into `out`. STATUS_INVALID for a broken escape. */
enum status
url_decode(struct view text, struct buffer *out) MUST_CHECK;

/* Appends `base` and `template` (config: api.paths), each "{id}" in the
 * template replaced by the encoded `id`, "{page}" by `page`, any other "{name}"
 * by `other`. */
void
url_fill(struct view base, struct view template, struct view id, uint32_t page,
    struct view other, struct buffer *out);

/* The same scheme, host and port; false unless both are absolute. */
bool
url_is_same_origin(struct view a, struct view b);

/* A location a vendor named, made absolute. A relative one stands under the
 * root of `base`. An absolute one must have the same scheme, host and port,
 * otherwise STATUS_UNPROVED. Control characters, spaces, user names, "//host"
 * and dot segments are STATUS_INVALID. */
enum status
url_resolve(struct view base, struct view location, struct buffer *out,
    struct error *err) MUST_CHECK;

#endif
