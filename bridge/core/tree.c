/* SPDX-License-Identifier: Apache-2.0 */
#include "vulnbus/tree.h"

#include <stdlib.h>

void
tree_init(struct tree *t, uint32_t nodes_max)
{
	*t = (struct tree){ .nodes_max = nodes_max };
}

void
tree_clear(struct tree *t)
{
	free(t->nodes);
	tree_init(t, t->nodes_max);
}

void
tree_reset(struct tree *t)
{
	t->count = 0;
	t->depth = 0;
	t->status = STATUS_OK;
}

static bool
tree_grow(struct tree *t)
{
	uint32_t size = t->size == 0 ? 32 : t->size * 2;
	struct tree_node *nodes;

	if (size > t->nodes_max)
		size = t->nodes_max;
	if (t->count >= size) {
		t->status = STATUS_TOO_LARGE;
		return false;
	}
	nodes = realloc(t->nodes, size * sizeof(*nodes));
	if (nodes == NULL) {
		t->status = STATUS_NO_MEMORY;
		return false;
	}
	t->nodes = nodes;
	t->size = size;
	return true;
}

static struct tree_node *
tree_push(struct tree *t, struct view name, enum tree_type type)
{
	struct tree_node *node;

	if (t->status != STATUS_OK)
		return NULL;
	if (t->count == t->size && !tree_grow(t))
		return NULL;
	node = &t->nodes[t->count++];
	*node =
	    (struct tree_node){ .name = name, .type = type, .end = t->count };
	return node;
}

static struct tree_node *
tree_add(struct tree *t, struct view name, enum tree_type type)
{
	struct tree_node *node;

	if (t->count == 0) {
		if (tree_push(t, VIEW(""), TREE_MAP) == NULL)
			return NULL;
		t->open[0] = 0;
		t->depth = 1;
	}
	node = tree_push(t, name, type);
	if (node != NULL)
		t->nodes[t->open[t->depth - 1]].count++;
	/* The root is never closed by its writer; it ends where the last
	 * member does. */
	if (node != NULL)
		t->nodes[0].end = t->count;
	return node;
}

void
tree_null(struct tree *t, struct view name)
{
	tree_add(t, name, TREE_NULL);
}

void
tree_bool(struct tree *t, struct view name, bool value)
{
	struct tree_node *node = tree_add(t, name, TREE_BOOL);

	if (node != NULL)
		node->boolean = value;
}

void
tree_int(struct tree *t, struct view name, int64_t value)
{
	struct tree_node *node = tree_add(t, name, TREE_INT);

	if (node != NULL)
		node->integer = value;
}

void
tree_real(struct tree *t, struct view name, double value)
{
	struct tree_node *node = tree_add(t, name, TREE_REAL);

	if (node != NULL)
		node->real = value;
}

void
tree_text(struct tree *t, struct view name, struct view value)
{
	struct tree_node *node = tree_add(t, name, TREE_TEXT);

	if (node != NULL)
		node->text = value;
}

void
tree_text_if(struct tree *t, struct view name, struct view value)
{
	if (value.len > 0)
		tree_text(t, name, value);
}

void
tree_long_text(struct tree *t, struct view name, struct view value)
{
	struct tree_node *node = tree_add(t, name, TREE_TEXT);

	if (node == NULL)
		return;
	node->text = value;
	node->is_long = true;
}

static void
tree_open(struct tree *t, struct view name, enum tree_type type)
{
	if (t->status == STATUS_OK && t->depth == TREE_DEPTH_MAX)
		t->status = STATUS_TOO_LARGE;
	if (tree_add(t, name, type) != NULL)
		t->open[t->depth++] = t->count - 1;
}

void
tree_open_map(struct tree *t, struct view name)
{
	tree_open(t, name, TREE_MAP);
}

void
tree_open_list(struct tree *t, struct view name)
{
	tree_open(t, name, TREE_LIST);
}

void
tree_close(struct tree *t)
{
	if (t->status != STATUS_OK || t->depth <= 1)
		return;
	t->depth--;
	t->nodes[t->open[t->depth]].end = t->count;
}

void
tree_copy_value(struct tree *t, const struct tree_node *node)
{
	switch (node->type) {
	case TREE_LIST:
	case TREE_MAP:
		tree_open(t, node->name, node->type);
		break;
	case TREE_TEXT:
		if (node->is_long)
			tree_long_text(t, node->name, node->text);
		else
			tree_text(t, node->name, node->text);
		break;
	case TREE_INT:
		tree_int(t, node->name, node->integer);
		break;
	case TREE_REAL:
		tree_real(t, node->name, node->real);
		break;
	case TREE_BOOL:
		tree_bool(t, node->name, node->boolean);
		break;
	case TREE_NULL:
		tree_null(t, node->name);
		break;
	}
}

void
tree_copy(struct tree *t, const struct tree *from, uint32_t index)
{
	uint32_t ends[TREE_DEPTH_MAX];
	uint32_t depth = 0;

	if (index >= from->count)
		return;
	for (uint32_t i = index + 1; i < from->nodes[index].end; i++) {
		const struct tree_node *node = &from->nodes[i];

		while (depth > 0 && ends[depth - 1] == i) {
			tree_close(t);
			depth--;
		}
		tree_copy_value(t, node);
		if (tree_status(t) != STATUS_OK)
			return;
		if (node->type == TREE_MAP || node->type == TREE_LIST)
			ends[depth++] = node->end;
	}
	for (; depth > 0; depth--)
		tree_close(t);
}

enum status
tree_status(const struct tree *t)
{
	return t->status;
}

uint32_t
tree_find(const struct tree *t, uint32_t index, const char *name)
{
	if (index >= t->count)
		return 0;
	for (uint32_t i = index + 1; i < t->nodes[index].end;
	     i = t->nodes[i].end)
		if (view_is(t->nodes[i].name, name))
			return i;
	return 0;
}

struct view
tree_get_text(const struct tree *t, uint32_t index, const char *name)
{
	uint32_t found = tree_find(t, index, name);

	if (found == 0 || t->nodes[found].type != TREE_TEXT)
		return VIEW("");
	return t->nodes[found].text;
}

int64_t
tree_get_int(
    const struct tree *t, uint32_t index, const char *name, int64_t fallback)
{
	uint32_t found = tree_find(t, index, name);

	if (found == 0 || t->nodes[found].type != TREE_INT)
		return fallback;
	return t->nodes[found].integer;
}
