/* SPDX-License-Identifier: Apache-2.0
 *
 * YAML texts in; the tree, or the exact complaint, out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "vulnbus/buffer.h"
#include "vulnbus/yaml.h"

/* The tree on one line: {key@line:column=value@line:column,...}. */
static void
draw(const struct yaml_node *node, struct buffer *out)
{
	if (node->type == YAML_SCALAR) {
		buffer_print(out, node->is_plain ? "%s" : "'%s'", node->text);
	} else {
		buffer_print(out, "%s", node->type == YAML_MAP ? "{" : "[");
		for (const struct yaml_node *n = node->first; n; n = n->next) {
			if (n != node->first)
				buffer_print(out, ",");
			if (n->key)
				buffer_print(out, "%s@%u:%u=", n->key,
				    n->key_line, n->key_column);
			draw(n, out);
		}
		buffer_print(out, "%s", node->type == YAML_MAP ? "}" : "]");
	}
	buffer_print(out, "@%u:%u", node->line, node->column);
}

static const struct {
	const char *text;
	const char *tree;
} good[] = {
	{ "", "{}@1:1" },
	{ "# nothing\n", "{}@1:1" },
	{ "a: 1\n", "{a@1:1=1@1:4}@1:1" },
	{ "a: 1\nb:\n  c: 'x y'\n",
	    "{a@1:1=1@1:4,b@2:1={c@3:3='x y'@3:6}@3:3}@1:1" },
	{ "- a\n- [b, c]\n- {d: e}\n",
	    "[a@1:3,[b@2:4,c@2:7]@2:3,{d@3:4=e@3:7}@3:3]@1:1" },
	{ "---\na: b\n...\n", "{a@2:1=b@2:4}@2:1" },
	{ "a:\n", "{a@1:1=@1:3}@1:1" },
	{ "a: \"tab\\there\"\n", "{a@1:1='tab\there'@1:4}@1:1" },
	{ "a: |\n  one\n  two\n", "{a@1:1='one\ntwo\n'@1:4}@1:1" },
	{ "a: ${env:X:-y}\n", "{a@1:1=${env:X:-y}@1:4}@1:1" },
};

static const struct {
	const char *text;
	const char *complaint;
} bad[] = {
	{ "a: 1\na: 2\n", "t.yaml:2:1: duplicate key \"a\"" },
	{ "m: {x: 1, y: 2, x: 3}\n", "t.yaml:1:17: duplicate key \"x\"" },
	{ "a:\n  z: 1\n  b: 1\n  b: 2\n  z: 2\n",
	    "t.yaml:4:3: duplicate key \"b\"" },
	{ "a: &x 1\n", "t.yaml:1:4: anchors (&name) are not supported" },
	{ "a: &x [1]\n", "t.yaml:1:4: anchors (&name) are not supported" },
	{ "a: &x {b: 1}\n", "t.yaml:1:4: anchors (&name) are not supported" },
	{ "a: *x\n", "t.yaml:1:4: aliases (*name) are not supported" },
	{ "*x : 1\n", "t.yaml:1:1: aliases (*name) are not supported" },
	{ "a: !!str 1\n", "t.yaml:1:4: tags (!name) are not supported" },
	{ "a: !x [1]\n", "t.yaml:1:4: tags (!name) are not supported" },
	{ "a: ! {b: 1}\n", "t.yaml:1:4: tags (!name) are not supported" },
	{ "a: 1\n---\nb: 2\n",
	    "t.yaml:2:1: more than one document in the file" },
	{ "[a, b]: 1\n", "t.yaml:1:1: a key must be a single value" },
	{ "? {a: b}\n: 1\n", "t.yaml:1:3: a key must be a single value" },
	{ "'': 1\n", "t.yaml:1:1: a key is empty" },
	{ ": 1\n",
	    "t.yaml:1:1: did not find expected key while parsing a block mapping" },
	{ "a: \"x\\0y\"\n", "t.yaml:1:4: NUL is not supported" },
	{ "a: [1, 2\n",
	    "t.yaml:2:1: did not find expected ',' or ']' while parsing a flow sequence" },
	{ "a: 1\n b: 2\n",
	    "t.yaml:2:3: mapping values are not allowed in this context" },
	{ "a: \tb: c\n",
	    "t.yaml:1:6: mapping values are not allowed in this context" },
	{ "a: 'open\n",
	    "t.yaml:2:1: found unexpected end of stream while scanning a quoted scalar" },
	{ "a: \"\\q\"\n",
	    "t.yaml:1:5: found unknown escape character while parsing a quoted scalar" },
	{ "a: b: c\n",
	    "t.yaml:1:5: mapping values are not allowed in this context" },
	{ "\x01", "t.yaml:1:1: control characters are not allowed" },
	{ "a: \x01\n", "t.yaml:1:4: control characters are not allowed" },
	{ "a: 1\nb: \xff\n", "t.yaml:2:4: invalid leading UTF-8 octet" },
	{ "caf\xc3\xa9: \x01",
	    "t.yaml:1:7: control characters are not allowed" },
	{ "[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]",
	    "t.yaml:1:17: nested too deeply" },
	{ "%TAG ! tag:x,2000:\n---\n!a b\n",
	    "t.yaml:3:1: tags (!name) are not supported" },
	{ "a: @b\n",
	    "t.yaml:1:4: found character that cannot start any token while scanning for the next token" },
	{ "<<: {a: b}\n<<: c\n", "t.yaml:2:1: duplicate key \"<<\"" },
};

