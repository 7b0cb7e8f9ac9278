/* SPDX-License-Identifier: Apache-2.0 */
#include "vulnbus/file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vulnbus/expand.h"

void
file_look(const char *path, struct file_print *out)
{
	struct stat facts;

	*out = (struct file_print){ 0 };
	if (stat(path, &facts) != 0)
		return;
	*out = (struct file_print){
		.device = facts.st_dev,
		.inode = facts.st_ino,
		.bytes = (uint64_t)facts.st_size,
		.written_ns = facts.st_mtim.tv_sec * INT64_C(1000000000) +
			      facts.st_mtim.tv_nsec,
	};
}

bool
file_is_same(const struct file_print *a, const struct file_print *b)
{
	return a->device == b->device && a->inode == b->inode &&
	       a->bytes == b->bytes && a->written_ns == b->written_ns;
}

enum status
file_read(const char *path, struct buffer *out, struct error *err)
{
	struct stat facts;

	if (stat(path, &facts) == 0 && !S_ISREG(facts.st_mode))
		return error_set(
		    err, STATUS_UNAVAILABLE, "%s: not a regular file", path);
	return expand_read_file(path, out, err);
}

static bool
write_whole(int fd, struct view text)
{
	while (text.len > 0) {
		const ssize_t done = write(fd, text.data, text.len);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return false;
		text.data += done;
		text.len -= (size_t)done;
	}
	return true;
}

/* Who may not give files away keeps the new one. */
static void
keep_owner(int fd, const char *path)
{
	struct stat facts;

	if (stat(path, &facts) == 0 &&
	    fchown(fd, facts.st_uid, facts.st_gid) != 0)
		return;
}

/* So that the rename is on the disk too. */
static bool
sync_folder(char *path)
{
	const int fd = open(dirname(path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool is_synced;

	if (fd < 0)
		return false;
	/* Some file systems have nothing to do here, and say so. */
	is_synced = fsync(fd) == 0 || errno == EINVAL;
	close(fd);
	return is_synced;
}

enum status
file_replace(
    const char *path, struct view content, unsigned mode, struct error *err)
{
	char target[PATH_MAX], temporary[PATH_MAX];
	bool is_done;
	int fd;

	if (realpath(path, target) == NULL &&
	    snprintf(target, sizeof(target), "%s", path) >= (int)sizeof(target))
		return error_set(err, STATUS_UNAVAILABLE, "%s: too long", path);
	if (snprintf(temporary, sizeof(temporary), "%s.XXXXXX", target) >=
	    (int)sizeof(temporary))
		return error_set(err, STATUS_UNAVAILABLE, "%s: too long", path);
	fd = mkostemp(temporary, O_CLOEXEC);
	if (fd < 0)
		return error_set(
		    err, STATUS_UNAVAILABLE, "%s: %s", path, strerror(errno));
	keep_owner(fd, target);
	is_done = fchmod(fd, mode) == 0 && write_whole(fd, content) &&
		  fsync(fd) == 0 && rename(temporary, target) == 0 &&
		  sync_folder(target);
	if (!is_done) {
		error_set(
		    err, STATUS_UNAVAILABLE, "%s: %s", path, strerror(errno));
		unlink(temporary);
	}
	close(fd);
	return is_done ? STATUS_OK : STATUS_UNAVAILABLE;
}
