/* SPDX-License-Identifier: Apache-2.0
 *
 * Text as mdoc has it. */
#include "check.h"

#include "vulnbus/mdoc.h"

static void
print(void (*function)(FILE *, struct view), const char *text, char *out,
    size_t size)
{
	FILE *stream = fmemopen(out, size, "w");

	assert_non_null(stream);
	function(stream, view_of(text));
	assert_int_equal(fclose(stream), 0);
}

static void
test_text_is_what_no_macro_is(void **state)
{
	static const struct {
		const char *text;
		const char *mdoc;
	} cases[] = {
		{ "", "\n" },
		{ "  one\n\t two  ", "one two\n" },
		{ "One. Two? three", "One.\nTwo?\nthree\n" },
		{ ".Sh one .two", "\\&.Sh one .two\n" },
		{ "One. 'two", "One.\n\\&'two\n" },
		{ "a\\b", "a\\eb\n" },
		{ "see `one --two`, -3", "see \\fBone \\-\\-two\\fR, -3\n" },
	};
	char out[256];

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		print(mdoc_text, cases[i].text, out, sizeof(out));
		assert_string_equal(out, cases[i].mdoc);
	}
}

static void
test_long_text_is_broken_and_an_argument_is_not(void **state)
{
	char text[600] = "", out[700];

	(void)state;
	for (size_t i = 0; i < 50; i++)
		snprintf(text + 10 * i, sizeof(text) - 10 * i, "%s",
		    i < 49 ? "nine-long " : "nine-long");
	print(mdoc_text, text, out, sizeof(out));
	for (const char *line = out; *line != '\0';) {
		const size_t len = strcspn(line, "\n");

		assert_in_range(len, 1, 78);
		line += len + 1;
	}
	print(mdoc_words, text, out, sizeof(out));
	assert_string_equal(out, text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text_is_what_no_macro_is),
		cmocka_unit_test(
		    test_long_text_is_broken_and_an_argument_is_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