/* Every text above gives its tree, with the places of keys and values. */
static void
good_texts_give_their_tree(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct yaml_node *root = NULL;
		struct error err = { "" };
		struct buffer tree;
		struct view seen;

		buffer_init(&tree, 4096);
		if (yaml_parse("t.yaml", view_of(good[i].text), &root, &err) !=
		    STATUS_OK)
			fail_msg("%s: %s", good[i].text, err.text);
		draw(root, &tree);
		seen = buffer_view(&tree);
		if (!view_is(seen, good[i].tree))
			fail_msg("%s gives %.*s, not %s", good[i].text,
			    VIEW_ARGS(seen), good[i].tree);
		buffer_clear(&tree);
		yaml_node_free(root);
	}
}

/* Every text above is refused, with its place; nothing is handed out. */
static void
bad_texts_are_refused_with_their_place(void **state)
{
	unsigned failures = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct yaml_node *root = NULL;
		struct error err = { "" };
		enum status status = yaml_parse(
		    "t.yaml", view_of(bad[i].text), &root, &err);

		assert_null(root);
		if (status == STATUS_INVALID &&
		    strcmp(err.text, bad[i].complaint) == 0)
			continue;
		print_error("%s: %s: \"%s\", not \"%s\"\n", bad[i].text,
		    status_name(status), err.text, bad[i].complaint);
		failures++;
	}
	assert_int_equal(failures, 0);
}

static void
assert_refused(struct buffer *text, const char *complaint)
{
	struct yaml_node *root = NULL;
	struct error err = { "" };

	assert_int_equal(buffer_status(text), STATUS_OK);
	assert_int_equal(yaml_parse("t.yaml", buffer_view(text), &root, &err),
	    STATUS_INVALID);
	assert_string_equal(err.text, complaint);
	buffer_clear(text);
}

/* Text, values and depth are bounded, and a raw NUL is refused. */
static void
ceilings_hold(void **state)
{
	struct buffer text;
	char *run;

	(void)state;
	buffer_init(&text, YAML_BYTES_MAX + 1);
	run = buffer_extend(&text, YAML_BYTES_MAX + 1);
	assert_non_null(run);
	memset(run, '#', YAML_BYTES_MAX + 1);
	assert_refused(&text, "t.yaml:1:1: larger than 4194304 bytes");

	for (unsigned i = 0; i < YAML_NODES_MAX; i++)
		buffer_print(&text, "- 1\n");
	assert_refused(&text, "t.yaml:65536:3: too many values in one file");

	buffer_append(&text, "a: b\nc: \0", 9);
	assert_refused(&text, "t.yaml:2:4: NUL is not supported");
}

/* A map of many keys is checked for duplicates quickly. */
static void
many_keys_are_read(void **state)
{
	struct yaml_node *root = NULL;
	struct error err = { "" };
	struct buffer text;

	(void)state;
	buffer_init(&text, YAML_BYTES_MAX);
	for (unsigned i = 0; i < YAML_NODES_MAX - 1; i++)
		buffer_print(&text, "k%u: 1\n", i);
	assert_int_equal(
	    yaml_parse("t.yaml", buffer_view(&text), &root, &err), STATUS_OK);
	yaml_node_free(root);
	buffer_clear(&text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_texts_give_their_tree),
		cmocka_unit_test(bad_texts_are_refused_with_their_place),
		cmocka_unit_test(ceilings_hold),
		cmocka_unit_test(many_keys_are_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
