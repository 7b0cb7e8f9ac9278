/* SPDX-License-Identifier: Apache-2.0
 *
 * ES512 keys and signatures, SHA-256, secrets. */
#include "check.h"
#include "known_keys.h"

#include "vulnbus/base64url.h"
#include "vulnbus/crypto.h"

static struct es512_key *
key_from(const char *pem)
{
	struct es512_key *key = NULL;
	struct error err = { "" };

	assert_ok(es512_key_from_pem(view_of(pem), &key, &err), &err);
	return key;
}

static void
decode(const char *text, struct buffer *out)
{
	buffer_init(out, 1000);
	assert_status(base64url_decode(view_of(text), out), STATUS_OK);
}

static struct es512_key *
key_from_coordinates(const char *x, const char *y)
{
	struct es512_key *key = NULL;
	struct error err = { "" };
	struct buffer x_bytes, y_bytes;

	decode(x, &x_bytes);
	decode(y, &y_bytes);
	assert_ok(es512_key_from_point(
		      buffer_view(&x_bytes), buffer_view(&y_bytes), &key, &err),
	    &err);
	buffer_clear(&x_bytes);
	buffer_clear(&y_bytes);
	return key;
}

/* RFC 7515, appendix A.4. */
static void
the_published_vector_verifies(void **state)
{
	struct es512_key *key = key_from_coordinates(RFC_X, RFC_Y);
	struct buffer signature;

	(void)state;
	decode(RFC_SIGNATURE, &signature);
	assert_int_equal(signature.len, ES512_SIGNATURE_BYTES);
	assert_status(es512_verify(key, VIEW(RFC_HEADER "." RFC_PAYLOAD),
			  buffer_view(&signature)),
	    STATUS_OK);
	assert_status(es512_verify(key, VIEW(RFC_HEADER "." RFC_PAYLOAD "A"),
			  buffer_view(&signature)),
	    STATUS_UNPROVED);
	assert_status(es512_verify(key, VIEW(""), buffer_view(&signature)),
	    STATUS_UNPROVED);
	buffer_clear(&signature);
	es512_key_free(key);
}

/* One key of its many spellings. */
static void
every_form_of_a_key_is_the_same_key(void **state)
{
	static const char *const pems[] = { RFC_PUBLIC_PEM, RFC_CERTIFICATE_PEM,
		RFC_PRIVATE_PEM, RFC_PRIVATE_SEC1_PEM,
		"a comment before\n" RFC_PUBLIC_PEM, "\n\n" RFC_PUBLIC_PEM };
	struct es512_key *expected = key_from_coordinates(RFC_X, RFC_Y);

	(void)state;
	for (size_t i = 0; i < COUNT(pems); i++) {
		struct es512_key *key = key_from(pems[i]);

		assert_true(es512_key_equal(key, expected));
		es512_key_free(key);
	}
	es512_key_free(expected);
}

