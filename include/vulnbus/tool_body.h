/* SPDX-License-Identifier: Apache-2.0
 *
 * What a vendor would send: the body of a webhook (struct source_webhook), and
 * its signature. */
#ifndef VULNBUS_TOOL_BODY_H
#define VULNBUS_TOOL_BODY_H

#include "vulnbus/crypto.h"
#include "vulnbus/source.h"

#define BODY_BYTES_MAX  (1u << 20)
#define BODY_VALUES_MAX 16

/* What stands in the places of a body. Texts are borrowed. */
struct body_values {
	struct {
		struct view name;
		struct view value; /* as people write it: done, 2, true */
	} items[BODY_VALUES_MAX];
	size_t count;
	uint64_t number; /* for places that are new each time */
	int64_t now_ms;
};

/* A later value of a name replaces an earlier one. False: too many. */
bool
body_set(struct body_values *values, struct view name, struct view value);

/* Whether the body has a place of that name. */
bool
body_has(struct view body, struct view name);

/* Appends `body` with its places filled in. STATUS_INVALID: a value is not of
 * the form of the one that it replaces, `err` names it. */
enum status
body_fill(struct view body, const struct body_values *values,
    struct buffer *out, struct error *err) MUST_CHECK;

/* Appends `body` as claims: with the time of signing, unless that stands there
 * already. What is no JSON object is left as it is. */
void
body_claims(const struct source_authentication *how, struct view body,
    int64_t signed_ms, struct buffer *out);

/* Appends the value of the header that proves `claims`, and a NUL. */
enum status
body_sign(const struct source_authentication *how, const struct es512_key *key,
    struct view claims, struct buffer *out, struct error *err) MUST_CHECK;

/* Appends the header line that names algorithm and key, and a NUL. NULL for the
 * vendor's own path of the key. */
void
body_hint(const struct source_authentication *how, const char *key_path,
    struct buffer *out);

#endif
