/* SPDX-License-Identifier: Apache-2.0 */
#include "vulnbus/base64url.h"

static const char alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* 0 to 63, or 64 for a character outside the alphabet. */
static unsigned
value_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return (unsigned)(c - 'A');
	if (c >= 'a' && c <= 'z')
		return (unsigned)(c - 'a') + 26;
	if (c >= '0' && c <= '9')
		return (unsigned)(c - '0') + 52;
	if (c == '-')
		return 62;
	return c == '_' ? 63 : 64;
}

enum status
base64url_decode(struct view text, struct buffer *out)
{
	const size_t len = text.len / 4 * 3 + (text.len % 4) * 3 / 4;
	const size_t before = out->len;
	uint32_t bits = 0;
	unsigned held = 0;
	char *to;

	if (text.len % 4 == 1)
		return STATUS_INVALID;
	to = buffer_extend(out, len);
	if (to == NULL)
		return len == 0 ? STATUS_OK : buffer_status(out);
	for (size_t i = 0; i < text.len; i++) {
		const unsigned value = value_of(text.data[i]);

		if (value == 64)
			goto invalid;
		bits = (bits << 6 | value) & 0xffffu;
		held += 6;
		if (held >= 8) {
			held -= 8;
			*to++ = (char)(bits >> held & 0xffu);
		}
	}
	if ((bits & ((1u << held) - 1)) == 0)
		return STATUS_OK;
invalid:
	out->len = before;
	return STATUS_INVALID;
}

void
base64url_encode(struct view bytes, struct buffer *out)
{
	for (size_t i = 0; i < bytes.len; i += 3) {
		const size_t left = bytes.len - i;
		uint32_t bits = 0;
		char text[4];

		for (size_t k = 0; k < 3; k++)
			bits = bits << 8 |
			       (k < left ? (unsigned char)bytes.data[i + k]
					 : 0u);
		for (unsigned k = 0; k < 4; k++)
			text[k] = alphabet[bits >> (18 - 6 * k) & 0x3fu];
		buffer_append(out, text, left >= 3 ? 4 : left + 1);
	}
}
