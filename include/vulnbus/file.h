/* SPDX-License-Identifier: Apache-2.0
 *
 * Small files, whole: read without waiting, replaced without a moment in which
 * there is neither the old one nor the new one. */
#ifndef VULNBUS_FILE_H
#define VULNBUS_FILE_H

#include "vulnbus/buffer.h"

/* Which file a path leads to and when it was written, to see by that it is
 * another: all zeros when there is none. Symbolic links are followed, so the
 * swap of a link on the way is seen. */
struct file_print {
	uint64_t device;
	uint64_t inode;
	uint64_t bytes;
	int64_t written_ns;
};

void
file_look(const char *path, struct file_print *out);

bool
file_is_same(const struct file_print *a, const struct file_print *b);

/* Appends a regular file's content, up to the buffer's ceiling; what a reader
 * would have to wait for (a pipe) is refused. STATUS_MISSING: no such file;
 * STATUS_UNAVAILABLE, STATUS_TOO_LARGE. `err` reads "<path>: <reason>". */
enum status
file_read(const char *path, struct buffer *out, struct error *err) MUST_CHECK;

/* Written beside it, on the disk, and renamed: a crash leaves the old file or
 * the new one. A symbolic link stays, what it leads to is replaced. The new
 * file has the permissions `mode`, and the old one's owner where that is
 * allowed. STATUS_UNAVAILABLE: the file is as it was, or it is the new one and
 * the disk did not confirm that. */
enum status
file_replace(const char *path, struct view content, unsigned mode,
    struct error *err) MUST_CHECK;

#endif
