/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as an export's file, read three times: in one go; in pieces, with
 * a pause after each row; and once more from the start, as after a crash, with
 * some rows committed. Each row is handed on once, in order, and the columns
 * have names, each its own. The first byte says where the pieces and the crash
 * are. */
#include "fuzz.h"

#include "vulnbus/rows.h"

#define ROW_BYTES_MAX 64

struct reading {
	struct buffer out;      /* rows as text */
	uint64_t last;          /* the last row's number */
	uint64_t crash;         /* behind which row; 0: none */
	struct progress commit; /* as it was then */
	size_t before_crash;    /* what `out` held then */
	bool is_pausing;
};

static void
check_columns(const struct rows *rows)
{
	size_t count;
	const struct view *names = rows_columns(rows, &count);

	for (size_t i = 0; i < count; i++)
		REQUIRE(names[i].len > 0);
	for (size_t i = 1; i < CSV_FIELDS_MAX && i < count + 4; i++)
		for (size_t k = 0; k < i; k++)
			REQUIRE(!view_equal(names[i], names[k]));
}

static bool
on_row(const struct rows *rows, uint64_t number, void *arg)
{
	struct reading *reading = arg;

	check_columns(rows);
	REQUIRE(number == reading->last + 1);
	reading->last = number;
	for (size_t i = 0; i < rows_field_count(rows); i++) {
		buffer_append_view(&reading->out, rows_field(rows, i));
		buffer_append(&reading->out, "\xff", 1);
	}
	buffer_append(&reading->out, "\xfe", 1);
	return !reading->is_pausing;
}

/* Where a transaction would end: the digest is fixed between pieces, and where
 * on_row pauses. */
static void
note_crash(const struct rows *rows, struct reading *reading)
{
	if (reading->crash == 0 || reading->last != reading->crash ||
	    rows_progress(rows)->rows != reading->crash)
		return;
	reading->commit = *rows_progress(rows);
	reading->before_crash = reading->out.len;
	reading->crash = 0;
}

static enum status
take(struct rows *rows, struct view piece, struct reading *reading)
{
	struct error err = { "" };
	enum status status;

	do {
		status = rows_take(rows, piece, &err);
		if (status == STATUS_OK || status == STATUS_END)
			note_crash(rows, reading);
	} while (status == STATUS_END);
	return status;
}

static enum status
read_file(const struct progress *from, struct view text, size_t piece,
    struct reading *reading)
{
	struct error err = { "" };
	struct rows *rows = NULL;
	enum status status = STATUS_OK;

	reading->last = from->rows;
	REQUIRE(rows_open(from, ROW_BYTES_MAX, on_row, reading, &rows, &err) ==
		STATUS_OK);
	while (status == STATUS_OK && text.len > 0) {
		const size_t len = piece < text.len ? piece : text.len;

		status = take(rows, (struct view){ text.data, len }, reading);
		text.data += len;
		text.len -= len;
	}
	if (status == STATUS_OK)
		status = rows_finish(rows, &err);
	if (status == STATUS_END)
		status = STATUS_OK;
	rows_close(&rows);
	return status;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const struct progress start = { .generation = 0 };
	struct reading whole = { .is_pausing = false };
	struct reading pieces = { .is_pausing = true };
	struct reading again = { .is_pausing = true };
	enum status status;
	struct view text;

	if (len < 2)
		return 0;
	text = (struct view){ (const char *)data + 1, len - 1 };
	pieces.crash = 1u + (data[0] & 0x0fu);
	buffer_init(&whole.out, 1 << 22);
	buffer_init(&pieces.out, 1 << 22);
	buffer_init(&again.out, 1 << 22);
	status = read_file(&start, text, text.len, &whole);
	REQUIRE(
	    read_file(&start, text, 1u + (data[0] >> 4), &pieces) == status);
	REQUIRE(whole.last == pieces.last);
	REQUIRE(view_equal(buffer_view(&whole.out), buffer_view(&pieces.out)));
	if (pieces.commit.generation > 0) {
		const size_t before = pieces.before_crash;

		REQUIRE(read_file(&pieces.commit, text, 7, &again) == status);
		REQUIRE(again.last == whole.last);
		REQUIRE(view_equal(buffer_view(&again.out),
		    (struct view){
			whole.out.data + before, whole.out.len - before }));
	}
	buffer_clear(&whole.out);
	buffer_clear(&pieces.out);
	buffer_clear(&again.out);
	return 0;
}
