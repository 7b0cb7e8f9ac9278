/* SPDX-License-Identifier: Apache-2.0
 *
 * JSON is read strictly and written well. */
#include "check.h"

#include "vulnbus/json.h"

static struct json_document *
parse(const char *text)
{
	struct json_document *document = NULL;
	struct error err = { "" };

	assert_ok(json_parse(view_of(text), &document, &err), &err);
	return document;
}

static void
only_whole_documents_are_taken(void **state)
{
	static const struct {
		struct view text;
		enum status status;
	} cases[] = {
		{ VIEW("{}"), STATUS_OK },
		{ VIEW(" \t\r\n{} \n"), STATUS_OK },
		{ VIEW("[1,2]"), STATUS_OK },
		{ VIEW("\"a\""), STATUS_OK },
		{ VIEW("1"), STATUS_OK },
		{ VIEW("null"), STATUS_OK },
		{ VIEW("{\"a\":\"\\u0000\"}"), STATUS_OK },
		{ VIEW("{\"a\":\"caf\xc3\xa9\"}"), STATUS_OK },
		{ VIEW(""), STATUS_INVALID },
		{ VIEW(" "), STATUS_INVALID },
		{ VIEW("{"), STATUS_INVALID },
		{ VIEW("{}}"), STATUS_INVALID },
		{ VIEW("{} {}"), STATUS_INVALID },
		{ VIEW("{}x"), STATUS_INVALID },
		{ VIEW("{}\0"), STATUS_INVALID },
		{ VIEW("\0{}"), STATUS_INVALID },
		{ VIEW("{\"a\0b\":1}"), STATUS_INVALID },
		{ VIEW("{\"a\":\"b\0c\"}"), STATUS_INVALID },
		{ VIEW("{\"a\\u0000b\":1}"), STATUS_INVALID },
		{ VIEW("{\"a\":1,}"), STATUS_INVALID },
		{ VIEW("{'a':1}"), STATUS_INVALID },
		{ VIEW("{a:1}"), STATUS_INVALID },
		{ VIEW("{\"a\":01}"), STATUS_INVALID },
		{ VIEW("{\"a\":+1}"), STATUS_INVALID },
		{ VIEW("{\"a\":.5}"), STATUS_INVALID },
		{ VIEW("{\"a\":NaN}"), STATUS_INVALID },
		{ VIEW("{\"a\":Infinity}"), STATUS_INVALID },
		{ VIEW("{\"a\":1e999}"), STATUS_INVALID },
		{ VIEW("{\"a\":9223372036854775808}"), STATUS_INVALID },
		{ VIEW("{/**/}"), STATUS_INVALID },
		{ VIEW("\xef\xbb\xbf{}"), STATUS_INVALID },
		{ VIEW("{\"a\":\"\xff\"}"), STATUS_INVALID },
		{ VIEW("{\"a\":\"\xc0\xaf\"}"), STATUS_INVALID },
		{ VIEW("{\"a\":\"\xed\xa0\x80\"}"), STATUS_INVALID },
		{ VIEW("{\"a\":\"\xf4\x90\x80\x80\"}"), STATUS_INVALID },
		{ VIEW("{\"a\":\"\\ud800\"}"), STATUS_INVALID },
		{ VIEW("{\"a\":\"\n\"}"), STATUS_INVALID },
		{ VIEW("{\"a\":1,\"a\":1}"), STATUS_TOO_MANY },
		{ VIEW("{\"a\":1,\"\\u0061\":2}"), STATUS_TOO_MANY },
		{ VIEW("[{\"b\":{\"a\":1,\"a\":2}}]"), STATUS_TOO_MANY },
		{ VIEW("[{\"a\":1},{\"a\":2}]"), STATUS_OK },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct json_document *document = NULL;
		struct error err = { "" };

		assert_status_of(cases[i].text.data,
		    json_parse(cases[i].text, &document, &err),
		    cases[i].status);
		json_free(document);
	}
}

/* The message says where, never what: the text may hold a secret. */
static void
errors_do_not_quote_the_text(void **state)
{
	struct json_document *document = NULL;
	struct error err = { "" };

	(void)state;
	assert_status(json_parse(VIEW("{\"a\":\n hunter2}"), &document, &err),
	    STATUS_INVALID);
	assert_contains(err.text, "line 2");
	assert_null(strstr(err.text, "hunter"));
	assert_status(
	    json_parse(VIEW("{\"hunter2\":1,\"hunter2\":2}"), &document, &err),
	    STATUS_TOO_MANY);
	assert_null(strstr(err.text, "hunter"));
}

