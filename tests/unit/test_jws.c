/* SPDX-License-Identifier: Apache-2.0
 *
 * Tokens are read strictly, rule by rule; keys in the forms they come in. */
#include "check.h"
#include "known_keys.h"

#include "vulnbus/base64url.h"
#include "vulnbus/jws.h"

#define JWK(x, y) \
	"{\"kty\":\"EC\",\"crv\":\"P-521\",\"x\":\"" x "\",\"y\":\"" y "\"}"
#define P256_JWK                                            \
	"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" P256_X \
	"\",\"y\":\"" P256_Y "\"}"

/* "<header>.<payload>.<signature>" of plain texts; the signature of the
 * private key given, or 132 octets of 'x'. */
static void
make_token(struct view header, struct view payload, const struct es512_key *key,
    struct buffer *out)
{
	char filler[ES512_SIGNATURE_BYTES];
	struct buffer signature;
	struct error err = { "" };

	memset(filler, 'x', sizeof(filler));
	buffer_init(out, 100000);
	buffer_init(&signature, 1000);
	base64url_encode(header, out);
	buffer_append(out, ".", 1);
	base64url_encode(payload, out);
	if (key == NULL)
		buffer_append(&signature, filler, sizeof(filler));
	else
		assert_ok(
		    es512_sign(key, buffer_view(out), &signature, &err), &err);
	buffer_append(out, ".", 1);
	base64url_encode(buffer_view(&signature), out);
	buffer_clear(&signature);
}

static enum status
parse(struct view token, struct error *err)
{
	enum status status;
	struct jws jws;

	jws_init(&jws);
	status = jws_parse(token, &jws, err);
	jws_clear(&jws);
	return status;
}

/* RFC 7515, appendix A.4, from its three lines to the payload. */
static void
the_published_token_is_read_and_verified(void **state)
{
	static const char token[] = RFC_HEADER "." RFC_PAYLOAD
					       "." RFC_SIGNATURE;
	struct jws_keys keys = { .count = 0 };
	struct error err = { "" };
	struct jws jws;

	(void)state;
	assert_ok(jws_keys_read(VIEW(JWK(RFC_X, RFC_Y)), &keys, &err), &err);
	jws_init(&jws);
	assert_ok(jws_parse(view_of(token), &jws, &err), &err);
	assert_view(jws.signing_input, RFC_HEADER "." RFC_PAYLOAD);
	assert_view(buffer_view(&jws.header), "{\"alg\":\"ES512\"}");
	assert_view(buffer_view(&jws.payload), "Payload");
	assert_int_equal(jws.signature.len, ES512_SIGNATURE_BYTES);
	assert_status(jws_verify(&jws, keys.items, keys.count), STATUS_OK);
	assert_status(jws_verify(&jws, keys.items, 0), STATUS_UNPROVED);
	jws_clear(&jws);
	jws_keys_clear(&keys);
}

