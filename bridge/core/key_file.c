/* SPDX-License-Identifier: Apache-2.0 */
#include "vulnbus/key_file.h"

#include "vulnbus/expand.h"
#include "vulnbus/file.h"

enum status
key_file_text(const char *path, struct buffer *out, struct error *err)
{
	const enum status status = expand_read_file(path, out, err);

	if (status == STATUS_TOO_LARGE)
		return error_set(err, STATUS_INVALID, "%s: too large", path);
	return status == STATUS_OK || status == STATUS_MISSING ? status
							       : STATUS_INVALID;
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
