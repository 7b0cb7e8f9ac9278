/* SPDX-License-Identifier: Apache-2.0
 *
 * ES512 by EVP_DigestVerify with a cached key, a context for each call, and
 * nothing around it. */
#ifndef BARE_SIGNATURE_H
#define BARE_SIGNATURE_H

#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vulnbus/base64url.h"

#define HALF_BYTES 66

struct bare_signature {
	const char *message;
	size_t message_len;
	unsigned char *der; /* OPENSSL_free */
	int der_len;
};

/* NULL: no such file, or no public key in it. */
static EVP_PKEY *
bare_key(const char *path)
{
	FILE *file = fopen(path, "r");
	EVP_PKEY *key = NULL;

	if (file != NULL) {
		key = PEM_read_PUBKEY(file, NULL, NULL, NULL);
		fclose(file);
	}
	return key;
}

static struct bare_signature
bare_signature_of(const char *token)
{
	const char *dot = strrchr(token, '.');
	struct bare_signature s = { .message = token };
	struct buffer raw;
	ECDSA_SIG *sig = ECDSA_SIG_new();

	buffer_init(&raw, 256);
	if (dot == NULL ||
	    base64url_decode(view_of(dot + 1), &raw) != STATUS_OK ||
	    raw.len != 2 * HALF_BYTES)
		abort();
	s.message_len = (size_t)(dot - token);
	ECDSA_SIG_set0(sig,
	    BN_bin2bn((unsigned char *)raw.data, HALF_BYTES, NULL),
	    BN_bin2bn(
		(unsigned char *)raw.data + HALF_BYTES, HALF_BYTES, NULL));
	s.der_len = i2d_ECDSA_SIG(sig, &s.der);
	ECDSA_SIG_free(sig);
	buffer_clear(&raw);
	return s;
}

static bool
bare_verify(EVP_PKEY *key, const struct bare_signature *s)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	const bool is_good =
	    EVP_DigestVerifyInit(ctx, NULL, EVP_sha512(), NULL, key) == 1 &&
	    EVP_DigestVerify(ctx, s->der, (size_t)s->der_len,
		(const unsigned char *)s->message, s->message_len) == 1;

	EVP_MD_CTX_free(ctx);
	return is_good;
}

#endif
