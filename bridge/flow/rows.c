/* SPDX-License-Identifier: Apache-2.0 */
#include "vulnbus/rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COLUMN_BYTES_MAX 200

struct rows {
	struct csv csv;
	struct sha256 *sha;
	char names[CSV_FIELDS_MAX][COLUMN_BYTES_MAX + 1];
	struct view columns[CSV_FIELDS_MAX];
	size_t column_count;
	bool has_heading;
	struct progress committed;
	struct progress at;  /* at the end of the last row */
	uint64_t bytes_seen; /* may be within a row */
	bool is_at_moved;    /* `at` lacks its digest */
	bool is_past;        /* what is committed lies behind */
	size_t piece_taken;  /* of a piece that will come again */
	rows_row_f *on_row;
	void *arg;
};

enum status
rows_open(const struct progress *committed, size_t row_bytes_max,
    rows_row_f *on_row, void *arg, struct rows **out_rows, struct error *err)
{
	struct rows *rows = calloc(1, sizeof(*rows));

	if (rows == NULL)
		return error_set(err, STATUS_NO_MEMORY, "no memory");
	csv_init(&rows->csv, row_bytes_max);
	rows->committed = *committed;
	if (rows->committed.generation == 0)
		rows->committed.generation = 1;
	rows->at.generation = rows->committed.generation;
	rows->is_at_moved = true;
	rows->is_past = rows->committed.rows == 0;
	rows->on_row = on_row;
	rows->arg = arg;
	if (sha256_open(&rows->sha, err) != STATUS_OK) {
		rows_close(&rows);
		return STATUS_NO_MEMORY;
	}
	*out_rows = rows;
	return STATUS_OK;
}

void
rows_close(struct rows **rows)
{
	if (*rows == NULL)
		return;
	csv_clear(&(*rows)->csv);
	sha256_close(&(*rows)->sha);
	free(*rows);
	*rows = NULL;
}

static bool
is_taken(const struct rows *rows, size_t index, struct view name)
{
	for (size_t i = 0; i < index; i++)
		if (view_equal(rows->columns[i], name))
			return true;
	return false;
}

/* After its place, unless the vendor has called another column that. */
static void
name_after_place(struct rows *rows, size_t index)
{
	const size_t most = index < rows->column_count ? index
						       : rows->column_count;
	char *name = rows->names[index];
	int len = snprintf(
	    name, sizeof(rows->names[index]), "column_%zu", index + 1);

	while (is_taken(rows, most, view_of(name)) && len < COLUMN_BYTES_MAX) {
		name[len++] = '_';
		name[len] = '\0';
	}
}

/* A record's fields need names, each once: a column without one, or with that
 * of another, is called after its place, and so is what stands beyond. */
static enum status
take_heading(struct rows *rows, struct error *err)
{
	rows->has_heading = true;
	rows->column_count = rows->csv.field_count;
	for (size_t i = 0; i < CSV_FIELDS_MAX; i++) {
		const struct view name = csv_field(&rows->csv, i);

		if (name.len > COLUMN_BYTES_MAX)
			return error_set(err, STATUS_TOO_LARGE,
			    "CSV heading: a name over %d bytes",
			    COLUMN_BYTES_MAX);
		if (i < rows->column_count && name.len > 0 &&
		    memchr(name.data, '\0', name.len) == NULL &&
		    !is_taken(rows, i, name))
			snprintf(rows->names[i], sizeof(rows->names[i]), "%.*s",
			    VIEW_ARGS(name));
		else
			name_after_place(rows, i);
		rows->columns[i] = view_of(rows->names[i]);
	}
	return STATUS_OK;
}

/* The digest of all up to the last row's end; only right while nothing behind
 * it has been added. */
static void
fix_progress(struct rows *rows)
{
	if (rows->is_at_moved)
		sha256_digest(rows->sha, rows->at.digest);
	rows->is_at_moved = false;
}

/* A blank line is no row of several columns. */
static bool
is_blank(const struct rows *rows)
{
	return rows->csv.field_count == 1 && rows->column_count > 1 &&
	       csv_field(&rows->csv, 0).len == 0;
}

/* The rows that are committed are passed over, if they are the same ones. They
 * may end with blank lines, so it is the bytes that say how far they go. */
static enum status
check_same(struct rows *rows, struct error *err)
{
	fix_progress(rows);
	rows->is_past = rows->at.bytes == rows->committed.bytes &&
			rows->at.rows == rows->committed.rows &&
			memcmp(rows->at.digest, rows->committed.digest,
			    SHA256_BYTES) == 0;
	if (rows->is_past)
		return STATUS_OK;
	return error_set(err, STATUS_ABORTED,
	    "the file has changed since %llu of its rows were written",
	    (unsigned long long)rows->committed.rows);
}

static enum status
take_row(struct rows *rows, struct error *err)
{
	rows->at.bytes = rows->bytes_seen;
	rows->is_at_moved = true;
	if (!rows->has_heading)
		return take_heading(rows, err);
	if (!is_blank(rows))
		rows->at.rows++;
	if (!rows->is_past)
		return rows->at.bytes < rows->committed.bytes
			   ? STATUS_OK
			   : check_same(rows, err);
	if (is_blank(rows))
		return STATUS_OK;
	if (rows->on_row(rows, rows->at.rows, rows->arg))
		return STATUS_OK;
	fix_progress(rows);
	return STATUS_END;
}

enum status
rows_take(struct rows *rows, struct view piece, struct error *err)
{
	struct view left = { piece.data + rows->piece_taken,
		piece.len - rows->piece_taken };
	enum status status = STATUS_OK;

	while (status == STATUS_OK && left.len > 0) {
		const char *start = left.data;
		struct view used;

		status = csv_read(&rows->csv, &left, err);
		used = (struct view){ start, (size_t)(left.data - start) };
		/* A piece may end within a row: what is known up to the last
		 * row's end has to be settled before more is added. */
		if (status == STATUS_END)
			fix_progress(rows);
		sha256_update(rows->sha, used);
		rows->bytes_seen += used.len;
		if (status == STATUS_OK)
			status = take_row(rows, err);
		else if (status == STATUS_END)
			status = STATUS_OK;
	}
	if (status == STATUS_OK)
		fix_progress(rows);
	rows->piece_taken = status == STATUS_END
				? (size_t)(left.data - piece.data)
				: 0;
	return status;
}

enum status
rows_finish(struct rows *rows, struct error *err)
{
	enum status status = csv_finish(&rows->csv, err);

	if (status == STATUS_OK)
		status = take_row(rows, err);
	if (status != STATUS_OK && status != STATUS_END)
		return status;
	rows->at.bytes = rows->bytes_seen;
	rows->is_at_moved = true;
	fix_progress(rows);
	if (rows->at.rows < rows->committed.rows)
		return error_set(err, STATUS_ABORTED,
		    "the file is shorter than the rows that were written");
	return rows->is_past ? STATUS_OK : check_same(rows, err);
}

const struct progress *
rows_progress(const struct rows *rows)
{
	/* A second reading that breaks off takes nothing back. */
	return rows->is_past ? &rows->at : &rows->committed;
}

const struct view *
rows_columns(const struct rows *rows, size_t *out_count)
{
	*out_count = rows->column_count;
	return rows->columns;
}

struct view
rows_field(const struct rows *rows, size_t index)
{
	return csv_field(&rows->csv, index);
}

size_t
rows_field_count(const struct rows *rows)
{
	return rows->csv.field_count;
}
