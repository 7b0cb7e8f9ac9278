/* SPDX-License-Identifier: Apache-2.0 */
#include "vulnbus/spool_rows.h"

#include <stdlib.h>

#include "vulnbus/log.h"
#include "vulnbus/metrics.h"
#include "vulnbus/spool_record.h"
#include "vulnbus/timestamp.h"

#define RETRY_MS         1000
#define ROWS_AT_ONCE     5000 /* sent, and still in the file */
#define MEASURE_EVERY_MS 200
#define SHRINK_BYTES     (16 << 20)
#define ROW_BYTES_MAX    (32u << 20)

enum status
spool_rows_open(struct spool_rows *rows, struct error *err)
{
	enum status status;

	buffer_init(&rows->payload, ROW_BYTES_MAX);
	rows->rewind_to = -1;
	status = spool_file_open(rows->options->path,
	    rows->options->file_bytes_max, &rows->file, err);
	if (status == STATUS_OK)
		status = spool_file_count(rows->file, &rows->count, err);
	rows->has_unsent = rows->count > 0;
	if (status == STATUS_OK)
		spool_rows_measure(rows);
	if (status == STATUS_OK && rows->count > 0)
		LOG_INFO("the spool holds events of an earlier run",
		    LOG_INT("events", rows->count));
	return status;
}

void
spool_rows_close(struct spool_rows *rows)
{
	struct spool_row *next;

	/* What could not be taken out is sent once more by the next run. */
	for (; rows->settled != NULL; rows->settled = next) {
		next = rows->settled->next;
		free(rows->settled);
	}
	spool_file_close(&rows->file);
	buffer_clear(&rows->payload);
}

/* What failed in passing is sent again, with all behind it, once nothing is
 * under way any more: in the order of the file. What Kafka refuses for good
 * stays there for people to look at, and keeps nobody waiting. */
static void
begin_again(struct spool_rows *rows)
{
	if (rows->rewind_to < 0 || rows->under_way > 0 || rows->settled != NULL)
		return;
	rows->sent_id = rows->rewind_to;
	rows->rewind_to = -1;
	rows->send_from_ms = clock_steady_ms() + RETRY_MS;
}

static void
add_settled(struct spool_rows *rows, struct spool_row *row)
{
	row->next = rows->settled;
	rows->settled = row;
	rows->settled_count++;
}

bool
spool_rows_is_final(enum status outcome)
{
	return outcome == STATUS_OK || outcome == STATUS_TOO_LARGE ||
	       outcome == STATUS_INVALID;
}

void
spool_rows_settle(struct spool_rows *rows, struct spool_row *reported)
{
	while (reported != NULL) {
		struct spool_row *row = reported;

		reported = row->next;
		rows->under_way--;
		if (spool_rows_is_final(row->outcome)) {
			add_settled(rows, row);
			continue;
		}
		if (rows->rewind_to < 0 || row->id - 1 < rows->rewind_to)
			rows->rewind_to = row->id - 1;
		rows->has_unsent = true;
		free(row);
	}
}

/* First what makes room: a reason beside its row may need some. */
static enum status
write_settled(struct spool_rows *rows, struct error *err)
{
	enum status status = STATUS_OK;
	struct spool_row *row;

	for (row = rows->settled; status == STATUS_OK && row != NULL;
	     row = row->next)
		if (row->outcome == STATUS_OK)
			status = spool_file_remove(rows->file, row->id, err);
	for (row = rows->settled; status == STATUS_OK && row != NULL;
	     row = row->next)
		if (row->outcome != STATUS_OK)
			status = spool_file_set_aside(
			    rows->file, row->id, row->why.text, err);
	return status;
}

static enum status
write_items(
    struct spool_rows *rows, const struct spool_item *items, struct error *err)
{
	const int64_t now_ms = clock_wall_ms();
	enum status status = STATUS_OK;

	for (; status == STATUS_OK && items != NULL; items = items->next)
		status = spool_file_append(
		    rows->file, buffer_view(&items->payload), now_ms, err);
	return status;
}

static void
forget_settled(struct spool_rows *rows)
{
	while (rows->settled != NULL) {
		struct spool_row *row = rows->settled;

		rows->settled = row->next;
		rows->settled_count--;
		rows->count -= row->outcome == STATUS_OK;
		rows->aside += row->outcome != STATUS_OK;
		if (row->outcome != STATUS_OK)
			LOG_ERROR("Kafka refuses a record for good; it stays "
				  "in the spool",
			    LOG_INT("row", row->id), LOG_TRACE(&row->trace),
			    LOG_TEXT("error.message", row->why.text));
		free(row);
	}
}

