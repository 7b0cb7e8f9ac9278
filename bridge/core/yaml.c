/* SPDX-License-Identifier: Apache-2.0
 *
 * libyaml's events in, a tree of nodes out. The only file that knows libyaml;
 * everything YAML has beyond maps, lists and text is refused here. */
#include <yaml.h>

#include "vulnbus/yaml.h"

#include <stdlib.h>
#include <string.h>

struct frame {
	struct yaml_node *node;
	struct yaml_node **tail; /* where the next child goes */
	size_t count;
};

struct reader {
	yaml_parser_t parser;
	const char *name;
	struct view text;
	struct frame frames[YAML_DEPTH_MAX];
	size_t depth;
	struct yaml_node *root;
	/* The key that waits for its value; `pending.key` is owned. */
	struct {
		char *key;
		unsigned line, column;
	} pending;
	size_t nodes;
	unsigned documents;
	struct error *err;
};

static enum status
refuse(struct reader *r, unsigned line, unsigned column, const char *text)
{
	return error_set(r->err, STATUS_INVALID, "%s:%u:%u: %s", r->name, line,
	    column, text);
}

static enum status
refuse_mark(struct reader *r, const yaml_mark_t *mark, const char *text)
{
	return refuse(
	    r, (unsigned)mark->line + 1, (unsigned)mark->column + 1, text);
}

static enum status
refuse_memory(struct reader *r)
{
	return error_set(r->err, STATUS_NO_MEMORY, "out of memory");
}

/* For errors of the byte stream libyaml tells an offset, not a mark. */
static enum status
refuse_offset(struct reader *r, size_t offset, const char *text)
{
	unsigned line = 1, column = 1;

	for (size_t i = 0; i < offset && i < r->text.len; i++) {
		unsigned char c = (unsigned char)r->text.data[i];

		if (c == '\n') {
			line++;
			column = 1;
		} else if ((c & 0xc0) != 0x80) {
			column++;
		}
	}
	return refuse(r, line, column, text);
}

static enum status
refuse_parser(struct reader *r)
{
	yaml_parser_t *p = &r->parser;
	const char *problem = p->problem ? p->problem : "not YAML";

	switch (p->error) {
	case YAML_MEMORY_ERROR:
		return refuse_memory(r);
	case YAML_READER_ERROR:
		return refuse_offset(r, p->problem_offset, problem);
	default:
		break;
	}
	if (!p->context)
		return refuse_mark(r, &p->problem_mark, problem);
	return error_set(r->err, STATUS_INVALID, "%s:%zu:%zu: %s %s", r->name,
	    p->problem_mark.line + 1, p->problem_mark.column + 1, problem,
	    p->context);
}

static struct frame *
top(struct reader *r)
{
	return r->depth > 0 ? &r->frames[r->depth - 1] : NULL;
}

static bool
is_key_next(struct reader *r)
{
	struct frame *f = top(r);

	return f && f->node->type == YAML_MAP && !r->pending.key;
}

/* Makes a node where the reader stands; the tree owns it. */
static enum status
add_node(struct reader *r, enum yaml_type type, const yaml_mark_t *mark,
    struct yaml_node **out_node)
{
	struct frame *f = top(r);

	if (is_key_next(r))
		return refuse_mark(r, mark, "a key must be a single value");
	if (++r->nodes > YAML_NODES_MAX)
		return refuse_mark(r, mark, "too many values in one file");

	struct yaml_node *node = calloc(1, sizeof(*node));

	if (!node)
		return refuse_memory(r);
	node->type = type;
	node->line = (unsigned)mark->line + 1;
	node->column = (unsigned)mark->column + 1;
	node->key = r->pending.key;
	node->key_line = r->pending.line;
	node->key_column = r->pending.column;
	memset(&r->pending, 0, sizeof(r->pending));
	if (f) {
		*f->tail = node;
		f->tail = &node->next;
		f->count++;
	} else {
		r->root = node;
	}
	*out_node = node;
	return STATUS_OK;
}

static enum status
refuse_properties(struct reader *r, const yaml_event_t *event,
    const yaml_char_t *anchor, const yaml_char_t *tag)
{
	if (anchor)
		return refuse_mark(
		    r, &event->start_mark, "anchors (&name) are not supported");
	if (tag)
		return refuse_mark(
		    r, &event->start_mark, "tags (!name) are not supported");
	return STATUS_OK;
}

static enum status
open_node(struct reader *r, enum yaml_type type, const yaml_event_t *event)
{
	struct yaml_node *node = NULL;

	if (r->depth == YAML_DEPTH_MAX)
		return refuse_mark(r, &event->start_mark, "nested too deeply");

	enum status status = add_node(r, type, &event->start_mark, &node);

	if (status == STATUS_OK)
		r->frames[r->depth++] = (struct frame){ .node = node,
			.tail = &node->first };
	return status;
}

static enum status
read_scalar(struct reader *r, const yaml_event_t *event)
{
	const char *value = (const char *)event->data.scalar.value;
	const yaml_mark_t *mark = &event->start_mark;
	struct yaml_node *node = NULL;

	/* "\0" is an escape of double-quoted text. */
	if (strlen(value) != event->data.scalar.length)
		return refuse_mark(r, mark, "NUL is not supported");
	if (is_key_next(r)) {
		if (value[0] == '\0')
			return refuse_mark(r, mark, "a key is empty");
		r->pending.key = strdup(value);
		r->pending.line = (unsigned)mark->line + 1;
		r->pending.column = (unsigned)mark->column + 1;
		return r->pending.key ? STATUS_OK : refuse_memory(r);
	}

	enum status status = add_node(r, YAML_SCALAR, mark, &node);

	if (status != STATUS_OK)
		return status;
	node->is_plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	node->text = strdup(value);
	return node->text ? STATUS_OK : refuse_memory(r);
}

