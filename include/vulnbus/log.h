/* SPDX-License-Identifier: Apache-2.0
 *
 * One JSON object a line on standard error, in Elastic Common Schema's field
 * names. Any thread may log; a line is one write. Never a secret, a token or
 * a body: callers pass names, ids, counts and reasons. */
#ifndef VULNBUS_LOG_H
#define VULNBUS_LOG_H

#include "vulnbus/view.h"

enum log_level {
	LOG_LEVEL_DEBUG,
	LOG_LEVEL_INFO,
	LOG_LEVEL_WARN,
	LOG_LEVEL_ERROR
};

struct log_field {
	const char *name;
	bool is_int;
	struct view text;
	int64_t integer;
};

#define LOG_TEXT(n, t)                          \
	{                                       \
		.name = (n), .text = view_of(t) \
	}
#define LOG_VIEW(n, v)                   \
	{                                \
		.name = (n), .text = (v) \
	}
#define LOG_INT(n, i)                                       \
	{                                                   \
		.name = (n), .is_int = true, .integer = (i) \
	}

/* Both before the first thread; lines below `least` are dropped. */
void
log_open(const char *service, enum log_level least);

bool
log_is_on(enum log_level level);

void
log_write(enum log_level level, const char *message,
    const struct log_field *fields, size_t count);

#define LOG_AT(level, message, ...)                                        \
	do {                                                               \
		const struct log_field log_fields[] = { { 0 },             \
			##__VA_ARGS__ };                                   \
		if (log_is_on(level))                                      \
			log_write(level, message, log_fields + 1,          \
			    sizeof(log_fields) / sizeof(*log_fields) - 1); \
	} while (0)

#define LOG_DEBUG(message, ...) LOG_AT(LOG_LEVEL_DEBUG, message, ##__VA_ARGS__)
#define LOG_INFO(message, ...)  LOG_AT(LOG_LEVEL_INFO, message, ##__VA_ARGS__)
#define LOG_WARN(message, ...)  LOG_AT(LOG_LEVEL_WARN, message, ##__VA_ARGS__)
#define LOG_ERROR(message, ...) LOG_AT(LOG_LEVEL_ERROR, message, ##__VA_ARGS__)

#endif
