/* SPDX-License-Identifier: Apache-2.0 */
#include "vulnbus/csv.h"

#include <string.h>

#define BOM_BYTES 3

void
csv_init(struct csv *csv, size_t row_bytes_max)
{
	*csv = (struct csv){ .state = CSV_ROW_START };
	buffer_init(&csv->text, row_bytes_max);
}

void
csv_clear(struct csv *csv)
{
	buffer_clear(&csv->text);
}

static enum status
end_field(struct csv *csv, struct error *err)
{
	if (csv->field_count == CSV_FIELDS_MAX)
		return error_set(err, STATUS_TOO_LARGE,
		    "CSV row %llu: over %d fields",
		    (unsigned long long)csv->row_number + 1, CSV_FIELDS_MAX);
	csv->ends[csv->field_count++] = csv->text.len;
	csv->state = CSV_FIELD_START;
	return STATUS_OK;
}

static enum status
end_row(struct csv *csv, struct error *err)
{
	enum status status = end_field(csv, err);

	if (status != STATUS_OK)
		return status;
	if (buffer_status(&csv->text) != STATUS_OK)
		return error_set(err, buffer_status(&csv->text),
		    "CSV row %llu: over %zu bytes",
		    (unsigned long long)csv->row_number + 1,
		    csv->text.max_bytes);
	csv->row_number++;
	csv->state = CSV_ROW_START;
	return STATUS_OK;
}

/* How much of it is plain text, up to the next byte that means something. */
static size_t
unquoted_run(struct view input)
{
	size_t len = 0;

	while (len < input.len && input.data[len] != ',' &&
	       input.data[len] != '\n')
		len++;
	return len;
}

static size_t
quoted_run(struct view input)
{
	const char *end = memchr(input.data, '"', input.len);

	return end == NULL ? input.len : (size_t)(end - input.data);
}

static void
take_run(struct csv *csv, struct view *input, size_t len)
{
	buffer_append(&csv->text, input->data, len);
	input->data += len;
	input->len -= len;
}

/* A CR before the LF belongs to the line break, not to the field. */
static void
drop_carriage_return(struct csv *csv)
{
	const size_t start = csv->field_count > 0
				 ? csv->ends[csv->field_count - 1]
				 : 0;

	if (csv->text.len > start && csv->text.data[csv->text.len - 1] == '\r')
		csv->text.len--;
}

static enum status
step_quote_seen(struct csv *csv, char c, struct error *err)
{
	const bool is_open = csv->state == CSV_QUOTE_SEEN;

	if (is_open && c == '"') {
		buffer_append(&csv->text, "\"", 1);
		csv->state = CSV_QUOTED;
		return STATUS_END;
	}
	if (is_open && c == ',') {
		enum status status = end_field(csv, err);

		return status == STATUS_OK ? STATUS_END : status;
	}
	if (is_open && c == '\r') {
		csv->state = CSV_RETURN_SEEN;
		return STATUS_END;
	}
	if (c == '\n')
		return end_row(csv, err);
	return error_set(err, STATUS_INVALID,
	    "CSV row %llu: text after a closing quote",
	    (unsigned long long)csv->row_number + 1);
}

/* One byte that means something, outside quotes. */
static enum status
step_plain(struct csv *csv, char c, struct error *err)
{
	enum status status;

	if (c == '"' && csv->state != CSV_UNQUOTED) {
		csv->state = CSV_QUOTED;
		return STATUS_END;
	}
	if (c == ',') {
		status = end_field(csv, err);
		return status == STATUS_OK ? STATUS_END : status;
	}
	if (c == '\n') {
		drop_carriage_return(csv);
		return end_row(csv, err);
	}
	buffer_append(&csv->text, &c, 1);
	csv->state = CSV_UNQUOTED;
	return STATUS_END;
}

static void
start_row(struct csv *csv)
{
	buffer_reset(&csv->text);
	csv->field_count = 0;
	csv->state = CSV_FIELD_START;
}

/* True when `c` was part of a byte order mark. A mark cut short was text. */
static bool
take_bom(struct csv *csv, char c)
{
	static const char bom[BOM_BYTES + 1] = "\xEF\xBB\xBF";
	const unsigned seen = csv->bom_bytes;

	if (c == bom[seen]) {
		csv->bom_bytes++;
		return true;
	}
	csv->bom_bytes = BOM_BYTES;
	if (seen > 0) {
		start_row(csv);
		buffer_append(&csv->text, bom, seen);
		csv->state = CSV_UNQUOTED;
	}
	return false;
}

static enum status
step(struct csv *csv, struct view *input, struct error *err)
{
	const char c = input->data[0];

	if (csv->bom_bytes < BOM_BYTES && take_bom(csv, c)) {
		input->data++;
		input->len--;
		return STATUS_END;
	}
	if (csv->state == CSV_ROW_START)
		start_row(csv);
	if (csv->state == CSV_UNQUOTED && c != ',' && c != '\n') {
		take_run(csv, input, unquoted_run(*input));
		return STATUS_END;
	}
	if (csv->state == CSV_QUOTED && c != '"') {
		take_run(csv, input, quoted_run(*input));
		return STATUS_END;
	}
	input->data++;
	input->len--;
	if (csv->state == CSV_QUOTED) {
		csv->state = CSV_QUOTE_SEEN;
		return STATUS_END;
	}
	if (csv->state == CSV_QUOTE_SEEN || csv->state == CSV_RETURN_SEEN)
		return step_quote_seen(csv, c, err);
	return step_plain(csv, c, err);
}

enum status
csv_read(struct csv *csv, struct view *input, struct error *err)
{
	enum status status = STATUS_END;

	while (status == STATUS_END && input->len > 0) {
		status = step(csv, input, err);
		/* A row over its ceiling is refused as soon as it is, not at
		 * its end, which may never come. */
		if (status == STATUS_END &&
		    buffer_status(&csv->text) != STATUS_OK)
			return error_set(err, buffer_status(&csv->text),
			    "CSV row %llu: over %zu bytes",
			    (unsigned long long)csv->row_number + 1,
			    csv->text.max_bytes);
	}
	return status;
}

enum status
csv_finish(struct csv *csv, struct error *err)
{
	if (csv->state == CSV_QUOTED)
		return error_set(err, STATUS_INVALID,
		    "CSV row %llu: the file ends within quotes",
		    (unsigned long long)csv->row_number + 1);
	if (csv->state == CSV_ROW_START)
		return STATUS_END;
	if (csv->state == CSV_UNQUOTED)
		drop_carriage_return(csv);
	return end_row(csv, err);
}

struct view
csv_field(const struct csv *csv, size_t index)
{
	size_t start;

	if (index >= csv->field_count || csv->text.data == NULL)
		return VIEW("");
	start = index == 0 ? 0 : csv->ends[index - 1];
	return (
	    struct view){ csv->text.data + start, csv->ends[index] - start };
}
