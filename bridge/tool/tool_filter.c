/* SPDX-License-Identifier: Apache-2.0 */
#include "vulnbus/tool_filter.h"

/* A projection as OCSF has its own names for what stands in every record. */
static struct view
fact(const struct tree *value, const char *name, const char *in_metadata)
{
	const struct view text = tree_get_text(value, 0, name);
	const uint32_t metadata = tree_find(value, 0, "metadata");

	return text.len > 0 || metadata == 0
		   ? text
		   : tree_get_text(value, metadata, in_metadata);
}

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
	       view_equal(fact(value, "event_id", "original_event_uid"), id) ||
	       view_equal(kafka_record_header(record, "ce_id"), id) ||
	       view_equal(record->key, id);
}

struct view
filter_source(const struct kafka_record *record, const struct tree *value)
{
	struct view key = record->key;

	if (record->value.len > 0)
		return fact(value, "source", "source");
	return view_cut(&key, '/');
}

struct view
filter_kind(const struct tree *value)
{
	return fact(value, "kind", "event_code");
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
	    !is_of_kind(filter_kind(value), filter->kind))
		return false;
	return filter->id.len == 0 || is_of_id(filter->id, record, value);
}
