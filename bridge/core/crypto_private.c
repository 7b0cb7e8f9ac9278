/* SPDX-License-Identifier: Apache-2.0
 *
 * A door to OpenSSL: private keys that others made. */
#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <string.h>

#include "crypto_key.h"
#include "vulnbus/crypto.h"

/* Both halves of one pair. */
static bool
is_pair(EVP_PKEY *pkey)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(pkey, NULL);
	const bool is_good = ctx != NULL && crypto_is_p521(pkey) &&
			     EVP_PKEY_pairwise_check(ctx) == 1;

	EVP_PKEY_CTX_free(ctx);
	ERR_clear_error();
	return is_good;
}

/* Takes the key. */
static enum status
give(EVP_PKEY *pkey, const char *form, struct es512_key **out_key,
    struct error *err)
{
	if (pkey != NULL && is_pair(pkey)) {
		*out_key = (struct es512_key *)(void *)pkey;
		return STATUS_OK;
	}
	EVP_PKEY_free(pkey);
	return error_set(err, STATUS_INVALID,
	    "%s: no private P-521 key (ES512 needs secp521r1) that is not "
	    "locked by a passphrase",
	    form);
}

enum status
es512_private_from_pem(
    struct view pem, struct es512_key **out_key, struct error *err)
{
	BIO *bio = pem.len > 64 * 1024
		       ? NULL
		       : BIO_new_mem_buf(pem.data, (int)pem.len);
	EVP_PKEY *pkey = bio == NULL ? NULL
				     : PEM_read_bio_PrivateKey(bio, NULL,
					   crypto_no_passphrase, NULL);

	BIO_free(bio);
	ERR_clear_error();
	return give(pkey, "PEM", out_key, err);
}

static EVP_PKEY *
pkey_from(OSSL_PARAM_BLD *build)
{
	OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(build);
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	EVP_PKEY *pkey = NULL;

	if (params == NULL || ctx == NULL || EVP_PKEY_fromdata_init(ctx) != 1 ||
	    EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_KEYPAIR, params) != 1)
		pkey = NULL;
	EVP_PKEY_CTX_free(ctx);
	OSSL_PARAM_free(params);
	return pkey;
}

enum status
es512_private_from_jwk(struct view x, struct view y, struct view d,
    struct es512_key **out_key, struct error *err)
{
	unsigned char point[1 + 2 * ES512_COORDINATE_BYTES] = { 4 };
	OSSL_PARAM_BLD *build = NULL;
	EVP_PKEY *pkey = NULL;
	BIGNUM *scalar = NULL;

	if (x.len != ES512_COORDINATE_BYTES ||
	    y.len != ES512_COORDINATE_BYTES || d.len != ES512_COORDINATE_BYTES)
		return error_set(err, STATUS_INVALID,
		    "JWK: x, y and d of P-521 are 66 octets each");
	memcpy(point + 1, x.data, x.len);
	memcpy(point + 1 + x.len, y.data, y.len);
	build = OSSL_PARAM_BLD_new();
	scalar = BN_bin2bn((const unsigned char *)d.data, (int)d.len, NULL);
	if (build != NULL && scalar != NULL &&
	    OSSL_PARAM_BLD_push_utf8_string(
		build, OSSL_PKEY_PARAM_GROUP_NAME, "P-521", 0) == 1 &&
	    OSSL_PARAM_BLD_push_octet_string(
		build, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point)) == 1 &&
	    OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_PRIV_KEY, scalar) ==
		1)
		pkey = pkey_from(build);
	OSSL_PARAM_BLD_free(build);
	BN_clear_free(scalar);
	return give(pkey, "JWK", out_key, err);
}
