/* SPDX-License-Identifier: Apache-2.0
 *
 * Trees: what is written is found again, and ceilings hold. */
#include "check.h"

#include "vulnbus/tree.h"

static void
members_are_found_by_name(void **state)
{
	struct tree t;
	uint32_t map;

	(void)state;
	tree_init(&t, 100);
	tree_text(&t, VIEW("name"), VIEW("one"));
	tree_open_map(&t, VIEW("inner"));
	tree_int(&t, VIEW("name"), 2);
	tree_close(&t);
	tree_int(&t, VIEW("last"), 3);
	assert_status(tree_status(&t), STATUS_OK);
	map = tree_find(&t, 0, "inner");
	assert_view(tree_get_text(&t, 0, "name"), "one");
	assert_int_equal(tree_get_int(&t, map, "name", -1), 2);
	assert_int_equal(tree_get_int(&t, 0, "last", -1), 3);
	assert_int_equal(tree_find(&t, 0, "missing"), 0);
	assert_int_equal(tree_find(&t, map, "last"), 0);
	assert_int_equal(tree_find(&t, 99, "name"), 0);
	tree_clear(&t);
}

/* A member of another type is as good as missing. */
static void
typed_reads_fall_back(void **state)
{
	struct tree t;

	(void)state;
	tree_init(&t, 100);
	tree_text(&t, VIEW("text"), VIEW("7"));
	tree_int(&t, VIEW("int"), 7);
	tree_real(&t, VIEW("real"), 7.0);
	assert_int_equal(tree_get_int(&t, 0, "text", -1), -1);
	assert_int_equal(tree_get_int(&t, 0, "real", -1), -1);
	assert_int_equal(tree_get_int(&t, 0, "missing", -1), -1);
	assert_view(tree_get_text(&t, 0, "int"), "");
	assert_view(tree_get_text(&t, 0, "missing"), "");
	tree_clear(&t);
}

static void
an_empty_tree_has_no_members(void **state)
{
	struct tree t;

	(void)state;
	tree_init(&t, 100);
	assert_status(tree_status(&t), STATUS_OK);
	assert_int_equal(t.count, 0);
	assert_int_equal(tree_find(&t, 0, "any"), 0);
	tree_close(&t);
	assert_status(tree_status(&t), STATUS_OK);
	tree_clear(&t);
	tree_clear(&t);
}

static void
children_are_counted_and_bounded(void **state)
{
	struct tree t;
	uint32_t list;

	(void)state;
	tree_init(&t, 100);
	tree_open_list(&t, VIEW("list"));
	tree_bool(&t, VIEW(""), true);
	tree_open_map(&t, VIEW(""));
	tree_null(&t, VIEW("x"));
	tree_null(&t, VIEW("y"));
	tree_close(&t);
	tree_close(&t);
	tree_int(&t, VIEW("after"), 1);
	assert_status(tree_status(&t), STATUS_OK);
	list = tree_find(&t, 0, "list");
	assert_int_equal(t.nodes[0].count, 2);
	assert_int_equal(t.nodes[0].end, t.count);
	assert_int_equal(t.nodes[list].count, 2);
	assert_int_equal(t.nodes[list].end, list + 5);
	assert_int_equal(t.nodes[list + 2].count, 2);
	tree_clear(&t);
}

static void
an_empty_text_is_left_out_on_demand(void **state)
{
	struct tree t;

	(void)state;
	tree_init(&t, 100);
	tree_text_if(&t, VIEW("a"), VIEW(""));
	tree_text_if(&t, VIEW("b"), VIEW("x"));
	tree_text(&t, VIEW("c"), VIEW(""));
	assert_int_equal(tree_find(&t, 0, "a"), 0);
	assert_int_equal(tree_find(&t, 0, "b"), 1);
	assert_int_equal(tree_find(&t, 0, "c"), 2);
	tree_clear(&t);
}

