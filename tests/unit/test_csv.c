/* SPDX-License-Identifier: Apache-2.0
 *
 * CSV as RFC 4180 has it, in whatever pieces it comes. */
#include "check.h"

#include "vulnbus/csv.h"

#define ROW_BYTES_MAX 100

/* What a file is read as, in one line: fields in <>, rows ended by ';', and
 * the status that ended it. */
static void
describe_rows(struct csv *csv, struct view input, bool is_last,
    struct buffer *out, enum status *out_status)
{
	struct error err = { "" };
	enum status status;

	do {
		status = csv_read(csv, &input, &err);
		if (status == STATUS_END && is_last)
			status = csv_finish(csv, &err);
		for (size_t i = 0; status == STATUS_OK && i < csv->field_count;
		     i++)
			buffer_print(
			    out, "<%.*s>", VIEW_ARGS(csv_field(csv, i)));
		if (status == STATUS_OK)
			buffer_append(out, ";", 1);
	} while (status == STATUS_OK);
	*out_status = status;
}

static void
describe_in_pieces(struct view text, size_t cut, struct buffer *out)
{
	enum status status;
	struct csv csv;
	/* Copies of that very size: ASan sees a byte too many. */
	char *first = malloc(cut + 1);
	char *second = malloc(text.len - cut + 1);

	assert_non_null(first);
	assert_non_null(second);
	memcpy(first, text.data, cut);
	memcpy(second, text.data + cut, text.len - cut);
	csv_init(&csv, ROW_BYTES_MAX);
	describe_rows(&csv, (struct view){ first, cut }, false, out, &status);
	if (status == STATUS_END)
		describe_rows(&csv, (struct view){ second, text.len - cut },
		    true, out, &status);
	if (status != STATUS_END)
		buffer_print(out, " %s", status_name(status));
	csv_clear(&csv);
	free(first);
	free(second);
}

