/* SPDX-License-Identifier: Apache-2.0
 *
 * A record's content before it has a format: an ordered tree of named values,
 * kept flat. Written once, then walked by the JSON and msgpack writers, which
 * need to know how many members a map has before they write the first.
 *
 * Texts are borrowed: they must outlive the tree. Errors stick, as in a
 * buffer: write freely, check tree_status() once. */
#ifndef VULNBUS_TREE_H
#define VULNBUS_TREE_H

#include "vulnbus/view.h"

struct prose;

enum tree_type {
	TREE_NULL,
	TREE_BOOL,
	TREE_INT,
	TREE_REAL,
	TREE_TEXT,
	TREE_LIST,
	TREE_MAP,
};

struct tree_node {
	struct view name; /* empty in a list */
	enum tree_type type;
	bool is_long; /* a text that may be shortened */
	union {
		bool boolean;
		int64_t integer;
		double real;
		struct view text;
		uint32_t count; /* children of a list or map */
	};
	uint32_t end; /* index just past this node and all below it */
};

#define TREE_DEPTH_MAX 32

/* Node 0 is the root map. */
struct tree {
	struct tree_node *nodes; /* owned */
	uint32_t count;
	uint32_t size;
	uint32_t nodes_max;
	uint32_t open[TREE_DEPTH_MAX];
	uint32_t depth;
	enum status status;
	struct prose *prose; /* borrowed: where free text goes; NULL: nowhere,
			      * it is left out */
};

/* Memory is taken at the first write. */
void
tree_init(struct tree *t, uint32_t nodes_max);

void
tree_clear(struct tree *t);

/* Forgets the contents and the error, keeps the memory, and `prose`. */
void
tree_reset(struct tree *t);

void
tree_null(struct tree *t, struct view name);

void
tree_bool(struct tree *t, struct view name, bool value);

void
tree_int(struct tree *t, struct view name, int64_t value);

void
tree_real(struct tree *t, struct view name, double value);

void
tree_text(struct tree *t, struct view name, struct view value);

/* The text only if there is one: an empty view writes nothing. */
void
tree_text_if(struct tree *t, struct view name, struct view value);

/* A text that may end early where a record would be too large. */
void
tree_long_text(struct tree *t, struct view name, struct view value);

void
tree_open_map(struct tree *t, struct view name);

void
tree_open_list(struct tree *t, struct view name);

void
tree_close(struct tree *t);

/* Appends the members of `from`'s map `index` to the open map or list. */
void
tree_copy(struct tree *t, const struct tree *from, uint32_t index);

/* The same of one value; of a map or list only its beginning, which is to be
 * closed. */
void
tree_copy_value(struct tree *t, const struct tree_node *node);

/* STATUS_OK, STATUS_TOO_LARGE (nodes or depth) or STATUS_NO_MEMORY. */
enum status
tree_status(const struct tree *t) MUST_CHECK;

/* The member `name` of the map or list at `index`, or 0 when there is none:
 * node 0 is the root and never anybody's member. */
uint32_t
tree_find(const struct tree *t, uint32_t index, const char *name);

/* Typed reads of a member; the fallback when it is missing or of another
 * type. */
struct view
tree_get_text(const struct tree *t, uint32_t index, const char *name);

int64_t
tree_get_int(
    const struct tree *t, uint32_t index, const char *name, int64_t fallback);

#endif
