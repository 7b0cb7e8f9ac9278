/* SPDX-License-Identifier: Apache-2.0 */
#include "vulnbus/tool_filter.h"

static bool
is_of_kind(struct view kind, struct view wanted)
{
	return view_equal(kind, wanted) ||
	       (view_starts(kind, wanted) && kind.data[wanted.len] == '.');
}

static bool
is_of_id(
    struct view id, const struct kafka_record *record, const struct tree *value)
{
	return view_equal(tree_get_text(value, 0, "id"), id) ||
	       view_equal(tree_get_text(value, 0, "event_id"), id) ||
	       view_equal(kafka_record_header(record, "ce_id"), id) ||
	       view_equal(record->key, id);
}

struct view
filter_source(const struct kafka_record *record, const struct tree *value)
{
	struct view key = record->key;

	if (record->value.len > 0)
		return tree_get_text(value, 0, "source");
	return view_cut(&key, '/');
}

bool
filter_is_by_value(const struct filter *filter)
{
	return filter->source.len > 0 || filter->kind.len > 0 ||
	       filter->id.len > 0;
}

bool
filter_takes(const struct filter *filter, const struct kafka_record *record,
    const struct tree *value)
{
	if (filter->key.len > 0 && !view_equal(record->key, filter->key))
		return false;
	if (filter->source.len > 0 &&
	    !view_equal(filter_source(record, value), filter->source))
		return false;
	if (filter->kind.len > 0 &&
	    !is_of_kind(tree_get_text(value, 0, "kind"), filter->kind))
		return false;
	return filter->id.len == 0 || is_of_id(filter->id, record, value);
}
