/* SPDX-License-Identifier: Apache-2.0 */
#include "vulnbus/fit.h"

#define SHORT_BYTES 64

static bool
is_cut(const struct tree_node *node, const struct fit *fit)
{
	if (node->type == TREE_TEXT)
		return node->is_long && node->text.len > fit->text_bytes_max;
	return node->type == TREE_LIST && node->count > fit->elements_max;
}

/* As deep as a tree may be: TREE_DEPTH_MAX. */
static void
copy_children(struct tree *to, const struct tree *from, uint32_t index,
    const struct fit *fit)
{
	const bool is_list = from->nodes[index].type == TREE_LIST;
	uint32_t count = 0;

	for (uint32_t i = index + 1; i < from->nodes[index].end;
	     i = from->nodes[i].end) {
		const struct tree_node *node = &from->nodes[i];

		if (is_list && count++ == fit->elements_max)
			return;
		if (is_cut(node, fit) && node->type == TREE_TEXT) {
			tree_text(to, node->name,
			    view_head(node->text, fit->text_bytes_max));
			continue;
		}
		tree_copy_value(to, node);
		if (node->type != TREE_LIST && node->type != TREE_MAP)
			continue;
		copy_children(to, from, i, fit);
		tree_close(to);
	}
}

static bool
is_named(const struct tree *to, uint32_t first, struct view name)
{
	for (uint32_t i = first; i < to->count; i++)
		if (view_equal(to->nodes[i].text, name))
			return true;
	return false;
}

static void
name_cuts(struct tree *to, const struct tree *from, const struct fit *fit)
{
	uint32_t first = 0;

	for (uint32_t i = 1; i < from->count; i++) {
		const struct tree_node *node = &from->nodes[i];

		if (!is_cut(node, fit))
			continue;
		if (first == 0) {
			tree_open_list(to, VIEW("cut"));
			first = to->count;
		}
		if (!is_named(to, first, node->name))
			tree_text(to, VIEW(""), node->name);
	}
	if (first > 0)
		tree_close(to);
}

void
fit_copy(struct tree *to, const struct tree *from, const struct fit *fit)
{
	if (from->count == 0)
		return;
	copy_children(to, from, 0, fit);
	name_cuts(to, from, fit);
}

static void
find_longest(const struct tree *from, struct fit *longest)
{
	*longest = (struct fit){ 0, 0 };
	for (uint32_t i = 1; i < from->count; i++) {
		const struct tree_node *node = &from->nodes[i];

		if (node->type == TREE_TEXT && node->is_long &&
		    node->text.len > longest->text_bytes_max)
			longest->text_bytes_max = node->text.len;
		if (node->type == TREE_LIST &&
		    node->count > longest->elements_max)
			longest->elements_max = node->count;
	}
}

bool
fit_tighten(struct fit *fit, const struct tree *from)
{
	struct fit longest;
	size_t bytes;
	uint32_t count;

	find_longest(from, &longest);
	bytes = fit->text_bytes_max < longest.text_bytes_max
		    ? fit->text_bytes_max
		    : longest.text_bytes_max;
	count = fit->elements_max < longest.elements_max ? fit->elements_max
							 : longest.elements_max;
	if (bytes > 0)
		fit->text_bytes_max = bytes > SHORT_BYTES ? bytes - bytes / 4
							  : 0;
	else if (count > 0)
		fit->elements_max = count - count / 4 - (count < 4);
	return bytes > 0 || count > 0;
}
