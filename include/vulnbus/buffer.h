/* SPDX-License-Identifier: Apache-2.0
 *
 * Bytes that grow, never beyond the ceiling given at birth. Errors stick:
 * after an append that did not fit, or found no memory, the buffer takes
 * nothing more and buffer_status() says so; write freely, check once. */
#ifndef VULNBUS_BUFFER_H
#define VULNBUS_BUFFER_H

#include "vulnbus/view.h"

struct buffer {
	char *data; /* owned */
	size_t len;
	size_t size;
	size_t max_bytes;
	enum status status;
	bool is_secret;
};

void
buffer_init(struct buffer *b, size_t max_bytes);

/* For secrets: its bytes are secret_alloc's, and nothing is let go of that is
 * not wiped, neither by growing nor by buffer_reset. */
void
buffer_init_secret(struct buffer *b, size_t max_bytes);

/* Frees the bytes; the buffer may be used again, with the same ceiling, and for
 * secrets if it was. */
void
buffer_clear(struct buffer *b);

/* Forgets the contents and the error, keeps the memory. */
void
buffer_reset(struct buffer *b);

void
buffer_append(struct buffer *b, const void *data, size_t len);

void
buffer_append_view(struct buffer *b, struct view v);

void
buffer_print(struct buffer *b, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* A writable run of `len` bytes at the end, or NULL; counts as appended. */
char *
buffer_extend(struct buffer *b, size_t len);

/* STATUS_OK, STATUS_TOO_LARGE or STATUS_NO_MEMORY. */
enum status
buffer_status(const struct buffer *b) MUST_CHECK;

struct view
buffer_view(const struct buffer *b);

/* Moves the bytes, the ceiling, the secrecy and the error of `b` into `out`, an
 * initialised buffer whose own bytes are freed; `b` is empty afterwards. */
void
buffer_take(struct buffer *b, struct buffer *out);

#endif
