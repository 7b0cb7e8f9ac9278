/* SPDX-License-Identifier: Apache-2.0 */
#include "vulnbus/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "vulnbus/timestamp.h"

/* A line that does not fit is cut at a field's end; it stays valid JSON. */
#define LINE_MAX_BYTES    4096
#define MESSAGE_MAX_BYTES 1024

static const char *log_service = "vulnbus";
static enum log_level log_least = LOG_LEVEL_INFO;

void
log_open(const char *service, enum log_level least)
{
	log_service = service;
	log_least = least;
}

bool
log_is_on(enum log_level level)
{
	return level >= log_least;
}

/* Fixed memory: a log line must not fail for want of any. */
struct line {
	char text[LINE_MAX_BYTES];
	size_t len;
	bool is_full;
};

static void
line_char(struct line *line, char c)
{
	/* Room for the closing brace and the line feed is always kept. */
	if (line->len + 3 > sizeof(line->text))
		line->is_full = true;
	else
		line->text[line->len++] = c;
}

static void
line_raw(struct line *line, const char *text)
{
	for (; *text != '\0'; text++)
		line_char(line, *text);
}

static void
line_quoted(struct line *line, struct view text)
{
	line_char(line, '"');
	for (size_t i = 0; i < text.len; i++) {
		const unsigned char c = (unsigned char)text.data[i];

		if (c == '"' || c == '\\')
			line_char(line, '\\');
		line_char(line, (char)(c < ' ' || c >= 0x7f ? '?' : c));
	}
	line_char(line, '"');
}

static void
line_field(struct line *line, const struct log_field *field)
{
	const size_t before = line->len;
	char number[24];

	line_raw(line, ",\"");
	line_raw(line, field->name);
	line_raw(line, "\":");
	if (field->is_int) {
		snprintf(
		    number, sizeof(number), "%lld", (long long)field->integer);
		line_raw(line, number);
	} else {
		line_quoted(line, field->text);
	}
	if (line->is_full)
		line->len = before;
}

void
log_write(enum log_level level, const char *message,
    const struct log_field *fields, size_t count)
{
	static const char *const levels[] = { "debug", "info", "warn",
		"error" };
	const int saved_errno = errno;
	char now[TIMESTAMP_TEXT_SIZE];
	struct line line = { .len = 0 };
	const struct view text = { message,
		strnlen(message, MESSAGE_MAX_BYTES) };
	ssize_t written;

	timestamp_print(clock_wall_ms(), now);
	line_raw(&line, "{\"@timestamp\":\"");
	line_raw(&line, now);
	line_raw(&line, "\",\"log.level\":\"");
	line_raw(&line, levels[level]);
	line_raw(&line, "\",\"ecs.version\":\"8.11.0\",\"service.name\":\"");
	line_raw(&line, log_service);
	line_raw(&line, "\",\"message\":");
	line_quoted(&line, text);
	for (size_t i = 0; i < count && !line.is_full; i++)
		line_field(&line, &fields[i]);
	line.text[line.len++] = '}';
	line.text[line.len++] = '\n';
	written = write(STDERR_FILENO, line.text, line.len);
	(void)written; /* there is nowhere left to say so */
	errno = saved_errno;
}
