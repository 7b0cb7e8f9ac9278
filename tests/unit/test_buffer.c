/* SPDX-License-Identifier: Apache-2.0
 *
 * Buffers, views and error texts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "vulnbus/buffer.h"

static void
assert_view(struct view v, const char *expected)
{
	assert_int_equal(v.len, strlen(expected));
	assert_memory_equal(v.data, expected, v.len);
}

/* A buffer grows by doubling and never beyond its ceiling. */
static void
a_buffer_grows_up_to_its_ceiling(void **state)
{
	struct buffer b;
	size_t i = 0;

	(void)state;
	buffer_init(&b, 1000);
	for (i = 0; i < 1000; i++) {
		buffer_append(&b, "x", 1);
		assert_true(b.size <= 1000);
	}
	assert_int_equal(buffer_status(&b), STATUS_OK);
	assert_int_equal(b.len, 1000);
	buffer_append(&b, "x", 1);
	assert_int_equal(buffer_status(&b), STATUS_TOO_LARGE);
	assert_int_equal(b.len, 1000);
	buffer_clear(&b);
	assert_null(b.data);
	assert_int_equal(b.max_bytes, 1000);
}

/* An error sticks until the buffer is reset. */
static void
an_error_sticks(void **state)
{
	struct buffer b;

	(void)state;
	buffer_init(&b, 4);
	buffer_append(&b, "ab", 2);
	buffer_append(&b, "cde", 3);
	assert_int_equal(buffer_status(&b), STATUS_TOO_LARGE);
	buffer_append(&b, "c", 1);
	buffer_print(&b, "%d", 1);
	assert_null(buffer_extend(&b, 0));
	assert_view(buffer_view(&b), "ab");
	buffer_reset(&b);
	buffer_append(&b, "cdef", 4);
	assert_int_equal(buffer_status(&b), STATUS_OK);
	assert_view(buffer_view(&b), "cdef");
	buffer_clear(&b);
}

/* A length that would wrap around is too large, not small. */
static void
a_huge_length_is_too_large(void **state)
{
	struct buffer b;

	(void)state;
	buffer_init(&b, SIZE_MAX);
	buffer_append(&b, "ab", 2);
	assert_null(buffer_extend(&b, SIZE_MAX));
	assert_int_equal(buffer_status(&b), STATUS_TOO_LARGE);
	buffer_clear(&b);
}

/* Printing fills a buffer to the last byte: the NUL takes no room. */
static void
printing_fills_the_last_byte(void **state)
{
	struct buffer b;

	(void)state;
	buffer_init(&b, 6);
	buffer_print(&b, "%s-%d", "abc", 42);
	assert_int_equal(buffer_status(&b), STATUS_OK);
	assert_view(buffer_view(&b), "abc-42");
	buffer_print(&b, "%s", "");
	assert_int_equal(buffer_status(&b), STATUS_OK);
	buffer_print(&b, "!");
	assert_int_equal(buffer_status(&b), STATUS_TOO_LARGE);
	buffer_clear(&b);
}

/* Texts longer than the internal one are printed whole, or not at all. */
static void
long_texts_are_printed_whole(void **state)
{
	struct buffer b;

	(void)state;
	buffer_init(&b, 500);
	buffer_print(&b, "%0400d", 7);
	assert_int_equal(b.len, 400);
	assert_int_equal(b.data[399], '7');
	buffer_print(&b, "%0400d", 7);
	assert_int_equal(buffer_status(&b), STATUS_TOO_LARGE);
	assert_int_equal(b.len, 400);
	buffer_clear(&b);
}

/* Taking moves the bytes and leaves an empty buffer behind. */
static void
taking_moves_the_bytes(void **state)
{
	struct buffer from, to;

	(void)state;
	buffer_init(&from, 10);
	buffer_init(&to, 5);
	buffer_append(&to, "old", 3);
	buffer_append_view(&from, VIEW("new bytes"));
	buffer_take(&from, &to);
	assert_view(buffer_view(&to), "new bytes");
	assert_view(buffer_view(&from), "");
	assert_int_equal(from.max_bytes, 10);
	buffer_clear(&from);
	buffer_clear(&to);
}

