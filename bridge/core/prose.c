/* SPDX-License-Identifier: Apache-2.0 */
#include "vulnbus/prose.h"

#include <string.h>
#include <strings.h>

/* An address is found by its @, which may lie beyond the cut: none is longer
 * than 254 bytes (RFC 5321, section 4.5.3.1.3). */
#define LOOK_AHEAD 512
#define MARK       "[e-mail]"
#define REDACTED   " [redacted]"
#define SLACK      64 /* of what one step adds */

static bool
is_alphanumeric(unsigned char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
	       (c >= 'A' && c <= 'Z');
}

/* atext and dot (RFC 5322, section 3.2.3), and beyond ASCII (RFC 6531). */
static bool
is_local(unsigned char c)
{
	return c >= 0x80 || is_alphanumeric(c) ||
	       (c != '\0' && strchr(".!#$%&'*+-/=?^_`{|}~", c) != NULL);
}

static bool
is_domain(unsigned char c)
{
	return c >= 0x80 || is_alphanumeric(c) || c == '.' || c == '-';
}

/* The length of the control character that `text` begins with; 0: none, or
 * newline or tab. */
static size_t
control_bytes(struct view text)
{
	const unsigned char c = (unsigned char)text.data[0];

	if (c == '\n' || c == '\t')
		return 0;
	if (c < 0x20 || c == 0x7f)
		return 1;
	/* U+0080 to U+009F */
	return c == 0xc2 && text.len > 1 &&
		       ((unsigned char)text.data[1] & 0xe0) == 0x80
		   ? 2
		   : 0;
}

static struct view
skip(struct view text, size_t bytes)
{
	return (struct view){ text.data + bytes, text.len - bytes };
}

static struct view
skip_controls(struct view text)
{
	size_t len;

	while (text.len > 0 && (len = control_bytes(text)) > 0)
		text = skip(text, len);
	return text;
}

/* How much of `text` spells `form`, in any case, once the control characters
 * are gone, as they will be; 0: it does not. */
static size_t
spelt_bytes(struct view text, const char *form)
{
	struct view rest = text;

	for (; *form != '\0'; form++) {
		rest = skip_controls(rest);
		if (rest.len == 0 || strncasecmp(rest.data, form, 1) != 0)
			return 0;
		rest = skip(rest, 1);
	}
	return text.len - rest.len;
}

/* The length of an @, as it is, in a URL or in HTML; 0: there is none. */
static size_t
at_sign_bytes(struct view text)
{
	static const char *const forms[] = { "@", "%40", "&#64;", "&#x40;",
		"&commat;" };

	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		const size_t len = spelt_bytes(text, forms[i]);

		if (len > 0)
			return len;
	}
	return 0;
}

static size_t
domain_bytes(struct view text)
{
	struct view rest = skip_controls(text);
	size_t len = 0;

	if (rest.len > 0 && rest.data[0] == '[') {
		const char *end = memchr(rest.data, ']',
		    rest.len < LOOK_AHEAD ? rest.len : LOOK_AHEAD);

		return end == NULL ? 0 : (size_t)(end - text.data) + 1;
	}
	/* Dots at the end are the sentence's. */
	while (rest.len > 0 && is_domain((unsigned char)rest.data[0])) {
		if (rest.data[0] != '.')
			len = (size_t)(rest.data - text.data) + 1;
		rest = skip_controls(skip(rest, 1));
	}
	return len;
}

/* The length of the local part that `text` ends in, bare or quoted. */
static size_t
local_bytes(struct view text)
{
	size_t len = 0;

	while (len < text.len &&
	       is_local((unsigned char)text.data[text.len - len - 1]))
		len++;
	if (len > 0 || text.len < 2 || text.data[text.len - 1] != '"')
		return len;
	for (len = 2; len <= text.len && len <= LOOK_AHEAD; len++)
		if (text.data[text.len - len] == '"')
			return len;
	return 0;
}

/* The length of the name of an HTTP header that holds a secret, up to its
 * colon; 0: the text does not begin with one. */
static size_t
secret_header_bytes(struct view text)
{
	static const char *const names[] = { "authorization:", "cookie:" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const size_t len = spelt_bytes(text, names[i]);

		if (len > 0)
			return len;
	}
	return 0;
}

static size_t
copy_without_controls(char *to, struct view text)
{
	size_t len = 0;

	while ((text = skip_controls(text)).len > 0) {
		to[len++] = text.data[0];
		text = skip(text, 1);
	}
	return len;
}

static size_t
line_bytes(struct view text)
{
	const char *end = memchr(text.data, '\n', text.len);

	return end == NULL ? text.len : (size_t)(end - text.data);
}

struct view
prose_add(struct prose *prose, struct view text)
{
	const size_t most = PROSE_TEXT_BYTES_MAX + LOOK_AHEAD;
	struct view out = { prose->bytes + prose->len, 0 };
	char *const to = prose->bytes + prose->len;

	if (sizeof(prose->bytes) - prose->len < most + SLACK)
		return VIEW("");
	while ((text = skip_controls(text)).len > 0 && out.len < most) {
		const size_t at = at_sign_bytes(text);
		const size_t domain = at == 0 ? 0
					      : domain_bytes(skip(text, at));
		const size_t local = domain == 0 ? 0 : local_bytes(out);
		const size_t header = secret_header_bytes(text);

		if (header > 0) {
			out.len += copy_without_controls(
			    to + out.len, (struct view){ text.data, header });
			memcpy(to + out.len, REDACTED, sizeof(REDACTED) - 1);
			out.len += sizeof(REDACTED) - 1;
			text = skip(text, line_bytes(text));
		} else if (local > 0) {
			out.len -= local;
			memcpy(to + out.len, MARK, sizeof(MARK) - 1);
			out.len += sizeof(MARK) - 1;
			text = skip(text, at + domain);
		} else {
			to[out.len++] = text.data[0];
			text = skip(text, 1);
		}
	}
	out = view_head(out, PROSE_TEXT_BYTES_MAX);
	prose->len += out.len;
	return out;
}