static const struct {
	struct view text;
	const char *expected;
} cases[] = {
	/* the RFC's own examples */
	{ VIEW("aaa,bbb,ccc\r\nzzz,yyy,xxx\r\n"),
	    "<aaa><bbb><ccc>;<zzz><yyy><xxx>;" },
	{ VIEW("aaa,bbb,ccc\r\nzzz,yyy,xxx"),
	    "<aaa><bbb><ccc>;<zzz><yyy><xxx>;" },
	{ VIEW("\"aaa\",\"bbb\",\"ccc\"\r\nzzz,yyy,xxx"),
	    "<aaa><bbb><ccc>;<zzz><yyy><xxx>;" },
	{ VIEW("\"aaa\",\"b\r\nbb\",\"ccc\"\r\nzzz,yyy,xxx"),
	    "<aaa><b\r\nbb><ccc>;<zzz><yyy><xxx>;" },
	{ VIEW("\"aaa\",\"b\"\"bb\",\"ccc\""), "<aaa><b\"bb><ccc>;" },
	/* ends of rows and files */
	{ VIEW(""), "" },
	{ VIEW("\n"), "<>;" },
	{ VIEW("\r\n"), "<>;" },
	{ VIEW("\n\n"), "<>;<>;" },
	{ VIEW("a\nb\n"), "<a>;<b>;" },
	{ VIEW("a\nb"), "<a>;<b>;" },
	{ VIEW("a,\n"), "<a><>;" },
	{ VIEW("a,"), "<a><>;" },
	{ VIEW(",\r\n"), "<><>;" },
	{ VIEW(","), "<><>;" },
	{ VIEW(",,\n,,\n"), "<><><>;<><><>;" },
	{ VIEW("a\r\nb\nc\r\n"), "<a>;<b>;<c>;" },
	/* CR alone is data, but in front of LF */
	{ VIEW("a\rb\n"), "<a\rb>;" },
	{ VIEW("a\r\r\n"), "<a\r>;" },
	{ VIEW("\ra\n"), "<\ra>;" },
	{ VIEW("a\r,b\n"), "<a\r><b>;" },
	{ VIEW("a,\r\n"), "<a><>;" },
	/* quotes */
	{ VIEW("\"\"\n"), "<>;" },
	{ VIEW("\"\""), "<>;" },
	{ VIEW("\"\"\"\"\n"), "<\">;" },
	{ VIEW("\"a,b\"\n"), "<a,b>;" },
	{ VIEW("\"a\nb\"\n"), "<a\nb>;" },
	{ VIEW("\"a\"\r\n\"b\"\r\n"), "<a>;<b>;" },
	{ VIEW("\"a\""), "<a>;" },
	{ VIEW("\"a\"\r"), "<a>;" },
	{ VIEW("\"a\r\"\n"), "<a\r>;" },
	{ VIEW("a\"b\n"), "<a\"b>;" },
	{ VIEW("a\"\"b\n"), "<a\"\"b>;" },
	{ VIEW(" \"a\"\n"), "< \"a\">;" },
	{ VIEW("\"a\"b\n"), " invalid" },
	{ VIEW("\"a\" \n"), " invalid" },
	{ VIEW("\"a\"\rb\n"), " invalid" },
	{ VIEW("\"a\"\r\"b\"\n"), " invalid" },
	{ VIEW("\"a\"\r,b\n"), " invalid" },
	{ VIEW("\"a\"\r\r\n"), " invalid" },
	{ VIEW("x\n\"a"), "<x>; invalid" },
	{ VIEW("\""), " invalid" },
	{ VIEW("\"a\"\""), " invalid" },
	{ VIEW("\"a\n\n\n"), " invalid" },
	/* byte order marks */
	{ VIEW("\xEF\xBB\xBF"
	       "a,b\n"),
	    "<a><b>;" },
	{ VIEW("\xEF\xBB\xBF\"a\"\n"), "<a>;" },
	{ VIEW("\xEF\xBB\xBF\n"), "<>;" },
	{ VIEW("\xEF\xBB\xBF"), "" },
	{ VIEW("\xEF\xBB\xBF\xEF\xBB\xBF\n"), "<\xEF\xBB\xBF>;" },
	{ VIEW("a\n\xEF\xBB\xBF\n"), "<a>;<\xEF\xBB\xBF>;" },
	{ VIEW("\xEF\xBB"
	       "a\n"),
	    "<\xEF\xBB"
	    "a>;" },
	{ VIEW("\xEF\xBB,\n"), "<\xEF\xBB><>;" },
	{ VIEW("\xEF\n"), "<\xEF>;" },
	{ VIEW("\xC3\xA9\n"), "<\xC3\xA9>;" },
	/* bytes that are no text */
	{ VIEW("\xff\xfe,\x01\n"), "<\xff\xfe><\x01>;" },
};

/* However a file is cut in two, its rows are the same. */
static void
files_read_the_same_wherever_they_are_cut(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		for (size_t cut = 0; cut <= cases[i].text.len; cut++) {
			struct buffer out;

			buffer_init(&out, 1000);
			describe_in_pieces(cases[i].text, cut, &out);
			assert_view(buffer_view(&out), cases[i].expected);
			buffer_clear(&out);
		}
}

static void
a_nul_is_data(void **state)
{
	struct view input = VIEW("a\0b,\0,\"\0\"\n");
	struct error err = { "" };
	struct csv csv;

	(void)state;
	csv_init(&csv, ROW_BYTES_MAX);
	assert_status(csv_read(&csv, &input, &err), STATUS_OK);
	assert_int_equal(csv.field_count, 3);
	assert_bytes(csv_field(&csv, 0), VIEW("a\0b"));
	assert_bytes(csv_field(&csv, 1), VIEW("\0"));
	assert_bytes(csv_field(&csv, 2), VIEW("\0"));
	csv_clear(&csv);
}

