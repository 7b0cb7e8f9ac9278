/* SPDX-License-Identifier: Apache-2.0
 *
 * base64url without padding, exactly (RFC 7515 section 2, RFC 4648 section 5):
 * no '=', no line break, no other character, and the unused low bits of the
 * last character are zero, so that one value has one spelling. */
#ifndef VULNBUS_BASE64URL_H
#define VULNBUS_BASE64URL_H

#include "vulnbus/buffer.h"

/* Appends the decoded bytes. STATUS_INVALID leaves `out` as it was. */
enum status
base64url_decode(struct view text, struct buffer *out) MUST_CHECK;

void
base64url_encode(struct view bytes, struct buffer *out);

#endif
