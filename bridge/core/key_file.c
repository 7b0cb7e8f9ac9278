/* SPDX-License-Identifier: Apache-2.0 */
#include "vulnbus/key_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum status
key_file_text(const char *path, struct buffer *out, struct error *err)
{
	FILE *file = fopen(path, "rb");
	char chunk[4096];
	size_t len;

	if (file == NULL)
		return error_set(err,
		    errno == ENOENT ? STATUS_MISSING : STATUS_INVALID, "%s: %s",
		    path, strerror(errno));
	while ((len = fread(chunk, 1, sizeof(chunk), file)) > 0)
		buffer_append(out, chunk, len);
	fclose(file);
	if (buffer_status(out) != STATUS_OK)
		return error_set(err, STATUS_INVALID, "%s: too large", path);
	return STATUS_OK;
}

enum status
key_file_read(const char *path, struct jws_keys *keys, struct error *err)
{
	struct buffer text;
	enum status status;

	buffer_init(&text, KEY_FILE_BYTES_MAX);
	status = key_file_text(path, &text, err);
	if (status == STATUS_OK) {
		status = jws_keys_read(buffer_view(&text), keys, err);
		if (status != STATUS_OK)
			error_add(err, status, "%s", path);
	}
	buffer_clear(&text);
	return status;
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
	return fsync(fd) == 0;
}

/* Written beside and renamed: a crash leaves the old file or the new one. */
enum status
key_file_write(const char *path, const struct jws_keys *keys, struct error *err)
{
	char temporary[4096];
	struct buffer text;
	enum status status = STATUS_OK;
	int fd = -1;

	if (snprintf(temporary, sizeof(temporary), "%s.new", path) >=
	    (int)sizeof(temporary))
		return error_set(err, STATUS_INVALID, "%s: too long", path);
	buffer_init(&text, KEY_FILE_BYTES_MAX);
	for (size_t i = 0; status == STATUS_OK && i < keys->count; i++)
		status = es512_key_to_pem(keys->items[i], &text, err);
	if (status != STATUS_OK)
		goto out;
	fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0 || !write_whole(fd, buffer_view(&text)) ||
	    rename(temporary, path) != 0)
		status = error_set(
		    err, STATUS_UNAVAILABLE, "%s: %s", path, strerror(errno));
out:
	if (fd >= 0)
		close(fd);
	buffer_clear(&text);
	return status;
}
