/* SPDX-License-Identifier: Apache-2.0
 *
 * Records that are too large: shortened until they fit, and they say so. */
#include "check.h"

#include "vulnbus/encode.h"
#include "vulnbus/fit.h"
#include "vulnbus/json.h"

#define NODES_MAX 2000
#define STEP      (IS_TORTURED ? 61000 : 1000)

static char text[5000];
static struct tree body;

static int
fill(void **state)
{
	(void)state;
	memset(text, 1, sizeof(text)); /* JSON: six bytes each */
	tree_init(&body, NODES_MAX);
	tree_text(&body, VIEW("word"), (struct view){ text, 100 });
	tree_long_text(&body, VIEW("long"), (struct view){ text, 5000 });
	tree_long_text(&body, VIEW("short"), (struct view){ text, 60 });
	tree_open_list(&body, VIEW("changes"));
	for (int i = 0; i < 100; i++) {
		tree_open_map(&body, VIEW(""));
		tree_int(&body, VIEW("number"), i);
		tree_long_text(&body, VIEW("long"), (struct view){ text, 300 });
		tree_close(&body);
	}
	tree_close(&body);
	tree_int(&body, VIEW("change_count"), 100);
	return 0;
}

static int
clear(void **state)
{
	(void)state;
	tree_clear(&body);
	return 0;
}

static size_t
encode_as(
    bool is_ocsf, enum config_format format, size_t most, struct encoded *out)
{
	static struct topics topics;
	const struct encoding encoding = { &topics, format, most };
	const struct encode_record record = {
		.topic = TOPIC_SCORECARDS,
		.is_ocsf = is_ocsf,
		.event = &(struct event){ .source = VIEW("acme"),
		    .subject_type = VIEW("scorecard"),
		    .subject_id = VIEW("example.com") },
		.id = VIEW("1"),
		.made_name = "fetched_ms",
		.body = &body,
	};
	struct error err = { "" };

	encoded_init(out);
	assert_ok(encode_record(&encoding, &record, out, &err), &err);
	return out->record.value.len;
}

static size_t
encode(enum config_format format, size_t most, struct encoded *out)
{
	return encode_as(false, format, most, out);
}

static uint32_t
elements(const struct tree *t, const char *name)
{
	const uint32_t index = tree_find(t, 0, name);

	return index == 0 ? 0 : t->nodes[index].count;
}

static void
what_fits_is_whole(void **state)
{
	struct encoded out;

	(void)state;
	(void)encode(CONFIG_FORMAT_JSON, 0, &out);
	assert_int_equal(tree_find(&out.tree, 0, "cut"), 0);
	assert_int_equal(tree_get_text(&out.tree, 0, "long").len, 5000);
	assert_int_equal(elements(&out.tree, "changes"), 100);
	encoded_clear(&out);
}

static void
every_ceiling_is_kept(void **state)
{
	static const enum config_format formats[] = { CONFIG_FORMAT_JSON,
		CONFIG_FORMAT_MSGPACK };

	(void)state;
	for (size_t i = 0; i < COUNT(formats); i++)
		for (size_t most = 3000; most < 250000; most += STEP) {
			struct encoded out;
			const size_t got = encode(formats[i], most, &out);

			assert_true(got < most);
			assert_int_equal(
			    tree_get_int(&out.tree, 0, "change_count", 0), 100);
			assert_int_equal(
			    tree_get_text(&out.tree, 0, "word").len, 100);
			encoded_clear(&out);
		}
}

static void
texts_go_first_and_each_name_is_said_once(void **state)
{
	struct encoded out;
	uint32_t cut;

	(void)state;
	(void)encode(CONFIG_FORMAT_MSGPACK, 20000, &out);
	cut = tree_find(&out.tree, 0, "cut");
	assert_int_equal(out.tree.nodes[cut].count, 1);
	assert_view(out.tree.nodes[cut + 1].text, "long");
	assert_int_equal(elements(&out.tree, "changes"), 100);
	assert_int_equal(tree_get_text(&out.tree, 0, "short").len, 60);
	encoded_clear(&out);
	(void)encode(CONFIG_FORMAT_MSGPACK, 2500, &out);
	assert_int_equal(elements(&out.tree, "cut"), 3);
	assert_in_range(elements(&out.tree, "changes"), 1, 99);
	encoded_clear(&out);
}

/* It says what was cut where OCSF has a place for it. */
static void
a_projection_keeps_every_ceiling_too(void **state)
{
	(void)state;
	for (size_t most = 4000; most < 250000; most += STEP) {
		struct encoded out;
		uint32_t at;

		assert_true(
		    encode_as(true, CONFIG_FORMAT_MSGPACK, most, &out) < most);
		at = tree_find(&out.tree, 0, "unmapped");
		assert_int_equal(
		    tree_get_int(&out.tree, at, "change_count", 0), 100);
		assert_int_equal(tree_find(&out.tree, 0, "cut"), 0);
		at = tree_find(&out.tree, at, "cut");
		assert_int_equal(at != 0, elements(&out.projected, "cut") > 0);
		at = tree_find(&out.tree, 0, "metadata");
		assert_int_equal(tree_find(&out.tree, at, "is_truncated") != 0,
		    elements(&out.projected, "cut") > 0);
		encoded_clear(&out);
	}
}

static void
it_comes_to_an_end(void **state)
{
	struct encoded out;

	(void)state;
	(void)encode(CONFIG_FORMAT_JSON, 1, &out);
	assert_int_equal(elements(&out.tree, "changes"), 0);
	assert_int_equal(elements(&out.tree, "cut"), 3);
	encoded_clear(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_fits_is_whole),
		cmocka_unit_test(every_ceiling_is_kept),
		cmocka_unit_test(texts_go_first_and_each_name_is_said_once),
		cmocka_unit_test(a_projection_keeps_every_ceiling_too),
		cmocka_unit_test(it_comes_to_an_end),
	};

	return cmocka_run_group_tests(tests, fill, clear);
}