static const struct {
	struct view header;
	const char *why; /* NULL: it is good */
} headers[] = {
	{ VIEW("{\"alg\":\"ES512\"}"), NULL },
	{ VIEW("{\"typ\":\"JWT\",\"alg\":\"ES512\"}"), NULL },
	{ VIEW("{\"alg\":\"ES512\",\"kid\":\"../../key\"}"), NULL },
	{ VIEW("{\"alg\":\"ES512\",\"new\":{\"a\":1}}"), NULL },
	{ VIEW(" {\"alg\" : \"ES512\"} "), NULL },
	{ VIEW(""), "not JSON" },
	{ VIEW("x"), "not JSON" },
	{ VIEW("{\"alg\":\"ES512\""), "not JSON" },
	{ VIEW("{\"alg\":\"ES512\"}x"), "not JSON" },
	{ VIEW("{\"alg\":\"ES512\",\"x\":\"\xff\"}"), "not JSON" },
	{ VIEW("[]"), "not an object" },
	{ VIEW("\"ES512\""), "not an object" },
	{ VIEW("null"), "not an object" },
	{ VIEW("{}"), "alg" },
	{ VIEW("{\"alg\":\"none\"}"), "alg" },
	{ VIEW("{\"alg\":\"None\"}"), "alg" },
	{ VIEW("{\"alg\":\"\"}"), "alg" },
	{ VIEW("{\"alg\":null}"), "alg" },
	{ VIEW("{\"alg\":512}"), "alg" },
	{ VIEW("{\"alg\":[\"ES512\"]}"), "alg" },
	{ VIEW("{\"alg\":\"ES256\"}"), "alg" },
	{ VIEW("{\"alg\":\"ES384\"}"), "alg" },
	{ VIEW("{\"alg\":\"HS512\"}"), "alg" },
	{ VIEW("{\"alg\":\"RS512\"}"), "alg" },
	{ VIEW("{\"alg\":\"PS512\"}"), "alg" },
	{ VIEW("{\"alg\":\"EdDSA\"}"), "alg" },
	{ VIEW("{\"alg\":\"es512\"}"), "alg" },
	{ VIEW("{\"alg\":\"ES512 \"}"), "alg" },
	{ VIEW("{\"alg\":\"ES512\\u0000\"}"), "alg" },
	{ VIEW("{\"Alg\":\"ES512\"}"), "alg" },
	{ VIEW("{\"alg\":\"ES512\",\"alg\":\"ES512\"}"), "twice" },
	{ VIEW("{\"alg\":\"none\",\"alg\":\"ES512\"}"), "twice" },
	{ VIEW("{\"alg\":\"ES512\",\"\\u0061lg\":\"none\"}"), "twice" },
	{ VIEW("{\"alg\":\"ES512\",\"x\":1,\"x\":1}"), "twice" },
	{ VIEW("{\"alg\":\"ES512\",\"typ\":\"JOSE\"}"), "typ" },
	{ VIEW("{\"alg\":\"ES512\",\"typ\":1}"), "typ" },
	{ VIEW("{\"alg\":\"ES512\",\"typ\":null}"), "typ" },
	{ VIEW("{\"alg\":\"ES512\",\"crit\":[\"exp\"]}"), "crit" },
	{ VIEW("{\"alg\":\"ES512\",\"crit\":[]}"), "crit" },
	{ VIEW("{\"alg\":\"ES512\",\"crit\":null}"), "crit" },
	{ VIEW("{\"alg\":\"ES512\",\"b64\":true}"), "b64" },
	{ VIEW("{\"alg\":\"ES512\",\"jwk\":{}}"), "jwk" },
	{ VIEW("{\"alg\":\"ES512\",\"jku\":\"https://e.example\"}"), "jku" },
	{ VIEW("{\"alg\":\"ES512\",\"x5c\":[]}"), "x5c" },
	{ VIEW("{\"alg\":\"ES512\",\"x5u\":\"\"}"), "x5u" },
};

static void
headers_are_checked_rule_by_rule(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(headers); i++) {
		struct error err = { "" };
		struct buffer token;

		make_token(headers[i].header, VIEW("{}"), NULL, &token);
		assert_status_of(headers[i].header.data,
		    parse(buffer_view(&token), &err),
		    headers[i].why == NULL ? STATUS_OK : STATUS_UNPROVED);
		if (headers[i].why != NULL)
			assert_contains(err.text, headers[i].why);
		buffer_clear(&token);
	}
}

