/* SPDX-License-Identifier: Apache-2.0
 *
 * The files of tests/unit/vendors/<vendor>/, and comparing with them. A path
 * is "<vendor>/<case>". */
#ifndef GOLDEN_H
#define GOLDEN_H

#include "check.h"

#include <dirent.h>

#include "vulnbus/json.h"
#include "vulnbus/source.h"

#define VENDORS          "tests/unit/vendors"
#define GOLDEN_NODES_MAX 2000

/* --- files ------------------------------------------------------------- */

/* False when there is no such file. */
static inline bool
read_text(const char *path, const char *suffix, struct buffer *out)
{
	char name[640], chunk[4096];
	FILE *file;
	size_t len;

	snprintf(name, sizeof(name), VENDORS "/%s%s", path, suffix);
	buffer_init(out, 1 << 20);
	file = fopen(name, "rb");
	if (file == NULL)
		return false;
	while ((len = fread(chunk, 1, sizeof(chunk), file)) > 0)
		buffer_append(out, chunk, len);
	fclose(file);
	assert_status(buffer_status(out), STATUS_OK);
	return true;
}

static inline int
golden_is_file(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

/* Every file of every vendor, in order; a vendor without files fails. */
static inline void
golden_each_file(
    void (*visit)(const char *vendor, const char *name, void *arg), void *arg)
{
	for (size_t i = 0; source_all[i] != NULL; i++) {
		const char *vendor = source_all[i]->name;
		struct dirent **entries = NULL;
		char folder[128];
		int count;

		snprintf(folder, sizeof(folder), VENDORS "/%s", vendor);
		count = scandir(folder, &entries, golden_is_file, alphasort);
		if (count <= 0)
			fail_msg("%s: no files", folder);
		for (int k = 0; k < count; k++) {
			visit(vendor, entries[k]->d_name, arg);
			free(entries[k]);
		}
		free(entries);
	}
}

/* NULL when there is no such file. */
static inline struct json_document *
read_json(const char *path, const char *suffix)
{
	struct json_document *document = NULL;
	struct error err = { "" };
	struct buffer text;

	if (read_text(path, suffix, &text))
		assert_ok(
		    json_parse(buffer_view(&text), &document, &err), &err);
	buffer_clear(&text);
	return document;
}

/* --- comparing --------------------------------------------------------- */

static inline bool
same_value(const struct tree *a, uint32_t x, const struct tree *b, uint32_t y);

/* Members in any order, elements in theirs. */
static inline bool
same_children(
    const struct tree *a, uint32_t x, const struct tree *b, uint32_t y)
{
	const bool is_map = a->nodes[x].type == TREE_MAP;
	uint32_t other = y + 1;

	if (a->nodes[x].count != b->nodes[y].count)
		return false;
	for (uint32_t i = x + 1; i < a->nodes[x].end; i = a->nodes[i].end) {
		char name[256];

		snprintf(
		    name, sizeof(name), "%.*s", VIEW_ARGS(a->nodes[i].name));
		if (is_map)
			other = tree_find(b, y, name);
		if (other == 0 || !same_value(a, i, b, other))
			return false;
		other = b->nodes[other].end;
	}
	return true;
}

static inline bool
same_value(const struct tree *a, uint32_t x, const struct tree *b, uint32_t y)
{
	const struct tree_node *p = &a->nodes[x], *q = &b->nodes[y];

	if (p->type != q->type)
		return false;
	switch (p->type) {
	case TREE_NULL:
		return true;
	case TREE_BOOL:
		return p->boolean == q->boolean;
	case TREE_INT:
		return p->integer == q->integer;
	case TREE_REAL:
		return p->real == q->real;
	case TREE_TEXT:
		return view_equal(p->text, q->text);
	case TREE_LIST:
	case TREE_MAP:
		break;
	}
	return same_children(a, x, b, y);
}

static inline void
print_tree(const char *what, const struct tree *t)
{
	struct error err = { "" };
	struct buffer text;
	struct view rest;

	buffer_init(&text, 1 << 20);
	assert_ok(json_write(t, JSON_STYLE_PRETTY, &text, &err), &err);
	rest = buffer_view(&text);
	print_error("%s:\n", what);
	/* cmocka cuts what is longer than 1024 bytes. */
	while (rest.len > 0) {
		const struct view line = view_cut(&rest, '\n');

		print_error("%.*s\n", VIEW_ARGS(line));
	}
	buffer_clear(&text);
}

static inline void
assert_golden(const char *path, const char *suffix, const struct tree *got)
{
	struct json_document *document = read_json(path, suffix);
	struct error err = { "" };
	struct tree expected;
	bool is_same;

	assert_status(tree_status(got), STATUS_OK);
	tree_init(&expected, GOLDEN_NODES_MAX);
	if (document != NULL)
		assert_ok(json_to_tree(document, &expected, &err), &err);
	is_same = document != NULL && same_value(got, 0, &expected, 0);
	if (!is_same) {
		print_tree("got", got);
		print_error("which is not %s%s\n", path, suffix);
	}
	tree_clear(&expected);
	json_free(document);
	assert_true(is_same);
}

#endif
