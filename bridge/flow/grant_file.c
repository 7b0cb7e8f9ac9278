/* SPDX-License-Identifier: Apache-2.0
 *
 * A grant's refresh token and the file it stands in. */
#include "vulnbus/grant.h"

#include <string.h>

#include "vulnbus/file.h"
#include "vulnbus/timestamp.h"

#define FILE_BYTES_MAX (64u << 10)
#define SAVE_EVERY_MS  5000

/* What a file that has changed holds is newer than what is in memory. */
enum status
grant_read(struct grant *grant, struct error *err)
{
	unsigned char digest[SHA256_BYTES];
	struct buffer text;
	struct view token;
	enum status status;

	buffer_init_secret(&text, FILE_BYTES_MAX);
	status = file_read(grant->file, &text, err);
	sha256_of(buffer_view(&text), digest);
	if (grant->is_unsaved &&
	    (status != STATUS_OK ||
		memcmp(digest, grant->file_digest, SHA256_BYTES) == 0)) {
		status = STATUS_OK;
		goto out;
	}
	if (status != STATUS_OK)
		goto out;
	memcpy(grant->file_digest, digest, SHA256_BYTES);
	grant->is_unsaved = false;
	token = view_trim(buffer_view(&text));
	buffer_reset(&grant->refresh_token);
	if (oauth2_is_token(token))
		buffer_append_view(&grant->refresh_token, token);
	else
		status = error_set(err, STATUS_INVALID,
		    "%s: holds no refresh token", grant->file);
	if (status == STATUS_OK)
		status = buffer_status(&grant->refresh_token);
out:
	buffer_clear(&text);
	return status;
}

bool
grant_has_file_changed(const struct grant *grant)
{
	unsigned char digest[SHA256_BYTES];
	struct buffer text;
	struct error ignored;
	bool is_read;

	buffer_init_secret(&text, FILE_BYTES_MAX);
	is_read = file_read(grant->file, &text, &ignored) == STATUS_OK;
	sha256_of(buffer_view(&text), digest);
	buffer_clear(&text);
	return is_read && memcmp(digest, grant->file_digest, SHA256_BYTES) != 0;
}

enum status
grant_save(struct grant *grant, struct error *err)
{
	struct buffer text;
	enum status status;

	if (grant_has_file_changed(grant)) {
		grant->is_unsaved = false;
		return STATUS_OK;
	}
	buffer_init_secret(&text, OAUTH2_TOKEN_BYTES_MAX + 1);
	buffer_append_view(&text, buffer_view(&grant->refresh_token));
	buffer_append(&text, "\n", 1);
	status = buffer_status(&text);
	if (status == STATUS_OK)
		status = file_replace(
		    grant->file, buffer_view(&text), 0600, err);
	else
		error_set(err, status, "no memory");
	grant->is_unsaved = status != STATUS_OK;
	grant->save_at_ms = clock_steady_ms() + SAVE_EVERY_MS;
	if (status == STATUS_OK)
		sha256_of(buffer_view(&text), grant->file_digest);
	buffer_clear(&text);
	return status;
}
