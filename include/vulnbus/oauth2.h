/* SPDX-License-Identifier: Apache-2.0
 *
 * OAuth2 on the wire: the request that refreshes an access token (RFC 6749
 * section 6) and its reply. Pure functions. */
#ifndef VULNBUS_OAUTH2_H
#define VULNBUS_OAUTH2_H

#include "vulnbus/json.h"

#define OAUTH2_TOKEN_BYTES_MAX   8192
#define OAUTH2_REQUEST_BYTES_MAX 65536
#define OAUTH2_REPLY_BYTES_MAX   65536
#define OAUTH2_LIFETIME_MAX_MS   (INT64_C(366) * 24 * 3600 * 1000)

/* What the form calls the refresh token: as the standard has it, or as the
 * vendor's own connector does. */
enum oauth2_field { OAUTH2_REFRESH_TOKEN, OAUTH2_CODE };

/* Appends "client_id=...&client_secret=..."; an empty secret is left out. */
void
oauth2_write_client(struct view id, struct view secret, struct buffer *out);

/* Appends the form; `client` is what oauth2_write_client wrote. */
void
oauth2_write_request(enum oauth2_field field, struct view refresh_token,
    struct view client, struct buffer *out);

struct oauth2_reply {
	struct json_document *document; /* owned */
	struct view access_token;       /* borrowed from it, as the next is */
	struct view refresh_token;      /* empty: the old one stays */
	int64_t lifetime_ms;            /* 0: not stated */
};

/* STATUS_INVALID: no reply of a token endpoint, or a token that is too long or
 * not of printable ASCII. `err` quotes nothing of it. */
enum status
oauth2_read_reply(struct view body, struct oauth2_reply *out_reply,
    struct error *err) MUST_CHECK;

void
oauth2_reply_clear(struct oauth2_reply *reply);

/* The error that a refusal names, if it is one of RFC 6749's; else "". */
const char *
oauth2_error(struct view body);

/* What a file or a reply holds is a token. */
bool
oauth2_is_token(struct view text);

#endif
