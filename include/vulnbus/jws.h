/* SPDX-License-Identifier: Apache-2.0
 *
 * A compact JWS signed with ES512, read strictly (RFC 7515, RFC 8725), and the
 * public keys that verify one. */
#ifndef VULNBUS_JWS_H
#define VULNBUS_JWS_H

#include "vulnbus/crypto.h"
#include "vulnbus/json.h"

/* A vendor's token is a few hundred bytes. */
#define JWS_BYTES_MAX 16384

struct jws {
	struct view signing_input; /* borrowed from the token: as received */
	struct buffer header;
	struct buffer payload;
	struct buffer signature;
};

void
jws_init(struct jws *jws);

void
jws_clear(struct jws *jws);

/* Takes the token apart and checks all but the signature itself: exactly two
 * dots, exact base64url, a signature of 132 octets, a header that is one JSON
 * object without a name twice, alg "ES512", typ "JWT" or none, no crit, b64,
 * jwk, jku, x5c or x5u. STATUS_UNPROVED says which rule failed. */
enum status
jws_parse(struct view token, struct jws *jws, struct error *err) MUST_CHECK;

/* STATUS_OK when one of the keys made the signature, else STATUS_UNPROVED. */
enum status
jws_verify(const struct jws *jws, struct es512_key *const *keys,
    size_t count) MUST_CHECK;

/* Appends "<header>.<claims>.<signature>" to `out`; `claims` is a JSON object.
 * The key must hold a private half. */
enum status
jws_sign(const struct es512_key *key, struct view claims, struct buffer *out,
    struct error *err) MUST_CHECK;

#define JWS_KEYS_MAX 16

struct jws_keys {
	struct es512_key *items[JWS_KEYS_MAX]; /* owned */
	size_t count;
};

/* Adds the keys of a PEM text (one or several blocks), a JWK (RFC 7517) or a
 * JWK set. Keys that are not P-521 are an error but in a set, where they are
 * passed over; no P-521 key at all is one too. Of a text that is refused no
 * key is taken; a key that is there already is not added again. */
enum status
jws_keys_read(
    struct view text, struct jws_keys *keys, struct error *err) MUST_CHECK;

/* A key that can sign: a private PEM, or a JWK with its `d`. */
enum status
jws_private_key_read(
    struct view text, struct es512_key **out_key, struct error *err) MUST_CHECK;

void
jws_keys_clear(struct jws_keys *keys);

#endif
