/* SPDX-License-Identifier: Apache-2.0
 *
 * Error texts, and the two facts of the status table that programs ask for. */
#include "vulnbus/status.h"

#include <stdio.h>
#include <string.h>

enum status
error_set(struct error *err, enum status status, const char *fmt, ...)
{
	/* The old text may be among the arguments. */
	char text[sizeof(err->text)];
	va_list args;

	va_start(args, fmt);
	if (vsnprintf(text, sizeof(text), fmt, args) < 0)
		text[0] = '\0';
	va_end(args);
	memcpy(err->text, text, sizeof(text));
	return status;
}

enum status
error_add(struct error *err, enum status status, const char *fmt, ...)
{
	char text[sizeof(err->text)];
	va_list args;

	va_start(args, fmt);
	if (vsnprintf(text, sizeof(text), fmt, args) < 0)
		text[0] = '\0';
	va_end(args);

	size_t len = strlen(text);
	const char *parts[] = { ": ", err->text };

	for (size_t i = 0; i < 2; i++) {
		size_t room = sizeof(text) - 1 - len;
		size_t part = strnlen(parts[i], room);

		memcpy(text + len, parts[i], part);
		len += part;
	}
	memcpy(err->text, text, len);
	err->text[len] = '\0';
	return status;
}

unsigned
status_http(enum status status)
{
	switch (status) {
#define X(name, http, duty) \
	case STATUS_##name: \
		return http;
		STATUS_TABLE(X)
#undef X
	}
	return 503;
}

/* Enumerators are upper case and C cannot lower them at compile time. */
#define STATUS_NAMES(X)               \
	X(OK, "ok")                   \
	X(END, "end")                 \
	X(INVALID, "invalid")         \
	X(UNPROVED, "unproved")       \
	X(MISSING, "missing")         \
	X(UNKNOWN, "unknown")         \
	X(TOO_LARGE, "too_large")     \
	X(TOO_MANY, "too_many")       \
	X(UNAVAILABLE, "unavailable") \
	X(ABORTED, "aborted")         \
	X(NO_MEMORY, "no_memory")     \
	X(FATAL, "fatal")

/* A status without a name is a compiler warning here: no default. */
const char *
status_name(enum status status)
{
	switch (status) {
#define X(name, text)       \
	case STATUS_##name: \
		return text;
		STATUS_NAMES(X)
#undef X
	}
	return "unknown";
}
