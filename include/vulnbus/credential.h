/* SPDX-License-Identifier: Apache-2.0
 *
 * What the vendor's API is shown: the token as it stands in its file now
 * (api.token), one of our own making (api_jwt), or one that the vendor gave for
 * the one in the file (api_oauth2, grant.h). */
#ifndef VULNBUS_CREDENTIAL_H
#define VULNBUS_CREDENTIAL_H

#include "vulnbus/binding.h"

#define CREDENTIAL_BYTES_MAX 16384

/* Appends the value of the Authorization header and a NUL; nothing when none is
 * configured. `access_token` is a grant's, else empty. STATUS_UNAVAILABLE: the
 * file cannot be read or holds no key; that is mended there, it is no event's
 * fault. */
enum status
credential_write(const struct binding *binding, struct view access_token,
    struct buffer *out, struct error *err) MUST_CHECK;

/* Tells one content of that file from another; false: it cannot be read. */
bool
credential_digest(
    const struct binding *binding, unsigned char out[SHA256_BYTES]);

#endif