/* Ten thousand brackets end in an error, not in a stack overflow. */
static void
deep_nesting_is_refused(void **state)
{
	static char text[10000];
	struct json_document *document = NULL;
	struct error err = { "" };

	(void)state;
	memset(text, '[', sizeof(text));
	assert_status(
	    json_parse((struct view){ text, sizeof(text) }, &document, &err),
	    STATUS_INVALID);
	for (size_t i = 0; i + 5 <= sizeof(text); i += 5)
		memcpy(text + i, "{\"a\":", 5);
	assert_status(
	    json_parse((struct view){ text, sizeof(text) }, &document, &err),
	    STATUS_INVALID);
}

/* What jansson lets through, the tree refuses: 40 levels are too deep. */
static void
a_tree_takes_no_deep_document(void **state)
{
	char text[128] = "{\"a\":";
	struct json_document *document;
	struct error err = { "" };
	struct tree t;

	(void)state;
	memset(text + 5, '[', 40);
	memset(text + 45, ']', 40);
	text[85] = '}';
	document = parse(text);
	tree_init(&t, 1000);
	assert_status(json_to_tree(document, &t, &err), STATUS_TOO_LARGE);
	tree_clear(&t);
	json_free(document);
}

static void
values_are_read_by_type(void **state)
{
	struct json_document *document = parse(
	    "{\"t\":\"x\\u0000y\",\"i\":-7,\"r\":1.5,\"b\":true,\"n\":null,"
	    "\"l\":[1,\"two\"],\"m\":{\"k\":\"v\"},"
	    "\"min\":-9223372036854775808}");
	const struct json_value *root = json_root(document);

	(void)state;
	assert_int_equal(json_type_of(root), JSON_TYPE_MAP);
	assert_bytes(json_text(json_member(root, "t")), VIEW("x\0y"));
	assert_int_equal(json_int(json_member(root, "i"), 0), -7);
	assert_true(json_number(json_member(root, "i"), 0) == -7.0);
	assert_true(json_number(json_member(root, "r"), 0) == 1.5);
	assert_true(json_bool(json_member(root, "b"), false));
	assert_int_equal(json_type_of(json_member(root, "n")), JSON_TYPE_NULL);
	assert_int_equal(json_type_of(json_member(root, "r")), JSON_TYPE_REAL);
	assert_int_equal(json_type_of(json_member(root, "l")), JSON_TYPE_LIST);
	assert_int_equal(
	    json_int(json_element(json_member(root, "l"), 0), 0), 1);
	assert_view(json_text(json_element(json_member(root, "l"), 1)), "two");
	assert_view(json_text(json_member(json_member(root, "m"), "k")), "v");
	assert_true(json_int(json_member(root, "min"), 0) == INT64_MIN);
	json_free(document);
}

/* Every reader takes NULL and wrong types for a missing value. */
static void
missing_values_are_harmless(void **state)
{
	struct json_document *document = parse("{\"t\":\"x\",\"i\":7}");
	const struct json_value *root = json_root(document);
	const struct json_value *text = json_member(root, "t");

	(void)state;
	assert_null(json_member(root, "missing"));
	assert_null(json_member(NULL, "x"));
	assert_null(json_member(text, "x"));
	assert_null(json_element(NULL, 0));
	assert_null(json_element(root, 0));
	assert_int_equal(json_type_of(NULL), JSON_TYPE_MISSING);
	assert_view(json_text(NULL), "");
	assert_view(json_text(json_member(root, "i")), "");
	assert_int_equal(json_int(NULL, -1), -1);
	assert_int_equal(json_int(text, -1), -1);
	assert_true(json_number(text, -1.0) == -1.0);
	assert_true(json_bool(text, true));
	json_free(document);
	json_free(NULL);
}

static void
a_document_goes_through_a_tree_unchanged(void **state)
{
	static const char text[] =
	    "{\"t\":\"a\\\"b\\\\\\u0007\",\"i\":-7,\"r\":1.5,\"b\":false,"
	    "\"n\":null,\"l\":[[],{},[1,[2]],\"x\"],\"m\":{\"k\":{\"k\":1}},"
	    "\"last\":9223372036854775807}";
	struct json_document *document = parse(text);
	struct error err = { "" };
	struct buffer out;
	struct tree t;

	(void)state;
	tree_init(&t, 100);
	buffer_init(&out, 1000);
	assert_ok(json_to_tree(document, &t, &err), &err);
	assert_ok(json_write(&t, JSON_STYLE_COMPACT, &out, &err), &err);
	assert_view(buffer_view(&out), text);
	buffer_clear(&out);
	tree_clear(&t);
	json_free(document);
}

