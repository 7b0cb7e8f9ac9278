/* SPDX-License-Identifier: Apache-2.0
 *
 * The door to OpenSSL. */
#include "vulnbus/crypto.h"

#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "crypto_key.h"

struct es512_key; /* an EVP_PKEY, which counts its holders itself */

static EVP_PKEY *
pkey_of(const struct es512_key *key)
{
	return (EVP_PKEY *)(uintptr_t)key;
}

static struct es512_key *
key_of(EVP_PKEY *pkey)
{
	return (struct es512_key *)(void *)pkey;
}

bool
crypto_is_p521(const EVP_PKEY *pkey)
{
	char group[32] = "";
	size_t len;

	return EVP_PKEY_is_a(pkey, "EC") &&
	       EVP_PKEY_get_group_name(pkey, group, sizeof(group), &len) == 1 &&
	       strcmp(group, "secp521r1") == 0;
}

int
crypto_no_passphrase(char *out, int size, int is_writing, void *arg)
{
	(void)out;
	(void)size;
	(void)is_writing;
	(void)arg;
	return -1;
}

static EVP_PKEY *
read_pem(struct view pem)
{
	BIO *bio = BIO_new_mem_buf(pem.data, (int)pem.len);
	EVP_PKEY *pkey = NULL;
	X509 *certificate = NULL;

	if (bio == NULL)
		return NULL;
	pkey = PEM_read_bio_PUBKEY(bio, NULL, crypto_no_passphrase, NULL);
	if (pkey == NULL && BIO_reset(bio) == 1)
		certificate = PEM_read_bio_X509(
		    bio, NULL, crypto_no_passphrase, NULL);
	if (certificate != NULL)
		pkey = X509_get_pubkey(certificate);
	if (pkey == NULL && BIO_reset(bio) == 1)
		pkey = PEM_read_bio_PrivateKey(
		    bio, NULL, crypto_no_passphrase, NULL);
	X509_free(certificate);
	BIO_free(bio);
	ERR_clear_error();
	return pkey;
}

enum status
es512_key_from_pem(
    struct view pem, struct es512_key **out_key, struct error *err)
{
	EVP_PKEY *pkey;

	if (pem.len > 64 * 1024)
		return error_set(err, STATUS_TOO_LARGE, "PEM: over 64 KiB");
	pkey = read_pem(pem);
	if (pkey == NULL)
		return error_set(err, STATUS_INVALID, "PEM: no public key");
	if (!crypto_is_p521(pkey)) {
		EVP_PKEY_free(pkey);
		return error_set(err, STATUS_INVALID,
		    "PEM: not a P-521 key (ES512 needs secp521r1)");
	}
	*out_key = key_of(pkey);
	return STATUS_OK;
}

enum status
es512_key_from_point(
    struct view x, struct view y, struct es512_key **out_key, struct error *err)
{
	static char group[] = "P-521";
	unsigned char point[1 + 2 * ES512_COORDINATE_BYTES] = { 4 };
	EVP_PKEY_CTX *ctx = NULL;
	EVP_PKEY *pkey = NULL;
	OSSL_PARAM params[3];

	if (x.len != ES512_COORDINATE_BYTES || y.len != ES512_COORDINATE_BYTES)
		return error_set(err, STATUS_INVALID,
		    "JWK: x and y of P-521 are 66 octets each");
	memcpy(point + 1, x.data, x.len);
	memcpy(point + 1 + x.len, y.data, y.len);
	params[0] = OSSL_PARAM_construct_utf8_string(
	    OSSL_PKEY_PARAM_GROUP_NAME, group, 0);
	params[1] = OSSL_PARAM_construct_octet_string(
	    OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point));
	params[2] = OSSL_PARAM_construct_end();
	ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	if (ctx == NULL || EVP_PKEY_fromdata_init(ctx) != 1 ||
	    EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params) != 1)
		pkey = NULL;
	EVP_PKEY_CTX_free(ctx);
	ERR_clear_error();
	if (pkey == NULL)
		return error_set(
		    err, STATUS_INVALID, "JWK: the point is not on P-521");
	*out_key = key_of(pkey);
	return STATUS_OK;
}

