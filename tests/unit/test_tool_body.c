/* SPDX-License-Identifier: Apache-2.0
 *
 * Bodies of webhooks as the operator's tool makes them: what every vendor says
 * it sends, it understands. The library does not hold the tool. */
#include "check.h"

#include "../../bridge/tool/tool_body.c"
#include "vulnbus/event.h"

/* As it stands, with its defaults, and by its kind. */
static void
vendors_understand_what_they_say_they_send(void **state)
{
	const struct body_values values = { .number = 4711,
		.now_ms = 1700000000000 };
	struct buffer body;
	struct error err;
	size_t seen = 0;

	(void)state;
	buffer_init(&body, BODY_BYTES_MAX);
	for (size_t i = 0; source_all[i] != NULL; i++) {
		const struct source *s = source_find(source_all[i]->name);

		assert_non_null(s->webhooks);
		assert_non_null(s->webhooks[0].kind);
		for (size_t k = 0; s->webhooks[k].kind != NULL; k++, seen++) {
			struct json_document *document = NULL;
			struct event event;

			buffer_reset(&body);
			assert_ok(body_fill(view_of(s->webhooks[k].body),
				      &values, &body, &err),
			    &err);
			assert_ok(
			    json_parse(buffer_view(&body), &document, &err),
			    &err);
			event_init(&event);
			event.source = VIEW("s");
			event.vendor = view_of(s->name);
			assert_ok(
			    s->normalise(json_root(document), 0, &event, &err),
			    &err);
			assert_view(event.kind, s->webhooks[k].kind);
			assert_ok(event_check(&event, &err), &err);
			event_clear(&event);
			json_free(document);
		}
	}
	assert_true(seen >= 16);
	buffer_clear(&body);
}

static void
places_are_filled_and_nothing_else(void **state)
{
	static const struct {
		const char *body, *filled;
	} cases[] = {
		{ "{\"a\":{id}}", "{\"a\":\"7\"}" },
		{ "{\"a\":{n=1},\"b\":{n=1}}", "{\"a\":5,\"b\":5}" },
		{ "[{t=\"x\"},{u=\"x\"}]", "[\"a\\\"b\",\"x\"]" },
		{ "{b=true}{c=false}", "falsefalse" },
		{ "{now}", "\"2023-11-14T22:13:20Z\"" },
		{ "{}{ }{\"id\":1}{Id}{id", "{}{ }{\"id\":1}{Id}{id" },
		{ "{id x}{i1}{=}", "{id x}{i1}{=}" },
		{ "", "" },
	};
	struct body_values values = { .number = 7, .now_ms = 1700000000000 };
	struct buffer out;
	struct error err;

	(void)state;
	assert_true(body_set(&values, VIEW("n"), VIEW("4")));
	assert_true(body_set(&values, VIEW("n"), VIEW("5")));
	assert_true(body_set(&values, VIEW("t"), VIEW("a\"b")));
	assert_true(body_set(&values, VIEW("b"), VIEW("false")));
	assert_int_equal(values.count, 3);
	buffer_init(&out, 1000);
	for (size_t i = 0; i < COUNT(cases); i++) {
		buffer_reset(&out);
		assert_ok(
		    body_fill(view_of(cases[i].body), &values, &out, &err),
		    &err);
		assert_view(buffer_view(&out), cases[i].filled);
	}
	assert_true(body_has(VIEW("{\"a\":{id=1}}"), VIEW("id")));
	assert_false(body_has(VIEW("{\"id\":1}"), VIEW("id")));
	buffer_clear(&out);
}

static void
a_value_has_the_form_of_the_one_it_replaces(void **state)
{
	static const struct {
		const char *body, *value;
	} bad[] = {
		{ "{x=1}", "a" },
		{ "{x=1}", "" },
		{ "{x=1}", "1.5" },
		{ "{x=true}", "1" },
		{ "{x=false}", "\"false\"" },
	};
	struct buffer out;
	struct error err;

	(void)state;
	buffer_init(&out, 1000);
	for (size_t i = 0; i < COUNT(bad); i++) {
		struct body_values values = { .count = 0 };

		assert_true(
		    body_set(&values, VIEW("x"), view_of(bad[i].value)));
		assert_status_of(bad[i].body,
		    body_fill(view_of(bad[i].body), &values, &out, &err),
		    STATUS_INVALID);
	}
	buffer_clear(&out);
}

static void
claims_are_the_body_and_the_time(void **state)
{
	static const struct {
		const char *body, *claims;
	} cases[] = {
		{ "{\"a\":1}", "{\"a\":1,\"iat\":1700000000}" },
		{ " {\"a\":1 }\n", "{\"a\":1 ,\"iat\":1700000000}" },
		{ "{ }", "{ \"iat\":1700000000}" },
		{ "{\"iat\":1}", "{\"iat\":1}" },
		{ "[1]", "[1]" },
		{ "no JSON", "no JSON" },
	};
	const struct source_authentication how = { .stamp = "iat" };
	struct buffer out;

	(void)state;
	buffer_init(&out, 1000);
	for (size_t i = 0; i < COUNT(cases); i++) {
		buffer_reset(&out);
		body_claims(&how, view_of(cases[i].body), 1700000000999, &out);
		assert_view(buffer_view(&out), cases[i].claims);
	}
	buffer_clear(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vendors_understand_what_they_say_they_send),
		cmocka_unit_test(places_are_filled_and_nothing_else),
		cmocka_unit_test(a_value_has_the_form_of_the_one_it_replaces),
		cmocka_unit_test(claims_are_the_body_and_the_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
