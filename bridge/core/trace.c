/* SPDX-License-Identifier: Apache-2.0
 *
 *     00 - 0af7651916cd43dd8448eb211c80319c - b7ad6b7169203331 - 01
 *     version  trace id                       span id            flags
 */
#include "vulnbus/trace.h"

#include <stdio.h>
#include <string.h>

#include "vulnbus/crypto.h"

#define ID_AT       3
#define SPAN_AT     36
#define SPAN_BYTES  16
#define FLAGS_AT    53
/* "sampled", and Level 2's "random": "Vendors MUST set those [other flags] to
 * zero." */
#define FLAGS_KNOWN 3u
#define POOL_BYTES  480 /* of twenty traces */

static int
digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool
is_hex(struct view v, size_t at, size_t len)
{
	for (size_t i = at; i < at + len; i++)
		if (digit(v.data[i]) < 0)
			return false;
	return true;
}

static bool
is_id(struct view v, size_t at, size_t len)
{
	return is_hex(v, at, len) &&
	       strspn(v.data + at, "0") < len; /* a dash ends it */
}

/* "If a higher version is detected": the four fields are where they are, and
 * more may follow behind a dash. Version ff is invalid. */
static bool
is_traceparent(struct view v)
{
	if (v.len < TRACEPARENT_BYTES || !is_hex(v, 0, 2) ||
	    memcmp(v.data, "ff", 2) == 0 || v.data[ID_AT - 1] != '-' ||
	    v.data[SPAN_AT - 1] != '-' || v.data[FLAGS_AT - 1] != '-' ||
	    !is_id(v, ID_AT, TRACE_ID_BYTES) ||
	    !is_id(v, SPAN_AT, SPAN_BYTES) || !is_hex(v, FLAGS_AT, 2))
		return false;
	if (v.len == TRACEPARENT_BYTES)
		return true;
	return memcmp(v.data, "00", 2) != 0 && v.data[TRACEPARENT_BYTES] == '-';
}

/* As version 00 has it, whatever it came as. */
static void
copy(struct view v, char out[TRACEPARENT_BYTES + 1])
{
	const unsigned flags = (unsigned)digit(v.data[FLAGS_AT + 1]) &
			       FLAGS_KNOWN;

	memcpy(out, v.data, FLAGS_AT);
	memcpy(out, "00", 2);
	snprintf(out + FLAGS_AT, 3, "%02x", flags);
}

/* Ids are not secret: a thread may keep some, and OpenSSL's generator, which
 * asks the kernel who it is each time, is asked for many at once. */
static const unsigned char *
draw_bytes(size_t count)
{
	static _Thread_local unsigned char bytes[POOL_BYTES];
	static _Thread_local size_t left;

	if (left < count) {
		random_bytes(bytes, sizeof(bytes));
		left = sizeof(bytes);
	}
	left -= count;
	return bytes + left;
}

/* Writes `count` digits, not all of them zeros. */
static void
draw(char *out, size_t count)
{
	static const char digits[] = "0123456789abcdef";
	unsigned char bytes[TRACE_ID_BYTES / 2];

	memcpy(bytes, draw_bytes(count / 2), count / 2);
	bytes[0] |= 1;
	for (size_t i = 0; i < count; i++)
		out[i] = digits[bytes[i / 2] >> (i % 2 == 0 ? 4 : 0) & 0xf];
}

void
trace_continue(struct view traceparent, struct view origin, struct trace *out)
{
	const bool has_origin = is_traceparent(origin);

	if (!is_traceparent(traceparent))
		traceparent = origin;
	if (!is_traceparent(traceparent)) {
		trace_begin(out);
		return;
	}
	copy(traceparent, out->hop);
	copy(has_origin ? origin : traceparent, out->origin);
	draw(out->hop + SPAN_AT, SPAN_BYTES);
}

void
trace_restore(struct view hop, struct view origin, struct trace *out)
{
	if (!is_traceparent(hop)) {
		trace_continue(hop, origin, out);
		return;
	}
	copy(hop, out->hop);
	copy(is_traceparent(origin) ? origin : hop, out->origin);
}

void
trace_begin(struct trace *out)
{
	/* Version 00, sampled. */
	memset(out->hop, '-', TRACEPARENT_BYTES);
	memcpy(out->hop, "00", 2);
	memcpy(out->hop + FLAGS_AT, "01", sizeof("01"));
	draw(out->hop + ID_AT, TRACE_ID_BYTES);
	draw(out->hop + SPAN_AT, SPAN_BYTES);
	memcpy(out->origin, out->hop, sizeof(out->origin));
}

void
trace_call(const struct trace *trace, char out[TRACE_HEADER_BYTES])
{
	const int at = snprintf(
	    out, TRACE_HEADER_BYTES, "traceparent: %s", trace->hop);

	draw(out + at - TRACEPARENT_BYTES + SPAN_AT, SPAN_BYTES);
}

struct view
trace_id(const struct trace *trace)
{
	if (trace->hop[0] == '\0')
		return VIEW("");
	return (struct view){ trace->hop + ID_AT, TRACE_ID_BYTES };
}
