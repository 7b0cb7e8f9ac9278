/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as CSV, cut in two at the place the first byte names: the rows are
 * those of the file in one piece. */
#include "fuzz.h"

#include "vulnbus/csv.h"

#define ROW_BYTES_MAX 64

/* What was read, as text: fields ended by 0xff, rows by 0xfe, then how it
 * ended. */
static enum status
read_piece(struct csv *csv, struct view input, struct buffer *out)
{
	struct error err = { "" };
	enum status status;

	while ((status = csv_read(csv, &input, &err)) == STATUS_OK) {
		for (size_t i = 0; i < csv->field_count; i++) {
			buffer_append_view(out, csv_field(csv, i));
			buffer_append(out, "\xff", 1);
		}
		buffer_append(out, "\xfe", 1);
	}
	REQUIRE(status != STATUS_END || input.len == 0);
	return status;
}

static void
read_in_pieces(struct view text, size_t cut, struct buffer *out)
{
	struct error err = { "" };
	enum status status;
	struct csv csv;

	csv_init(&csv, ROW_BYTES_MAX);
	status = read_piece(&csv, (struct view){ text.data, cut }, out);
	if (status == STATUS_END)
		status = read_piece(&csv,
		    (struct view){ text.data + cut, text.len - cut }, out);
	if (status == STATUS_END)
		status = csv_finish(&csv, &err);
	buffer_print(out, "%zu %s", csv.field_count, status_name(status));
	csv_clear(&csv);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct buffer whole, pieces;
	struct view text;

	if (len == 0)
		return 0;
	text = (struct view){ (const char *)data + 1, len - 1 };
	buffer_init(&whole, 1 << 22);
	buffer_init(&pieces, 1 << 22);
	read_in_pieces(text, text.len, &whole);
	read_in_pieces(text, data[0] % len, &pieces);
	REQUIRE(buffer_status(&whole) == STATUS_OK);
	REQUIRE(view_equal(buffer_view(&whole), buffer_view(&pieces)));
	buffer_clear(&whole);
	buffer_clear(&pieces);
	return 0;
}
