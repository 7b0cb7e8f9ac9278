/* SPDX-License-Identifier: Apache-2.0
 *
 * An export's rows: each handed on once, whatever the pieces, the pauses and
 * the crashes. */
#include "check.h"

#include "vulnbus/rows.h"

#define ROW_BYTES_MAX 1000

/* What a reader has seen, as text: "3:x|y;" is row 3 with two fields. */
struct reader {
	struct buffer seen;
	uint64_t *seed; /* random pauses; NULL: none */
};

static bool
on_row(const struct rows *rows, uint64_t number, void *arg)
{
	struct reader *reader = arg;

	buffer_print(&reader->seen, "%llu:", (unsigned long long)number);
	for (size_t i = 0; i < rows_field_count(rows); i++)
		buffer_print(&reader->seen, "%s%.*s", i == 0 ? "" : "|",
		    VIEW_ARGS(rows_field(rows, i)));
	buffer_append(&reader->seen, ";", 1);
	return reader->seed == NULL || check_random(reader->seed, 3) != 0;
}

static void
reader_init(struct reader *reader, uint64_t *seed)
{
	buffer_init(&reader->seen, 1 << 20);
	reader->seed = seed;
}

static struct rows *
open_rows(const struct progress *committed, struct reader *reader)
{
	struct rows *rows = NULL;
	struct error err = { "" };

	assert_ok(
	    rows_open(committed, ROW_BYTES_MAX, on_row, reader, &rows, &err),
	    &err);
	return rows;
}

/* The pauses of a piece are waited out. */
static enum status
take_piece(struct rows *rows, struct view piece)
{
	struct error err = { "" };
	enum status status;
	char *copy = malloc(piece.len + 1);

	assert_non_null(copy);
	memcpy(copy, piece.data, piece.len);
	do
		status = rows_take(
		    rows, (struct view){ copy, piece.len }, &err);
	while (status == STATUS_END);
	free(copy);
	return status;
}

static enum status
take_pieces(struct rows *rows, struct view file, uint64_t *seed)
{
	enum status status = STATUS_OK;
	struct error err = { "" };

	while (status == STATUS_OK && file.len > 0) {
		size_t len = seed == NULL ? file.len
					  : 1 + check_random(seed, 40);

		if (len > file.len)
			len = file.len;
		status = take_piece(rows, (struct view){ file.data, len });
		file.data += len;
		file.len -= len;
	}
	return status == STATUS_OK ? rows_finish(rows, &err) : status;
}

static enum status
read_file(struct view file, const struct progress *committed,
    struct reader *reader, uint64_t *seed, struct progress *out_progress)
{
	struct rows *rows = open_rows(committed, reader);
	enum status status = take_pieces(rows, file, seed);

	*out_progress = *rows_progress(rows);
	rows_close(&rows);
	assert_null(rows);
	return status;
}

/* Quotes, blank lines, CRLF and LF, rows of all lengths. */
static void
make_file(uint64_t *seed, struct buffer *out)
{
	const uint32_t count = 1 + check_random(seed, 30);

	buffer_init(out, 1 << 20);
	buffer_print(out, "id,name,note\r\n");
	for (uint32_t i = 0; i < count; i++) {
		static const char *const notes[] = { "", "x", "\"a,b\"",
			"\"two\nlines\"", "\"\"\"q\"\"\"", "a longer note" };

		buffer_print(out, "%u,n%u,%s%s", i, check_random(seed, 1000),
		    notes[check_random(seed, COUNT(notes))],
		    check_random(seed, 2) == 0 ? "\n" : "\r\n");
		if (check_random(seed, 6) == 0)
			buffer_print(out, "\n");
	}
	if (check_random(seed, 3) == 0)
		buffer_print(out, "last,without,end");
}

static const struct progress nothing = { .generation = 0 };

