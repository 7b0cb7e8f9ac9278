/* SPDX-License-Identifier: Apache-2.0
 *
 * A queue of payloads in one file that outlives the process: what was appended
 * and committed is on the disk. The door to SQLite; the file is one database
 * in WAL mode with synchronous=FULL ("Write-Ahead Logging", SQLite
 * documentation), locked for one process.
 *
 * Not thread-safe: one thread at a time. */
#ifndef VULNBUS_SPOOL_FILE_H
#define VULNBUS_SPOOL_FILE_H

#include "vulnbus/buffer.h"

struct spool_file;

/* Opens `path`, making it if there is none or it is empty. STATUS_INVALID: it
 * is damaged, or not a spool of ours; it is left as it is. STATUS_UNAVAILABLE:
 * it cannot be read or written, or another process has it. */
enum status
spool_file_open(const char *path, uint64_t bytes_max,
    struct spool_file **out_file, struct error *err) MUST_CHECK;

void
spool_file_close(struct spool_file **file);

/* A transaction: all of it is on the disk when _commit says STATUS_OK, nothing
 * of it after anything else. STATUS_TOO_LARGE: the file is at its ceiling, or
 * the disk is full. */
enum status
spool_file_begin(struct spool_file *file, struct error *err) MUST_CHECK;

enum status
spool_file_append(struct spool_file *file, struct view payload, int64_t now_ms,
    struct error *err) MUST_CHECK;

enum status
spool_file_remove(
    struct spool_file *file, int64_t id, struct error *err) MUST_CHECK;

/* The row stays, with the reason, and is not read again by this process. */
enum status
spool_file_set_aside(struct spool_file *file, int64_t id, const char *reason,
    struct error *err) MUST_CHECK;

enum status
spool_file_commit(struct spool_file *file, struct error *err) MUST_CHECK;

/* The first row behind row `after` (0: of all) that is not set aside.
 * STATUS_END: there is none. */
enum status
spool_file_read(struct spool_file *file, int64_t after, int64_t *out_id,
    struct buffer *out_payload, struct error *err) MUST_CHECK;

/* Reads the whole file. */
enum status
spool_file_count(
    struct spool_file *file, int64_t *out_rows, struct error *err) MUST_CHECK;

/* How much of the file is in use, and when its oldest row that is not set
 * aside was appended (0: there is none). */
enum status
spool_file_measure(struct spool_file *file, int64_t *out_bytes,
    int64_t *out_oldest_ms, struct error *err) MUST_CHECK;

/* Gives what is no longer in use back to the file system. */
enum status
spool_file_shrink(struct spool_file *file, struct error *err) MUST_CHECK;

#endif
