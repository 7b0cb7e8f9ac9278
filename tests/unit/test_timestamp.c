/* SPDX-License-Identifier: Apache-2.0
 *
 * Wall time, in and out of text. */
#include "check.h"

#include "vulnbus/timestamp.h"

static void
times_are_read(void **state)
{
	static const struct {
		const char *text;
		int64_t ms;
	} cases[] = {
		{ "1970-01-01T00:00:00Z", 0 },
		{ "2020-08-27T14:43:12Z", 1598539392000 },
		{ "2020-08-27T14:43:12", 1598539392000 },
		{ "2020-08-27 14:43:12Z", 1598539392000 },
		{ "2020-08-27t14:43:12z", 1598539392000 },
		{ "2020-08-27T14:43:12.5Z", 1598539392500 },
		{ "2020-08-27T14:43:12.007Z", 1598539392007 },
		{ "2020-08-27T14:43:12.123456789", 1598539392123 },
		{ "2020-08-27T14:43:12.9999", 1598539392999 },
		{ "2020-08-27T16:43:12+02:00", 1598539392000 },
		{ "2020-08-27T09:13:12-05:30", 1598539392000 },
		{ "2020-08-27T14:43:12+00:00", 1598539392000 },
		{ "2020-08-27T14:43:12-00:00", 1598539392000 },
		{ "1970-01-01T01:00:00+01:00", 0 },
		{ "2000-02-29T00:00:00Z", 951782400000 },
		{ "2024-02-29T12:00:00Z", 1709208000000 },
		{ "2023-12-31T23:59:59Z", 1704067199000 },
		{ "2016-12-31T23:59:60Z", 1483228800000 },
		{ "2038-01-19T03:14:08Z", 2147483648000 },
		{ "2100-03-01T00:00:00Z", 4107542400000 },
		{ "9999-12-31T23:59:59.999Z", 253402300799999 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		int64_t ms = -1;

		assert_status_of(cases[i].text,
		    timestamp_parse(view_of(cases[i].text), &ms), STATUS_OK);
		assert_int_equal(ms, cases[i].ms);
	}
}

static void
what_is_no_time_is_refused(void **state)
{
	static const char *const texts[] = { "", "2020", "2020-08-27",
		"2020-08-27T", "2020-08-27T14:43", "2020-08-27T14:43Z",
		"20-08-27T14:43:12Z", "2020-8-27T14:43:12Z",
		"2020/08/27T14:43:12Z", "2020-08-27X14:43:12Z",
		"2020-08-27T14.43.12Z", "2020-08-27T14:43:12.",
		"2020-08-27T14:43:12.Z", "2020-08-27T14:43:12,5Z",
		"2020-08-27T14:43:12.1234567890Z", "2020-08-27T14:43:12ZZ",
		"2020-08-27T14:43:12Z ", " 2020-08-27T14:43:12Z",
		"2020-08-27T14:43:12+2:00", "2020-08-27T14:43:12+0200",
		"2020-08-27T14:43:12+24:00", "2020-08-27T14:43:12+02:60",
		"2020-08-27T14:43:12+02:00Z", "2020-08-27T14:43:12+",
		"2020-00-27T14:43:12Z", "2020-13-27T14:43:12Z",
		"2020-08-00T14:43:12Z", "2020-08-32T14:43:12Z",
		"2020-04-31T14:43:12Z", "2021-02-29T14:43:12Z",
		"2100-02-29T14:43:12Z", "2020-08-27T24:00:00Z",
		"2020-08-27T14:60:12Z", "2020-08-27T14:43:61Z",
		"2020-08-27T-0:-0:-0Z", "2020-08-27T14:43:12+-0:-0",
		"-020-08-27T14:43:12Z", "1969-12-31T23:59:59Z",
		"1970-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01",
		"9999-12-31T23:59:60Z", "0000-01-01T00:00:00Z",
		"0x20-08-27T14:43:12Z", "1598539392" };

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++) {
		int64_t ms = 42;

		assert_status_of(texts[i],
		    timestamp_parse(view_of(texts[i]), &ms), STATUS_INVALID);
		assert_int_equal(ms, 42);
	}
}

static void
a_nul_does_not_end_a_time(void **state)
{
	int64_t ms;

	(void)state;
	assert_status(timestamp_parse(VIEW("2020-08-27T14:43:12\0"), &ms),
	    STATUS_INVALID);
	assert_status(timestamp_parse(VIEW("2020-08-27\00014:43:12"), &ms),
	    STATUS_INVALID);
}

