/* SPDX-License-Identifier: Apache-2.0 */
#include "vulnbus/url.h"

#include <string.h>
#include <strings.h>

static bool
is_unreserved(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
	       (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' ||
	       c == '~';
}

void
url_encode(struct view id, struct buffer *out)
{
	const bool is_dots = view_is(id, ".") || view_is(id, "..");

	for (size_t i = 0; i < id.len; i++) {
		const char c = id.data[i];

		if (is_unreserved(c) && !is_dots)
			buffer_append(out, &c, 1);
		else
			buffer_print(out, "%%%02X", (unsigned char)c);
	}
}

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

enum status
url_decode(struct view text, struct buffer *out)
{
	for (size_t i = 0; i < text.len; i++) {
		char c = text.data[i];

		if (c == '%') {
			int high, low;

			if (i + 2 >= text.len)
				return STATUS_INVALID;
			high = hex_value(text.data[i + 1]);
			low = hex_value(text.data[i + 2]);
			if (high < 0 || low < 0)
				return STATUS_INVALID;
			c = (char)(high * 16 + low);
			i += 2;
		}
		buffer_append(out, &c, 1);
	}
	return buffer_status(out);
}

void
url_fill(struct view base, struct view template, struct view id, uint32_t page,
    struct view other, struct buffer *out)
{
	buffer_append_view(out, base);
	while (template.len > 0) {
		const char *close = NULL;

		if (template.data[0] == '{')
			close = memchr(template.data, '}', template.len);
		if (close != NULL) {
			const size_t len = (size_t)(close - template.data) + 1;
			const struct view name = { template.data, len };

			if (view_is(name, "{page}"))
				buffer_print(out, "%u", page);
			else
				url_encode(
				    view_is(name, "{id}") ? id : other, out);
			template.data += len;
			template.len -= len;
			continue;
		}
		buffer_append(out, template.data, 1);
		template.data++;
		template.len--;
	}
}

/* "https://host:port" of an absolute address; empty when it is none. */
static struct view
origin_of(struct view url)
{
	size_t at;

	if (url.len > 8 && strncasecmp(url.data, "https://", 8) == 0)
		at = 8;
	else if (url.len > 7 && strncasecmp(url.data, "http://", 7) == 0)
		at = 7;
	else
		return VIEW("");
	while (at < url.len && strchr("/?#", url.data[at]) == NULL)
		at++;
	return (struct view){ url.data, at };
}

/* Without the port that the scheme implies. */
static struct view
without_default_port(struct view origin)
{
	const bool is_https = strncasecmp(origin.data, "https:", 6) == 0;
	const struct view port = is_https ? VIEW(":443") : VIEW(":80");

	if (origin.len > port.len && memcmp(origin.data + origin.len - port.len,
					 port.data, port.len) == 0)
		origin.len -= port.len;
	return origin;
}

static bool
is_same_origin(struct view a, struct view b)
{
	a = without_default_port(a);
	b = without_default_port(b);
	return a.len == b.len && strncasecmp(a.data, b.data, a.len) == 0;
}

bool
url_is_same_origin(struct view a, struct view b)
{
	a = origin_of(a);
	b = origin_of(b);
	return a.len > 0 && b.len > 0 && is_same_origin(a, b);
}

static bool
is_wellformed(struct view location)
{
	for (size_t i = 0; i < location.len; i++) {
		const unsigned char c = (unsigned char)location.data[i];

		if (c <= ' ' || c >= 0x7f || c == '\\')
			return false;
	}
	return location.len > 0;
}

/* RFC 3986 section 4.2: a colon in the first segment ends a scheme. */
static bool
has_scheme(struct view location)
{
	for (size_t i = 0; i < location.len; i++)
		if (strchr("/?#:", location.data[i]) != NULL)
			return location.data[i] == ':';
	return false;
}

/* "." and "..", also where a dot is spelt "%2e". */
static bool
is_dot_segment(struct view segment)
{
	size_t dots = 0;

	for (; segment.len > 0; dots++) {
		const bool is_escaped = segment.len >= 3 &&
					strncasecmp(segment.data, "%2e", 3) ==
					    0;

		if (segment.data[0] != '.' && !is_escaped)
			return false;
		segment.data += is_escaped ? 3 : 1;
		segment.len -= is_escaped ? 3 : 1;
	}
	return dots == 1 || dots == 2;
}

static bool
has_dot_segment(struct view location)
{
	struct view path = location;

	path.len = 0;
	while (path.len < location.len &&
	       strchr("?#", location.data[path.len]) == NULL)
		path.len++;
	while (path.len > 0)
		if (is_dot_segment(view_cut(&path, '/')))
			return true;
	return false;
}

enum status
url_resolve(struct view base, struct view location, struct buffer *out,
    struct error *err)
{
	const struct view origin = origin_of(base);
	const struct view other = origin_of(location);
	struct view path = location;

	if (!is_wellformed(location))
		return error_set(
		    err, STATUS_INVALID, "location: not a web address");
	if (other.len > 0) {
		if (!is_same_origin(origin, other))
			return error_set(err, STATUS_UNPROVED,
			    "location: not on the configured host");
		path.data += other.len;
		path.len -= other.len;
	} else if (has_scheme(location)) {
		return error_set(err, STATUS_UNPROVED,
		    "location: not on the configured host");
	}
	if (view_starts(path, VIEW("//")))
		return error_set(err, STATUS_UNPROVED,
		    "location: not on the configured host");
	if (has_dot_segment(path))
		return error_set(err, STATUS_INVALID, "location: dot segments");
	buffer_append_view(out, origin);
	if (path.len == 0 || path.data[0] != '/')
		buffer_append(out, "/", 1);
	buffer_append_view(out, path);
	return buffer_status(out);
}
