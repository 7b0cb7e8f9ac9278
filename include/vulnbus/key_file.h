/* SPDX-License-Identifier: Apache-2.0
 *
 * Public keys in files: PEM, JWK or JWK set in, PEM out. */
#ifndef VULNBUS_KEY_FILE_H
#define VULNBUS_KEY_FILE_H

#include "vulnbus/jws.h"

#define KEY_FILE_BYTES_MAX (64u << 10)

/* The file as it stands, appended. STATUS_MISSING: there is none;
 * STATUS_INVALID: it cannot be read, or is too large for `out`. */
enum status
key_file_text(
    const char *path, struct buffer *out, struct error *err) MUST_CHECK;

/* Adds the file's keys. STATUS_MISSING: no such file. */
enum status
key_file_read(
    const char *path, struct jws_keys *keys, struct error *err) MUST_CHECK;

/* Replaces the file, or leaves it as it was. */
enum status
key_file_write(const char *path, const struct jws_keys *keys,
    struct error *err) MUST_CHECK;

#endif
