/* SPDX-License-Identifier: Apache-2.0
 *
 * Web addresses: ids that stay ids, and the same host or none. */
#include "check.h"

#include "vulnbus/url.h"

#define BASE "https://acme.vdr.example.com"

static void
ids_are_encoded_whole(void **state)
{
	static const struct {
		struct view id;
		const char *expected;
	} cases[] = {
		{ VIEW("39836"), "39836" },
		{ VIEW("aZ09-._~"), "aZ09-._~" },
		{ VIEW("."), "%2E" },
		{ VIEW(".."), "%2E%2E" },
		{ VIEW("..."), "..." },
		{ VIEW("../x"), "..%2Fx" },
		{ VIEW("a/b?c#d"), "a%2Fb%3Fc%23d" },
		{ VIEW("%2e%2e"), "%252e%252e" },
		{ VIEW("a b+c"), "a%20b%2Bc" },
		{ VIEW("a:b@c"), "a%3Ab%40c" },
		{ VIEW("\\\r\n"), "%5C%0D%0A" },
		{ VIEW("\0"), "%00" },
		{ VIEW("\xc3\xa9"), "%C3%A9" },
		{ VIEW(""), "" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct buffer out;

		buffer_init(&out, 100);
		url_encode(cases[i].id, &out);
		assert_view(buffer_view(&out), cases[i].expected);
		buffer_clear(&out);
	}
}

static void
what_is_encoded_decodes(void **state)
{
	struct buffer text, back;
	char every[256];

	(void)state;
	for (size_t i = 0; i < sizeof(every); i++)
		every[i] = (char)i;
	buffer_init(&text, 1000);
	buffer_init(&back, 1000);
	url_encode((struct view){ every, sizeof(every) }, &text);
	assert_status(url_decode(buffer_view(&text), &back), STATUS_OK);
	assert_int_equal(back.len, sizeof(every));
	assert_memory_equal(back.data, every, sizeof(every));
	buffer_clear(&text);
	buffer_clear(&back);
}

static void
broken_escapes_are_refused(void **state)
{
	static const char *const texts[] = { "%", "%2", "a%", "%2g", "%g2",
		"%%20", "%-1", "% 2", "ab%2" };

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++) {
		struct buffer out;

		buffer_init(&out, 100);
		assert_status_of(texts[i], url_decode(view_of(texts[i]), &out),
		    STATUS_INVALID);
		buffer_clear(&out);
	}
}

