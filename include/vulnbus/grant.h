/* SPDX-License-Identifier: Apache-2.0
 *
 * What a source may do at its vendor's API (api_oauth2): the refresh token in
 * its file, the access token it buys, and the one request under way for that.
 * One thread, the one that polls the HTTP client; a grant lives as long as the
 * process, whatever becomes of configurations and sessions, because the vendor
 * may have named a refresh token that no file holds yet. */
#ifndef VULNBUS_GRANT_H
#define VULNBUS_GRANT_H

#include "vulnbus/binding.h"
#include "vulnbus/http_client.h"
#include "vulnbus/oauth2.h"

enum grant_outcome {
	GRANT_UNASKED, /* or asked, and not answered */
	GRANT_GIVEN,
	GRANT_REFUSED, /* both forms, and the file has not changed since */
	GRANT_FAILED,  /* in passing */
};

struct grant {
	struct grant *next;
	char *source;                         /* owned; NULL outside a list */
	unsigned char identity[SHA256_BYTES]; /* of its configuration */
	char *file, *url, *ca_file;           /* owned */
	uint32_t timeout_ms;
	/* What the API is shown. Times are of the steady clock. */
	struct buffer access_token; /* empty: none */
	uint64_t number;            /* of it, from 1 */
	int64_t renew_at_ms;
	int64_t expires_at_ms;
	int64_t refused_at_ms; /* by the API, the one before; 0: never */
	bool is_accepted;      /* by the API */
	/* What buys it. */
	struct buffer refresh_token;
	unsigned char file_digest[SHA256_BYTES]; /* as last read or written */
	bool is_unsaved; /* the file does not hold refresh_token */
	int64_t save_at_ms;
	struct error unsaved_why;
	enum oauth2_field field; /* that worked last: it is tried first */
	/* The request. */
	struct buffer client; /* its part of the form */
	struct http_client *http;
	struct http_call *call; /* NULL: none is under way */
	bool is_second;         /* the first form was refused */
	int64_t asked_at_ms;
	enum grant_outcome outcome; /* of the last one; its reader resets it */
	int64_t retry_after_ms;     /* 0: the vendor said nothing */
	struct error why;           /* not given */
	/* The caller's. */
	int64_t ask_at_ms; /* not before */
	int64_t failures;  /* in a row */
};

void
grant_init(struct grant *grant);

/* Not while a request is under way. */
void
grant_clear(struct grant *grant);

/* The grant of a source, made if there is none; NULL: no memory. */
struct grant *
grants_find(struct grant **grants, struct view source);

void
grants_clear(struct grant **grants);

/* From here on it is that of `binding`: what another account, host or file had
 * given is forgotten. Not before the answer that is under way is in. */
enum status
grant_use(struct grant *grant, const struct binding *binding,
    struct error *err) MUST_CHECK;

/* Reads file and secret and sends the request; `outcome` says what it came to,
 * once grant_is_asking is false. A new refresh token is in the file, or
 * is_unsaved is set, before the access token is there.
 * STATUS_UNAVAILABLE: the file or the secret cannot be read. */
enum status
grant_ask(struct grant *grant, const struct binding *binding,
    struct http_client *http, struct error *err) MUST_CHECK;

bool
grant_is_asking(const struct grant *grant);

/* An access token is there; `is_fresh`: and not about to expire. */
bool
grant_is_usable(const struct grant *grant, bool is_fresh);

/* The API has taken access token `number`; false: that is another one's news.
 */
bool
grant_accepted(struct grant *grant, uint64_t number);

/* The API answered 401 to it. True: it was as good as new, another one will
 * not do better. In any case it is forgotten. */
bool
grant_refused(struct grant *grant, uint64_t number);

/* --- grant_file.c: the refresh token and its file ------------------------- */

/* Reads it. What a file that has changed holds is newer than what is in memory
 * and could not be written. */
enum status
grant_read(struct grant *grant, struct error *err) MUST_CHECK;

/* Somebody else has put another one there since. */
bool
grant_has_file_changed(const struct grant *grant);

/* Writes the one that is not in the file yet, unless somebody else has put
 * another one there. STATUS_UNAVAILABLE: is_unsaved stays. */
enum status
grant_save(struct grant *grant, struct error *err) MUST_CHECK;

#endif