/* No bytes at all are fine, from NULL too. */
static void
nothing_is_appended_safely(void **state)
{
	struct buffer b;

	(void)state;
	buffer_init(&b, 0);
	buffer_append(&b, NULL, 0);
	assert_non_null(buffer_extend(&b, 0));
	assert_int_equal(buffer_status(&b), STATUS_OK);
	assert_view(buffer_view(&b), "");
	buffer_clear(&b);
}

static void
views_compare_and_cut(void **state)
{
	struct view v = VIEW("a/bc//d");

	(void)state;
	assert_view(view_cut(&v, '/'), "a");
	assert_view(view_cut(&v, '/'), "bc");
	assert_view(view_cut(&v, '/'), "");
	assert_view(view_cut(&v, '/'), "d");
	assert_view(view_cut(&v, '/'), "");
	assert_int_equal(view_of(NULL).len, 0);
	assert_true(view_equal((struct view){ NULL, 0 }, VIEW("")));
	assert_true(view_is(VIEW("abc"), "abc"));
	assert_false(view_is(VIEW("abc"), "ab"));
	assert_true(view_starts(VIEW("abc"), VIEW("ab")));
	assert_false(view_starts(VIEW("a"), VIEW("ab")));
	assert_view(view_trim(VIEW(" \t a b\r\n")), "a b");
	assert_view(view_trim(VIEW(" \n ")), "");
	assert_true(view_is_printable(VIEW("caf\xc3\xa9 ~")));
	assert_false(view_is_printable(VIEW("a\nb")));
	assert_false(view_is_printable(VIEW("\x7f")));
}

static void
views_are_read_as_integers(void **state)
{
	static const struct {
		const char *text;
		bool is_good;
		int64_t value;
	} cases[] = {
		{ "0", true, 0 },
		{ "-1", true, -1 },
		{ "007", true, 7 },
		{ "9223372036854775807", true, INT64_MAX },
		{ "-9223372036854775808", true, INT64_MIN },
		{ "9223372036854775808", false, 0 },
		{ "-9223372036854775809", false, 0 },
		{ "99999999999999999999", false, 0 },
		{ "", false, 0 },
		{ "-", false, 0 },
		{ "+1", false, 0 },
		{ " 1", false, 0 },
		{ "1 ", false, 0 },
		{ "1.5", false, 0 },
		{ "0x10", false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int64_t value = 0;
		enum status status = view_to_int(
		    view_of(cases[i].text), &value);

		assert_int_equal(
		    status, cases[i].is_good ? STATUS_OK : STATUS_INVALID);
		assert_true(value == cases[i].value);
	}
}

/* An error text keeps its beginning when context does not fit. */
static void
errors_gain_context(void **state)
{
	struct error err;
	char long_text[600];

	(void)state;
	assert_int_equal(
	    error_set(&err, STATUS_INVALID, "%s %d", "bad", 1), STATUS_INVALID);
	assert_int_equal(
	    error_add(&err, STATUS_FATAL, "in %s", "place"), STATUS_FATAL);
	assert_string_equal(err.text, "in place: bad 1");
	memset(long_text, 'x', sizeof(long_text) - 1);
	long_text[sizeof(long_text) - 1] = '\0';
	(void)error_add(&err, STATUS_FATAL, "%s", long_text);
	assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
	assert_string_equal(status_name(STATUS_TOO_LARGE), "too_large");
	assert_int_equal(status_http(STATUS_UNPROVED), 401);
	assert_int_equal(status_http(STATUS_OK), 202);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_buffer_grows_up_to_its_ceiling),
		cmocka_unit_test(an_error_sticks),
		cmocka_unit_test(a_huge_length_is_too_large),
		cmocka_unit_test(printing_fills_the_last_byte),
		cmocka_unit_test(long_texts_are_printed_whole),
		cmocka_unit_test(taking_moves_the_bytes),
		cmocka_unit_test(nothing_is_appended_safely),
		cmocka_unit_test(views_compare_and_cut),
		cmocka_unit_test(views_are_read_as_integers),
		cmocka_unit_test(errors_gain_context),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