static void
each_row_comes_once_in_any_pieces(void **state)
{
	uint64_t seed = check_seed();

	(void)state;
	for (int round = 0; round < 100; round++) {
		struct reader whole, pieces;
		struct progress a, b;
		struct buffer file;

		make_file(&seed, &file);
		reader_init(&whole, NULL);
		reader_init(&pieces, &seed);
		assert_status(
		    read_file(buffer_view(&file), &nothing, &whole, NULL, &a),
		    STATUS_OK);
		assert_status(
		    read_file(buffer_view(&file), &nothing, &pieces, &seed, &b),
		    STATUS_OK);
		assert_bytes(
		    buffer_view(&pieces.seen), buffer_view(&whole.seen));
		assert_memory_equal(&a, &b, sizeof(a));
		assert_int_equal(a.bytes, file.len);
		buffer_clear(&whole.seen);
		buffer_clear(&pieces.seen);
		buffer_clear(&file);
	}
}

/* Every progress there is between two pieces, with what was seen by then. */
struct stop {
	struct progress progress;
	size_t seen_len;
};

static size_t
stops_of(struct view file, size_t piece_len, struct reader *reader,
    struct stop *stops)
{
	struct rows *rows = open_rows(&nothing, reader);
	struct error err = { "" };
	size_t count = 0;

	for (size_t at = 0; at < file.len; at += piece_len) {
		const size_t len = file.len - at < piece_len ? file.len - at
							     : piece_len;

		assert_status(
		    take_piece(rows, (struct view){ file.data + at, len }),
		    STATUS_OK);
		stops[count++] = (struct stop){ *rows_progress(rows),
			reader->seen.len };
	}
	assert_ok(rows_finish(rows, &err), &err);
	stops[count++] = (struct stop){ *rows_progress(rows),
		reader->seen.len };
	rows_close(&rows);
	return count;
}

/* Read to the end, to any point, and from there: nothing twice, nothing
 * missing. */
static void
a_second_reading_gives_exactly_the_rest(void **state)
{
	static struct stop stops[20000];
	uint64_t seed = check_seed();

	(void)state;
	for (int round = 0; round < 20; round++) {
		struct reader whole;
		struct buffer file;
		size_t count;

		make_file(&seed, &file);
		reader_init(&whole, NULL);
		/* Pieces of one byte, and those that end within a row. */
		count = stops_of(
		    buffer_view(&file), round % 2 == 0 ? 1 : 7, &whole, stops);
		for (size_t i = 0; i < count; i++) {
			const struct stop *stop = &stops[i];
			struct progress end;
			struct reader rest;

			reader_init(&rest, &seed);
			assert_status(read_file(buffer_view(&file),
					  &stop->progress, &rest, &seed, &end),
			    STATUS_OK);
			assert_bytes(buffer_view(&rest.seen),
			    (struct view){ whole.seen.data + stop->seen_len,
				whole.seen.len - stop->seen_len });
			assert_memory_equal(
			    &end, &stops[count - 1].progress, sizeof(end));
			buffer_clear(&rest.seen);
		}
		buffer_clear(&whole.seen);
		buffer_clear(&file);
	}
}

/* A row in on_row's pause may be committed: its progress is right too. */
static bool
stop_at_each(const struct rows *rows, uint64_t number, void *arg)
{
	struct reader *reader = arg;

	(void)on_row(rows, number, reader);
	return false;
}

static void
a_pause_after_any_row_can_be_committed(void **state)
{
	const struct view file = VIEW("a,b\n1,2\n\n3,\"4\n\"\r\n5,6\n\n\n");
	struct reader reader, rest;
	struct rows *rows = NULL;
	struct error err = { "" };
	uint64_t expected = 0;

	(void)state;
	reader_init(&reader, NULL);
	assert_ok(rows_open(&nothing, ROW_BYTES_MAX, stop_at_each, &reader,
		      &rows, &err),
	    &err);
	while (rows_take(rows, file, &err) == STATUS_END) {
		struct progress end;

		assert_int_equal(rows_progress(rows)->rows, ++expected);
		reader_init(&rest, NULL);
		assert_status(
		    read_file(file, rows_progress(rows), &rest, NULL, &end),
		    STATUS_OK);
		assert_int_equal(end.rows, 3);
		buffer_append_view(&reader.seen, buffer_view(&rest.seen));
		assert_view(buffer_view(&reader.seen), "1:1|2;2:3|4\n;3:5|6;");
		reader.seen.len -= rest.seen.len;
		buffer_clear(&rest.seen);
	}
	assert_int_equal(expected, 3);
	assert_ok(rows_finish(rows, &err), &err);
	rows_close(&rows);
	buffer_clear(&reader.seen);
}

