/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as a location, an id and an encoded text: what is followed stays
 * on the host, what is encoded stays in its segment. */
#include "fuzz.h"

#include "vulnbus/url.h"

#define BASE "https://acme.example:8443"

static void
require_same_host(struct view location)
{
	struct error err = { "" };
	struct buffer url;

	buffer_init(&url, 1 << 16);
	if (url_resolve(VIEW(BASE "/api"), location, &url, &err) == STATUS_OK) {
		REQUIRE(view_starts(buffer_view(&url), VIEW(BASE "/")));
		REQUIRE(!view_starts(buffer_view(&url), VIEW(BASE "//")));
		REQUIRE(memmem(url.data, url.len, "/../", 4) == NULL ||
			memchr(url.data, '?', url.len) != NULL ||
			memchr(url.data, '#', url.len) != NULL);
		REQUIRE(view_is_printable(buffer_view(&url)));
	} else {
		REQUIRE(
		    url.len == 0 || buffer_status(&url) == STATUS_TOO_LARGE);
	}
	buffer_clear(&url);
}

static void
require_one_segment(struct view id)
{
	struct buffer text, back;

	buffer_init(&text, 1 << 16);
	buffer_init(&back, 1 << 16);
	url_encode(id, &text);
	if (buffer_status(&text) == STATUS_OK) {
		REQUIRE(
		    text.len == 0 || memchr(text.data, '/', text.len) == NULL);
		REQUIRE(!view_is(buffer_view(&text), "."));
		REQUIRE(!view_is(buffer_view(&text), ".."));
		REQUIRE(url_decode(buffer_view(&text), &back) == STATUS_OK);
		REQUIRE(view_equal(buffer_view(&back), id));
	}
	buffer_clear(&text);
	buffer_clear(&back);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const struct view text = { (const char *)data, len };
	struct buffer out;

	require_same_host(text);
	require_one_segment(text);
	buffer_init(&out, 1 << 16);
	if (url_decode(text, &out) == STATUS_OK)
		REQUIRE(out.len <= len);
	buffer_clear(&out);
	return 0;
}
