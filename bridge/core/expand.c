/* SPDX-License-Identifier: Apache-2.0
 *
 * ${env:}, ${file:} and $$ in configured values. Apart from the loader because
 * a secret is expanded again whenever it is needed. */
#include "vulnbus/expand.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define EXPAND_NAME_MAX 128

enum status
expand_read_file(const char *path, struct buffer *out, struct error *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0) {
		enum status status = errno == ENOENT || errno == ENOTDIR
					 ? STATUS_MISSING
					 : STATUS_UNAVAILABLE;

		return error_set(err, status, "%s: %s", path, strerror(errno));
	}

	char chunk[4096];
	ssize_t len = 0;

	do {
		len = read(fd, chunk, sizeof(chunk));
		if (len > 0)
			buffer_append(out, chunk, (size_t)len);
	} while ((len > 0 && buffer_status(out) == STATUS_OK) ||
		 (len < 0 && errno == EINTR));

	int read_errno = errno;

	explicit_bzero(chunk, sizeof(chunk));
	(void)close(fd);
	if (len < 0)
		return error_set(err, STATUS_UNAVAILABLE, "%s: %s", path,
		    strerror(read_errno));
	switch (buffer_status(out)) {
	case STATUS_OK:
		return STATUS_OK;
	case STATUS_TOO_LARGE:
		return error_set(err, STATUS_TOO_LARGE,
		    "%s: larger than %zu bytes", path, out->max_bytes);
	default:
		return error_set(err, STATUS_NO_MEMORY, "out of memory");
	}
}

/* `body` is what stands between "${file:" and "}". */
static enum status
expand_file(struct view body, struct buffer *out, struct error *err)
{
	char path[PATH_MAX];
	struct stat facts;

	if (body.len == 0 || body.len >= sizeof(path))
		return error_set(err, STATUS_INVALID, "${file:} needs a path");
	memcpy(path, body.data, body.len);
	path[body.len] = '\0';

	/* A pipe or a terminal would keep the caller waiting for ever. */
	if (stat(path, &facts) == 0 && !S_ISREG(facts.st_mode))
		return error_set(
		    err, STATUS_UNAVAILABLE, "%s: not a regular file", path);

	struct buffer text;

	buffer_init_secret(&text, EXPAND_FILE_BYTES_MAX);

	enum status status = expand_read_file(path, &text, err);

	if (status != STATUS_OK && status != STATUS_NO_MEMORY)
		status = STATUS_UNAVAILABLE;
	if (status == STATUS_OK && text.len > 0 &&
	    memchr(text.data, '\0', text.len))
		status = error_set(
		    err, STATUS_INVALID, "%s: holds a NUL byte", path);
	if (status == STATUS_OK) {
		struct view v = buffer_view(&text);

		while (v.len > 0 && strchr("\r\n", v.data[v.len - 1]))
			v.len--;
		buffer_append_view(out, v);
	}
	buffer_clear(&text);
	return status;
}

static bool
is_variable_name(struct view v)
{
	if (v.len == 0 || v.len >= EXPAND_NAME_MAX ||
	    (v.data[0] >= '0' && v.data[0] <= '9'))
		return false;
	for (size_t i = 0; i < v.len; i++) {
		char c = v.data[i];

		if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
			(c >= '0' && c <= '9') || c == '_'))
			return false;
	}
	return true;
}

/* Everything but ${...}: `$$` is one dollar sign. */
static void
append_literal(struct view text, struct buffer *out)
{
	while (text.len > 0) {
		struct view part = view_cut(&text, '$');
		bool is_dollar = text.data > part.data + part.len;

		if (is_dollar)
			part.len++;
		buffer_append_view(out, part);
		if (is_dollar && view_starts(text, VIEW("$"))) {
			text.data++;
			text.len--;
		}
	}
}

/* `body` is what stands between "${env:" and "}". */
static enum status
expand_env(struct view body, struct buffer *out, struct error *err)
{
	const char *mark = memmem(body.data, body.len, ":-", 2);
	struct view variable = body;
	char name[EXPAND_NAME_MAX];

	if (mark)
		variable.len = (size_t)(mark - body.data);
	if (!is_variable_name(variable))
		return error_set(
		    err, STATUS_INVALID, "${env:} needs a variable's name");
	memcpy(name, variable.data, variable.len);
	name[variable.len] = '\0';

	const char *value = getenv(name);

	if (mark && (!value || value[0] == '\0')) {
		size_t skip = variable.len + 2;

		append_literal(
		    (struct view){ body.data + skip, body.len - skip }, out);
		return STATUS_OK;
	}
	if (!value)
		return error_set(err, STATUS_MISSING,
		    "the environment variable %s is not set", name);
	buffer_append_view(out, view_of(value));
	return STATUS_OK;
}

/* `text` begins behind "${"; what follows the "}" is left in it. */
static enum status
expand_one(struct view *text, struct buffer *out, struct error *err)
{
	struct view body = *text;
	const char *end = memchr(text->data, '}', text->len);

	if (!end)
		return error_set(err, STATUS_INVALID,
		    "unclosed ${ (a dollar sign is written $$)");
	body.len = (size_t)(end - body.data);
	text->data = end + 1;
	text->len -= body.len + 1;

	if (memmem(body.data, body.len, "${", 2))
		return error_set(
		    err, STATUS_INVALID, "${ within ${...} is not supported");

	struct view rest = body;
	struct view kind = view_cut(&rest, ':');

	if (view_is(kind, "env"))
		return expand_env(rest, out, err);
	if (view_is(kind, "file"))
		return expand_file(rest, out, err);
	return error_set(err, STATUS_INVALID,
	    "${...} is neither ${env:...} nor ${file:...} "
	    "(a dollar sign is written $$)");
}

/* The first "${" whose dollar sign is not half of a "$$". */
static const char *
find_expression(struct view text)
{
	for (size_t i = 0; i + 1 < text.len; i++) {
		if (text.data[i] != '$')
			continue;
		if (text.data[i + 1] == '{')
			return text.data + i;
		if (text.data[i + 1] == '$')
			i++;
	}
	return NULL;
}

enum status
expand_text(struct view text, struct buffer *out, bool *out_is_expanded,
    struct error *err)
{
	bool is_expanded = false;

	for (;;) {
		const char *at = find_expression(text);
		struct view literal = text;

		if (at)
			literal.len = (size_t)(at - text.data);
		append_literal(literal, out);
		if (!at)
			break;
		text.data += literal.len + 2;
		text.len -= literal.len + 2;
		is_expanded = true;

		enum status status = expand_one(&text, out, err);

		if (status != STATUS_OK)
			return status;
	}
	*out_is_expanded = is_expanded;
	switch (buffer_status(out)) {
	case STATUS_OK:
		return STATUS_OK;
	case STATUS_TOO_LARGE:
		return error_set(err, STATUS_TOO_LARGE, "longer than %zu bytes",
		    out->max_bytes);
	default:
		return error_set(err, STATUS_NO_MEMORY, "out of memory");
	}
}

enum status
expand_files(struct view text, expand_path_f *on_path, void *arg)
{
	const struct view kind = VIEW("file:");
	enum status status = STATUS_OK;
	const char *at;

	while (status == STATUS_OK && (at = find_expression(text)) != NULL) {
		struct view rest = { at + 2,
			text.len - (size_t)(at + 2 - text.data) };
		struct view body = view_cut(&rest, '}');

		text = rest;
		if (!view_starts(body, kind))
			continue;
		body.data += kind.len;
		body.len -= kind.len;
		status = on_path(body, arg);
	}
	return status;
}