static void
templates_take_ids(void **state)
{
	static const struct {
		const char *template, *id, *expected;
	} cases[] = {
		{ "/api/v2/scans/{id}", "39836", BASE "/api/v2/scans/39836" },
		{ "/a/{id}/b", "../c", BASE "/a/..%2Fc/b" },
		{ "/a/{id}", "..", BASE "/a/%2E%2E" },
		{ "/a/{id}", "{id}", BASE "/a/%7Bid%7D" },
		{ "/{id}/{id}", "x", BASE "/x/x" },
		{ "/plain", "x", BASE "/plain" },
		{ "/open{", "x", BASE "/open{" },
		{ "/t/{target}/f/{id}/", "7", BASE "/t/o%2Fo/f/7/" },
		{ "/c/{id}?since={since}", "x", BASE "/c/x?since=o%2Fo" },
		{ "/c?page={page}&x={id}", "1", BASE "/c?page=12&x=1" },
		{ "/{}/{Id}", "x", BASE "/o%2Fo/o%2Fo" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct buffer out;

		buffer_init(&out, 100);
		url_fill(VIEW(BASE), view_of(cases[i].template),
		    view_of(cases[i].id), 12, VIEW("o/o"), &out);
		assert_view(buffer_view(&out), cases[i].expected);
		buffer_clear(&out);
	}
}

static void
locations_on_the_same_host_are_followed(void **state)
{
	static const struct {
		const char *base, *location, *expected;
	} cases[] = {
		{ BASE, "/exports/212.csv", BASE "/exports/212.csv" },
		{ BASE, "exports/212.csv", BASE "/exports/212.csv" },
		{ BASE, BASE "/exports/212.csv", BASE "/exports/212.csv" },
		{ BASE, BASE, BASE "/" },
		{ BASE, BASE "?x=1", BASE "/?x=1" },
		{ BASE "/", "/x", BASE "/x" },
		{ BASE "/api/v2", "x", BASE "/x" },
		{ BASE, "HTTPS://ACME.vdr.Example.com/x", BASE "/x" },
		{ BASE, BASE ":443/x", BASE "/x" },
		{ BASE ":443", BASE "/x", BASE ":443/x" },
		{ "http://127.0.0.1", "http://127.0.0.1:80/x",
		    "http://127.0.0.1/x" },
		{ "http://127.0.0.1:8080", "http://127.0.0.1:8080/x",
		    "http://127.0.0.1:8080/x" },
		{ "http://[::1]:81", "http://[::1]:81/x", "http://[::1]:81/x" },
		{ BASE, "/a?next=//evil.example/../b",
		    BASE "/a?next=//evil.example/../b" },
		{ BASE, "/a?x=b:c", BASE "/a?x=b:c" },
		{ BASE, "/a.b/..c/c../...", BASE "/a.b/..c/c../..." },
		{ BASE, "/a%2fb%20c", BASE "/a%2fb%20c" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct error err = { "" };
		struct buffer out;

		buffer_init(&out, 200);
		assert_status_of(cases[i].location,
		    url_resolve(view_of(cases[i].base),
			view_of(cases[i].location), &out, &err),
		    STATUS_OK);
		assert_view(buffer_view(&out), cases[i].expected);
		buffer_clear(&out);
	}
}

static const struct {
	struct view location;
	enum status status;
} elsewhere[] = {
	{ VIEW("https://evil.example/x"), STATUS_UNPROVED },
	{ VIEW("https://evil.example:443/x"), STATUS_UNPROVED },
	{ VIEW("http://acme.vdr.example.com/x"), STATUS_UNPROVED },
	{ VIEW(BASE ":8443/x"), STATUS_UNPROVED },
	{ VIEW(BASE ":80/x"), STATUS_UNPROVED },
	{ VIEW(BASE ":4430/x"), STATUS_UNPROVED },
	{ VIEW(BASE ":/x"), STATUS_UNPROVED },
	{ VIEW(BASE ".evil.example/x"), STATUS_UNPROVED },
	{ VIEW(BASE "@evil.example/x"), STATUS_UNPROVED },
	{ VIEW(BASE ":443@evil.example/x"), STATUS_UNPROVED },
	{ VIEW("https://me@acme.vdr.example.com/x"), STATUS_UNPROVED },
	{ VIEW("https://me:pw@acme.vdr.example.com/x"), STATUS_UNPROVED },
	{ VIEW("https://evil.example#@acme.vdr.example.com/"),
	    STATUS_UNPROVED },
	{ VIEW("https://evil.example?acme.vdr.example.com/"), STATUS_UNPROVED },
	{ VIEW("https://acme.vdr.example.co/x"), STATUS_UNPROVED },
	{ VIEW("https://vdr.example.com/x"), STATUS_UNPROVED },
	{ VIEW("https://"), STATUS_UNPROVED },
	{ VIEW("https:///x"), STATUS_UNPROVED },
	{ VIEW("https:/evil.example/x"), STATUS_UNPROVED },
	{ VIEW("https:evil.example/x"), STATUS_UNPROVED },
	{ VIEW("//evil.example/x"), STATUS_UNPROVED },
	{ VIEW("///evil.example/x"), STATUS_UNPROVED },
	{ VIEW(BASE "//evil.example/x"), STATUS_UNPROVED },
	{ VIEW("javascript:alert(1)"), STATUS_UNPROVED },
	{ VIEW("file:///etc/passwd"), STATUS_UNPROVED },
	{ VIEW("data:text/csv,a"), STATUS_UNPROVED },
	{ VIEW("gopher://acme.vdr.example.com/x"), STATUS_UNPROVED },
	{ VIEW("a:b"), STATUS_UNPROVED },
	{ VIEW("/\\evil.example/x"), STATUS_INVALID },
	{ VIEW("\\\\evil.example/x"), STATUS_INVALID },
	{ VIEW("https:\\\\evil.example/x"), STATUS_INVALID },
	{ VIEW(BASE "\\@evil.example/x"), STATUS_INVALID },
	{ VIEW(" //evil.example/x"), STATUS_INVALID },
	{ VIEW("/x y"), STATUS_INVALID },
	{ VIEW("/x\ty"), STATUS_INVALID },
	{ VIEW("/x\r\nHost: evil.example"), STATUS_INVALID },
	{ VIEW("/x\0y"), STATUS_INVALID },
	{ VIEW("/x\x7f"), STATUS_INVALID },
	{ VIEW("/caf\xc3\xa9"), STATUS_INVALID },
	{ VIEW(""), STATUS_INVALID },
	{ VIEW("/../x"), STATUS_INVALID },
	{ VIEW("../x"), STATUS_INVALID },
	{ VIEW(".."), STATUS_INVALID },
	{ VIEW("/a/./b"), STATUS_INVALID },
	{ VIEW("/a/.."), STATUS_INVALID },
	{ VIEW("/a/..?x"), STATUS_INVALID },
	{ VIEW("/a/..#x"), STATUS_INVALID },
	{ VIEW("/%2e%2e/x"), STATUS_INVALID },
	{ VIEW("/%2E%2e/x"), STATUS_INVALID },
	{ VIEW("/.%2e/x"), STATUS_INVALID },
	{ VIEW("/%2e./x"), STATUS_INVALID },
	{ VIEW("/%2e/x"), STATUS_INVALID },
	{ VIEW(BASE "/../x"), STATUS_INVALID },
};

/* What a vendor's answer, or somebody in its place, might send us to. */
static void
locations_elsewhere_are_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(elsewhere); i++) {
		struct error err = { "" };
		struct buffer out;

		buffer_init(&out, 200);
		assert_status_of(elsewhere[i].location.data,
		    url_resolve(VIEW(BASE), elsewhere[i].location, &out, &err),
		    elsewhere[i].status);
		assert_int_equal(out.len, 0);
		assert_contains(err.text, "location: ");
		buffer_clear(&out);
	}
}

static void
origins_are_compared(void **state)
{
	static const struct {
		const char *a, *b;
		bool is_same;
	} cases[] = {
		{ BASE, BASE "/x", true },
		{ BASE, BASE ":443", true },
		{ BASE, "HTTPS://acme.VDR.example.com", true },
		{ "http://a.example", "http://a.example:80", true },
		{ "http://a.example", "http://a.example:443", false },
		{ "https://a.example", "http://a.example", false },
		{ "https://a.example", "https://b.example", false },
		{ "https://a.example", "/x", false },
		{ "x", "x", false },
		{ "", "", false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct view a = view_of(cases[i].a);
		const struct view b = view_of(cases[i].b);

		assert_int_equal(url_is_same_origin(a, b), cases[i].is_same);
		assert_int_equal(url_is_same_origin(b, a), cases[i].is_same);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ids_are_encoded_whole),
		cmocka_unit_test(what_is_encoded_decodes),
		cmocka_unit_test(broken_escapes_are_refused),
		cmocka_unit_test(templates_take_ids),
		cmocka_unit_test(locations_on_the_same_host_are_followed),
		cmocka_unit_test(locations_elsewhere_are_refused),
		cmocka_unit_test(origins_are_compared),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