/* The root counts: ten nodes are nine members. */
static void
the_ceiling_of_nodes_sticks(void **state)
{
	struct tree t;

	(void)state;
	tree_init(&t, 10);
	for (int i = 0; i < 9; i++)
		tree_int(&t, VIEW("n"), i);
	assert_status(tree_status(&t), STATUS_OK);
	tree_int(&t, VIEW("n"), 9);
	assert_status(tree_status(&t), STATUS_TOO_LARGE);
	assert_int_equal(t.count, 10);
	tree_open_map(&t, VIEW("m"));
	tree_close(&t);
	assert_status(tree_status(&t), STATUS_TOO_LARGE);
	tree_reset(&t);
	tree_int(&t, VIEW("n"), 1);
	assert_status(tree_status(&t), STATUS_OK);
	assert_int_equal(t.count, 2);
	tree_clear(&t);
}

/* The root is one level: 31 more may be open. */
static void
the_ceiling_of_depth_sticks(void **state)
{
	struct tree t;

	(void)state;
	tree_init(&t, 1000);
	tree_int(&t, VIEW("first"), 1);
	for (int i = 1; i < TREE_DEPTH_MAX; i++)
		tree_open_map(&t, VIEW("m"));
	assert_status(tree_status(&t), STATUS_OK);
	tree_open_list(&t, VIEW("m"));
	assert_status(tree_status(&t), STATUS_TOO_LARGE);
	tree_clear(&t);
}

static void
build_sample(struct tree *t)
{
	tree_open_list(t, VIEW("list"));
	tree_text(t, VIEW(""), VIEW("x"));
	tree_open_map(t, VIEW(""));
	tree_real(t, VIEW("r"), 0.5);
	tree_close(t);
	tree_close(t);
	tree_bool(t, VIEW("b"), true);
	tree_null(t, VIEW("n"));
	tree_int(t, VIEW("i"), -1);
	tree_open_map(t, VIEW("empty"));
	tree_close(t);
}

/* A copy under another root has the same nodes, one after the other. */
static void
a_copy_is_the_same(void **state)
{
	struct tree from, to;

	(void)state;
	tree_init(&from, 100);
	tree_init(&to, 100);
	build_sample(&from);
	tree_open_map(&to, VIEW("copy"));
	tree_copy(&to, &from, 0);
	tree_close(&to);
	tree_int(&to, VIEW("after"), 1);
	assert_status(tree_status(&to), STATUS_OK);
	assert_int_equal(to.count, from.count + 2);
	assert_int_equal(to.nodes[0].count, 2);
	for (uint32_t i = 0; i < from.count; i++) {
		assert_int_equal(to.nodes[i + 1].type, from.nodes[i].type);
		assert_int_equal(to.nodes[i + 1].end, from.nodes[i].end + 1);
		if (i > 0)
			assert_bytes(to.nodes[i + 1].name, from.nodes[i].name);
	}
	tree_clear(&from);
	tree_clear(&to);
}

static void
nothing_is_copied_from_nowhere(void **state)
{
	struct tree from, to;

	(void)state;
	tree_init(&from, 100);
	tree_init(&to, 100);
	tree_copy(&to, &from, 0);
	assert_int_equal(to.count, 0);
	tree_text(&from, VIEW("text"), VIEW("x"));
	tree_copy(&to, &from, 1);
	tree_copy(&to, &from, 7);
	assert_int_equal(to.count, 0);
	tree_clear(&from);
	tree_clear(&to);
}

/* A copy that does not fit is an error, not half a copy taken for a whole. */
static void
a_copy_over_the_ceiling_is_an_error(void **state)
{
	struct tree from, to;

	(void)state;
	tree_init(&from, 100);
	tree_init(&to, 5);
	build_sample(&from);
	tree_copy(&to, &from, 0);
	assert_status(tree_status(&to), STATUS_TOO_LARGE);
	tree_clear(&from);
	tree_clear(&to);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(members_are_found_by_name),
		cmocka_unit_test(typed_reads_fall_back),
		cmocka_unit_test(an_empty_tree_has_no_members),
		cmocka_unit_test(children_are_counted_and_bounded),
		cmocka_unit_test(an_empty_text_is_left_out_on_demand),
		cmocka_unit_test(the_ceiling_of_nodes_sticks),
		cmocka_unit_test(the_ceiling_of_depth_sticks),
		cmocka_unit_test(a_copy_is_the_same),
		cmocka_unit_test(nothing_is_copied_from_nowhere),
		cmocka_unit_test(a_copy_over_the_ceiling_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