/* A second reading that breaks off before it has caught up takes back nothing
 * of what is committed. */
static void
progress_never_goes_back(void **state)
{
	const struct view file = VIEW("a,b\n1,2\n3,4\n5,6\n7,8\n");
	const struct view half = { file.data, 10 };
	struct progress committed;
	struct reader reader;
	struct rows *rows;

	(void)state;
	reader_init(&reader, NULL);
	rows = open_rows(&nothing, &reader);
	assert_status(
	    take_piece(rows, (struct view){ file.data, 16 }), STATUS_OK);
	committed = *rows_progress(rows);
	assert_int_equal(committed.rows, 3);
	rows_close(&rows);

	rows = open_rows(&committed, &reader);
	assert_memory_equal(rows_progress(rows), &committed, sizeof(committed));
	assert_status(take_piece(rows, half), STATUS_OK);
	assert_memory_equal(rows_progress(rows), &committed, sizeof(committed));
	rows_close(&rows);
	buffer_clear(&reader.seen);
}

static void
a_changed_file_is_noticed(void **state)
{
	static const struct {
		const char *what;
		struct view file;
	} cases[] = {
		{ "a byte of a row", VIEW("a,b\n1,2\n3,5\n5,6\n") },
		{ "a byte of the heading", VIEW("a,c\n1,2\n3,4\n5,6\n") },
		{ "a row more in front", VIEW("a,b\n0,0\n1,2\n3,4\n5,6\n") },
		{ "a row less", VIEW("a,b\n3,4\n5,6\n") },
		{ "the order", VIEW("a,b\n3,4\n1,2\n5,6\n") },
		{ "the line breaks", VIEW("a,b\r\n1,2\r\n3,4\r\n5,6\r\n") },
		{ "quotes only", VIEW("a,b\n1,2\n3,\"4\"\n5,6\n") },
		{ "a blank line", VIEW("a,b\n1,2\n\n3,4\n5,6\n") },
		{ "one row for two", VIEW("a,b\n\"1,2\n3\",4\n5,6\n") },
		{ "a shorter file", VIEW("a,b\n1,2\n") },
		{ "cut within a row", VIEW("a,b\n1,2\n3,") },
		{ "cut before the line break", VIEW("a,b\n1,2\n3,4") },
		{ "an empty file", VIEW("") },
	};
	struct progress committed, end;
	struct reader reader;

	(void)state;
	reader_init(&reader, NULL);
	assert_status(read_file(VIEW("a,b\n1,2\n3,4\n"), &nothing, &reader,
			  NULL, &committed),
	    STATUS_OK);
	assert_status(read_file(VIEW("a,b\n1,2\n3,4\n5,6\n"), &committed,
			  &reader, NULL, &end),
	    STATUS_OK);
	assert_view(buffer_view(&reader.seen), "1:1|2;2:3|4;3:5|6;");
	for (size_t i = 0; i < COUNT(cases); i++) {
		buffer_reset(&reader.seen);
		assert_status_of(cases[i].what,
		    read_file(cases[i].file, &committed, &reader, NULL, &end),
		    STATUS_ABORTED);
		assert_view(buffer_view(&reader.seen), "");
	}
	buffer_clear(&reader.seen);
}

static void
generations_count_from_one(void **state)
{
	const struct progress third = { .generation = 3 };
	struct progress end;
	struct reader reader;

	(void)state;
	reader_init(&reader, NULL);
	assert_status(read_file(VIEW("a\nx\n"), &nothing, &reader, NULL, &end),
	    STATUS_OK);
	assert_int_equal(end.generation, 1);
	assert_status(
	    read_file(VIEW("a\nx\n"), &third, &reader, NULL, &end), STATUS_OK);
	assert_int_equal(end.generation, 3);
	assert_view(buffer_view(&reader.seen), "1:x;1:x;");
	buffer_clear(&reader.seen);
}