static void
times_are_printed(void **state)
{
	static const struct {
		int64_t ms;
		const char *text;
	} cases[] = {
		{ 0, "1970-01-01T00:00:00Z" },
		{ 1, "1970-01-01T00:00:00.001Z" },
		{ 1598539392000, "2020-08-27T14:43:12Z" },
		{ 1598539392120, "2020-08-27T14:43:12.120Z" },
		{ 951782400000, "2000-02-29T00:00:00Z" },
		{ 253402300799999, "9999-12-31T23:59:59.999Z" },
		{ 253402300800000, "" },
		{ -1, "" },
		{ INT64_MAX, "" },
		{ TIMESTAMP_NONE, "" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		char text[TIMESTAMP_TEXT_SIZE];

		timestamp_print(cases[i].ms, text);
		assert_string_equal(text, cases[i].text);
	}
}

/* Every day of a leap cycle's length, and the same without hundreds. */
static void
what_is_printed_is_read_again(void **state)
{
	uint64_t seed = check_seed();
	const int64_t day = 86400000;

	(void)state;
	for (int64_t at = 0; at < 253402300800000; at += 37 * day) {
		const int64_t ms = at + check_random(&seed, 86400000);
		char text[TIMESTAMP_TEXT_SIZE];
		int64_t back = -1;

		timestamp_print(ms, text);
		assert_status_of(
		    text, timestamp_parse(view_of(text), &back), STATUS_OK);
		assert_int_equal(back, ms);
	}
}

/* RFC 9110, section 10.2.3: delay-seconds or an HTTP-date. */
static void
retry_after_is_read_in_both_forms(void **state)
{
	/* Sun, 06 Nov 1994 08:49:37 GMT */
	const int64_t now = 784111777000;
	static const struct {
		const char *text;
		enum status status;
		int64_t ms;
	} cases[] = {
		{ "0", STATUS_OK, 0 },
		{ "120", STATUS_OK, 120000 },
		{ " 120 ", STATUS_OK, 120000 },
		{ "9223372036854775", STATUS_OK, 9223372036854775000 },
		{ "9223372036854776", STATUS_INVALID, 0 },
		{ "99999999999999999999", STATUS_INVALID, 0 },
		{ "-1", STATUS_INVALID, 0 },
		{ "1.5", STATUS_INVALID, 0 },
		{ "", STATUS_INVALID, 0 },
		{ "soon", STATUS_INVALID, 0 },
		{ "Sun, 06 Nov 1994 08:49:37 GMT", STATUS_OK, 0 },
		{ "Sun, 06 Nov 1994 08:50:37 GMT", STATUS_OK, 60000 },
		{ "Mon, 07 Nov 1994 08:49:37 GMT", STATUS_OK, 86400000 },
		{ "Sun, 06 Nov 1994 08:49:36 GMT", STATUS_OK, 0 },
		{ "Thu, 01 Jan 1970 00:00:00 GMT", STATUS_OK, 0 },
		{ "Sun, 06 Nov 1994 08:49:37 UTC", STATUS_INVALID, 0 },
		{ "Sun, 06 Nov 1994 08:49:37", STATUS_INVALID, 0 },
		{ "Sun, 6 Nov 1994 08:49:37 GMT", STATUS_INVALID, 0 },
		{ "Sun, 06 nov 1994 08:49:37 GMT", STATUS_INVALID, 0 },
		{ "Sun, 06 Foo 1994 08:49:37 GMT", STATUS_INVALID, 0 },
		{ "Sun, 00 Nov 1994 08:49:37 GMT", STATUS_INVALID, 0 },
		{ "Sun, 32 Nov 1994 08:49:37 GMT", STATUS_INVALID, 0 },
		{ "Sun, 06 Nov 1994 24:49:37 GMT", STATUS_INVALID, 0 },
		{ "Sun, 06 Nov 1994 08:60:37 GMT", STATUS_INVALID, 0 },
		{ "Sun, 06 Nov 1994 08:49:61 GMT", STATUS_INVALID, 0 },
		{ "Sun, -6 Nov 1994 08:49:37 GMT", STATUS_INVALID, 0 },
		{ "Sunday, 06-Nov-94 08:49:37 GMT", STATUS_INVALID, 0 },
		{ "Sun Nov  6 08:49:37 1994", STATUS_INVALID, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		int64_t ms = 0;

		assert_status_of(cases[i].text,
		    retry_after_parse(view_of(cases[i].text), now, &ms),
		    cases[i].status);
		assert_int_equal(ms, cases[i].ms);
	}
}

static void
the_steady_clock_never_goes_back(void **state)
{
	int64_t last = clock_steady_us();

	(void)state;
	for (int i = 0; i < 1000; i++) {
		const int64_t now = clock_steady_us();

		assert_true(now >= last);
		last = now;
	}
	assert_true(clock_steady_ms() >= last / 1000);
	assert_true(clock_wall_ms() > 1598539392000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(times_are_read),
		cmocka_unit_test(what_is_no_time_is_refused),
		cmocka_unit_test(a_nul_does_not_end_a_time),
		cmocka_unit_test(times_are_printed),
		cmocka_unit_test(what_is_printed_is_read_again),
		cmocka_unit_test(retry_after_is_read_in_both_forms),
		cmocka_unit_test(the_steady_clock_never_goes_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
