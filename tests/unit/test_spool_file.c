/* SPDX-License-Identifier: Apache-2.0
 *
 * The spool's file. The door is compiled in here, so that files which are not
 * ours can be made with the same library. */
#include "check.h"

#include <sys/stat.h>
#include <sys/wait.h>

#include "../../bridge/core/spool_file.c"

#define ROOM    (64u << 20)
#define ROW_MAX (1u << 20)

struct fixture {
	char folder[64];
	char path[96];
	struct spool_file *file;
	struct buffer payload;
	struct error err;
};

static int
set_up_folder(void **state)
{
	static struct fixture f;

	f = (struct fixture){ .folder = "/tmp/vulnbus-spool-XXXXXX" };
	if (mkdtemp(f.folder) == NULL)
		return -1;
	snprintf(f.path, sizeof(f.path), "%s/spool.db", f.folder);
	buffer_init(&f.payload, ROW_MAX);
	*state = &f;
	return 0;
}

static int
tear_down_folder(void **state)
{
	static const char *const ends[] = { "", "-wal", "-journal", ".away",
		"/x" };
	struct fixture *f = *state;
	char path[128];

	spool_file_close(&f->file);
	buffer_clear(&f->payload);
	for (size_t i = 0; i < COUNT(ends); i++) {
		snprintf(path, sizeof(path), "%s%s", f->path, ends[i]);
		(void)remove(path);
	}
	(void)remove(f->path);
	return rmdir(f->folder);
}

static void
open_spool(struct fixture *f, uint64_t bytes_max)
{
	assert_ok(
	    spool_file_open(f->path, bytes_max, &f->file, &f->err), &f->err);
}

static enum status
store(struct fixture *f, struct view payload)
{
	enum status status = spool_file_begin(f->file, &f->err);

	if (status == STATUS_OK)
		status = spool_file_append(f->file, payload, 1000, &f->err);
	if (status == STATUS_OK)
		status = spool_file_commit(f->file, &f->err);
	return status;
}

static int64_t
count_rows(struct fixture *f)
{
	int64_t rows = -1;

	assert_ok(spool_file_count(f->file, &rows, &f->err), &f->err);
	return rows;
}

/* The row behind `after`; 0: there is none. */
static int64_t
next_row(struct fixture *f, int64_t after)
{
	int64_t id = 0;
	const enum status status = spool_file_read(
	    f->file, after, &id, &f->payload, &f->err);

	if (status != STATUS_END)
		assert_ok(status, &f->err);
	return status == STATUS_OK ? id : 0;
}

static void
remove_row(struct fixture *f, int64_t id)
{
	assert_ok(spool_file_begin(f->file, &f->err), &f->err);
	assert_ok(spool_file_remove(f->file, id, &f->err), &f->err);
	assert_ok(spool_file_commit(f->file, &f->err), &f->err);
}

static size_t
slurp(const char *path, char *out, size_t max)
{
	FILE *file = fopen(path, "rb");
	size_t len;

	if (file == NULL)
		return SIZE_MAX;
	len = fread(out, 1, max, file);
	fclose(file);
	return len;
}

static void
write_file(const char *path, const void *data, size_t len)
{
	FILE *file = fopen(path, "wb");

	assert_non_null(file);
	assert_int_equal(fwrite(data, 1, len, file), len);
	assert_int_equal(fclose(file), 0);
}

