/* SPDX-License-Identifier: Apache-2.0
 *
 * Borrowed bytes: comparing, cutting and reading them without copies. */
#include "vulnbus/view.h"

#include <string.h>

struct view
view_of(const char *text)
{
	if (!text)
		return VIEW("");
	return (struct view){ text, strlen(text) };
}

bool
view_equal(struct view a, struct view b)
{
	/* memcmp may not be given NULL, not even for no bytes. */
	return a.len == b.len &&
	       (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

bool
view_is(struct view v, const char *text)
{
	return view_equal(v, view_of(text));
}

bool
view_starts(struct view v, struct view prefix)
{
	if (v.len < prefix.len)
		return false;
	v.len = prefix.len;
	return view_equal(v, prefix);
}

struct view
view_cut(struct view *v, char separator)
{
	struct view part = *v;
	const char *at = v->len == 0 ? NULL
				     : memchr(v->data, separator, v->len);

	if (!at) {
		if (v->len > 0)
			v->data += v->len;
		v->len = 0;
		return part;
	}
	part.len = (size_t)(at - v->data);
	v->data = at + 1;
	v->len -= part.len + 1;
	return part;
}

static bool
is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

struct view
view_trim(struct view v)
{
	while (v.len > 0 && is_blank(v.data[0])) {
		v.data++;
		v.len--;
	}
	while (v.len > 0 && is_blank(v.data[v.len - 1]))
		v.len--;
	return v;
}

struct view
view_head(struct view v, size_t most)
{
	if (v.len <= most)
		return v;
	v.len = most;
	/* A character has at most three bytes behind its first. */
	for (int i = 0; i < 3 && v.len > 0; i++)
		if (((unsigned char)v.data[v.len] & 0xc0) == 0x80)
			v.len--;
	return v;
}

enum status
view_to_int(struct view v, int64_t *out_value)
{
	bool is_negative = v.len > 0 && v.data[0] == '-';
	int64_t value = 0;

	if (is_negative) {
		v.data++;
		v.len--;
	}
	if (v.len == 0)
		return STATUS_INVALID;
	for (size_t i = 0; i < v.len; i++) {
		int digit = v.data[i] - '0';

		if (digit < 0 || digit > 9)
			return STATUS_INVALID;
		/* Counted downwards: INT64_MIN has no positive twin. */
		if (value < (INT64_MIN + digit) / 10)
			return STATUS_INVALID;
		value = value * 10 - digit;
	}
	if (!is_negative && value == INT64_MIN)
		return STATUS_INVALID;
	*out_value = is_negative ? value : -value;
	return STATUS_OK;
}

bool
view_is_printable(struct view v)
{
	for (size_t i = 0; i < v.len; i++) {
		unsigned char c = (unsigned char)v.data[i];

		if (c < 0x20 || c == 0x7f)
			return false;
	}
	return true;
}

size_t
view_character(struct view v)
{
	const unsigned char *at = (const unsigned char *)v.data;
	size_t len = 0;

	if (v.len == 0)
		return 0;
	if (at[0] < 0x80)
		return 1;
	if (at[0] >= 0xc2 && at[0] <= 0xf4)
		len = at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : 4;
	if (len > v.len)
		return 0;
	for (size_t i = 1; i < len; i++)
		if ((at[i] & 0xc0) != 0x80)
			return 0;
	/* Longer than needed, surrogates, beyond U+10FFFF. */
	if ((at[0] == 0xe0 && at[1] < 0xa0) ||
	    (at[0] == 0xed && at[1] > 0x9f) ||
	    (at[0] == 0xf0 && at[1] < 0x90) || (at[0] == 0xf4 && at[1] > 0x8f))
		return 0;
	return len;
}