static void
every_column_has_a_name_of_its_own(void **state)
{
	struct reader reader;
	struct rows *rows;
	const struct view *columns;
	size_t count;

	(void)state;
	reader_init(&reader, NULL);
	rows = open_rows(&nothing, &reader);
	assert_status(
	    take_piece(rows, VIEW("id,,id,\"a,b\"\n1,2,3,4,5\n")), STATUS_OK);
	columns = rows_columns(rows, &count);
	assert_int_equal(count, 4);
	assert_view(columns[0], "id");
	assert_view(columns[1], "column_2");
	assert_view(columns[2], "column_3");
	assert_view(columns[3], "a,b");
	assert_view(columns[4], "column_5");
	rows_close(&rows);
	buffer_clear(&reader.seen);
}

/* Also where the vendor calls a column as we would another. */
static void
names_after_places_are_free(void **state)
{
	const struct progress begin = { .generation = 0 };
	const struct view *columns;
	struct reader reader;
	struct error err = { "" };
	struct rows *rows;
	size_t count;

	(void)state;
	reader_init(&reader, NULL);
	rows = open_rows(&begin, &reader);
	assert_ok(
	    rows_take(rows, VIEW("column_2,,column_2,column_6,a\0b\n"), &err),
	    &err);
	columns = rows_columns(rows, &count);
	assert_int_equal(count, 5);
	assert_view(columns[0], "column_2");
	assert_view(columns[1], "column_2_");
	assert_view(columns[2], "column_3");
	assert_view(columns[3], "column_6");
	assert_view(columns[4], "column_5");
	assert_view(columns[5], "column_6_");
	rows_close(&rows);
	buffer_clear(&reader.seen);
}

/* With one column an empty line is a row; with more it is a blank line. */
static void
blank_lines_are_rows_of_one_column_only(void **state)
{
	struct progress end;
	struct reader reader;

	(void)state;
	reader_init(&reader, NULL);
	assert_status(
	    read_file(VIEW("a\n\nx\n"), &nothing, &reader, NULL, &end),
	    STATUS_OK);
	assert_view(buffer_view(&reader.seen), "1:;2:x;");
	buffer_reset(&reader.seen);
	assert_status(
	    read_file(VIEW("a,b\n\nx\n"), &nothing, &reader, NULL, &end),
	    STATUS_OK);
	assert_view(buffer_view(&reader.seen), "1:x;");
	buffer_clear(&reader.seen);
}

static void
what_is_no_csv_is_refused(void **state)
{
	char text[2000];
	struct progress end;
	struct reader reader;

	(void)state;
	reader_init(&reader, NULL);
	assert_status(
	    read_file(VIEW("a\n\"x\"y\n"), &nothing, &reader, NULL, &end),
	    STATUS_INVALID);
	assert_status(
	    read_file(VIEW("a\n\"x\n"), &nothing, &reader, NULL, &end),
	    STATUS_INVALID);
	memset(text, 'x', sizeof(text));
	assert_status(read_file((struct view){ text, sizeof(text) }, &nothing,
			  &reader, NULL, &end),
	    STATUS_TOO_LARGE);
	memset(text, 'x', 201);
	text[201] = '\n';
	assert_status(read_file((struct view){ text, 202 }, &nothing, &reader,
			  NULL, &end),
	    STATUS_TOO_LARGE);
	assert_view(buffer_view(&reader.seen), "");
	buffer_clear(&reader.seen);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_row_comes_once_in_any_pieces),
		cmocka_unit_test(a_second_reading_gives_exactly_the_rest),
		cmocka_unit_test(a_pause_after_any_row_can_be_committed),
		cmocka_unit_test(progress_never_goes_back),
		cmocka_unit_test(a_changed_file_is_noticed),
		cmocka_unit_test(generations_count_from_one),
		cmocka_unit_test(every_column_has_a_name_of_its_own),
		cmocka_unit_test(names_after_places_are_free),
		cmocka_unit_test(blank_lines_are_rows_of_one_column_only),
		cmocka_unit_test(what_is_no_csv_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
