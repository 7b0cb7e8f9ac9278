/* SPDX-License-Identifier: Apache-2.0
 *
 * CSV in pieces, as RFC 4180 has it: quoted fields may hold commas, quotes
 * ("") and line breaks; rows end in CRLF or LF; a UTF-8 byte order mark at the
 * start is skipped. A lone CR is data. Text after a closing quote is refused.
 *
 * Pull style: csv_read takes as much of the input as the next row needs and
 * not a byte more, so that the caller knows at each row how far it has come. */
#ifndef VULNBUS_CSV_H
#define VULNBUS_CSV_H

#include "vulnbus/buffer.h"

#define CSV_FIELDS_MAX 1024

enum csv_state {
	CSV_ROW_START,
	CSV_FIELD_START,
	CSV_UNQUOTED,
	CSV_QUOTED,
	CSV_QUOTE_SEEN,
	CSV_RETURN_SEEN, /* CR after the closing quote */
};

struct csv {
	struct buffer text;          /* the row's fields, one after the other */
	size_t ends[CSV_FIELDS_MAX]; /* where each field ends in `text` */
	size_t field_count;
	enum csv_state state;
	unsigned bom_bytes;  /* of the byte order mark seen so far; 3 = done */
	uint64_t row_number; /* of the last row read, from 1 */
};

void
csv_init(struct csv *csv, size_t row_bytes_max);

void
csv_clear(struct csv *csv);

/* Takes bytes off the front of `input`. STATUS_OK: a row is complete, its
 * fields stand until the next call. STATUS_END: the input is used up, give
 * more. STATUS_INVALID, STATUS_TOO_LARGE: the file cannot be read on. */
enum status
csv_read(struct csv *csv, struct view *input, struct error *err) MUST_CHECK;

/* At the end of the file: STATUS_OK when a last row without a line break was
 * waiting, STATUS_END when there was none, STATUS_INVALID within quotes. */
enum status
csv_finish(struct csv *csv, struct error *err) MUST_CHECK;

struct view
csv_field(const struct csv *csv, size_t index);

#endif
