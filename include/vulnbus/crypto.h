/* SPDX-License-Identifier: Apache-2.0
 *
 * The doors to OpenSSL (crypto.c, crypto_private.c): ES512 keys and signatures,
 * SHA-256, comparison of secrets, random bytes, subjects of certificates. */
#ifndef VULNBUS_CRYPTO_H
#define VULNBUS_CRYPTO_H

#include "vulnbus/buffer.h"

/* RFC 7518 section 3.4: R and S as 66 octets each, big-endian. */
#define ES512_SIGNATURE_BYTES  132
#define ES512_COORDINATE_BYTES 66
#define SHA256_BYTES           32

/* A parsed P-521 key; the parse costs as much as a verification, so a key is
 * parsed once. Any number of threads may verify with one key. */
struct es512_key;

/* PEM: a SubjectPublicKeyInfo ("PUBLIC KEY"), a certificate, or a private key
 * (whose public half is used to verify). STATUS_INVALID for any other curve. */
enum status
es512_key_from_pem(
    struct view pem, struct es512_key **out_key, struct error *err) MUST_CHECK;

/* From the coordinates of a JWK, each exactly 66 octets (RFC 7518 section
 * 6.2.1.2); the point must lie on the curve. */
enum status
es512_key_from_point(struct view x, struct view y, struct es512_key **out_key,
    struct error *err) MUST_CHECK;

/* A key that can sign: a private key in PEM without a passphrase, or a JWK's
 * coordinates with its `d` (RFC 7518 section 6.2.2.1), which must fit them. */
enum status
es512_private_from_pem(
    struct view pem, struct es512_key **out_key, struct error *err) MUST_CHECK;

enum status
es512_private_from_jwk(struct view x, struct view y, struct view d,
    struct es512_key **out_key, struct error *err) MUST_CHECK;

enum status
es512_key_generate(struct es512_key **out_key, struct error *err) MUST_CHECK;

/* Keys are counted: _hold adds a holder, _free drops one. NULL is fine. */
struct es512_key *
es512_key_hold(struct es512_key *key);

void
es512_key_free(struct es512_key *key);

bool
es512_key_equal(const struct es512_key *a, const struct es512_key *b);

/* The public half as PEM, appended to `out`. */
enum status
es512_key_to_pem(const struct es512_key *key, struct buffer *out,
    struct error *err) MUST_CHECK;

/* `signature` must be ES512_SIGNATURE_BYTES of R || S; r and s of zero or not
 * below the group's order are refused. STATUS_OK or STATUS_UNPROVED, and
 * STATUS_NO_MEMORY. */
enum status
es512_verify(const struct es512_key *key, struct view message,
    struct view signature) MUST_CHECK;

/* Appends R || S to `out`. The key must hold a private half. */
enum status
es512_sign(const struct es512_key *key, struct view message, struct buffer *out,
    struct error *err) MUST_CHECK;

/* A running SHA-256. _digest may be asked at any time and does not end it. */
struct sha256;

enum status
sha256_open(struct sha256 **out_sha, struct error *err) MUST_CHECK;

void
sha256_close(struct sha256 **sha);

void
sha256_update(struct sha256 *sha, struct view bytes);

void
sha256_digest(const struct sha256 *sha, unsigned char out[SHA256_BYTES]);

/* The digest of `bytes` in one call. */
void
sha256_of(struct view bytes, unsigned char out[SHA256_BYTES]);

/* Lower case hexadecimal and a NUL. */
void
sha256_hex(
    const unsigned char digest[SHA256_BYTES], char out[SHA256_BYTES * 2 + 1]);

/* The time taken depends on the lengths only. */
bool
secret_equal(struct view a, struct view b);

void
random_bytes(void *out, size_t len);

/* Appends the subject of an X.509 certificate (DER) in the form of RFC 4514, as
 * "openssl x509 -noout -subject -nameopt RFC2253" prints it. STATUS_INVALID: it
 * is no certificate; STATUS_NO_MEMORY, and what buffer_status says of `out`. */
enum status
certificate_subject(struct view der, struct buffer *out) MUST_CHECK;

#endif
