/* SPDX-License-Identifier: Apache-2.0 */
#include "vulnbus/key_file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "vulnbus/file.h"

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

enum status
key_file_write(const char *path, const struct jws_keys *keys, struct error *err)
{
	struct buffer text;
	enum status status = STATUS_OK;

	buffer_init(&text, KEY_FILE_BYTES_MAX);
	for (size_t i = 0; status == STATUS_OK && i < keys->count; i++)
		status = es512_key_to_pem(keys->items[i], &text, err);
	if (status == STATUS_OK)
		status = file_replace(path, buffer_view(&text), 0644, err);
	buffer_clear(&text);
	return status;
}
