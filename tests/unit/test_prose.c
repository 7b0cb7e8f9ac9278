/* SPDX-License-Identifier: Apache-2.0
 *
 * Free text: no e-mail address leaves, no control character, no half of a
 * character, and nothing is written beyond its memory. */
#include "check.h"

#include "vulnbus/prose.h"

static struct prose prose;

static struct view
add(struct view text)
{
	prose.len = 0;
	return prose_add(&prose, text);
}

static void
addresses_are_replaced(void **state)
{
	static const struct {
		const char *text, *expected;
	} cases[] = {
		{ "plain, 100% of it", "plain, 100% of it" },
		{ "ask jane.doe+x@mail.example.com.", "ask [e-mail]." },
		{ "jane@example.com", "[e-mail]" },
		{ "<jane@localhost>, \"j d\"@example.com",
		    "<[e-mail]>, [e-mail]" },
		{ "mailto:jane%40example.com?cc=joe&#64;example.com",
		    "mailto:[e-mail][e-mail]" },
		{ "jane&commat;example.com, jane@[192.0.2.1]!",
		    "[e-mail], [e-mail]!" },
		{ "j\xc3\xbcrgen@b\xc3\xbc"
		  "cher.example",
		    "[e-mail]" },
		{ "a@b@c", "[e-mail]@c" },
		{ "https://user:pass@example.com/", "https://user:[e-mail]/" },
		{ "@home @ 5, me@ @", "@home @ 5, me@ @" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		assert_view(add(view_of(cases[i].text)), cases[i].expected);
}

static void
secret_headers_are_replaced(void **state)
{
	(void)state;
	assert_view(
	    add(VIEW("GET /\nAUTHORIZATION: Basic eDp5\nset-cookie: a=b;"
		     "c=d\r\n\nproxy-authorization:x")),
	    "GET /\nAUTHORIZATION: [redacted]\nset-cookie: [redacted]\n\n"
	    "proxy-authorization: [redacted]");
	assert_view(add(VIEW("cookies: 3")), "cookies: 3");
}

static void
control_characters_are_dropped(void **state)
{
	(void)state;
	assert_view(add(VIEW("a\r\n\tb\0c\x1b[31m\x7f\xc2\x9b"
			     "d\xc2\xa0")),
	    "a\n\tbc[31md\xc2\xa0");
	/* Nor do they hide an address. */
	assert_view(add(VIEW("jane\x01@example.com")), "[e-mail]");
	assert_view(add(VIEW("jane@\xc2\x80x")), "[e-mail]");
	assert_view(add(VIEW("jane@\x01"
			     "a.\x02"
			     "b.")),
	    "[e-mail].");
	assert_view(add(VIEW("jane%\x01"
			     "40a.b &\x7f#X40;")),
	    "[e-mail] &#X40;");
	assert_view(add(VIEW("Cook\x01ie: a=b")), "Cookie: [redacted]");
}

static void
long_texts_are_cut_at_a_character(void **state)
{
	static char text[3 * PROSE_TEXT_BYTES_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(text); i += 3)
		memcpy(text + i, "\xe2\x82\xac", 3);
	assert_int_equal(add((struct view){ text, sizeof(text) }).len,
	    PROSE_TEXT_BYTES_MAX - PROSE_TEXT_BYTES_MAX % 3);
}

/* The address goes, though its @ lies beyond the cut. */
static void
an_address_at_the_cut_is_replaced(void **state)
{
	static char text[PROSE_TEXT_BYTES_MAX + 100];
	struct view got;

	(void)state;
	memset(text, ' ', sizeof(text));
	memcpy(text + PROSE_TEXT_BYTES_MAX - 6, "secret@example.com", 18);
	got = add((struct view){ text, sizeof(text) });
	assert_int_equal(got.len, PROSE_TEXT_BYTES_MAX);
	assert_null(memmem(got.data, got.len, "secret", 6));
}

static void
a_full_memory_takes_nothing_more(void **state)
{
	static char text[PROSE_TEXT_BYTES_MAX];
	size_t count = 0;

	(void)state;
	memset(text, 'x', sizeof(text));
	prose.len = 0;
	while (prose_add(&prose, (struct view){ text, sizeof(text) }).len > 0)
		count++;
	assert_true(
	    count * sizeof(text) > PROSE_BYTES_MAX - 3 * PROSE_TEXT_BYTES_MAX);
	assert_true(prose.len <= PROSE_BYTES_MAX);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_are_replaced),
		cmocka_unit_test(secret_headers_are_replaced),
		cmocka_unit_test(control_characters_are_dropped),
		cmocka_unit_test(long_texts_are_cut_at_a_character),
		cmocka_unit_test(an_address_at_the_cut_is_replaced),
		cmocka_unit_test(a_full_memory_takes_nothing_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
