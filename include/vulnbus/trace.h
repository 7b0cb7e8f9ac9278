/* SPDX-License-Identifier: Apache-2.0
 *
 * Which trace a notification belongs to, from the vendor's call to the record
 * (W3C Trace Context, section 3.2; CloudEvents, "Distributed Tracing
 * Extension"). `tracestate` is neither read nor sent. */
#ifndef VULNBUS_TRACE_H
#define VULNBUS_TRACE_H

#include "vulnbus/view.h"

#define TRACEPARENT_BYTES 55
#define TRACE_ID_BYTES    32

/* Both are a traceparent, version 00, or empty: no trace. */
struct trace {
	char hop[TRACEPARENT_BYTES + 1];    /* whose span is ours */
	char origin[TRACEPARENT_BYTES + 1]; /* what it all began with */
};

/* The next hop of what came with these two headers: the same trace, a span id
 * of our own. Without a well formed `traceparent` the trace is that of
 * `origin`, without that one too it is new and begins here; without `origin`
 * it began with `traceparent`. */
void
trace_continue(struct view traceparent, struct view origin, struct trace *out);

/* The same hop again, as it was kept; goes on as above if it is none. */
void
trace_restore(struct view hop, struct view origin, struct trace *out);

/* A trace that begins here. */
void
trace_begin(struct trace *out);

/* "traceparent: ...", the header of a call to somebody else: a span id for it
 * alone. The trace is not empty. */
#define TRACE_HEADER_BYTES (TRACEPARENT_BYTES + sizeof("traceparent: "))

void
trace_call(const struct trace *trace, char out[TRACE_HEADER_BYTES]);

/* 32 hexadecimal digits, or empty. */
struct view
trace_id(const struct trace *trace);

/* For log lines about a notification: the field of Elastic Common Schema. */
#define LOG_TRACE(trace) LOG_VIEW("trace.id", trace_id(trace))

#endif
