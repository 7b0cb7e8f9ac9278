/* SPDX-License-Identifier: Apache-2.0
 *
 * What a call can come to, and whose duty it is next. Every function that can
 * fail returns an enum status and says why in a struct error, which is never
 * NULL. Texts hold no secret and no raw body. */
#ifndef VULNBUS_STATUS_H
#define VULNBUS_STATUS_H

#include <stdarg.h>

/*  name          HTTP  what the caller does with it */
#define STATUS_TABLE(X)                                                   \
	X(OK, 202, "go on")                                               \
	X(END, 202, "there is no more of it; not an error")               \
	X(INVALID, 400, "refuse it: what came does not hold to its form") \
	X(UNPROVED, 401, "refuse it: its origin is not proved")           \
	X(MISSING, 404, "refuse it: there is no such thing")              \
	X(UNKNOWN, 202, "proved, but of a kind not known: dead letter")   \
	X(TOO_LARGE, 413, "refuse it: over a configured ceiling")         \
	X(TOO_MANY, 429, "refuse it for now: the caller must slow down")  \
	X(UNAVAILABLE, 503, "try again later")                            \
	X(ABORTED, 503, "undo the transaction and run it again")          \
	X(NO_MEMORY, 503, "try again later")                              \
	X(FATAL, 503, "rebuild the client; its session is over")

enum status {
#define X(name, http, duty) STATUS_##name,
	STATUS_TABLE(X)
#undef X
};

struct error {
	char text[512];
};

#define MUST_CHECK             __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))

/* Sets the text and returns `status`, so a failing line is one call. */
enum status
error_set(struct error *err, enum status status, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

/* Puts "<context>: " in front of the text; returns `status`. */
enum status
error_add(struct error *err, enum status status, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

/* The HTTP code an ingress answers with, and the name in lower case. */
unsigned
status_http(enum status status);

const char *
status_name(enum status status);

#endif