static int
compare_keys(const void *a, const void *b)
{
	const struct yaml_node *x = *(struct yaml_node *const *)a;
	const struct yaml_node *y = *(struct yaml_node *const *)b;
	int order = strcmp(x->key, y->key);

	if (order != 0)
		return order;
	if (x->key_line != y->key_line)
		return x->key_line < y->key_line ? -1 : 1;
	return x->key_column < y->key_column ? -1 : 1;
}

/* Sorted, because comparing each with each takes minutes on a hostile file. */
static enum status
refuse_duplicates(struct reader *r, const struct frame *f)
{
	struct yaml_node **nodes = NULL;
	const struct yaml_node *bad = NULL;
	size_t count = 0;

	if (f->count < 2)
		return STATUS_OK;
	nodes = calloc(f->count, sizeof(struct yaml_node *));
	if (!nodes)
		return refuse_memory(r);
	for (struct yaml_node *n = f->node->first; n; n = n->next)
		nodes[count++] = n;
	qsort(nodes, count, sizeof(struct yaml_node *), compare_keys);
	for (size_t i = 1; i < count; i++) {
		const struct yaml_node *n = nodes[i];

		if (strcmp(nodes[i - 1]->key, n->key) == 0 &&
		    (!bad || n->key_line < bad->key_line))
			bad = n;
	}
	free(nodes);
	if (!bad)
		return STATUS_OK;
	return error_set(r->err, STATUS_INVALID,
	    "%s:%u:%u: duplicate key \"%.64s\"", r->name, bad->key_line,
	    bad->key_column,
	    view_is_printable(view_of(bad->key)) ? bad->key : "?");
}

static enum status
close_node(struct reader *r)
{
	struct frame *f = top(r);

	r->depth--;
	if (f->node->type != YAML_MAP)
		return STATUS_OK;
	return refuse_duplicates(r, f);
}

static enum status
read_event(struct reader *r, const yaml_event_t *event)
{
	const yaml_char_t *anchor = NULL, *tag = NULL;
	enum status status = STATUS_OK;

	switch (event->type) {
	case YAML_DOCUMENT_START_EVENT:
		if (++r->documents > 1)
			return refuse_mark(r, &event->start_mark,
			    "more than one document in the file");
		return STATUS_OK;
	case YAML_ALIAS_EVENT:
		return refuse_mark(
		    r, &event->start_mark, "aliases (*name) are not supported");
	case YAML_SCALAR_EVENT:
		anchor = event->data.scalar.anchor;
		tag = event->data.scalar.tag;
		status = refuse_properties(r, event, anchor, tag);
		return status == STATUS_OK ? read_scalar(r, event) : status;
	case YAML_SEQUENCE_START_EVENT:
		anchor = event->data.sequence_start.anchor;
		tag = event->data.sequence_start.tag;
		status = refuse_properties(r, event, anchor, tag);
		return status == STATUS_OK ? open_node(r, YAML_LIST, event)
					   : status;
	case YAML_MAPPING_START_EVENT:
		anchor = event->data.mapping_start.anchor;
		tag = event->data.mapping_start.tag;
		status = refuse_properties(r, event, anchor, tag);
		return status == STATUS_OK ? open_node(r, YAML_MAP, event)
					   : status;
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		return close_node(r);
	default:
		return STATUS_OK;
	}
}

static enum status
read_events(struct reader *r)
{
	enum status status = STATUS_OK;
	bool is_end = false;

	while (status == STATUS_OK && !is_end) {
		yaml_event_t event;

		if (!yaml_parser_parse(&r->parser, &event))
			return refuse_parser(r);
		status = read_event(r, &event);
		is_end = event.type == YAML_STREAM_END_EVENT;
		if (event.type == YAML_SCALAR_EVENT)
			explicit_bzero(
			    event.data.scalar.value, event.data.scalar.length);
		yaml_event_delete(&event);
	}
	if (status != STATUS_OK || r->root)
		return status;

	const yaml_mark_t start = { 0, 0, 0 };
	struct yaml_node *node = NULL;

	return add_node(r, YAML_MAP, &start, &node);
}

enum status
yaml_parse(const char *name, struct view text, struct yaml_node **out_root,
    struct error *err)
{
	struct reader r = { .name = name, .text = text, .err = err };

	if (text.len > YAML_BYTES_MAX)
		return error_set(err, STATUS_INVALID,
		    "%s:1:1: larger than %u bytes", name, YAML_BYTES_MAX);

	const char *nul = text.len > 0 ? memchr(text.data, 0, text.len) : NULL;

	if (nul)
		return refuse_offset(
		    &r, (size_t)(nul - text.data), "NUL is not supported");
	if (!yaml_parser_initialize(&r.parser))
		return refuse_memory(&r);
	yaml_parser_set_input_string(&r.parser,
	    (const unsigned char *)(text.len > 0 ? text.data : ""), text.len);

	enum status status = read_events(&r);

	yaml_parser_delete(&r.parser);
	free(r.pending.key);
	if (status != STATUS_OK) {
		yaml_node_free(r.root);
		return status;
	}
	*out_root = r.root;
	return STATUS_OK;
}

/* Recursion is as deep as YAML_DEPTH_MAX. */
void
yaml_node_free(struct yaml_node *root)
{
	while (root) {
		struct yaml_node *next = root->next;

		yaml_node_free(root->first);
		free(root->key);
		if (root->text)
			explicit_bzero(root->text, strlen(root->text));
		free(root->text);
		free(root);
		root = next;
	}
}