static void
only_a_map_becomes_a_tree(void **state)
{
	static const char *const texts[] = { "[]", "1", "null", "\"x\"" };

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++) {
		struct json_document *document = parse(texts[i]);
		struct error err = { "" };
		struct tree t;

		tree_init(&t, 100);
		assert_status_of(
		    texts[i], json_to_tree(document, &t, &err), STATUS_INVALID);
		tree_clear(&t);
		json_free(document);
	}
}

static void
members_come_one_after_the_other(void **state)
{
	struct json_document *document = parse(
	    "{\"b\":1,\"a\":{\"x\":2},\"\":3,\"c\":[4]}");
	const struct json_value *root = json_root(document);
	static const char *const names[] = { "b", "a", "", "c" };
	struct json_each each = { .at = NULL };
	size_t count = 0;

	(void)state;
	while (json_each(root, &each)) {
		assert_true(count < COUNT(names));
		assert_view(each.name, names[count]);
		assert_ptr_equal(each.value, json_member(root, names[count]));
		count++;
	}
	assert_int_equal(count, COUNT(names));
	each = (struct json_each){ .at = NULL };
	assert_false(json_each(json_member(root, "b"), &each));
	assert_false(json_each(json_member(root, "c"), &each));
	assert_false(json_each(NULL, &each));
	json_free(document);
	document = parse("{}");
	assert_false(json_each(json_root(document), &each));
	json_free(document);
}

static void
write_text(struct view text, struct buffer *out)
{
	struct error err = { "" };
	struct tree t;

	tree_init(&t, 100);
	tree_text(&t, VIEW("a"), text);
	buffer_init(out, 1000);
	assert_ok(json_write(&t, JSON_STYLE_COMPACT, out, &err), &err);
	tree_clear(&t);
}

/* Bytes that are no UTF-8 do not make the record unreadable. */
static void
bad_bytes_are_replaced(void **state)
{
	static const struct {
		struct view text;
		const char *expected;
	} cases[] = {
		{ VIEW("ok"), "{\"a\":\"ok\"}" },
		{ VIEW(""), "{\"a\":\"\"}" },
		{ { NULL, 0 }, "{\"a\":\"\"}" },
		{ VIEW("caf\xe9!"), "{\"a\":\"caf\xef\xbf\xbd!\"}" },
		{ VIEW("caf\xc3\xa9"), "{\"a\":\"caf\xc3\xa9\"}" },
		{ VIEW("x\0y"), "{\"a\":\"x\\u0000y\"}" },
		{ VIEW("\xff\xff"), "{\"a\":\"\xef\xbf\xbd\xef\xbf\xbd\"}" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct buffer out;

		write_text(cases[i].text, &out);
		assert_view(buffer_view(&out), cases[i].expected);
		buffer_clear(&out);
	}
}

static void
quoting_makes_one_string(void **state)
{
	struct buffer out;

	(void)state;
	buffer_init(&out, 100);
	json_quote(VIEW("a\"\n\xff"), &out);
	assert_status(buffer_status(&out), STATUS_OK);
	assert_view(buffer_view(&out), "\"a\\\"\\n\xef\xbf\xbd\"");
	buffer_clear(&out);
}

static void
writing_keeps_the_ceiling(void **state)
{
	struct error err = { "" };
	struct buffer out;
	struct tree t;

	(void)state;
	tree_init(&t, 100);
	tree_text(&t, VIEW("name"), VIEW("0123456789"));
	buffer_init(&out, 10);
	assert_status(
	    json_write(&t, JSON_STYLE_COMPACT, &out, &err), STATUS_TOO_LARGE);
	buffer_clear(&out);
	tree_clear(&t);
}

static void
an_empty_tree_is_an_empty_object(void **state)
{
	struct error err = { "" };
	struct buffer out;
	struct tree t;

	(void)state;
	tree_init(&t, 100);
	buffer_init(&out, 10);
	assert_ok(json_write(&t, JSON_STYLE_COMPACT, &out, &err), &err);
	assert_view(buffer_view(&out), "{}");
	buffer_clear(&out);
	tree_clear(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_whole_documents_are_taken),
		cmocka_unit_test(errors_do_not_quote_the_text),
		cmocka_unit_test(deep_nesting_is_refused),
		cmocka_unit_test(a_tree_takes_no_deep_document),
		cmocka_unit_test(values_are_read_by_type),
		cmocka_unit_test(missing_values_are_harmless),
		cmocka_unit_test(members_come_one_after_the_other),
		cmocka_unit_test(a_document_goes_through_a_tree_unchanged),
		cmocka_unit_test(only_a_map_becomes_a_tree),
		cmocka_unit_test(bad_bytes_are_replaced),
		cmocka_unit_test(quoting_makes_one_string),
		cmocka_unit_test(writing_keeps_the_ceiling),
		cmocka_unit_test(an_empty_tree_is_an_empty_object),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