/* The caller commits positions: not a byte of the next row is taken. */
static void
not_a_byte_more_than_the_row_is_taken(void **state)
{
	static const struct {
		struct view text;
		const char *left;
	} rows[] = {
		{ VIEW("a,b\nc"), "c" },
		{ VIEW("a,b\r\nc,d\n"), "c,d\n" },
		{ VIEW("\"a\"\n\"b\"\n"), "\"b\"\n" },
		{ VIEW("\"a\n\"\r\n\n"), "\n" },
		{ VIEW("\n\n"), "\n" },
		{ VIEW("\xEF\xBB\xBF"
		       "a\n\xEF"),
		    "\xEF" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct view input = rows[i].text;
		struct error err = { "" };
		struct csv csv;

		csv_init(&csv, ROW_BYTES_MAX);
		assert_status(csv_read(&csv, &input, &err), STATUS_OK);
		assert_view(input, rows[i].left);
		assert_int_equal(csv.row_number, 1);
		csv_clear(&csv);
	}
}

static enum status
read_all(struct view input, struct error *err)
{
	enum status status;
	struct csv csv;

	csv_init(&csv, ROW_BYTES_MAX);
	do
		status = csv_read(&csv, &input, err);
	while (status == STATUS_OK);
	csv_clear(&csv);
	return status;
}

/* A row that never ends is refused as soon as it is over, quoted or not. */
static void
rows_have_a_ceiling(void **state)
{
	struct error err = { "" };
	char text[ROW_BYTES_MAX + 2];

	(void)state;
	memset(text, 'x', sizeof(text));
	assert_status(
	    read_all((struct view){ text, ROW_BYTES_MAX }, &err), STATUS_END);
	assert_status(read_all((struct view){ text, ROW_BYTES_MAX + 1 }, &err),
	    STATUS_TOO_LARGE);
	assert_contains(err.text, "row 1: over 100 bytes");
	text[ROW_BYTES_MAX] = '\n';
	assert_status(read_all((struct view){ text, ROW_BYTES_MAX + 1 }, &err),
	    STATUS_END);
	text[0] = '"';
	text[ROW_BYTES_MAX] = 'x';
	assert_status(read_all((struct view){ text, ROW_BYTES_MAX + 2 }, &err),
	    STATUS_TOO_LARGE);
	text[0] = '\n';
	assert_status(read_all((struct view){ text, ROW_BYTES_MAX + 2 }, &err),
	    STATUS_TOO_LARGE);
	assert_contains(err.text, "row 2");
}

static void
fields_have_a_ceiling(void **state)
{
	struct error err = { "" };
	char text[CSV_FIELDS_MAX + 1];

	(void)state;
	memset(text, ',', sizeof(text));
	text[CSV_FIELDS_MAX - 1] = '\n';
	assert_status(
	    read_all((struct view){ text, CSV_FIELDS_MAX }, &err), STATUS_END);
	text[CSV_FIELDS_MAX - 1] = ',';
	text[CSV_FIELDS_MAX] = '\n';
	assert_status(read_all((struct view){ text, CSV_FIELDS_MAX + 1 }, &err),
	    STATUS_TOO_LARGE);
	assert_contains(err.text, "over 1024 fields");
}

static void
fields_beyond_the_row_are_empty(void **state)
{
	struct view input = VIEW("a\n");
	struct error err = { "" };
	struct csv csv;

	(void)state;
	csv_init(&csv, ROW_BYTES_MAX);
	assert_view(csv_field(&csv, 0), "");
	assert_status(csv_read(&csv, &input, &err), STATUS_OK);
	assert_view(csv_field(&csv, 0), "a");
	assert_view(csv_field(&csv, 1), "");
	assert_view(csv_field(&csv, SIZE_MAX), "");
	csv_clear(&csv);
}

static void
messages_name_the_row(void **state)
{
	struct error err = { "" };

	(void)state;
	assert_status(read_all(VIEW("a\nb\n\"c\"d\n"), &err), STATUS_INVALID);
	assert_string_equal(err.text, "CSV row 3: text after a closing quote");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(files_read_the_same_wherever_they_are_cut),
		cmocka_unit_test(a_nul_is_data),
		cmocka_unit_test(not_a_byte_more_than_the_row_is_taken),
		cmocka_unit_test(rows_have_a_ceiling),
		cmocka_unit_test(fields_have_a_ceiling),
		cmocka_unit_test(fields_beyond_the_row_are_empty),
		cmocka_unit_test(messages_name_the_row),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
