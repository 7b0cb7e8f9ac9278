/* SPDX-License-Identifier: Apache-2.0
 *
 * Bytes that grow by doubling, up to a ceiling, with sticky errors. */
#include "vulnbus/buffer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vulnbus/secret.h"

#define BUFFER_FIRST_BYTES 256

void
buffer_init(struct buffer *b, size_t max_bytes)
{
	*b = (struct buffer){ .max_bytes = max_bytes };
}

void
buffer_init_secret(struct buffer *b, size_t max_bytes)
{
	*b = (struct buffer){ .max_bytes = max_bytes, .is_secret = true };
}

static void
free_bytes(struct buffer *b)
{
	if (b->is_secret)
		secret_free(b->data, b->size);
	else
		free(b->data);
}

static void
make_empty(struct buffer *b)
{
	*b = (struct buffer){ .max_bytes = b->max_bytes,
		.is_secret = b->is_secret };
}

void
buffer_clear(struct buffer *b)
{
	free_bytes(b);
	make_empty(b);
}

void
buffer_reset(struct buffer *b)
{
	if (b->is_secret && b->len > 0)
		explicit_bzero(b->data, b->len);
	b->len = 0;
	b->status = STATUS_OK;
}

static char *
resize(const struct buffer *b, size_t size)
{
	char *data;

	if (!b->is_secret)
		return realloc(b->data, size);
	data = secret_alloc(size);
	if (data == NULL)
		return NULL;
	if (b->len > 0)
		memcpy(data, b->data, b->len);
	secret_free(b->data, b->size);
	return data;
}

static void
grow(struct buffer *b, size_t needed)
{
	size_t size = b->size ? b->size : BUFFER_FIRST_BYTES;

	while (size < needed && size <= b->max_bytes / 2)
		size *= 2;
	if (size < needed || size > b->max_bytes)
		size = b->max_bytes;

	char *data = resize(b, size);

	if (!data) {
		b->status = STATUS_NO_MEMORY;
		return;
	}
	b->data = data;
	b->size = size;
}

char *
buffer_extend(struct buffer *b, size_t len)
{
	/* So that NULL always means an error, even for no bytes. */
	static char nothing;

	if (b->status != STATUS_OK)
		return NULL;
	if (len == 0)
		return b->data ? b->data + b->len : &nothing;
	if (len > b->max_bytes - b->len) {
		b->status = STATUS_TOO_LARGE;
		return NULL;
	}
	if (len > b->size - b->len)
		grow(b, b->len + len);
	if (b->status != STATUS_OK)
		return NULL;
	b->len += len;
	return b->data + b->len - len;
}

void
buffer_append(struct buffer *b, const void *data, size_t len)
{
	char *run;

	if (len == 0)
		return;
	run = buffer_extend(b, len);
	if (run)
		memcpy(run, data, len);
}

void
buffer_append_view(struct buffer *b, struct view v)
{
	buffer_append(b, v.data, v.len);
}

/* vsnprintf wants room for a NUL that the ceiling may not leave, so longer
 * texts are made beside the buffer. */
static void
print_long(struct buffer *b, size_t len, const char *fmt, va_list args)
{
	if (len > b->max_bytes - b->len) {
		b->status = STATUS_TOO_LARGE;
		return;
	}

	char *text = malloc(len + 1);

	if (!text) {
		b->status = STATUS_NO_MEMORY;
		return;
	}
	(void)vsnprintf(text, len + 1, fmt, args);
	buffer_append(b, text, len);
	if (b->is_secret)
		explicit_bzero(text, len);
	free(text);
}

void
buffer_print(struct buffer *b, const char *fmt, ...)
{
	char text[256];
	va_list args;
	va_list again;

	if (b->status != STATUS_OK)
		return;
	va_start(args, fmt);
	va_copy(again, args);

	int len = vsnprintf(text, sizeof(text), fmt, args);

	/* The only way it fails is a text of more than INT_MAX bytes. */
	if (len < 0)
		b->status = STATUS_TOO_LARGE;
	else if ((size_t)len < sizeof(text))
		buffer_append(b, text, (size_t)len);
	else
		print_long(b, (size_t)len, fmt, again);
	if (b->is_secret)
		explicit_bzero(text, sizeof(text));
	va_end(again);
	va_end(args);
}

enum status
buffer_status(const struct buffer *b)
{
	return b->status;
}

struct view
buffer_view(const struct buffer *b)
{
	return b->data ? (struct view){ b->data, b->len } : VIEW("");
}

void
buffer_take(struct buffer *b, struct buffer *out)
{
	free_bytes(out);
	*out = *b;
	make_empty(b);
}
