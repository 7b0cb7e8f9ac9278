/* SPDX-License-Identifier: Apache-2.0
 *
 * The door to SQLite. */
#include "vulnbus/spool_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define APPLICATION_ID 0x564e4253 /* "VNBS" */
#define FORMAT         1
#define BUSY_MS        3000
#define WAL_BYTES      4194304
#define TEXT(macro)    TEXT_OF(macro)
#define TEXT_OF(text)  #text

/* Where the file's header says whose it is ("Database File Format", sections
 * 1.3.1, 1.3.15 and 1.3.17). */
#define HEADER_BYTES   100
#define MAGIC          "SQLite format 3"
#define FORMAT_AT      60
#define APPLICATION_AT 68

enum query { BEGIN, APPEND, REMOVE, SET_ASIDE, COMMIT, READ, QUERY_COUNT };

static const char *const queries[QUERY_COUNT] = {
	[BEGIN] = "BEGIN IMMEDIATE",
	[APPEND] = "INSERT INTO spool (appended_ms, payload) VALUES (?, ?)",
	[REMOVE] = "DELETE FROM spool WHERE id = ?",
	[SET_ASIDE] = "UPDATE spool SET reason = ? WHERE id = ?",
	[COMMIT] = "COMMIT",
	[READ] = "SELECT id, payload FROM spool"
		 " WHERE id > ? AND reason IS NULL ORDER BY id LIMIT 1",
};

struct spool_file {
	sqlite3 *database;
	sqlite3_stmt *statements[QUERY_COUNT];
};

static enum status
status_of(int code)
{
	switch (code & 0xff) {
	case SQLITE_OK:
	case SQLITE_DONE:
	case SQLITE_ROW:
		return STATUS_OK;
	case SQLITE_FULL:
		return STATUS_TOO_LARGE;
	case SQLITE_NOMEM:
		return STATUS_NO_MEMORY;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return STATUS_INVALID;
	default:
		return STATUS_UNAVAILABLE;
	}
}

static enum status
check(struct spool_file *file, int code, struct error *err)
{
	const enum status status = status_of(code);

	if (status != STATUS_OK)
		error_set(err, status, "spool: %s",
		    file->database == NULL ? sqlite3_errstr(code)
					   : sqlite3_errmsg(file->database));
	return status;
}

static enum status
run(struct spool_file *file, const char *sql, struct error *err)
{
	return check(
	    file, sqlite3_exec(file->database, sql, NULL, NULL, NULL), err);
}

/* One number that a query gives. */
static enum status
ask(struct spool_file *file, const char *sql, int64_t *out, struct error *err)
{
	sqlite3_stmt *statement = NULL;
	int code = sqlite3_prepare_v2(
	    file->database, sql, -1, &statement, NULL);

	if (code == SQLITE_OK)
		code = sqlite3_step(statement);
	if (code == SQLITE_ROW)
		*out = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	return check(file, code, err);
}

static uint32_t
big_endian(const unsigned char *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 |
	       (uint32_t)at[2] << 8 | at[3];
}

/* By its first bytes, before SQLite sees the file: a foreign one may hold a
 * journal that merely opening it would apply. */
static enum status
look(const char *path, bool *out_is_new, struct error *err)
{
	unsigned char header[HEADER_BYTES];
	const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t got;

	*out_is_new = false;
	if (fd < 0 && errno == ENOENT) {
		*out_is_new = true;
		return STATUS_OK;
	}
	got = fd < 0 ? -1 : read(fd, header, sizeof(header));
	if (fd >= 0)
		close(fd);
	if (got < 0)
		return error_set(
		    err, STATUS_UNAVAILABLE, "%s", strerror(errno));
	if (got == 0)
		*out_is_new = true;
	else if (got < HEADER_BYTES ||
		 memcmp(header, MAGIC, sizeof(MAGIC)) != 0 ||
		 big_endian(header + APPLICATION_AT) != APPLICATION_ID)
		return error_set(err, STATUS_INVALID, "not a spool of vulnbus");
	else if (big_endian(header + FORMAT_AT) != FORMAT)
		return error_set(err, STATUS_INVALID,
		    "a spool of format %u, this program knows " TEXT(FORMAT),
		    big_endian(header + FORMAT_AT));
	return STATUS_OK;
}

