/* SPDX-License-Identifier: Apache-2.0
 *
 * Help texts, taken apart again. */
#include "check.h"

#include "../../bridge/tool/tool_help.c"

static const char text[] =
    "  -f, --follow          wait for more; without --since\n"
    "                        only what comes from now on\n"
    "      --from-beginning  from the first record\n"
    "  -n, --count N         end after N records\n"
    "\n"
    "A paragraph.\n"
    "Of two lines.\n"
    "\n"
    "Another.\n";

static const struct tool_command commands[] = {
	{ .name = "tail",
	    .arguments = "[options] [TOPIC...]",
	    .options = text },
	{ .name = "export",
	    .arguments = "[--id ID] [--no-wait] SOURCE",
	    .options = "      --id ID    of that id\n"
		       "      --no-wait  do not wait\n" },
	{ .name = "replay", .arguments = "[options] TOPIC | --resume ID" },
	{ .name = "topics", .arguments = "[--create | --diff]" },
	{ .name = "completion", .arguments = "bash|zsh|fish" },
	{ .name = "version", .arguments = "" },
	{ .name = NULL },
};

static const struct tool tool = {
	.commands = commands,
	.own_help = "  -V, --version  print the version\n",
};

static void
test_options_are_cut_off_one_by_one(void **state)
{
	struct view rest = view_of(text);
	struct help_option option;

	(void)state;
	assert_true(help_cut_option(&rest, &option));
	assert_int_equal(option.letter, 'f');
	assert_view(option.name, "follow");
	assert_view(option.argument, "");
	assert_true(memmem(option.prose.data, option.prose.len, "from now on",
			strlen("from now on")) != NULL);
	assert_true(help_cut_option(&rest, &option));
	assert_int_equal(option.letter, 0);
	assert_view(option.name, "from-beginning");
	assert_true(help_cut_option(&rest, &option));
	assert_int_equal(option.letter, 'n');
	assert_view(option.name, "count");
	assert_view(option.argument, "N");
	assert_view(view_trim(option.prose), "end after N records");
	assert_false(help_cut_option(&rest, &option));
	assert_view(help_cut_paragraph(&rest), "A paragraph.\nOf two lines.\n");
	assert_view(help_cut_paragraph(&rest), "Another.\n");
	assert_view(help_cut_paragraph(&rest), "");
}

static void
test_a_text_without_options_is_paragraphs(void **state)
{
	struct view rest = view_of("One.\n\nTwo.\n"), empty = view_of(NULL);
	struct help_option option;

	(void)state;
	assert_false(help_cut_option(&rest, &option));
	assert_view(help_cut_paragraph(&rest), "One.\n");
	assert_view(help_cut_paragraph(&rest), "Two.\n");
	assert_false(help_cut_option(&empty, &option));
	assert_view(help_cut_paragraph(&empty), "");
}

static bool
knows(const struct tool_command *command, const char *word)
{
	struct help_option option;

	return help_find_option(&tool, command, view_of(word), &option);
}

static void
test_an_option_is_found_by_its_names_where_it_may_stand(void **state)
{
	(void)state;
	assert_true(knows(&commands[0], "--count"));
	assert_true(knows(&commands[0], "--count=3"));
	assert_true(knows(&commands[0], "-n"));
	assert_true(knows(&commands[0], "--config"));
	assert_true(knows(NULL, "-c"));
	assert_true(knows(NULL, "-V"));
	assert_false(knows(NULL, "--count"));
	assert_false(knows(&commands[0], "-V"));
	assert_false(knows(&commands[0], "--coun"));
	assert_false(knows(&commands[0], "--"));
	assert_false(knows(&commands[0], "-"));
}

static void
test_the_argument_of_a_command(void **state)
{
	static const struct {
		const char *kind;
		bool is_more;
	} expected[] = { { "TOPIC", true }, { "SOURCE", false },
		{ "TOPIC", false }, { "", false }, { "bash|zsh|fish", false },
		{ "", false } };
	bool is_more;

	(void)state;
	for (size_t i = 0; i < COUNT(expected); i++) {
		assert_view(help_argument(&tool, &commands[i], &is_more),
		    expected[i].kind);
		assert_int_equal(is_more, expected[i].is_more);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_options_are_cut_off_one_by_one),
		cmocka_unit_test(test_a_text_without_options_is_paragraphs),
		cmocka_unit_test(
		    test_an_option_is_found_by_its_names_where_it_may_stand),
		cmocka_unit_test(test_the_argument_of_a_command),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
