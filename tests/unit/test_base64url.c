/* SPDX-License-Identifier: Apache-2.0
 *
 * base64url: one value, one spelling. */
#include "check.h"

#include "vulnbus/base64url.h"

static enum status
decode(struct view text, struct buffer *out)
{
	buffer_init(out, 1000);
	return base64url_decode(text, out);
}

/* RFC 4648 section 10, without the padding; and the two characters that are
 * not base64's. */
static void
known_values_are_read_and_written(void **state)
{
	static const struct {
		struct view bytes;
		const char *text;
	} cases[] = {
		{ VIEW(""), "" },
		{ VIEW("f"), "Zg" },
		{ VIEW("fo"), "Zm8" },
		{ VIEW("foo"), "Zm9v" },
		{ VIEW("foob"), "Zm9vYg" },
		{ VIEW("fooba"), "Zm9vYmE" },
		{ VIEW("foobar"), "Zm9vYmFy" },
		{ VIEW("\xfb\xff\xfe"), "-__-" },
		{ VIEW("\0"), "AA" },
		{ VIEW("\0\0"), "AAA" },
		{ VIEW("\xff"), "_w" },
		{ VIEW("\xff\xff"), "__8" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct buffer out;

		assert_status_of(cases[i].text,
		    decode(view_of(cases[i].text), &out), STATUS_OK);
		assert_bytes(buffer_view(&out), cases[i].bytes);
		buffer_reset(&out);
		base64url_encode(cases[i].bytes, &out);
		assert_view(buffer_view(&out), cases[i].text);
		buffer_clear(&out);
	}
}

static void
every_length_comes_back(void **state)
{
	uint64_t seed = check_seed();
	char bytes[200];

	(void)state;
	for (size_t len = 0; len <= sizeof(bytes); len++) {
		struct buffer text, back;

		for (size_t i = 0; i < len; i++)
			bytes[i] = (char)check_random(&seed, 256);
		buffer_init(&text, 1000);
		base64url_encode((struct view){ bytes, len }, &text);
		assert_int_equal(text.len, (len * 4 + 2) / 3);
		assert_status(decode(buffer_view(&text), &back), STATUS_OK);
		assert_int_equal(back.len, len);
		assert_true(len == 0 || memcmp(back.data, bytes, len) == 0);
		buffer_clear(&text);
		buffer_clear(&back);
	}
}

static void
other_spellings_are_refused(void **state)
{
	static const struct {
		const char *what;
		struct view text;
	} cases[] = {
		{ "one character", VIEW("Z") },
		{ "five characters", VIEW("Zm9vZ") },
		{ "padding", VIEW("Zg==") },
		{ "one padding", VIEW("Zm8=") },
		{ "padding inside", VIEW("Zg==Zg") },
		{ "base64's plus", VIEW("+__-") },
		{ "base64's slash", VIEW("-/_-") },
		{ "a space", VIEW("Zm9 ") },
		{ "a leading space", VIEW(" Zm9vYg") },
		{ "a line break", VIEW("Zm9v\nYmFy") },
		{ "CRLF", VIEW("Zm9v\r\nYmFyYg") },
		{ "a tab", VIEW("Zm9\t") },
		{ "a NUL", VIEW("Zm9\0") },
		{ "a dot", VIEW("Zm9.") },
		{ "a high byte", VIEW("Zm9\xc1") },
		{ "the byte before A", VIEW("Zm9@") },
		{ "the byte after Z", VIEW("Zm9[") },
		{ "the byte before a", VIEW("Zm9`") },
		{ "the byte after z", VIEW("Zm9{") },
		{ "the byte after 9", VIEW("Zm9:") },
		{ "a comma", VIEW("Zm9,") },
		{ "unused bit of two", VIEW("Zh") },
		{ "highest unused bit of two", VIEW("Zo") },
		{ "unused bit of three", VIEW("Zm9") },
		{ "highest unused bit of three", VIEW("Zm-") },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct buffer out;

		assert_status_of(
		    cases[i].what, decode(cases[i].text, &out), STATUS_INVALID);
		assert_int_equal(out.len, 0);
		buffer_clear(&out);
	}
}

/* Of the 64 last characters of a text of two, four are right; of a text of
 * three, sixteen. */
static void
unused_bits_are_zero(void **state)
{
	static const char alphabet[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	size_t good_of_two = 0, good_of_three = 0;

	(void)state;
	for (size_t i = 0; i < 64; i++) {
		const char text[3] = { 'A', 'A', alphabet[i] };
		const char pair[2] = { 'A', alphabet[i] };
		struct buffer out;

		good_of_two += decode((struct view){ pair, 2 }, &out) ==
			       STATUS_OK;
		buffer_clear(&out);
		good_of_three += decode((struct view){ text, 3 }, &out) ==
				 STATUS_OK;
		buffer_clear(&out);
	}
	assert_int_equal(good_of_two, 4);
	assert_int_equal(good_of_three, 16);
}

/* Decoding appends; a refusal leaves what was there. */
static void
a_refusal_leaves_the_buffer_as_it_was(void **state)
{
	struct buffer out;

	(void)state;
	buffer_init(&out, 8);
	buffer_append(&out, "ab", 2);
	assert_status(base64url_decode(VIEW("Zm9v"), &out), STATUS_OK);
	assert_view(buffer_view(&out), "abfoo");
	assert_status(base64url_decode(VIEW("Zm9!"), &out), STATUS_INVALID);
	assert_view(buffer_view(&out), "abfoo");
	assert_status(buffer_status(&out), STATUS_OK);
	assert_status(
	    base64url_decode(VIEW("Zm9vYmFy"), &out), STATUS_TOO_LARGE);
	buffer_clear(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_values_are_read_and_written),
		cmocka_unit_test(every_length_comes_back),
		cmocka_unit_test(other_spellings_are_refused),
		cmocka_unit_test(unused_bits_are_zero),
		cmocka_unit_test(a_refusal_leaves_the_buffer_as_it_was),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
