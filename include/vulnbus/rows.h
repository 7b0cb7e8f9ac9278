/* SPDX-License-Identifier: Apache-2.0
 *
 * Stage: an export's CSV file, in pieces, becomes rows that are each handed on
 * once, even when the file is read again after a crash. */
#ifndef VULNBUS_ROWS_H
#define VULNBUS_ROWS_H

#include "vulnbus/csv.h"
#include "vulnbus/source.h"
#include "vulnbus/work.h"

struct rows;

/* Row `number` (from 1, the heading is not counted). False: it is taken, but
 * no more for now. */
typedef bool
rows_row_f(const struct rows *rows, uint64_t number, void *arg);

/* `committed` is where an earlier reading came to; generation 0: there was
 * none. */
enum status
rows_open(const struct progress *committed, size_t row_bytes_max,
    rows_row_f *on_row, void *arg, struct rows **out_rows,
    struct error *err) MUST_CHECK;

void
rows_close(struct rows **rows);

/* Takes a piece of the file. STATUS_OK: all of it. STATUS_END: on_row wants no
 * more for now; hand the same piece in again later. STATUS_ABORTED: the file
 * is not the one whose rows are committed; it must be read from the start in
 * the next generation. STATUS_INVALID, STATUS_TOO_LARGE: it is not CSV, or
 * beyond the ceilings. */
enum status
rows_take(struct rows *rows, struct view piece, struct error *err) MUST_CHECK;

/* The file is complete; the last row may come now. As rows_take. */
enum status
rows_finish(struct rows *rows, struct error *err) MUST_CHECK;

/* How far it has come, at the end of a row: what to commit with the rows.
 * Never less than what was committed before. */
const struct progress *
rows_progress(const struct rows *rows);

/* The columns' names; views live as long as `rows`. Beyond the count stand
 * names for fields that a row has more than the heading. */
const struct view *
rows_columns(const struct rows *rows, size_t *out_count);

/* Within on_row: field `index` of the row, and how many there are. */
struct view
rows_field(const struct rows *rows, size_t index);

size_t
rows_field_count(const struct rows *rows);

#endif