enum status
es512_key_generate(struct es512_key **out_key, struct error *err)
{
	EVP_PKEY *pkey = EVP_EC_gen("P-521");

	if (pkey == NULL)
		return error_set(err, STATUS_NO_MEMORY, "no P-521 key made");
	*out_key = key_of(pkey);
	return STATUS_OK;
}

struct es512_key *
es512_key_hold(struct es512_key *key)
{
	if (key != NULL)
		EVP_PKEY_up_ref(pkey_of(key));
	return key;
}

void
es512_key_free(struct es512_key *key)
{
	EVP_PKEY_free(pkey_of(key));
}

bool
es512_key_equal(const struct es512_key *a, const struct es512_key *b)
{
	return EVP_PKEY_eq(pkey_of(a), pkey_of(b)) == 1;
}

enum status
es512_key_to_pem(
    const struct es512_key *key, struct buffer *out, struct error *err)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *data = NULL;
	long len = 0;

	if (bio != NULL && PEM_write_bio_PUBKEY(bio, pkey_of(key)) == 1)
		len = BIO_get_mem_data(bio, &data);
	if (len > 0)
		buffer_append(out, data, (size_t)len);
	BIO_free(bio);
	if (len <= 0)
		return error_set(err, STATUS_NO_MEMORY, "key: no PEM made");
	return buffer_status(out);
}

/* R || S to the DER that OpenSSL takes. RFC 7518 section 3.4 wants exactly
 * 132 octets, so the length is checked before anything is made of them. */
static unsigned char *
signature_to_der(struct view signature, int *out_len)
{
	const unsigned char *bytes = (const unsigned char *)signature.data;
	ECDSA_SIG *sig = NULL;
	BIGNUM *r = NULL, *s = NULL;
	unsigned char *der = NULL;

	if (signature.len != ES512_SIGNATURE_BYTES)
		return NULL;
	sig = ECDSA_SIG_new();
	r = BN_bin2bn(bytes, ES512_COORDINATE_BYTES, NULL);
	s = BN_bin2bn(
	    bytes + ES512_COORDINATE_BYTES, ES512_COORDINATE_BYTES, NULL);
	if (sig != NULL && r != NULL && s != NULL &&
	    ECDSA_SIG_set0(sig, r, s) == 1) {
		r = s = NULL; /* now the signature's */
		*out_len = i2d_ECDSA_SIG(sig, &der);
	}
	BN_free(r);
	BN_free(s);
	ECDSA_SIG_free(sig);
	return der;
}

enum status
es512_verify(
    const struct es512_key *key, struct view message, struct view signature)
{
	int len = 0;
	unsigned char *der = signature_to_der(signature, &len);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	enum status status = STATUS_UNPROVED;

	/* ECDSA_do_verify refuses r and s outside 1..n-1 (SEC 1, 4.1.4). */
	if (ctx == NULL)
		status = STATUS_NO_MEMORY;
	else if (der != NULL && len > 0 &&
		 EVP_DigestVerifyInit(
		     ctx, NULL, EVP_sha512(), NULL, pkey_of(key)) == 1 &&
		 EVP_DigestVerify(ctx, der, (size_t)len,
		     (const unsigned char *)message.data, message.len) == 1)
		status = STATUS_OK;
	EVP_MD_CTX_free(ctx);
	OPENSSL_free(der);
	ERR_clear_error();
	return status;
}

static bool
append_raw(const unsigned char *der, size_t len, struct buffer *out)
{
	ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &der, (long)len);
	unsigned char raw[ES512_SIGNATURE_BYTES];
	bool is_good = sig != NULL &&
		       BN_bn2binpad(ECDSA_SIG_get0_r(sig), raw,
			   ES512_COORDINATE_BYTES) > 0 &&
		       BN_bn2binpad(ECDSA_SIG_get0_s(sig),
			   raw + ES512_COORDINATE_BYTES,
			   ES512_COORDINATE_BYTES) > 0;

	ECDSA_SIG_free(sig);
	if (is_good)
		buffer_append(out, raw, sizeof(raw));
	return is_good;
}