/* One transaction for all that came and all that went. */
static enum status
write_all(struct spool_rows *rows, const struct spool_item *items,
    bool has_settled, struct error *err)
{
	enum status status;

	if (items == NULL && (!has_settled || rows->settled == NULL))
		return STATUS_OK;
	status = spool_file_begin(rows->file, err);
	if (status == STATUS_OK && has_settled)
		status = write_settled(rows, err);
	if (status == STATUS_OK)
		status = write_items(rows, items, err);
	if (status == STATUS_OK)
		status = spool_file_commit(rows->file, err);
	if (status != STATUS_OK)
		return status;
	if (has_settled)
		forget_settled(rows);
	for (; items != NULL; items = items->next) {
		rows->count++;
		rows->has_unsent = true;
		metric_add(METRIC_SPOOLED, NULL, NULL, 1);
	}
	return STATUS_OK;
}

enum status
spool_rows_store(
    struct spool_rows *rows, const struct spool_item *items, struct error *err)
{
	enum status status = write_all(rows, items, true, err);
	struct error ignored;

	/* What goes makes room for what comes, but not in one step; and it
	 * goes even if nothing may come. */
	if (status != STATUS_OK && items != NULL && rows->settled != NULL &&
	    write_all(rows, NULL, true, &ignored) == STATUS_OK)
		status = write_all(rows, items, false, err);
	if (status != STATUS_OK && !rows->was_full)
		LOG_WARN("nothing is written to the spool",
		    LOG_TEXT("error.message", err->text));
	rows->was_full = status != STATUS_OK;
	begin_again(rows);
	return status;
}

/* A row that cannot even be read is settled like one that is refused. */
static enum status
send_row(struct spool_rows *rows, struct spool_row *row, struct error *err)
{
	struct kafka_record record;
	enum status status = spool_record_read(
	    buffer_view(&rows->payload), rows->options->topics, &record, err);

	if (status == STATUS_OK) {
		trace_restore(kafka_record_header(&record, "traceparent"),
		    VIEW(""), &row->trace);
		status = rows->options->send(
		    rows->options->arg, &record, &row->shipment, err);
	}
	if (status == STATUS_OK) {
		rows->under_way++;
		return STATUS_OK;
	}
	if (!spool_rows_is_final(status))
		return status;
	row->outcome = status;
	row->why = *err;
	add_settled(rows, row);
	return STATUS_OK;
}

/* The next row of the file, sent. */
static enum status
send_next(struct spool_rows *rows, struct error *err)
{
	struct spool_row *row = calloc(1, sizeof(*row));
	enum status status;

	if (row == NULL)
		return STATUS_NO_MEMORY;
	status = spool_file_read(
	    rows->file, rows->sent_id, &row->id, &rows->payload, err);
	if (status != STATUS_OK) {
		free(row);
		if (status == STATUS_END)
			return status;
		if (!rows->was_unreadable)
			LOG_ERROR("the spool cannot be read",
			    LOG_TEXT("error.message", err->text));
		rows->was_unreadable = true;
		return STATUS_UNAVAILABLE;
	}
	rows->was_unreadable = false;
	row->owner = rows->owner;
	row->shipment.on_report = rows->on_report;
	status = send_row(rows, row, err);
	if (status == STATUS_OK)
		rows->sent_id = row->id;
	else
		free(row);
	return status;
}

void
spool_rows_send(struct spool_rows *rows)
{
	struct error err;
	enum status status = STATUS_OK;

	if (!rows->has_unsent || rows->rewind_to >= 0 ||
	    clock_steady_ms() < rows->send_from_ms)
		return;
	while (status == STATUS_OK &&
	       rows->under_way + rows->settled_count < ROWS_AT_ONCE)
		status = send_next(rows, &err);
	rows->has_unsent = status != STATUS_END;
	if (status != STATUS_OK && status != STATUS_END)
		rows->send_from_ms = clock_steady_ms() + RETRY_MS;
}

void
spool_rows_measure(struct spool_rows *rows)
{
	const int64_t now_ms = clock_steady_ms();
	int64_t bytes, oldest_ms, age_ms;
	struct error err;

	if (now_ms - rows->measured_at_ms < MEASURE_EVERY_MS)
		return;
	rows->measured_at_ms = now_ms;
	if (spool_file_measure(rows->file, &bytes, &oldest_ms, &err) !=
	    STATUS_OK)
		return;
	if (bytes > rows->peak_bytes)
		rows->peak_bytes = bytes;
	if (rows->count == rows->aside && rows->peak_bytes > SHRINK_BYTES) {
		rows->peak_bytes = 0;
		if (spool_file_shrink(rows->file, &err) != STATUS_OK)
			LOG_WARN("spool not shrunk",
			    LOG_TEXT("error.message", err.text));
	}
	metric_set(METRIC_SPOOL_EVENTS, NULL, NULL, rows->count);
	metric_set(METRIC_SPOOL_ASIDE, NULL, NULL, rows->aside);
	metric_set(METRIC_SPOOL_BYTES, NULL, NULL, bytes);
	metric_set(METRIC_SPOOL_BYTES_MAX, NULL, NULL,
	    (int64_t)rows->options->file_bytes_max);
	age_ms = oldest_ms == 0 ? 0 : clock_wall_ms() - oldest_ms;
	metric_set(
	    METRIC_SPOOL_OLDEST, NULL, NULL, age_ms > 0 ? age_ms * 1000 : 0);
}