static void
other_keys_are_refused(void **state)
{
	static const struct {
		const char *what, *pem, *why;
	} cases[] = {
		{ "P-256", P256_PUBLIC_PEM, "not a P-521 key" },
		{ "P-256 certificate", P256_CERTIFICATE_PEM,
		    "not a P-521 key" },
		{ "P-384", P384_PUBLIC_PEM, "not a P-521 key" },
		{ "RSA", RSA_PUBLIC_PEM, "not a P-521 key" },
		{ "Ed25519", ED25519_PUBLIC_PEM, "not a P-521 key" },
		{ "locked", RFC_LOCKED_PEM, "no public key" },
		{ "nothing", "", "no public key" },
		{ "no PEM", "hello", "no public key" },
		{ "half a PEM", "-----BEGIN PUBLIC KEY-----\nMIGb",
		    "no public key" },
		{ "no base64",
		    "-----BEGIN PUBLIC KEY-----\n!!!!\n"
		    "-----END PUBLIC KEY-----\n",
		    "no public key" },
		{ "no key in it",
		    "-----BEGIN PUBLIC KEY-----\nAAAA\n"
		    "-----END PUBLIC KEY-----\n",
		    "no public key" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct es512_key *key = NULL;
		struct error err = { "" };

		assert_status_of(cases[i].what,
		    es512_key_from_pem(view_of(cases[i].pem), &key, &err),
		    STATUS_INVALID);
		assert_contains(err.text, cases[i].why);
		assert_null(key);
	}
}

static void
a_huge_pem_is_refused(void **state)
{
	static char text[64 * 1024 + 1];
	struct es512_key *key = NULL;
	struct error err = { "" };

	(void)state;
	memset(text, '\n', sizeof(text));
	assert_status(
	    es512_key_from_pem((struct view){ text, sizeof(text) }, &key, &err),
	    STATUS_TOO_LARGE);
}

/* RFC 7518 section 6.2.1.2: 66 octets, no fewer; and a point of the curve. */
static void
points_are_checked(void **state)
{
	static const char zeros[ES512_COORDINATE_BYTES + 1];
	const struct view zero = { zeros, ES512_COORDINATE_BYTES };
	struct es512_key *key = NULL;
	struct error err = { "" };
	struct buffer x, y;
	struct view short_x;

	(void)state;
	decode(RFC_X, &x);
	decode(RFC_Y, &y);
	short_x = (struct view){ x.data, x.len - 1 };
	assert_status(
	    es512_key_from_point(short_x, buffer_view(&y), &key, &err),
	    STATUS_INVALID);
	assert_status(es512_key_from_point(buffer_view(&x),
			  (struct view){ zeros, sizeof(zeros) }, &key, &err),
	    STATUS_INVALID);
	assert_status(
	    es512_key_from_point(zero, zero, &key, &err), STATUS_INVALID);
	assert_status(es512_key_from_point(VIEW(""), VIEW(""), &key, &err),
	    STATUS_INVALID);
	assert_status(
	    es512_key_from_point(buffer_view(&y), buffer_view(&x), &key, &err),
	    STATUS_INVALID);
	x.data[65] ^= 1;
	assert_status(
	    es512_key_from_point(buffer_view(&x), buffer_view(&y), &key, &err),
	    STATUS_INVALID);
	assert_contains(err.text, "not on P-521");
	assert_null(key);
	buffer_clear(&x);
	buffer_clear(&y);
}

static void
what_is_signed_verifies_and_nothing_else(void **state)
{
	struct es512_key *key = NULL, *other = key_from(OTHER_PUBLIC_PEM);
	struct error err = { "" };
	struct buffer s;

	(void)state;
	assert_ok(es512_key_generate(&key, &err), &err);
	buffer_init(&s, 1000);
	assert_ok(es512_sign(key, VIEW("message"), &s, &err), &err);
	assert_int_equal(s.len, ES512_SIGNATURE_BYTES);
	assert_status(
	    es512_verify(key, VIEW("message"), buffer_view(&s)), STATUS_OK);
	assert_status(es512_verify(key, VIEW("massage"), buffer_view(&s)),
	    STATUS_UNPROVED);
	assert_status(es512_verify(other, VIEW("message"), buffer_view(&s)),
	    STATUS_UNPROVED);
	es512_key_free(key);
	es512_key_free(other);
	buffer_clear(&s);
}

/* Each bit of a signature counts, the seven that are always zero too. */
static void
no_bit_of_a_signature_may_change(void **state)
{
	struct es512_key *key = key_from(RFC_PUBLIC_PEM);
	struct buffer s;

	(void)state;
	decode(RFC_SIGNATURE, &s);
	for (size_t bit = 0; bit < s.len * 8; bit += 5) {
		s.data[bit / 8] = (char)(s.data[bit / 8] ^ (1 << bit % 8));
		assert_status(
		    es512_verify(
			key, VIEW(RFC_HEADER "." RFC_PAYLOAD), buffer_view(&s)),
		    STATUS_UNPROVED);
		s.data[bit / 8] = (char)(s.data[bit / 8] ^ (1 << bit % 8));
	}
	buffer_clear(&s);
	es512_key_free(key);
}

/* CVE-2022-21449 and its kin: r and s lie between 1 and n - 1. */
static void
numbers_outside_the_group_are_refused(void **state)
{
	static const char order[] = P521_ORDER;
	struct es512_key *key = key_from(RFC_PUBLIC_PEM);
	struct buffer good;

	(void)state;
	assert_int_equal(sizeof(order) - 1, ES512_COORDINATE_BYTES);
	decode(RFC_SIGNATURE, &good);
	for (int i = 0; i < 9; i++) {
		char s[ES512_SIGNATURE_BYTES];
		char *const halves[] = { s, s + ES512_COORDINATE_BYTES };

		memcpy(s, good.data, sizeof(s));
		for (int k = 0; k < 2; k++) {
			/* 0: zero, 1: the order, 2: all ones */
			const int what = k == 0 ? i % 3 : i / 3;

			if (what == 1)
				memcpy(
				    halves[k], order, ES512_COORDINATE_BYTES);
			else
				memset(halves[k], what == 0 ? 0 : 0xff,
				    ES512_COORDINATE_BYTES);
		}
		assert_status(
		    es512_verify(key, VIEW(RFC_HEADER "." RFC_PAYLOAD),
			(struct view){ s, sizeof(s) }),
		    STATUS_UNPROVED);
		memcpy(s + ES512_COORDINATE_BYTES * (i % 2),
		    good.data + ES512_COORDINATE_BYTES * (i % 2),
		    ES512_COORDINATE_BYTES);
		assert_status(
		    es512_verify(key, VIEW(RFC_HEADER "." RFC_PAYLOAD),
			(struct view){ s, sizeof(s) }),
		    STATUS_UNPROVED);
	}
	buffer_clear(&good);
	es512_key_free(key);
}

static void
only_132_octets_are_a_signature(void **state)
{
	struct es512_key *key = key_from(RFC_PUBLIC_PEM);
	const size_t lengths[] = { 0, 1, 64, 131, 133, 139, 264 };
	char twice[2 * ES512_SIGNATURE_BYTES];
	struct buffer s;

	(void)state;
	decode(RFC_SIGNATURE, &s);
	memcpy(twice, s.data, s.len);
	memcpy(twice + s.len, s.data, s.len);
	for (size_t i = 0; i < COUNT(lengths); i++)
		assert_status(
		    es512_verify(key, VIEW(RFC_HEADER "." RFC_PAYLOAD),
			(struct view){ twice, lengths[i] }),
		    STATUS_UNPROVED);
	buffer_clear(&s);
	es512_key_free(key);
}

static void
a_public_key_cannot_sign(void **state)
{
	struct es512_key *key = key_from(RFC_PUBLIC_PEM);
	struct error err = { "" };
	struct buffer s;

	(void)state;
	buffer_init(&s, 1000);
	assert_status(
	    es512_sign(key, VIEW("message"), &s, &err), STATUS_INVALID);
	assert_int_equal(s.len, 0);
	buffer_clear(&s);
	es512_key_free(key);
}

/* Of a private key only the public half is written. */
static void
pem_goes_there_and_back(void **state)
{
	struct es512_key *key = key_from(RFC_PRIVATE_PEM);
	struct error err = { "" };
	struct buffer pem;

	(void)state;
	buffer_init(&pem, 1000);
	assert_ok(es512_key_to_pem(key, &pem, &err), &err);
	assert_view(buffer_view(&pem), RFC_PUBLIC_PEM);
	es512_key_free(key);
	buffer_clear(&pem);
	key = key_from(RFC_PUBLIC_PEM);
	buffer_init(&pem, 100);
	assert_status(es512_key_to_pem(key, &pem, &err), STATUS_TOO_LARGE);
	es512_key_free(key);
	buffer_clear(&pem);
}

static void
the_last_holder_frees_a_key(void **state)
{
	struct es512_key *key = key_from(RFC_PUBLIC_PEM);
	struct es512_key *held = es512_key_hold(key);
	struct es512_key *other = key_from(OTHER_PUBLIC_PEM);

	(void)state;
	es512_key_free(key);
	assert_false(es512_key_equal(held, other));
	es512_key_free(held);
	es512_key_free(other);
	assert_null(es512_key_hold(NULL));
	es512_key_free(NULL);
}

/* FIPS 180-4's examples. */
static void
digests_are_as_published(void **state)
{
	static const struct {
		const char *text, *hex;
	} cases[] = {
		{ "", "e3b0c44298fc1c149afbf4c8996fb924"
		      "27ae41e4649b934ca495991b7852b855" },
		{ "abc", "ba7816bf8f01cfea414140de5dae2223"
			 "b00361a396177a9cb410ff61f20015ad" },
		{ "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
		    "248d6a61d20638b8e5c026930c3e6039"
		    "a33ce45964ff2167f6ecedd419db06c1" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		unsigned char digest[SHA256_BYTES];
		char hex[SHA256_BYTES * 2 + 1];

		sha256_of(view_of(cases[i].text), digest);
		sha256_hex(digest, hex);
		assert_string_equal(hex, cases[i].hex);
	}
}

/* A running digest may be asked again and again, and goes on. */
static void
a_running_digest_goes_on(void **state)
{
	unsigned char so_far[SHA256_BYTES], expected[SHA256_BYTES];
	struct sha256 *sha = NULL;
	struct error err = { "" };
	char text[300];

	(void)state;
	memset(text, 'x', sizeof(text));
	assert_ok(sha256_open(&sha, &err), &err);
	for (size_t len = 0; len < sizeof(text); len += 7) {
		sha256_digest(sha, so_far);
		sha256_digest(sha, so_far);
		sha256_of((struct view){ text, len }, expected);
		assert_memory_equal(so_far, expected, SHA256_BYTES);
		sha256_update(sha, (struct view){ text, 7 });
	}
	sha256_close(&sha);
	assert_null(sha);
	sha256_close(&sha);
}

static void
secrets_are_equal_or_not(void **state)
{
	(void)state;
	assert_true(secret_equal(VIEW("abc"), VIEW("abc")));
	assert_true(secret_equal(VIEW(""), VIEW("")));
	assert_false(secret_equal(VIEW("abc"), VIEW("abd")));
	assert_false(secret_equal(VIEW("abc"), VIEW("ab")));
	assert_false(secret_equal(VIEW("ab"), VIEW("abc")));
	assert_false(secret_equal(VIEW("a\0b"), VIEW("a\0c")));
}

static void
random_bytes_differ(void **state)
{
	char a[32] = "", b[32] = "", zeros[32] = "";

	(void)state;
	random_bytes(a, sizeof(a));
	random_bytes(b, sizeof(b));
	assert_memory_not_equal(a, b, sizeof(a));
	assert_memory_not_equal(a, zeros, sizeof(a));
	random_bytes(a, 0);
}

static void
a_subject_is_what_openssl_prints(void **state)
{
	static const struct {
		const char *certificate, *subject;
	} cases[] = {
		{ NAMED_CERTIFICATE, NAMED_SUBJECT },
		{ NAMELESS_CERTIFICATE, "" },
	};
	struct buffer der, text;

	(void)state;
	buffer_init(&text, 1000);
	for (size_t i = 0; i < COUNT(cases); i++) {
		buffer_reset(&text);
		decode(cases[i].certificate, &der);
		assert_status(
		    certificate_subject(buffer_view(&der), &text), STATUS_OK);
		assert_view(buffer_view(&text), cases[i].subject);
		der.len--;
		assert_status(certificate_subject(buffer_view(&der), &text),
		    STATUS_INVALID);
		assert_view(buffer_view(&text), cases[i].subject);
		buffer_clear(&der);
	}
	assert_status(certificate_subject(VIEW(""), &text), STATUS_INVALID);
	buffer_clear(&text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_published_vector_verifies),
		cmocka_unit_test(every_form_of_a_key_is_the_same_key),
		cmocka_unit_test(other_keys_are_refused),
		cmocka_unit_test(a_huge_pem_is_refused),
		cmocka_unit_test(points_are_checked),
		cmocka_unit_test(what_is_signed_verifies_and_nothing_else),
		cmocka_unit_test(no_bit_of_a_signature_may_change),
		cmocka_unit_test(numbers_outside_the_group_are_refused),
		cmocka_unit_test(only_132_octets_are_a_signature),
		cmocka_unit_test(a_public_key_cannot_sign),
		cmocka_unit_test(pem_goes_there_and_back),
		cmocka_unit_test(the_last_holder_frees_a_key),
		cmocka_unit_test(digests_are_as_published),
		cmocka_unit_test(a_running_digest_goes_on),
		cmocka_unit_test(secrets_are_equal_or_not),
		cmocka_unit_test(random_bytes_differ),
		cmocka_unit_test(a_subject_is_what_openssl_prints),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
