/* SPDX-License-Identifier: Apache-2.0
 *
 * Stage: is this webhook from where it says? Nothing of it is believed, and
 * nothing but the token is parsed, before the answer. */
#ifndef VULNBUS_AUTHENTICATE_H
#define VULNBUS_AUTHENTICATE_H

#include "vulnbus/keys.h"

/* "We recommend validating that the signature was generated within a
 * reasonable time span" (Using VDR Webhooks): signature.max_age back, and this
 * much ahead for clocks that differ. */
#define AUTHENTICATE_SKEW_MS 120000

/* The proved document: a token's claims, or a body. */
struct proved {
	struct jws jws;
	struct json_document *claims; /* owned; NULL: proved but not JSON */
};

void
proved_init(struct proved *proved);

void
proved_clear(struct proved *proved);

/* The token out of a header's value ("Signed <token>"). `count` is how many
 * such headers came. STATUS_UNPROVED unless it is one, of that form. */
enum status
authenticate_token(const struct source_authentication *how, struct view header,
    size_t count, struct view *out_token, struct error *err) MUST_CHECK;

/* Cheapest check first: shape, algorithm, base64url, length, window, curve.
 * `proved` is freshly initialised or cleared. STATUS_OK, STATUS_UNPROVED;
 * STATUS_UNAVAILABLE: no key yet. *out_is_bad_signature: all but the curve
 * held, so a newer key might. */
enum status
authenticate(struct keyring *keyring, const struct binding *binding,
    struct view token, int64_t now_ms, struct proved *proved,
    bool *out_is_bad_signature, struct error *err) MUST_CHECK;

/* The body of a source whose path alone is the proof: `accept` has checked
 * that, so this reads the document. It need not outlive the call. STATUS_OK;
 * STATUS_INVALID: not JSON, or not one reading of it. */
enum status
authenticate_body(
    struct view body, struct proved *proved, struct error *err) MUST_CHECK;

/* Where hook.app_secret is configured, the vendor's header for it must be there
 * once: the secret, or a JSON object with the secret as one of its texts.
 * STATUS_OK, STATUS_UNPROVED. */
enum status
authenticate_app_secret(const struct binding *binding, struct view header,
    size_t count, struct error *err) MUST_CHECK;

/* What an event says of its proof: "jws-es512", "secret-path", "app-secret". */
const char *
authenticate_proof(const struct binding *binding);

/* "ES512 /api/webhook.key", with or without the apostrophe the articles print
 * in front: does it name our algorithm and path? Only a cross-check. */
bool
authenticate_hint_agrees(const struct binding *binding, struct view hint);

/* Bad signatures per peer and source. The table is of fixed size: under a
 * flood from many addresses the oldest are forgotten. */
struct offenders;

enum status
offenders_open(uint32_t per_minute, struct offenders **out_offenders,
    struct error *err) MUST_CHECK;

void
offenders_close(struct offenders **offenders);

/* True when the peer is over its limit: 429. */
bool
offenders_is_blocked(struct offenders *offenders, const char *source,
    struct view peer, int64_t now_ms);

void
offenders_note(struct offenders *offenders, const char *source,
    struct view peer, int64_t now_ms);

#endif