static void
make_database(const char *path, const char *sql)
{
	sqlite3 *database = NULL;

	assert_int_equal(sqlite3_open(path, &database), SQLITE_OK);
	assert_int_equal(
	    sqlite3_exec(database, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(database);
}

static void
rows_are_read_in_the_order_they_came(void **state)
{
	struct fixture *f = *state;
	int64_t first, second, third;

	open_spool(f, ROOM);
	assert_int_equal(count_rows(f), 0);
	assert_int_equal(next_row(f, 0), 0);
	assert_ok(store(f, VIEW("one")), &f->err);
	assert_ok(store(f, VIEW("t\0o")), &f->err);
	assert_ok(store(f, VIEW("three")), &f->err);
	first = next_row(f, 0);
	assert_bytes(buffer_view(&f->payload), VIEW("one"));
	second = next_row(f, first);
	assert_bytes(buffer_view(&f->payload), VIEW("t\0o"));
	third = next_row(f, second);
	assert_bytes(buffer_view(&f->payload), VIEW("three"));
	assert_int_equal(next_row(f, third), 0);
	remove_row(f, third);
	assert_int_equal(count_rows(f), 2);
	assert_ok(store(f, VIEW("four")), &f->err);
	assert_true(next_row(f, second) > third);
	assert_int_equal(next_row(f, 0), first);
}

static const struct {
	const char *what;
	const char *sql;   /* made with SQLite */
	struct view bytes; /* or of these */
	size_t cut;        /* to so many bytes */
	const char *says;
} no_spools[] = {
	{ "text", NULL, VIEW("kept since 1987\n"), 0, "not a spool" },
	{ "one byte", NULL, VIEW("\0"), 0, "not a spool" },
	{ "magic only", NULL, VIEW("SQLite format 3\0"), 0, "not a spool" },
	{ "foreign", "CREATE TABLE addresses (name)", VIEW(""), 0,
	    "not a spool" },
	{ "foreign, our table", "CREATE TABLE spool (id)", VIEW(""), 0,
	    "not a spool" },
	{ "newer",
	    "CREATE TABLE spool (id);"
	    "PRAGMA application_id = 0x564e4253;"
	    "PRAGMA user_version = 2",
	    VIEW(""), 0, "a spool of format 2" },
	{ "format 0",
	    "CREATE TABLE spool (id);"
	    "PRAGMA application_id = 0x564e4253",
	    VIEW(""), 0, "a spool of format 0" },
	{ "header without its end",
	    "CREATE TABLE spool (id);"
	    "PRAGMA application_id = 0x564e4253;"
	    "PRAGMA user_version = 1",
	    VIEW(""), 99, "not a spool" },
	{ "header only",
	    "CREATE TABLE spool (id);"
	    "PRAGMA application_id = 0x564e4253;"
	    "PRAGMA user_version = 1",
	    VIEW(""), 100, "damaged" },
	{ "first page only",
	    "CREATE TABLE spool (id);"
	    "PRAGMA application_id = 0x564e4253;"
	    "PRAGMA user_version = 1",
	    VIEW(""), 4096, "damaged" },
};

/* Each is refused for what it is, and has the same bytes afterwards. */
static void
a_file_that_is_no_spool_is_refused_and_left_as_it_is(void **state)
{
	static char before[65536], after[65536];
	struct fixture *f = *state;

	for (size_t i = 0; i < COUNT(no_spools); i++) {
		struct spool_file *file = NULL;
		struct error err = { "" };
		size_t len;

		(void)remove(f->path);
		if (no_spools[i].sql != NULL)
			make_database(f->path, no_spools[i].sql);
		else
			write_file(f->path, no_spools[i].bytes.data,
			    no_spools[i].bytes.len);
		if (no_spools[i].cut > 0)
			assert_int_equal(
			    truncate(f->path, (off_t)no_spools[i].cut), 0);
		len = slurp(f->path, before, sizeof(before));
		assert_status_of(no_spools[i].what,
		    spool_file_open(f->path, ROOM, &file, &err),
		    STATUS_INVALID);
		assert_null(file);
		assert_contains(err.text, no_spools[i].says);
		assert_contains(err.text, f->path);
		assert_int_equal(slurp(f->path, after, sizeof(after)), len);
		assert_memory_equal(before, after, len);
	}
}

/* A spool of ours with bytes of another kind behind its header. */
static void
a_damaged_spool_is_refused_and_left_as_it_is(void **state)
{
	static char before[1 << 20], after[1 << 20];
	static const char row[3000] = "x";
	struct fixture *f = *state;
	size_t len;

	open_spool(f, ROOM);
	for (int i = 0; i < 100; i++)
		assert_ok(store(f, (struct view){ row, sizeof(row) }), &f->err);
	spool_file_close(&f->file);
	len = slurp(f->path, before, sizeof(before));
	assert_true(len > 100 * sizeof(row) && len < sizeof(before));
	for (size_t at = 4096; at < len; at += 512)
		memset(before + at, 0xa5, 64);
	write_file(f->path, before, len);
	assert_status(
	    spool_file_open(f->path, ROOM, &f->file, &f->err), STATUS_INVALID);
	assert_contains(f->err.text, "damaged");
	assert_int_equal(slurp(f->path, after, sizeof(after)), len);
	assert_memory_equal(before, after, len);
}

static void
a_file_that_cannot_be_used_is_unavailable(void **state)
{
	struct fixture *f = *state;
	char path[160];

	snprintf(path, sizeof(path), "%s/none/spool.db", f->folder);
	assert_status(
	    spool_file_open(path, ROOM, &f->file, &f->err), STATUS_UNAVAILABLE);
	assert_contains(f->err.text, path);
	assert_int_equal(mkdir(f->path, 0700), 0);
	assert_status(spool_file_open(f->path, ROOM, &f->file, &f->err),
	    STATUS_UNAVAILABLE);
}

static void
an_empty_file_becomes_a_spool(void **state)
{
	struct fixture *f = *state;

	write_file(f->path, "", 0);
	open_spool(f, ROOM);
	assert_ok(store(f, VIEW("one")), &f->err);
	spool_file_close(&f->file);
	open_spool(f, ROOM);
	assert_int_equal(count_rows(f), 1);
}

/* A process that ends without a word: `commits` says how far it got. */
static void
die_in_a_child(struct fixture *f, bool commits)
{
	const pid_t child = fork();
	int ended;

	if (child == 0) {
		bool is_fine = spool_file_open(f->path, ROOM, &f->file,
				   &f->err) == STATUS_OK &&
			       spool_file_begin(f->file, &f->err) == STATUS_OK;

		for (int i = 0; is_fine && i < 500; i++)
			is_fine = spool_file_append(f->file,
				      VIEW("row of a process that died"), 1,
				      &f->err) == STATUS_OK;
		if (is_fine && commits)
			is_fine = spool_file_commit(f->file, &f->err) ==
				  STATUS_OK;
		_exit(is_fine ? 0 : 1);
	}
	assert_true(child > 0);
	assert_int_equal(waitpid(child, &ended, 0), child);
	assert_true(WIFEXITED(ended) && WEXITSTATUS(ended) == 0);
}

static void
what_was_committed_outlives_the_process_and_nothing_else_does(void **state)
{
	struct fixture *f = *state;

	die_in_a_child(f, false);
	open_spool(f, ROOM);
	assert_int_equal(count_rows(f), 0);
	spool_file_close(&f->file);
	die_in_a_child(f, true);
	die_in_a_child(f, false);
	die_in_a_child(f, true);
	open_spool(f, ROOM);
	assert_int_equal(count_rows(f), 1000);
}

static void
a_second_process_is_kept_out_as_long_as_the_first_has_it(void **state)
{
	struct fixture *f = *state;
	int up[2], down[2], ended;
	char byte = 'x';
	pid_t child;

	assert_int_equal(pipe(up), 0);
	assert_int_equal(pipe(down), 0);
	child = fork();
	if (child == 0) {
		const bool is_open = spool_file_open(f->path, ROOM, &f->file,
					 &f->err) == STATUS_OK;

		close(down[1]);
		_exit(is_open && write(up[1], "o", 1) == 1 &&
			      read(down[0], &byte, 1) == 0
			  ? 0
			  : 1);
	}
	assert_true(child > 0);
	close(up[1]); /* or a child that has ended would be waited for */
	assert_int_equal(read(up[0], &byte, 1), 1);
	assert_status(spool_file_open(f->path, ROOM, &f->file, &f->err),
	    STATUS_UNAVAILABLE);
	assert_contains(f->err.text, "locked");
	close(down[1]);
	assert_int_equal(waitpid(child, &ended, 0), child);
	assert_true(WIFEXITED(ended) && WEXITSTATUS(ended) == 0);
	open_spool(f, ROOM);
	close(up[0]);
	close(down[0]);
}

static void
at_its_ceiling_the_file_takes_nothing_and_keeps_what_it_has(void **state)
{
	static const char row[3000] = "x";
	const struct view payload = { row, sizeof(row) };
	struct fixture *f = *state;
	enum status status;
	struct stat info;
	int64_t fit;

	open_spool(f, 1 << 20);
	while ((status = store(f, payload)) == STATUS_OK)
		assert_true(count_rows(f) < 1000);
	assert_status(status, STATUS_TOO_LARGE);
	fit = count_rows(f);
	assert_true(fit > 200);
	assert_int_equal(stat(f->path, &info), 0);
	assert_true(info.st_size <= 1 << 20);

	/* All of a transaction, or nothing: a small row fits, with the large
	 * one it does not. */
	remove_row(f, next_row(f, 0));
	assert_ok(spool_file_begin(f->file, &f->err), &f->err);
	while ((status = spool_file_append(f->file, payload, 1, &f->err)) ==
	       STATUS_OK)
		continue;
	assert_status(status, STATUS_TOO_LARGE);
	assert_int_equal(count_rows(f), fit - 1);
	assert_ok(store(f, payload), &f->err);
	assert_int_equal(count_rows(f), fit);
}

static void
what_is_set_aside_is_read_again_by_the_next_process_only(void **state)
{
	struct fixture *f = *state;
	int64_t first, second;

	open_spool(f, ROOM);
	assert_ok(store(f, VIEW("one")), &f->err);
	assert_ok(store(f, VIEW("two")), &f->err);
	first = next_row(f, 0);
	second = next_row(f, first);
	assert_ok(spool_file_begin(f->file, &f->err), &f->err);
	assert_ok(
	    spool_file_set_aside(f->file, first, "no good", &f->err), &f->err);
	assert_ok(spool_file_commit(f->file, &f->err), &f->err);
	assert_int_equal(next_row(f, 0), second);
	assert_int_equal(count_rows(f), 2);
	spool_file_close(&f->file);
	open_spool(f, ROOM);
	assert_int_equal(next_row(f, 0), first);
}

static void
disk_space_is_given_back_and_the_age_of_the_oldest_row_is_known(void **state)
{
	static char row[1 << 18];
	struct fixture *f = *state;
	int64_t bytes, oldest_ms, id;
	struct stat info;

	open_spool(f, ROOM);
	for (int i = 0; i < 20; i++)
		assert_ok(store(f, (struct view){ row, sizeof(row) }), &f->err);
	assert_ok(
	    spool_file_measure(f->file, &bytes, &oldest_ms, &f->err), &f->err);
	assert_true(bytes >= 20 * (int64_t)sizeof(row));
	assert_int_equal(oldest_ms, 1000);
	while ((id = next_row(f, 0)) != 0)
		remove_row(f, id);
	assert_ok(
	    spool_file_measure(f->file, &bytes, &oldest_ms, &f->err), &f->err);
	assert_true(bytes < (int64_t)sizeof(row));
	assert_int_equal(oldest_ms, 0);
	assert_ok(spool_file_shrink(f->file, &f->err), &f->err);
	assert_int_equal(stat(f->path, &info), 0);
	assert_true(info.st_size < (off_t)sizeof(row));
}

/* What is written into a file without a name is gone with the process. */
static void
a_file_that_was_moved_takes_nothing_more_and_gives_what_it_has(void **state)
{
	struct fixture *f = *state;
	char away[112];
	int64_t id;

	snprintf(away, sizeof(away), "%s.away", f->path);
	open_spool(f, ROOM);
	assert_ok(store(f, VIEW("one")), &f->err);
	assert_int_equal(rename(f->path, away), 0);
	assert_status(store(f, VIEW("two")), STATUS_UNAVAILABLE);
	assert_contains(f->err.text, "moved or deleted");
	id = next_row(f, 0);
	assert_true(id > 0);
	remove_row(f, id);
	assert_int_equal(count_rows(f), 0);
	assert_int_equal(rename(away, f->path), 0);
	assert_ok(store(f, VIEW("two")), &f->err);
	assert_int_equal(unlink(f->path), 0);
	assert_status(store(f, VIEW("three")), STATUS_UNAVAILABLE);
}

#define IN_A_FOLDER(test) \
	cmocka_unit_test_setup_teardown(test, set_up_folder, tear_down_folder)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_A_FOLDER(rows_are_read_in_the_order_they_came),
		IN_A_FOLDER(
		    a_file_that_is_no_spool_is_refused_and_left_as_it_is),
		IN_A_FOLDER(a_damaged_spool_is_refused_and_left_as_it_is),
		IN_A_FOLDER(a_file_that_cannot_be_used_is_unavailable),
		IN_A_FOLDER(an_empty_file_becomes_a_spool),
		IN_A_FOLDER(
		    what_was_committed_outlives_the_process_and_nothing_else_does),
		IN_A_FOLDER(
		    a_second_process_is_kept_out_as_long_as_the_first_has_it),
		IN_A_FOLDER(
		    at_its_ceiling_the_file_takes_nothing_and_keeps_what_it_has),
		IN_A_FOLDER(
		    what_is_set_aside_is_read_again_by_the_next_process_only),
		IN_A_FOLDER(
		    disk_space_is_given_back_and_the_age_of_the_oldest_row_is_known),
		IN_A_FOLDER(
		    a_file_that_was_moved_takes_nothing_more_and_gives_what_it_has),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
