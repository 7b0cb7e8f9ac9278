/* SPDX-License-Identifier: Apache-2.0
 *
 * Substitution in configured values: `${env:NAME}`, `${env:NAME:-default}` (the
 * default also stands in for an empty variable), `${file:PATH}`, and `$$` for
 * a dollar sign. Any other dollar sign stands for itself. */
#ifndef VULNBUS_EXPAND_H
#define VULNBUS_EXPAND_H

#include "vulnbus/buffer.h"

/* Of one file named by ${file:}; trailing newlines count. */
#define EXPAND_FILE_BYTES_MAX (64u << 10)
/* Of one value, after substitution. */
#define EXPAND_BYTES_MAX      (256u << 10)

/* Appends `text` to `out` with everything substituted. `out_is_expanded` says
 * whether the environment or a file was asked: what came out may be secret.
 * Errors never quote the text.
 * STATUS_MISSING: a variable is not set. STATUS_UNAVAILABLE: a file cannot be
 * read. STATUS_INVALID: not of the form above, or a file with a NUL byte.
 * STATUS_TOO_LARGE, STATUS_NO_MEMORY. */
enum status
expand_text(struct view text, struct buffer *out, bool *out_is_expanded,
    struct error *err) MUST_CHECK;

/* Calls `on_path` for each ${file:PATH} in `text`. */
typedef enum status
expand_path_f(struct view path, void *arg);

enum status
expand_files(struct view text, expand_path_f *on_path, void *arg) MUST_CHECK;

/* Appends the whole file, whatever it holds, up to the buffer's ceiling.
 * STATUS_MISSING: no such file. STATUS_UNAVAILABLE: not to be read.
 * STATUS_TOO_LARGE, STATUS_NO_MEMORY. `err` reads "<path>: <reason>". */
enum status
expand_read_file(
    const char *path, struct buffer *out, struct error *err) MUST_CHECK;

#endif