enum status
es512_sign(const struct es512_key *key, struct view message, struct buffer *out,
    struct error *err)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	unsigned char der[256];
	size_t len = sizeof(der);
	bool is_good = ctx != NULL &&
		       EVP_DigestSignInit(
			   ctx, NULL, EVP_sha512(), NULL, pkey_of(key)) == 1 &&
		       EVP_DigestSign(ctx, der, &len,
			   (const unsigned char *)message.data,
			   message.len) == 1 &&
		       append_raw(der, len, out);

	EVP_MD_CTX_free(ctx);
	ERR_clear_error();
	if (!is_good)
		return error_set(err, STATUS_INVALID, "ES512: cannot sign");
	return buffer_status(out);
}

struct sha256 {
	EVP_MD_CTX *running;
	EVP_MD_CTX *copy; /* finished in place of the running one */
};

enum status
sha256_open(struct sha256 **out_sha, struct error *err)
{
	struct sha256 *sha = calloc(1, sizeof(*sha));

	if (sha != NULL) {
		sha->running = EVP_MD_CTX_new();
		sha->copy = EVP_MD_CTX_new();
	}
	if (sha == NULL || sha->running == NULL || sha->copy == NULL ||
	    EVP_DigestInit_ex(sha->running, EVP_sha256(), NULL) != 1 ||
	    EVP_MD_CTX_copy_ex(sha->copy, sha->running) != 1) {
		sha256_close(&sha);
		return error_set(err, STATUS_NO_MEMORY, "SHA-256: no memory");
	}
	*out_sha = sha;
	return STATUS_OK;
}

void
sha256_close(struct sha256 **sha)
{
	if (*sha == NULL)
		return;
	EVP_MD_CTX_free((*sha)->running);
	EVP_MD_CTX_free((*sha)->copy);
	free(*sha);
	*sha = NULL;
}

/* A wrong digest must never be taken for a right one, nor a guessable number
 * for a random one: without the few hundred bytes that OpenSSL wants for them
 * the process ends, and nothing was said that is not so. */
static void
require(int result)
{
	if (result != 1)
		abort();
}

void
sha256_update(struct sha256 *sha, struct view bytes)
{
	require(EVP_DigestUpdate(sha->running, bytes.data, bytes.len));
}

void
sha256_digest(const struct sha256 *sha, unsigned char out[SHA256_BYTES])
{
	require(EVP_MD_CTX_copy_ex(sha->copy, sha->running));
	require(EVP_DigestFinal_ex(sha->copy, out, NULL));
}

/* EVP_sha256() is looked for at each use ("Implicit fetching", crypto(7)). */
static pthread_once_t fetched = PTHREAD_ONCE_INIT;
static EVP_MD *sha256;

static void
fetch(void)
{
	require((sha256 = EVP_MD_fetch(NULL, "SHA256", NULL)) != NULL);
}

void
sha256_of(struct view bytes, unsigned char out[SHA256_BYTES])
{
	pthread_once(&fetched, fetch);
	require(EVP_Digest(bytes.data, bytes.len, out, NULL, sha256, NULL));
}

void
sha256_hex(
    const unsigned char digest[SHA256_BYTES], char out[SHA256_BYTES * 2 + 1])
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < SHA256_BYTES; i++) {
		out[2 * i] = digits[digest[i] >> 4];
		out[2 * i + 1] = digits[digest[i] & 0x0f];
	}
	out[SHA256_BYTES * 2] = '\0';
}

bool
secret_equal(struct view a, struct view b)
{
	return a.len == b.len && CRYPTO_memcmp(a.data, b.data, a.len) == 0;
}

void
random_bytes(void *out, size_t len)
{
	require(RAND_bytes(out, (int)len));
}

enum status
certificate_subject(struct view der, struct buffer *out)
{
	const unsigned char *at = (const unsigned char *)der.data;
	X509 *certificate = d2i_X509(NULL, &at, (long)der.len);
	BIO *text = BIO_new(BIO_s_mem());
	enum status status = STATUS_INVALID;
	char *data = NULL;
	long len;

	if (text == NULL) {
		status = STATUS_NO_MEMORY;
		goto out;
	}
	if (certificate == NULL ||
	    X509_NAME_print_ex(text, X509_get_subject_name(certificate), 0,
		XN_FLAG_RFC2253) < 0)
		goto out;
	len = BIO_get_mem_data(text, &data);
	buffer_append(out, data, (size_t)len);
	status = buffer_status(out);
out:
	BIO_free(text);
	X509_free(certificate);
	ERR_clear_error();
	return status;
}
