/* SPDX-License-Identifier: Apache-2.0
 *
 * Log lines: one JSON object each, whatever is in them. */
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "vulnbus/json.h"
#include "vulnbus/log.h"

static int pipe_ends[2] = { -1, -1 };
static int real_stderr = -1;

static int
open_pipe(void **state)
{
	(void)state;
	real_stderr = dup(STDERR_FILENO);
	log_open("test", LOG_LEVEL_INFO);
	return real_stderr < 0 ? -1 : pipe2(pipe_ends, O_NONBLOCK);
}

static int
close_pipe(void **state)
{
	(void)state;
	close(real_stderr);
	close(pipe_ends[0]);
	close(pipe_ends[1]);
	return 0;
}

/* From here to written() standard error is ours; cmocka needs it too. */
static void
listen_in(void)
{
	assert_true(dup2(pipe_ends[1], STDERR_FILENO) >= 0);
}

static struct view
written(void)
{
	static char text[65536];
	const ssize_t len = read(pipe_ends[0], text, sizeof(text));

	dup2(real_stderr, STDERR_FILENO);
	return (struct view){ text, len < 0 ? 0 : (size_t)len };
}

/* The one line that was written, parsed. */
static struct json_document *
line_of(struct view text)
{
	struct json_document *document = NULL;
	struct error err = { "" };

	assert_true(text.len > 0 && text.data[text.len - 1] == '\n');
	assert_null(memchr(text.data, '\n', text.len - 1));
	assert_ok(json_parse(text, &document, &err), &err);
	return document;
}

static void
a_line_is_one_object_with_its_fields(void **state)
{
	struct json_document *line;
	const struct json_value *root;

	(void)state;
	listen_in();
	LOG_WARN("it happened", LOG_TEXT("text", "a"), LOG_INT("int", -7),
	    LOG_VIEW("view", VIEW("bcd")), LOG_TEXT("none", NULL));
	line = line_of(written());
	root = json_root(line);
	assert_view(json_text(json_member(root, "message")), "it happened");
	assert_view(json_text(json_member(root, "log.level")), "warn");
	assert_view(json_text(json_member(root, "service.name")), "test");
	assert_view(json_text(json_member(root, "ecs.version")), "8.11.0");
	assert_view(json_text(json_member(root, "text")), "a");
	assert_int_equal(json_int(json_member(root, "int"), 0), -7);
	assert_view(json_text(json_member(root, "view")), "bcd");
	assert_view(json_text(json_member(root, "none")), "");
	assert_int_equal(
	    json_text(json_member(root, "@timestamp")).len >= 20, true);
	json_free(line);
}

static void
lines_below_the_level_are_dropped(void **state)
{
	(void)state;
	listen_in();
	LOG_DEBUG("not seen");
	assert_int_equal(written().len, 0);
	assert_false(log_is_on(LOG_LEVEL_DEBUG));
	assert_true(log_is_on(LOG_LEVEL_ERROR));
	log_open("test", LOG_LEVEL_ERROR);
	listen_in();
	LOG_WARN("not seen");
	assert_int_equal(written().len, 0);
	listen_in();
	LOG_ERROR("seen");
	assert_true(written().len > 0);
	log_open("test", LOG_LEVEL_INFO);
}

/* Quotes, line breaks, escape sequences of terminals, bad UTF-8: none of it
 * ends the text or the line. */
static void
nothing_breaks_out_of_a_field(void **state)
{
	static const struct {
		struct view text;
		const char *expected;
	} cases[] = {
		{ VIEW("\"},{\"x\":\""), "\"},{\"x\":\"" },
		{ VIEW("\\"), "\\" },
		{ VIEW("\\\""), "\\\"" },
		{ VIEW("a\nb\r\n"), "a?b??" },
		{ VIEW("\x1b[31m"), "?[31m" },
		{ VIEW("a\0b"), "a?b" },
		{ VIEW("\xff\xfe"), "??" },
		{ VIEW("\x7f"), "?" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct json_document *line;

		listen_in();
		LOG_INFO("m", LOG_VIEW("f", cases[i].text));
		line = line_of(written());
		assert_view(json_text(json_member(json_root(line), "f")),
		    cases[i].expected);
		json_free(line);
	}
}

/* A field that does not fit is left out whole, and so is what follows. */
static void
a_line_too_long_is_cut_between_fields(void **state)
{
	char text[8000];

	(void)state;
	memset(text, '"', sizeof(text));
	for (size_t len = 1; len < sizeof(text); len += 97) {
		struct json_document *line;
		const struct view field = { text, len };
		const struct json_value *root;
		struct view seen;

		listen_in();
		LOG_INFO("m", LOG_TEXT("first", "1"), LOG_VIEW("long", field),
		    LOG_TEXT("last", "3"));
		seen = written();
		assert_true(seen.len <= 4096);
		line = line_of(seen);
		root = json_root(line);
		assert_view(json_text(json_member(root, "first")), "1");
		if (json_member(root, "long") != NULL)
			assert_int_equal(
			    json_text(json_member(root, "long")).len, len);
		else
			assert_null(json_member(root, "last"));
		json_free(line);
	}
}

static void
a_long_message_is_cut(void **state)
{
	char text[8000];

	(void)state;
	memset(text, '"', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	for (size_t len = 1; len < sizeof(text); len += 501) {
		struct json_document *line;
		struct view message;

		listen_in();
		log_write(
		    LOG_LEVEL_INFO, text + sizeof(text) - 1 - len, NULL, 0);
		line = line_of(written());
		message = json_text(json_member(json_root(line), "message"));
		assert_true(message.len == len || message.len >= 1000);
		json_free(line);
	}
}

static void
errno_survives(void **state)
{
	(void)state;
	listen_in();
	errno = ENOENT;
	LOG_INFO("m");
	assert_int_equal(errno, ENOENT);
	(void)written();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_is_one_object_with_its_fields),
		cmocka_unit_test(lines_below_the_level_are_dropped),
		cmocka_unit_test(nothing_breaks_out_of_a_field),
		cmocka_unit_test(a_line_too_long_is_cut_between_fields),
		cmocka_unit_test(a_long_message_is_cut),
		cmocka_unit_test(errno_survives),
	};

	return cmocka_run_group_tests(tests, open_pipe, close_pipe);
}