static enum status
make(struct spool_file *file, struct error *err)
{
	return run(file,
	    "PRAGMA auto_vacuum = INCREMENTAL;"
	    "BEGIN IMMEDIATE;"
	    "CREATE TABLE spool (id INTEGER PRIMARY KEY AUTOINCREMENT,"
	    " appended_ms INTEGER NOT NULL, payload BLOB NOT NULL,"
	    " reason TEXT);"
	    "PRAGMA application_id = " TEXT(
		APPLICATION_ID) ";"
				"PRAGMA user_version = " TEXT(FORMAT) ";"
								      "COMMIT;",
	    err);
}

static int
take_verdict(void *arg, int count, char **values, char **names)
{
	(void)names;
	snprintf(arg, sizeof(((struct error *)0)->text), "damaged: %s",
	    count > 0 && values[0] != NULL ? values[0] : "");
	return 0;
}

/* The whole file, while it is only read. */
static enum status
examine(struct spool_file *file, struct error *err)
{
	struct error verdict = { "" };
	const enum status status = check(file,
	    sqlite3_exec(file->database, "PRAGMA quick_check(1)", take_verdict,
		verdict.text, NULL),
	    err);

	if (status == STATUS_INVALID)
		return error_add(err, status, "damaged");
	if (status != STATUS_OK)
		return status;
	if (strcmp(verdict.text, "damaged: ok") == 0)
		return STATUS_OK;
	*err = verdict;
	return STATUS_INVALID;
}

/* With the exclusive lock WAL needs no shared memory file, and no second
 * process gets in; it lasts until the database is closed. */
static enum status
set_up(struct spool_file *file, uint64_t bytes_max, struct error *err)
{
	int64_t page_bytes = 0;
	char limit[64];
	enum status status = run(file,
	    "PRAGMA journal_mode = WAL;"
	    "PRAGMA synchronous = FULL;"
	    "PRAGMA journal_size_limit = " TEXT(
		WAL_BYTES) ";"
			   "UPDATE spool SET reason = NULL WHERE reason IS NOT NULL;",
	    err);

	if (status == STATUS_OK)
		status = ask(file, "PRAGMA page_size", &page_bytes, err);
	if (status != STATUS_OK)
		return status;
	snprintf(limit, sizeof(limit), "PRAGMA max_page_count = %llu",
	    (unsigned long long)bytes_max / (unsigned long long)page_bytes);
	status = run(file, limit, err);
	for (int i = 0; status == STATUS_OK && i < QUERY_COUNT; i++)
		status = check(file,
		    sqlite3_prepare_v3(file->database, queries[i], -1,
			SQLITE_PREPARE_PERSISTENT, &file->statements[i], NULL),
		    err);
	return status;
}

static enum status
open_database(struct spool_file *file, const char *path, uint64_t bytes_max,
    struct error *err)
{
	bool is_new;
	enum status status = look(path, &is_new, err);

