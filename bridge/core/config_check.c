/* SPDX-License-Identifier: Apache-2.0
 *
 * The forms of configured texts: names, addresses, URLs, paths, secrets. Pure
 * functions; each says what the text is not, without quoting it. */
#include "config_table.h"

#include <arpa/inet.h>
#include <string.h>

#define LOWER   "abcdefghijklmnopqrstuvwxyz"
#define UPPER   "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS  "0123456789"
#define SCHEME  "http://"
#define SCHEMES "https://"

static bool
holds_only(struct view v, const char *bytes)
{
	for (size_t i = 0; i < v.len; i++)
		if (v.data[i] == '\0' || !strchr(bytes, v.data[i]))
			return false;
	return true;
}

static bool
is_ip(int family, struct view v)
{
	char text[INET6_ADDRSTRLEN];
	unsigned char address[sizeof(struct in6_addr)];

	if (v.len >= sizeof(text))
		return false;
	memcpy(text, v.data, v.len);
	text[v.len] = '\0';
	return inet_pton(family, text, address) == 1;
}

/* A name, an IPv4 address, or an IPv6 address in brackets. */
static bool
is_host(struct view v)
{
	if (v.len > 2 && v.data[0] == '[' && v.data[v.len - 1] == ']')
		return is_ip(AF_INET6, (struct view){ v.data + 1, v.len - 2 });
	return v.len > 0 && v.len <= 253 &&
	       holds_only(v, LOWER UPPER DIGITS "._-");
}

static bool
is_number(struct view v, int64_t minimum, int64_t maximum)
{
	int64_t value = 0;

	return v.len > 0 && v.len <= 5 && holds_only(v, DIGITS) &&
	       view_to_int(v, &value) == STATUS_OK && value >= minimum &&
	       value <= maximum;
}

/* Cuts the port off; without one it is left empty. */
static struct view
cut_port(struct view *host)
{
	struct view port = { host->data + host->len, 0 };

	while (port.data > host->data) {
		char c = port.data[-1];

		if (c == ']')
			break;
		if (c == ':') {
			host->len = (size_t)(port.data - host->data) - 1;
			return port;
		}
		port.data--;
		port.len++;
	}
	return VIEW("");
}

const char *
config_check_name(struct view text)
{
	if (text.len == 0 || text.len > 63 ||
	    !holds_only(text, LOWER DIGITS "-"))
		return "not 1 to 63 characters of a-z, 0-9 and -";
	return NULL;
}

const char *
config_check_prefix(struct view text)
{
	if (text.len == 0 || text.len > 200 ||
	    !holds_only((struct view){ text.data, 1 }, LOWER DIGITS) ||
	    !holds_only(text, LOWER DIGITS "._-"))
		return "not 1 to 200 characters of a-z, 0-9, ., _ and -, "
		       "the first a letter or digit";
	return NULL;
}

const char *
config_check_address(struct view text)
{
	struct view host = text;
	struct view port = cut_port(&host);

	if (!is_host(host) || !is_number(port, 0, 65535))
		return "not an address host:port, like 0.0.0.0:8080 "
		       "or [::]:8080";
	return NULL;
}

const char *
config_check_network(struct view text)
{
	struct view bits = text;
	struct view address = view_cut(&bits, '/');
	bool has_bits = address.len < text.len;

	if ((is_ip(AF_INET, address) &&
		(!has_bits || is_number(bits, 0, 32))) ||
	    (is_ip(AF_INET6, address) &&
		(!has_bits || is_number(bits, 0, 128))))
		return NULL;
	return "not an address or a network, like 10.0.0.0/8";
}

/* What stands between the scheme and the path. */
static struct view
url_authority(struct view url, struct view *out_path)
{
	struct view scheme = view_starts(url, VIEW(SCHEMES)) ? VIEW(SCHEMES)
							     : VIEW(SCHEME);
	struct view rest = { url.data + scheme.len, url.len - scheme.len };
	struct view authority = rest;

	(void)view_cut(&rest, '/');
	authority.len -= rest.len;
	if (authority.len > 0 && authority.data[authority.len - 1] == '/')
		authority.len--;
	*out_path = rest;
	return authority;
}

const char *
config_check_url(struct view text)
{
	if (!view_starts(text, VIEW(SCHEME)) &&
	    !view_starts(text, VIEW(SCHEMES)))
		return "not a URL that begins with https:// or http://";

	struct view path;
	struct view host = url_authority(text, &path);
	struct view whole = host;
	struct view port = cut_port(&host);
	bool has_port = host.len < whole.len;

	if (memchr(text.data, '?', text.len) ||
	    memchr(text.data, '#', text.len))
		return "not a URL without query and fragment";
	if (whole.len > 0 && memchr(whole.data, '@', whole.len))
		return "not a URL without user name and password";
	if (!is_host(host) || (has_port && !is_number(port, 1, 65535)) ||
	    !holds_only(path, LOWER UPPER DIGITS "/-._~%!$&'()*+,;=:@"))
		return "not a URL of the form https://host[:port][/path]";
	return NULL;
}

bool
config_check_is_exposed(const char *url)
{
	struct view text = view_of(url);

	if (!view_starts(text, VIEW(SCHEME)))
		return false;

	struct view path;
	struct view host = url_authority(text, &path);

	(void)cut_port(&host);
	if (view_is(host, "localhost") || view_is(host, "[::1]"))
		return false;
	return !(view_starts(host, VIEW("127.")) && is_ip(AF_INET, host));
}

const char *
config_check_path(struct view text)
{
	if (text.len == 0 || text.data[0] != '/' ||
	    !holds_only(text, LOWER UPPER DIGITS "/-._~%!$&'()*+,;=:@"))
		return "not a path that begins with /";
	return NULL;
}

static bool
holds_once(struct view text, struct view what)
{
	const char *at = memmem(text.data, text.len, what.data, what.len);

	if (!at)
		return false;

	struct view rest = { at + what.len,
		text.len - what.len - (size_t)(at - text.data) };

	return !memmem(rest.data, rest.len, what.data, what.len);
}

const char *
config_check_connector(struct view text)
{
	size_t braces = 0;

	for (size_t i = 0; i < text.len; i++)
		braces += text.data[i] == '{' || text.data[i] == '}';
	if (text.len == 0 || text.data[0] != '/' || braces != 4 ||
	    !holds_once(text, VIEW("{source}")) ||
	    !holds_once(text, VIEW("{secret}")) ||
	    !holds_only(text, LOWER UPPER DIGITS "/-._~{}"))
		return "not a path that begins with / and holds {source} and "
		       "{secret} once each";
	return NULL;
}

const char *
config_check_hook_secret(struct view text)
{
	if (text.len < 16 || text.len > 200 ||
	    !holds_only(text, LOWER UPPER DIGITS "._~-"))
		return "not 16 to 200 characters of A-Z, a-z, 0-9 and ._~- "
		       "(it stands in a path)";
	return NULL;
}

/* The usual slips: the word in front, OpenSSL's own form (CN = x, O = y), and
 * the old one (/O=y/CN=x). */
const char *
config_check_subject(struct view text)
{
	struct view rest = text;
	const struct view type = view_cut(&rest, '=');

	if (type.len == 0 || type.len == text.len ||
	    !holds_only(type, LOWER UPPER DIGITS ".-") ||
	    view_is(type, "subject"))
		return "not a subject like CN=hooks.example.com,O=Example "
		       "(openssl x509 -noout -subject -nameopt RFC2253)";
	return NULL;
}
