/* SPDX-License-Identifier: Apache-2.0
 *
 * The door to libyaml: a YAML text as a tree of nodes that know their place.
 * Anchors, aliases, tags, several documents and duplicate keys are refused;
 * depth, nodes and text are bounded. */
#ifndef VULNBUS_YAML_H
#define VULNBUS_YAML_H

#include "vulnbus/view.h"

enum yaml_type { YAML_SCALAR, YAML_LIST, YAML_MAP };

struct yaml_node {
	enum yaml_type type;
	bool is_plain;         /* a scalar without quotes */
	char *key;             /* owned; set on the members of a map */
	char *text;            /* owned; set on scalars */
	unsigned line, column; /* of the value, from 1 */
	unsigned key_line, key_column;
	struct yaml_node *first; /* owned; children, in the file's order */
	struct yaml_node *next;  /* owned by the parent */
};

#define YAML_DEPTH_MAX 16
#define YAML_NODES_MAX 65536
#define YAML_BYTES_MAX (4u << 20)

/* On failure `err` reads "<name>:<line>:<column>: <what is wrong>". The caller
 * frees *out_root. An empty text is an empty map. */
enum status
yaml_parse(const char *name, struct view text, struct yaml_node **out_root,
    struct error *err) MUST_CHECK;

/* Not "yaml_free": libyaml exports that name and calls it through the PLT, so
 * a program that defines it would take libyaml's own frees. */
void
yaml_node_free(struct yaml_node *root);

#endif