static void
tokens_have_exactly_three_parts(void **state)
{
	static const struct {
		const char *what, *token, *why;
	} cases[] = {
		{ "nothing", "", "three parts" },
		{ "a word", "abc", "three parts" },
		{ "two parts", RFC_HEADER "." RFC_PAYLOAD, "three parts" },
		{ "four parts",
		    RFC_HEADER "." RFC_PAYLOAD "." RFC_SIGNATURE ".",
		    "three parts" },
		{ "five parts, a JWE", "a.b.c.d.e", "three parts" },
		{ "dots", "..", "132 octets" },
		{ "no signature", RFC_HEADER "." RFC_PAYLOAD ".",
		    "132 octets" },
		{ "131 octets",
		    RFC_HEADER "." RFC_PAYLOAD ".A"
			       "dwMgeerwtHoh-l192l60hp9wAHZFVJbLfD",
		    "132 octets" },
		{ "a JSON serialisation", "{\"payload\":\"a.b.c\"}",
		    "132 octets" },
		{ "padding", RFC_HEADER "=." RFC_PAYLOAD "." RFC_SIGNATURE,
		    "base64url" },
		{ "unused bits", RFC_HEADER ".UGF5bG9hZB." RFC_SIGNATURE,
		    "base64url" },
		{ "a space", RFC_HEADER ". " RFC_PAYLOAD "." RFC_SIGNATURE,
		    "base64url" },
		{ "a space in front",
		    " " RFC_HEADER "." RFC_PAYLOAD "." RFC_SIGNATURE,
		    "base64url" },
		{ "a line break",
		    RFC_HEADER "\n." RFC_PAYLOAD "." RFC_SIGNATURE,
		    "base64url" },
		{ "base64, not base64url", RFC_HEADER ".a+b/." RFC_SIGNATURE,
		    "base64url" },
		{ "no header", "." RFC_PAYLOAD "." RFC_SIGNATURE, "not JSON" },
		{ "a plain header",
		    "{\"alg\":\"ES512\"}." RFC_PAYLOAD "." RFC_SIGNATURE,
		    "base64url" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct error err = { "" };

		assert_status_of(cases[i].what,
		    parse(view_of(cases[i].token), &err), STATUS_UNPROVED);
		assert_contains(err.text, cases[i].why);
	}
}

/* An empty payload is read; whether it is JSON is another's question. */
static void
an_empty_payload_is_three_parts(void **state)
{
	struct error err = { "" };
	struct buffer token;

	(void)state;
	make_token(VIEW("{\"alg\":\"ES512\"}"), VIEW(""), NULL, &token);
	assert_ok(parse(buffer_view(&token), &err), &err);
	buffer_clear(&token);
}

/* 131 and 133 octets, and the DER form that OpenSSL writes. */
static void
signatures_are_132_octets(void **state)
{
	static const size_t lengths[] = { 0, 64, 96, 131, 133, 134, 135, 139 };

	(void)state;
	for (size_t i = 0; i < COUNT(lengths); i++) {
		struct error err = { "" };
		char filler[200];
		struct buffer token;

		memset(filler, 'x', sizeof(filler));
		buffer_init(&token, 1000);
		buffer_print(&token, RFC_HEADER "." RFC_PAYLOAD ".");
		base64url_encode((struct view){ filler, lengths[i] }, &token);
		assert_status(
		    parse(buffer_view(&token), &err), STATUS_UNPROVED);
		assert_contains(err.text, "132 octets");
		buffer_clear(&token);
	}
}

/* CVE-2025-30204, CVE-2025-27144: nothing is split before it is measured. */
static void
huge_tokens_are_refused(void **state)
{
	char *text = malloc(JWS_BYTES_MAX + 1);
	struct error err = { "" };

	(void)state;
	assert_non_null(text);
	memset(text, '.', JWS_BYTES_MAX + 1);
	assert_status(parse((struct view){ text, JWS_BYTES_MAX + 1 }, &err),
	    STATUS_UNPROVED);
	assert_contains(err.text, "too long");
	assert_status(
	    parse((struct view){ text, JWS_BYTES_MAX }, &err), STATUS_UNPROVED);
	assert_contains(err.text, "three parts");
	free(text);
}

/* What was signed is what was received, not what a parser makes of it. */
static void
any_key_of_several_may_verify(void **state)
{
	struct jws_keys keys = { .count = 0 };
	struct es512_key *signer = NULL;
	struct error err = { "" };
	struct buffer token;
	struct jws jws;

	(void)state;
	assert_ok(
	    es512_key_from_pem(VIEW(RFC_PRIVATE_PEM), &signer, &err), &err);
	make_token(VIEW(" { \"alg\":\"ES512\" }"), VIEW("{\"id\": 1 }"), signer,
	    &token);
	jws_init(&jws);
	assert_ok(jws_parse(buffer_view(&token), &jws, &err), &err);
	assert_ok(jws_keys_read(VIEW(OTHER_PUBLIC_PEM), &keys, &err), &err);
	assert_status(
	    jws_verify(&jws, keys.items, keys.count), STATUS_UNPROVED);
	assert_ok(jws_keys_read(VIEW(RFC_PUBLIC_PEM), &keys, &err), &err);
	assert_int_equal(keys.count, 2);
	assert_status(jws_verify(&jws, keys.items, keys.count), STATUS_OK);
	jws_clear(&jws);
	jws_keys_clear(&keys);
	buffer_clear(&token);
	es512_key_free(signer);
}

static void
keys_are_read_in_every_form(void **state)
{
	static const struct {
		const char *what, *text;
		size_t count;
	} cases[] = {
		{ "PEM", RFC_PUBLIC_PEM, 1 },
		{ "PEM with blank lines", "\n\n" RFC_PUBLIC_PEM "\n\n", 1 },
		{ "certificate", RFC_CERTIFICATE_PEM, 1 },
		{ "private key", RFC_PRIVATE_PEM, 1 },
		{ "two PEM blocks", RFC_PUBLIC_PEM OTHER_PUBLIC_PEM, 2 },
		{ "blocks with text between",
		    RFC_PUBLIC_PEM "# the next one\n" OTHER_PUBLIC_PEM, 2 },
		{ "a certificate and a key",
		    RFC_CERTIFICATE_PEM OTHER_PUBLIC_PEM, 2 },
		{ "one key twice", RFC_PUBLIC_PEM RFC_CERTIFICATE_PEM, 1 },
		{ "JWK", JWK(RFC_X, RFC_Y), 1 },
		{ "JWK in spaces", " \n" JWK(RFC_X, RFC_Y) "\n", 1 },
		{ "set of one", "{\"keys\":[" JWK(RFC_X, RFC_Y) "]}", 1 },
		{ "set of two",
		    "{\"keys\":[" JWK(RFC_X, RFC_Y) "," JWK(
			OTHER_X, OTHER_Y) "]}",
		    2 },
		{ "set with foreign keys",
		    "{\"keys\":[{\"kty\":\"RSA\",\"n\":\"AQAB\"}," P256_JWK
		    "," JWK(RFC_X, RFC_Y) ",{\"kty\":\"oct\"},7,null,{}]}",
		    1 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct jws_keys keys = { .count = 0 };
		struct error err = { "" };

		assert_status_of(cases[i].what,
		    jws_keys_read(view_of(cases[i].text), &keys, &err),
		    STATUS_OK);
		assert_int_equal(keys.count, cases[i].count);
		jws_keys_clear(&keys);
		assert_int_equal(keys.count, 0);
	}
}

static void
what_holds_no_key_is_refused(void **state)
{
	static const struct {
		const char *what, *text;
	} cases[] = {
		{ "nothing", "" },
		{ "spaces", " \n " },
		{ "a word", "key" },
		{ "an HTML page", "<html><body>404</body></html>" },
		{ "P-256 PEM", P256_PUBLIC_PEM },
		{ "P-256 beside P-521", RFC_PUBLIC_PEM P256_PUBLIC_PEM },
		{ "RSA PEM", RSA_PUBLIC_PEM },
		{ "a broken block",
		    "-----BEGIN PUBLIC KEY-----\nMIG\n-----END PUBLIC "
		    "KEY-----\n" },
		{ "P-256 JWK", P256_JWK },
		{ "an empty object", "{}" },
		{ "an empty set", "{\"keys\":[]}" },
		{ "a set that is no list", "{\"keys\":\"x\"}" },
		{ "a set of foreign keys", "{\"keys\":[" P256_JWK "]}" },
		{ "half a JSON", "{\"keys\":[" },
		{ "a member twice",
		    "{\"kty\":\"EC\",\"kty\":\"EC\",\"crv\":\"P-521\"}" },
		{ "x missing",
		    "{\"kty\":\"EC\",\"crv\":\"P-521\",\"y\":\"" RFC_Y "\"}" },
		{ "x with padding", JWK(RFC_X "==", RFC_Y) },
		{ "x too short", JWK("AekpBQ8ST8a8VcfVOTNl", RFC_Y) },
		{ "x and y changed about", JWK(RFC_Y, RFC_X) },
		{ "a point off the curve", JWK(RFC_X, OTHER_Y) },
		{ "a broken key in a set",
		    "{\"keys\":[" JWK(RFC_X, RFC_Y) "," JWK(
			RFC_X, OTHER_Y) "]}" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct jws_keys keys = { .count = 0 };
		struct error err = { "" };

		assert_status_of(cases[i].what,
		    jws_keys_read(view_of(cases[i].text), &keys, &err),
		    STATUS_INVALID);
		assert_true(err.text[0] != '\0');
		/* Nothing of a refused text is taken. */
		assert_int_equal(keys.count, 0);
		jws_keys_clear(&keys);
	}
}

/* Two files may hold the same key: that is no error. */
static void
a_key_that_is_there_already_is_no_error(void **state)
{
	struct jws_keys keys = { .count = 0 };
	struct error err = { "" };

	(void)state;
	assert_ok(jws_keys_read(VIEW(RFC_PUBLIC_PEM), &keys, &err), &err);
	assert_ok(jws_keys_read(VIEW(JWK(RFC_X, RFC_Y)), &keys, &err), &err);
	assert_int_equal(keys.count, 1);
	jws_keys_clear(&keys);
}

static void
more_keys_than_the_ceiling_are_refused(void **state)
{
	struct jws_keys keys = { .count = 0 };
	struct error err = { "" };
	struct buffer pem;

	(void)state;
	buffer_init(&pem, 1 << 16);
	for (int i = 0; i <= JWS_KEYS_MAX; i++) {
		struct es512_key *key = NULL;

		assert_ok(es512_key_generate(&key, &err), &err);
		assert_ok(es512_key_to_pem(key, &pem, &err), &err);
		es512_key_free(key);
	}
	assert_status(
	    jws_keys_read(buffer_view(&pem), &keys, &err), STATUS_TOO_LARGE);
	jws_keys_clear(&keys);
	buffer_clear(&pem);
}

#define RFC_D_BUT_ONE                                  \
	"AY5pb7A0UFiB3RELSD64fTLOSV_jazdF7fLYyuTw8lOf" \
	"RhWg6Y6rUrPAxerEzgdRhajnu0ferB0d53vM9mE15j2"
#define PRIVATE_JWK(d)                                                         \
	"{\"kty\":\"EC\",\"crv\":\"P-521\",\"x\":\"" RFC_X "\",\"y\":\"" RFC_Y \
	"\",\"d\":\"" d "\"}"

/* RFC 7515 A.4.1; without its d, with another, or of another form it is none.
 */
static void
a_private_jwk_signs_for_its_public_half(void **state)
{
	static const struct {
		const char *name, *text;
	} bad[] = {
		{ "another", PRIVATE_JWK(RFC_D_BUT_ONE "D") },
		{ "short", PRIVATE_JWK("AQAB") },
		{ "empty", PRIVATE_JWK("") },
		{ "not base64url", PRIVATE_JWK("*") },
		{ "public", JWK(RFC_X, RFC_Y) },
		{ "P-256", P256_JWK },
		{ "no JSON", "{" },
		{ "no PEM", "x" },
		{ "nothing", "" },
	};
	struct es512_key *key = NULL;
	struct jws_keys keys = { .count = 0 };
	struct buffer signature;
	struct error err;

	(void)state;
	buffer_init(&signature, 1000);
	assert_ok(jws_private_key_read(
		      VIEW(PRIVATE_JWK(RFC_D_BUT_ONE "C")), &key, &err),
	    &err);
	assert_ok(es512_sign(key, VIEW("message"), &signature, &err), &err);
	assert_ok(jws_keys_read(VIEW(JWK(RFC_X, RFC_Y)), &keys, &err), &err);
	assert_status_of("verified",
	    es512_verify(
		keys.items[0], VIEW("message"), buffer_view(&signature)),
	    STATUS_OK);
	es512_key_free(key);
	jws_keys_clear(&keys);
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_status_of(bad[i].name,
		    jws_private_key_read(view_of(bad[i].text), &key, &err),
		    STATUS_INVALID);
	buffer_clear(&signature);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_published_token_is_read_and_verified),
		cmocka_unit_test(headers_are_checked_rule_by_rule),
		cmocka_unit_test(tokens_have_exactly_three_parts),
		cmocka_unit_test(an_empty_payload_is_three_parts),
		cmocka_unit_test(signatures_are_132_octets),
		cmocka_unit_test(huge_tokens_are_refused),
		cmocka_unit_test(any_key_of_several_may_verify),
		cmocka_unit_test(keys_are_read_in_every_form),
		cmocka_unit_test(what_holds_no_key_is_refused),
		cmocka_unit_test(a_key_that_is_there_already_is_no_error),
		cmocka_unit_test(more_keys_than_the_ceiling_are_refused),
		cmocka_unit_test(a_private_jwk_signs_for_its_public_half),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