	if (status != STATUS_OK)
		return status;
	status = check(file,
	    sqlite3_open_v2(path, &file->database,
		SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX |
		    (is_new ? SQLITE_OPEN_CREATE : 0),
		NULL),
	    err);
	if (status != STATUS_OK)
		return status;
	sqlite3_busy_timeout(file->database, BUSY_MS);
	/* A damaged file is left as it is, with its WAL. */
	sqlite3_db_config(
	    file->database, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	status = run(file, "PRAGMA locking_mode = EXCLUSIVE", err);
	if (status == STATUS_OK)
		status = is_new ? make(file, err) : examine(file, err);
	if (status == STATUS_OK)
		status = set_up(file, bytes_max, err);
	if (status == STATUS_OK)
		sqlite3_db_config(
		    file->database, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
	return status;
}

enum status
spool_file_open(const char *path, uint64_t bytes_max,
    struct spool_file **out_file, struct error *err)
{
	struct spool_file *file = calloc(1, sizeof(*file));
	enum status status;

	if (file == NULL)
		return error_set(err, STATUS_NO_MEMORY, "no memory");
	status = open_database(file, path, bytes_max, err);
	if (status != STATUS_OK) {
		spool_file_close(&file);
		return error_add(err, status, "%s", path);
	}
	*out_file = file;
	return STATUS_OK;
}

void
spool_file_close(struct spool_file **file)
{
	if (*file == NULL)
		return;
	for (int i = 0; i < QUERY_COUNT; i++)
		sqlite3_finalize((*file)->statements[i]);
	sqlite3_close((*file)->database);
	free(*file);
	*file = NULL;
}

/* Runs a statement whose values are bound. What failed inside a transaction
 * takes the whole of it back. A file that lost its name is gone with the
 * process: rows may leave it, but none may come. */
static enum status
step(struct spool_file *file, enum query query, struct error *err)
{
	sqlite3_stmt *statement = file->statements[query];
	enum status status;
	int has_moved = 0;

	if (query == APPEND)
		sqlite3_file_control(
		    file->database, NULL, SQLITE_FCNTL_HAS_MOVED, &has_moved);
	status = has_moved ? error_set(err, STATUS_UNAVAILABLE,
				 "spool: its file was moved or deleted")
			   : check(file, sqlite3_step(statement), err);
	sqlite3_reset(statement);
	sqlite3_clear_bindings(statement);
	if (status != STATUS_OK && !sqlite3_get_autocommit(file->database))
		sqlite3_exec(file->database, "ROLLBACK", NULL, NULL, NULL);
	return status;
}

enum status
spool_file_begin(struct spool_file *file, struct error *err)
{
	return step(file, BEGIN, err);
}

enum status
spool_file_append(struct spool_file *file, struct view payload, int64_t now_ms,
    struct error *err)
{
	sqlite3_stmt *statement = file->statements[APPEND];

	sqlite3_bind_int64(statement, 1, now_ms);
	sqlite3_bind_blob64(
	    statement, 2, payload.data, payload.len, SQLITE_STATIC);
	return step(file, APPEND, err);
}

enum status
spool_file_remove(struct spool_file *file, int64_t id, struct error *err)
{
	sqlite3_bind_int64(file->statements[REMOVE], 1, id);
	return step(file, REMOVE, err);
}

enum status
spool_file_set_aside(
    struct spool_file *file, int64_t id, const char *reason, struct error *err)
{
	sqlite3_stmt *statement = file->statements[SET_ASIDE];

	sqlite3_bind_text(statement, 1, reason, -1, SQLITE_STATIC);
	sqlite3_bind_int64(statement, 2, id);
	return step(file, SET_ASIDE, err);
}

enum status
spool_file_commit(struct spool_file *file, struct error *err)
{
	return step(file, COMMIT, err);
}

enum status
spool_file_read(struct spool_file *file, int64_t after, int64_t *out_id,
    struct buffer *out_payload, struct error *err)
{
	sqlite3_stmt *statement = file->statements[READ];
	enum status status = STATUS_OK;
	int code;

	buffer_reset(out_payload);
	sqlite3_bind_int64(statement, 1, after);
	code = sqlite3_step(statement);
	if (code == SQLITE_DONE)
		status = STATUS_END;
	else if (code != SQLITE_ROW)
		status = check(file, code, err);
	if (status == STATUS_OK) {
		*out_id = sqlite3_column_int64(statement, 0);
		buffer_append(out_payload, sqlite3_column_blob(statement, 1),
		    (size_t)sqlite3_column_bytes(statement, 1));
		status = buffer_status(out_payload);
		if (status != STATUS_OK)
			error_set(err, status, "spool: a row: %s",
			    status_name(status));
	}
	/* A statement that is not reset keeps the WAL from starting over. */
	sqlite3_reset(statement);
	return status;
}

enum status
spool_file_count(struct spool_file *file, int64_t *out_rows, struct error *err)
{
	return ask(file, "SELECT count(*) FROM spool", out_rows, err);
}

enum status
spool_file_measure(struct spool_file *file, int64_t *out_bytes,
    int64_t *out_oldest_ms, struct error *err)
{
	enum status status = ask(file,
	    "SELECT (page_count - freelist_count) * page_size FROM"
	    " pragma_page_count, pragma_freelist_count, pragma_page_size",
	    out_bytes, err);

	if (status == STATUS_OK)
		status = ask(file,
		    "SELECT coalesce((SELECT appended_ms FROM spool"
		    " WHERE reason IS NULL ORDER BY id LIMIT 1), 0)",
		    out_oldest_ms, err);
	return status;
}

enum status
spool_file_shrink(struct spool_file *file, struct error *err)
{
	return run(file,
	    "PRAGMA incremental_vacuum; PRAGMA wal_checkpoint(TRUNCATE);", err);
}
