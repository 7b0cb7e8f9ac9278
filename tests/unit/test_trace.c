/* SPDX-License-Identifier: Apache-2.0
 *
 * W3C Trace Context: what is taken for a trace, and what is made of it. */
#include "check.h"

#include <ctype.h>

#include "vulnbus/trace.h"

#define ID     "0af7651916cd43dd8448eb211c80319c"
#define SPAN   "b7ad6b7169203331"
#define GIVEN  "00-" ID "-" SPAN "-01"
#define ORIGIN "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"
#define NONE   "00000000000000000000000000000000"

static void
assert_well_formed(const char *text)
{
	static const char form[] = "00-hhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhh-"
				   "hhhhhhhhhhhhhhhh-hh";

	assert_int_equal(strlen(text), TRACEPARENT_BYTES);
	for (size_t i = 0; i < TRACEPARENT_BYTES; i++)
		if (form[i] == 'h')
			assert_true(isxdigit(text[i]) && !isupper(text[i]));
		else
			assert_int_equal(text[i], form[i]);
	assert_memory_not_equal(text + 3, NONE, 32);
	assert_memory_not_equal(text + 36, NONE, 16);
}

static void
what_is_well_formed_goes_on(void **state)
{
	static const struct {
		const char *given;
		const char *flags; /* of what goes on */
	} cases[] = {
		{ GIVEN, "01" },
		{ "00-" ID "-" SPAN "-00", "00" },
		/* Those that are not known are put out. */
		{ "00-" ID "-" SPAN "-03", "03" },
		{ "00-" ID "-" SPAN "-ff", "03" },
		{ "00-" ID "-" SPAN "-04", "00" },
		/* Of a later version what is known is read. */
		{ "01-" ID "-" SPAN "-01", "01" },
		{ "fe-" ID "-" SPAN "-01-more", "01" },
		{ "cc-" ID "-" SPAN "-01-", "01" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct trace trace;

		trace_continue(view_of(cases[i].given), VIEW(""), &trace);
		assert_well_formed(trace.hop);
		assert_view(trace_id(&trace), ID);
		assert_memory_not_equal(trace.hop + 36, SPAN, 16);
		assert_string_equal(trace.hop + 53, cases[i].flags);
		/* It began with whoever called. */
		assert_well_formed(trace.origin);
		assert_memory_equal(trace.origin + 3, cases[i].given + 3, 49);
	}
}

static void
what_is_malformed_is_as_if_it_was_not_there(void **state)
{
	static const char *const cases[] = { "", "x", "00-" ID "-" SPAN,
		"00-" ID "-" SPAN "-0", "00-" ID "-" SPAN "-0x",
		"00-" ID "-" SPAN "-01-", "00-" ID "-" SPAN "-01-more",
		"00-" ID "-" SPAN "-01 ", " 00-" ID "-" SPAN "-01",
		"ff-" ID "-" SPAN "-01", "0g-" ID "-" SPAN "-01",
		"01-" ID "-" SPAN "-01more", "00-" NONE "-" SPAN "-01",
		"00-" ID "-0000000000000000-01",
		"00-0AF7651916cd43dd8448eb211c80319c-" SPAN "-01",
		"00-" ID "-B7ad6b7169203331-01", "00_" ID "-" SPAN "-01",
		"00-" ID " " SPAN "-01", "00-" ID "-" SPAN "_01",
		"0-" ID "-" SPAN "-001", "00-" SPAN "-" ID "-01" };

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct trace trace, other;

		trace_continue(view_of(cases[i]), VIEW("x"), &trace);
		assert_well_formed(trace.hop);
		assert_string_equal(trace.hop + 53, "01");
		/* It begins here, and each is another. */
		assert_string_equal(trace.origin, trace.hop);
		assert_memory_not_equal(trace.hop + 3, ID, 32);
		trace_begin(&other);
		assert_memory_not_equal(trace.hop + 3, other.hop + 3, 32);
		/* The origin will do, where there is one. */
		trace_continue(view_of(cases[i]), VIEW(ORIGIN), &trace);
		assert_memory_equal(trace.hop, ORIGIN, 36);
		assert_memory_not_equal(trace.hop + 36, ORIGIN + 36, 16);
		assert_string_equal(trace.origin, ORIGIN);
	}
}

static void
the_origin_stays_over_all_hops(void **state)
{
	struct trace first, second, kept;

	(void)state;
	trace_continue(VIEW(GIVEN), VIEW(ORIGIN), &first);
	trace_continue(view_of(first.hop), view_of(first.origin), &second);
	assert_memory_equal(second.hop, first.hop, 36);
	assert_memory_not_equal(second.hop + 36, first.hop + 36, 16);
	assert_string_equal(second.origin, ORIGIN);
	/* What was kept is the same hop. */
	trace_restore(view_of(second.hop), view_of(second.origin), &kept);
	assert_string_equal(kept.hop, second.hop);
	assert_string_equal(kept.origin, ORIGIN);
	trace_restore(view_of(second.hop), VIEW(""), &kept);
	assert_string_equal(kept.hop, second.hop);
	assert_string_equal(kept.origin, second.hop);
	trace_restore(VIEW(""), VIEW(""), &kept);
	assert_well_formed(kept.hop);
}

static void
a_call_has_a_span_of_its_own(void **state)
{
	char header[TRACE_HEADER_BYTES], again[TRACE_HEADER_BYTES];
	struct trace trace;

	(void)state;
	trace_begin(&trace);
	trace_call(&trace, header);
	trace_call(&trace, again);
	assert_memory_equal(header, "traceparent: 00-", 16);
	assert_well_formed(header + 13);
	assert_memory_equal(header + 16, trace.hop + 3, 32);
	assert_string_not_equal(header + 13, trace.hop);
	assert_string_not_equal(header, again);
}

static void
no_trace_has_no_id(void **state)
{
	const struct trace none = { "", "" };

	(void)state;
	assert_view(trace_id(&none), "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_well_formed_goes_on),
		cmocka_unit_test(what_is_malformed_is_as_if_it_was_not_there),
		cmocka_unit_test(the_origin_stays_over_all_hops),
		cmocka_unit_test(a_call_has_a_span_of_its_own),
		cmocka_unit_test(no_trace_has_no_id),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
