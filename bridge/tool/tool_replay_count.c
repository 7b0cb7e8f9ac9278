/* SPDX-License-Identifier: Apache-2.0
 *
 * replay --dry-run: how many records of each source, kind and day. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "vulnbus/map.h"
#include "vulnbus/timestamp.h"
#include "vulnbus/tool_line.h"
#include "vulnbus/tool_replay.h"

#define STEP_MS        200
#define SILENCE_MS     20000
#define TEXT_BYTES     64
#define NAME_BYTES_MAX (4 * TEXT_BYTES)
#define ROWS_MAX       10000
#define DAY_BYTES      10 /* of an RFC 3339 time, its date */

struct row {
	char source[TEXT_BYTES];
	char kind[TEXT_BYTES];
	char day[DAY_BYTES + 1];
	int64_t count;
};

struct table {
	struct row *rows; /* owned */
	size_t count;
	struct map places; /* of a row's name: its place and one */
	int64_t records;
	int64_t others; /* of no row: there are too many */
};

static void
print_cell(char out[TEXT_BYTES], struct view text)
{
	struct buffer cell;

	buffer_init(&cell, TEXT_BYTES);
	line_text(&cell, text, TEXT_BYTES - 1);
	snprintf(out, TEXT_BYTES, "%.*s",
	    VIEW_ARGS(text.len == 0 ? VIEW("-") : buffer_view(&cell)));
	buffer_clear(&cell);
}

static void
count_record(struct table *table, const struct slice_record *from)
{
	char time[TIMESTAMP_TEXT_SIZE], name[NAME_BYTES_MAX];
	struct map_entry *entry;
	struct row row = { .count = 0 };

	print_cell(row.source, filter_source(&from->record, from->value));
	print_cell(row.kind, filter_kind(from->value));
	timestamp_print(from->record.timestamp_ms, time);
	snprintf(row.day, sizeof(row.day), "%.*s", DAY_BYTES, time);
	snprintf(
	    name, sizeof(name), "%s\n%s\n%s", row.source, row.kind, row.day);
	table->records++;
	entry = map_find(&table->places, view_of(name));
	if (entry == NULL && table->count < ROWS_MAX) {
		entry = map_add(&table->places, view_of(name));
		if (entry != NULL) {
			table->rows[table->count] = row;
			entry->number = (int64_t)++table->count;
		}
	}
	if (entry == NULL)
		table->others++;
	else
		table->rows[entry->number - 1].count++;
}

static int
compare(const void *a, const void *b)
{
	const struct row *first = a, *second = b;
	int order = strcmp(first->source, second->source);

	if (order == 0)
		order = strcmp(first->kind, second->kind);
	return order != 0 ? order : strcmp(first->day, second->day);
}

static int
wider(int width, const char *text)
{
	const int len = (int)strlen(text);

	return len > width ? len : width;
}

static void
print_table(struct table *table)
{
	int source = (int)sizeof("SOURCE") - 1, kind = (int)sizeof("KIND") - 1;

	qsort(table->rows, table->count, sizeof(*table->rows), compare);
	for (size_t i = 0; i < table->count; i++) {
		source = wider(source, table->rows[i].source);
		kind = wider(kind, table->rows[i].kind);
	}
	if (table->records > 0)
		printf("%-*s  %-*s  %-*s  RECORDS\n", source, "SOURCE", kind,
		    "KIND", DAY_BYTES, "DAY");
	for (size_t i = 0; i < table->count; i++)
		printf("%-*s  %-*s  %s  %lld\n", source, table->rows[i].source,
		    kind, table->rows[i].kind, table->rows[i].day,
		    (long long)table->rows[i].count);
	if (table->others > 0)
		printf("%lld of more sources, kinds and days\n",
		    (long long)table->others);
	printf("%lld records\n", (long long)table->records);
}

static enum status
count_all(struct table *table, struct replay_plan *plan, struct slice *slice,
    struct error *err)
{
	int64_t heard_ms = clock_steady_ms();
	struct progress progress;
	enum status status = STATUS_OK;

	progress_begin(&progress, plan);
	while (!plan_is_done(plan) && status != STATUS_FATAL &&
	       !tool_is_interrupted()) {
		const int64_t passed = plan_passed(plan);
		struct slice_record record;

		status = slice_next(slice, STEP_MS, &record, err);
		if (status == STATUS_OK)
			count_record(table, &record);
		if (plan_passed(plan) > passed)
			heard_ms = clock_steady_ms();
		else if (clock_steady_ms() - heard_ms > SILENCE_MS)
			status = error_set(
			    err, STATUS_FATAL, "nothing more comes");
		progress_tell(&progress, plan, table->records);
	}
	progress_end(&progress);
	return status == STATUS_FATAL ? status : STATUS_OK;
}

int
replay_count(const struct tool *tool, struct replay_plan *plan)
{
	struct table table = { .rows = calloc(ROWS_MAX, sizeof(struct row)) };
	struct slice *slice = NULL;
	struct error err;
	enum status status;
	int exit_status = EX_OK;

	map_init(&table.places);
	status = table.rows == NULL
		     ? error_set(&err, STATUS_NO_MEMORY, "no memory")
		     : slice_open(plan, true, &slice, &err);
	if (status == STATUS_OK)
		status = count_all(&table, plan, slice, &err);
	if (status != STATUS_OK)
		exit_status = tool_fail_kafka(tool, plan->config, status, &err);
	else if (tool_is_interrupted())
		exit_status = tool_fail(tool, EX_TEMPFAIL, "interrupted");
	else
		print_table(&table);
	if (slice != NULL && slice_counts(slice)->undecoded > 0)
		fprintf(stderr,
		    "%lld records cannot be decoded and are left out\n",
		    (long long)slice_counts(slice)->undecoded);
	slice_close(&slice);
	map_clear(&table.places);
	free(table.rows);
	return exit_status;
}
