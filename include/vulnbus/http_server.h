/* SPDX-License-Identifier: Apache-2.0
 *
 * The door to libmicrohttpd: a listening port, its limits, and requests that
 * may be answered later and from any thread. */
#ifndef VULNBUS_HTTP_SERVER_H
#define VULNBUS_HTTP_SERVER_H

#include "vulnbus/buffer.h"

struct http_server;
struct http_request;
struct http_tls;
struct sockaddr;

/* Called on a server thread. */
typedef void
http_request_f(struct http_request *request, void *arg);

/* Called when the server has refused a request by itself, with the code. */
typedef void
http_refused_f(unsigned code, void *arg);

struct http_server_options {
	const char *name;   /* of the port, in logs */
	const char *listen; /* "host:port", "[v6]:port"; port 0 takes any */
	uint32_t threads;   /* 1, or a pool of this many */
	uint32_t idle_timeout_ms;
	uint32_t connections_max;
	/* 431 above; far above libmicrohttpd says it, and nobody is told */
	uint64_t headers_bytes_max;
	uint64_t body_bytes_max;    /* 413 above */
	struct http_tls *tls;       /* NULL: plain HTTP; else held */
	http_request_f *on_headers; /* may be NULL; answers to refuse a body */
	http_request_f *on_request; /* the body is in: answers or suspends */
	http_refused_f *on_refused; /* may be NULL */
	void *arg;
};

struct http_answer {
	unsigned code;
	const char *content_type; /* NULL: none */
	struct view body;         /* copied */
	const char *allow;        /* the Allow header of a 405, or NULL */
	uint32_t retry_after_s;   /* 0: no Retry-After */
};

enum status
http_server_open(const struct http_server_options *options,
    struct http_server **out_server, struct error *err) MUST_CHECK;

/* The address it listens on, with the port it was given: "127.0.0.1:8080". */
const char *
http_server_address(const struct http_server *server);

/* From now on new connections get `tls`, which is held; those that are open
 * keep theirs. Nothing changes when either of them is NULL: whether a port
 * speaks TLS is settled when it is opened. */
void
http_server_renew_tls(struct http_server *server, struct http_tls *tls);

/* From now on every answer is the last of its connection and says so
 * (Connection: close, RFC 9112 section 9.6): a client that knows sends its next
 * request elsewhere, one whose connection was merely closed may have sent it
 * already. New connections are taken all the same. From any thread. */
void
http_server_let_go(struct http_server *server);

/* How many connections are open now, idle ones too. From one thread alone:
 * libmicrohttpd adds them up in a field of its own. */
unsigned
http_server_connections(const struct http_server *server);

/* All suspended requests must have been answered. */
void
http_server_close(struct http_server **server);

/* What follows is for the callbacks and, once suspended, for one other
 * thread. Views live until the request is answered. */

const char *
http_request_method(const struct http_request *request);

/* The target without its query, percent-escapes as they came. */
struct view
http_request_path(const struct http_request *request);

/* The header's value (the last one's), and how many headers of that name there
 * are. Of no name (NULL) there are none. */
struct view
http_request_header(
    const struct http_request *request, const char *name, size_t *out_count);

/* The trace that the request goes on with or, without a good traceparent,
 * begins. */
struct trace;

void
http_request_trace(const struct http_request *request, struct trace *out);

struct view
http_request_body(const struct http_request *request);

/* The body is read and counted but not kept. */
void
http_request_discard_body(struct http_request *request);

/* All headers of that name as one, as a list may be split (RFC 9110 section
 * 5.3): appended to `out`, with commas between. */
void
http_request_list(
    const struct http_request *request, const char *name, struct buffer *out);

/* NULL when the peer's address is not known. */
const struct sockaddr *
http_request_peer(const struct http_request *request);

/* The subject (RFC 4514) of the client's certificate, verified as this request
 * came in; empty without one that holds (http_tls_subject). */
struct view
http_request_subject(const struct http_request *request);

/* When its headers were in (steady clock, microseconds). */
int64_t
http_request_started_us(const struct http_request *request);

/* To be called before the request is handed to whoever will answer it. */
void
http_request_suspend(struct http_request *request);

/* Exactly once per request. Of a suspended request nothing may be touched
 * afterwards. */
void
http_request_answer(
    struct http_request *request, const struct http_answer *answer);

#endif
