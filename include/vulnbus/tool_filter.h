/* SPDX-License-Identifier: Apache-2.0
 *
 * Which records an operator means: --source, --kind, --id, --key. */
#ifndef VULNBUS_TOOL_FILTER_H
#define VULNBUS_TOOL_FILTER_H

#include "vulnbus/kafka.h"
#include "vulnbus/tree.h"

/* An empty view takes every record. The texts are borrowed. */
struct filter {
	struct view source; /* of a tombstone, what its key begins with */
	struct view kind;   /* "scan.completed", or "scan" for all its like */
	struct view id;     /* of the record or its event, or the key */
	struct view key;
};

/* filter_takes needs the record's value. */
bool
filter_is_by_value(const struct filter *filter);

/* `value` may be empty: a tombstone, or nobody asks for it. */
bool
filter_takes(const struct filter *filter, const struct kafka_record *record,
    const struct tree *value);

/* The source of a record: as its value says, or its key. */
struct view
filter_source(const struct kafka_record *record, const struct tree *value);

/* What its value says happened, or nothing. */
struct view
filter_kind(const struct tree *value);

#endif
