/* SPDX-License-Identifier: Apache-2.0
 *
 * The door to libcurl: many transfers on one thread. All calls and callbacks
 * belong to the thread that polls, but http_client_wake. */
#ifndef VULNBUS_HTTP_CLIENT_H
#define VULNBUS_HTTP_CLIENT_H

#include "vulnbus/buffer.h"

struct http_client;
struct http_call;

struct http_reply {
	unsigned code;    /* 0: no answer came; `error` says why */
	struct view body; /* what was kept of it */
	struct view content_type;
	struct view retry_after; /* the header's value, or empty */
	bool is_elsewhere;       /* redirects led to another host */
	bool is_truncated;       /* the body went over body_bytes_max */
	const char *error;       /* NULL when all went well */
};

/* A piece of the body of a 200, in order. False pauses the transfer: the
 * piece is handed in again, whole, after http_call_resume. */
typedef bool
http_data_f(struct http_call *call, struct view piece, void *arg);

/* The end. The call and the reply's views die when it returns. */
typedef void
http_done_f(struct http_call *call, const struct http_reply *reply, void *arg);

struct http_call_options {
	const char *url;
	const char *method;        /* NULL: GET */
	const char *authorization; /* header value or NULL; never sent to
				    * another host */
	const char *content_type;  /* of `body`, or NULL */
	const char *accept;        /* NULL: anything */
	struct view body;          /* copied; empty: none */
	const char *extra_header;  /* "Name: value" or NULL */
	const char *ca_file;       /* NULL: the system's */
	uint32_t timeout_ms;       /* whole call; streams: between bytes */
	uint64_t body_bytes_max;   /* kept without on_data */
	bool is_reply_secret;      /* and wiped then */
	http_data_f *on_data;      /* NULL: the body is kept for on_done */
	http_done_f *on_done;
	void *arg;
};

enum status
http_client_open(struct http_client **out_client, struct error *err) MUST_CHECK;

/* Cancels what still runs: on_done is not called. */
void
http_client_close(struct http_client **client);

enum status
http_client_start(struct http_client *client,
    const struct http_call_options *options, struct http_call **out_call,
    struct error *err) MUST_CHECK;

/* on_done is not called. Not from within a callback. */
void
http_call_cancel(struct http_call **call);

void
http_call_resume(struct http_call *call);

/* Of the answer, or an empty view; within callbacks. */
struct view
http_call_content_type(const struct http_call *call);

/* Runs the transfers, calls back, waits up to `timeout_ms` for network, for
 * `extra_fd` (-1: none) to become readable, or for http_client_wake. */
void
http_client_poll(struct http_client *client, int extra_fd, uint32_t timeout_ms);

/* From any thread. */
void
http_client_wake(struct http_client *client);

/* One call from start to end on the calling thread; the body is moved into
 * `out_body`. *out_code is 0 when no answer came. */
enum status
http_fetch(const struct http_call_options *options, struct buffer *out_body,
    unsigned *out_code, struct error *err) MUST_CHECK;

#endif
