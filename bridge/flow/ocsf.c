/* SPDX-License-Identifier: Apache-2.0
 *
 * The head that all classes share, then what the class's rules place, then the
 * rest. What goes where is in ocsf_table.c. */
#include "ocsf_table.h"

#include <string.h>

#include "vulnbus/source.h"

/* --- the head ---------------------------------------------------------- */

struct projection {
	const struct ocsf_source *source;
	const struct tree *record;
	const struct ocsf_class *class;
	uint32_t subject; /* the record's main object, "scan"; or 0 */
	struct tree *out;
};

static const struct ocsf_word *
find_word(const struct ocsf_word *words, struct view ours)
{
	for (; words->ours != NULL; words++)
		if (view_is(ours, words->ours))
			return words;
	return NULL;
}

/* An enumerated attribute and its sibling; of what is no word of OCSF, what
 * the source calls it, or nothing if it calls it nothing. */
static int64_t
write_word(struct tree *t, struct view id_name, struct view name,
    const struct ocsf_word *word, struct view theirs)
{
	const int64_t id = word != NULL ? word->id : OCSF_OTHER;

	if (word == NULL && theirs.len == 0)
		return 0;
	tree_int(t, id_name, id);
	tree_text(t, name, word != NULL ? view_of(word->caption) : theirs);
	return id;
}

static struct view
subject_text(const struct projection *p, const char *name)
{
	return p->subject == 0 ? VIEW("")
			       : tree_get_text(p->record, p->subject, name);
}

static const struct ocsf_word *
find_status(const struct projection *p)
{
	const struct view status = subject_text(p, "status");

	return find_word(
	    ocsf_statuses, status.len > 0 ? status : p->source->event->kind);
}

/* What is not about a weakness asks for nothing, unless it failed: "Low: The
 * user decides if action is needed". */
static void
write_severity(const struct projection *p, const struct ocsf_word *status)
{
	const struct view theirs = subject_text(p, "severity_word");
	struct view ours = subject_text(p, "severity");
	const struct ocsf_word *word;

	if (p->source->topic != TOPIC_FINDINGS && ours.len == 0)
		ours = status != NULL && status->id == OCSF_FAILURE
			   ? VIEW("low")
			   : VIEW("info");
	word = find_word(ocsf_severities, ours);
	write_word(p->out, VIEW("severity_id"), VIEW("severity"),
	    ours.len == 0 && theirs.len > 0 ? NULL : word,
	    theirs.len > 0 ? theirs : ours);
}

static void
write_head(const struct projection *p)
{
	const struct event *event = p->source->event;
	const struct view status_word = subject_text(p, "status_word");
	const struct view status = subject_text(p, "status");
	const struct ocsf_word *known = find_status(p);
	struct tree *t = p->out;
	int64_t activity;

	activity = write_word(t, VIEW("activity_id"), VIEW("activity_name"),
	    find_word(ocsf_activities, event->kind), event->kind);
	tree_int(t, VIEW("category_uid"), p->class->category_uid);
	tree_text(t, VIEW("category_name"), view_of(p->class->category_name));
	tree_int(t, VIEW("class_uid"), p->class->uid);
	tree_text(t, VIEW("class_name"), view_of(p->class->name));
	tree_int(t, VIEW("type_uid"), p->class->uid * 100 + activity);
	tree_int(t, VIEW("time"),
	    event->occurred_ms != TIMESTAMP_NONE ? event->occurred_ms
						 : event->received_ms);
	write_severity(p, known);
	write_word(t, VIEW("status_id"), VIEW("status"), known,
	    status.len > 0 ? status : status_word);
	tree_text_if(t, VIEW("status_code"), status_word);
	tree_text_if(
	    t, VIEW("status_detail"), tree_get_text(p->record, 0, "detail"));
}

static void
write_metadata(const struct projection *p)
{
	const struct ocsf_source *source = p->source;
	const struct event *event = source->event;
	const struct source_product *product = source_product(event->vendor);
	struct tree *t = p->out;

	tree_open_map(t, VIEW("metadata"));
	tree_text(t, VIEW("version"), VIEW(OCSF_VERSION));
	tree_text(t, VIEW("uid"), source->id);
	tree_text(t, VIEW("original_event_uid"), event->id);
	tree_text_if(t, VIEW("event_code"), event->kind);
	tree_text(t, VIEW("source"), event->source);
	tree_text_if(t, VIEW("original_time"), source->original_time);
	tree_int(t, VIEW("logged_time"), event->received_ms);
	tree_int(t, VIEW("processed_time"),
	    tree_get_int(p->record, 0, "fetched_ms", event->received_ms));
	if (tree_find(p->record, 0, "cut") != 0)
		tree_bool(t, VIEW("is_truncated"), true);
	tree_open_map(t, VIEW("product"));
	tree_text(t, VIEW("name"),
	    product != NULL ? view_of(product->name) : event->vendor);
	if (product != NULL)
		tree_text(t, VIEW("vendor_name"), view_of(product->vendor));
	tree_text(t, VIEW("url_string"), source->base_url);
	tree_close(t);
	tree_close(t);
}

/* --- the record's own members ------------------------------------------ */

static uint32_t
find_member(const struct tree *t, uint32_t index, struct view name)
{
	for (uint32_t i = index + 1; i < t->nodes[index].end;
	     i = t->nodes[i].end)
		if (view_equal(t->nodes[i].name, name))
			return i;
	return 0;
}

/* `node` is that at `index`, or, under a name of its own, a copy. */
static void
copy_value(
    const struct projection *p, const struct tree_node *node, uint32_t index)
{
	tree_copy_value(p->out, node);
	if (node->type != TREE_MAP && node->type != TREE_LIST)
		return;
	tree_copy(p->out, p->record, index);
	tree_close(p->out);
}

/* False when the record has no such member. *out_index is 0 for what it does
 * not hold itself. */
static bool
resolve(const struct projection *p, const char *from,
    struct tree_node *out_node, uint32_t *out_index)
{
	const uint32_t asset = tree_find(p->record, 0, "asset");
	struct view rest = view_of(from);
	struct view object = view_cut(&rest, '.');
	uint32_t index = 0;

	*out_index = 0;
	*out_node = (struct tree_node){ .type = TREE_TEXT,
		.text = p->source->event->subject_id };
	if (view_is(object, "@subject"))
		return true;
	if (view_is(object, "@asset")) {
		const struct view id = tree_get_text(p->record, asset, "id");

		if (asset != 0 && id.len > 0)
			out_node->text = id;
		return true;
	}
	index = find_member(p->record, 0, object);
	if (index != 0 && rest.len > 0)
		index = find_member(p->record, index, rest);
	*out_index = index;
	if (index != 0)
		*out_node = p->record->nodes[index];
	return index != 0;
}

/* "resources[]": a list of one map. */
static bool
cut_list_mark(struct view *part)
{
	const bool is_list = part->len > 2 && part->data[part->len - 1] == ']';

	part->len -= is_list ? 2 : 0;
	return is_list;
}

/* Closes what `to` is not in, and opens what it is in. */
static void
move(struct tree *t, struct view *at, struct view to)
{
	struct view left = *at, entered = to;

	*at = to;
	while (left.len > 0 && entered.len > 0) {
		struct view a = left, b = entered;

		if (!view_equal(view_cut(&a, '.'), view_cut(&b, '.')))
			break;
		left = a;
		entered = b;
	}
	while (left.len > 0) {
		struct view part = view_cut(&left, '.');

		if (cut_list_mark(&part))
			tree_close(t);
		tree_close(t);
	}
	while (entered.len > 0) {
		struct view part = view_cut(&entered, '.');

		if (cut_list_mark(&part)) {
			tree_open_list(t, part);
			part = VIEW("");
		}
		tree_open_map(t, part);
	}
}

static void
write_members(const struct projection *p, const struct ocsf_rule *rule)
{
	struct view at = VIEW("");
	struct tree_node node;
	uint32_t index;

	for (; rule->from != NULL; rule++) {
		struct view name = view_of(rule->to), place = name;

		if (rule->to == NULL ||
		    (!resolve(p, rule->from, &node, &index) &&
			!rule->is_always))
			continue;
		while (memchr(name.data, '.', name.len) != NULL)
			(void)view_cut(&name, '.');
		place.len -= name.len + (place.len > name.len);
		move(p->out, &at, place);
		node.name = name;
		if (rule->write != NULL)
			rule->write(p->out, p->record, index);
		else
			copy_value(p, &node, index);
	}
	move(p->out, &at, VIEW(""));
}

/* An observable's `name` would point to an attribute; often there is none. */
static void
write_observables(const struct projection *p)
{
	const uint32_t holders[] = { p->subject,
		tree_find(p->record, 0, "asset") };
	bool is_open = false;

	for (size_t i = 0; i < 2; i++)
		for (const struct ocsf_word *word = ocsf_observables;
		     holders[i] != 0 && word->ours != NULL; word++) {
			const struct view value = tree_get_text(
			    p->record, holders[i], word->ours);

			if (value.len == 0)
				continue;
			if (!is_open)
				tree_open_list(p->out, VIEW("observables"));
			is_open = true;
			tree_open_map(p->out, VIEW(""));
			tree_int(p->out, VIEW("type_id"), word->id);
			tree_text(p->out, VIEW("type"), view_of(word->caption));
			tree_text(p->out, VIEW("value"), value);
			tree_close(p->out);
		}
	if (is_open)
		tree_close(p->out);
}

/* --- the rest ---------------------------------------------------------- */

static bool
is_one_of(const char *const *names, struct view name)
{
	for (; *names != NULL; names++)
		if (view_is(name, *names))
			return true;
	return false;
}

/* Has a rule placed the member, or all of its object? */
static bool
is_placed(const struct projection *p, struct view object, struct view member)
{
	for (size_t i = 0; i < OCSF_RULE_LISTS_MAX; i++) {
		const struct ocsf_rule *rule = p->class->rules[i];

		for (; rule != NULL && rule->from != NULL; rule++) {
			struct view rest = view_of(rule->from);

			if (rule->write == NULL &&
			    view_equal(view_cut(&rest, '.'), object) &&
			    view_equal(rest, member))
				return true;
		}
	}
	return false;
}

static void
open_once(const struct projection *p, struct view name, bool *is_open)
{
	if (!*is_open)
		tree_open_map(p->out, name);
	*is_open = true;
}

static void
write_rest_of(const struct projection *p, uint32_t object, bool *is_open)
{
	const struct tree_node *nodes = p->record->nodes;
	bool is_object_open = false;

	for (uint32_t i = object + 1; i < nodes[object].end; i = nodes[i].end) {
		if (is_placed(p, nodes[object].name, nodes[i].name) ||
		    (object == p->subject &&
			is_one_of(ocsf_of_subject, nodes[i].name)))
			continue;
		open_once(p, VIEW("unmapped"), is_open);
		open_once(p, nodes[object].name, &is_object_open);
		copy_value(p, &nodes[i], i);
	}
	if (is_object_open)
		tree_close(p->out);
}

static void
write_rest(const struct projection *p)
{
	const struct tree_node *nodes = p->record->nodes;
	bool is_open = false;

	for (uint32_t i = 1; i < nodes[0].end; i = nodes[i].end) {
		if (is_one_of(ocsf_common, nodes[i].name) ||
		    is_placed(p, nodes[i].name, VIEW("")))
			continue;
		if (nodes[i].type == TREE_MAP) {
			write_rest_of(p, i, &is_open);
			continue;
		}
		open_once(p, VIEW("unmapped"), &is_open);
		copy_value(p, &nodes[i], i);
	}
	if (is_open)
		tree_close(p->out);
}

bool
ocsf_takes(enum topic topic)
{
	return ocsf_classes[topic] != NULL;
}

void
ocsf_project(const struct ocsf_source *source, struct tree *out)
{
	struct projection p = { .source = source,
		.record = source->record,
		.class = ocsf_classes[source->topic],
		.subject = tree_find(
		    source->record, 0, topic_record(source->topic)),
		.out = out };

	if (source->topic == TOPIC_FINDINGS &&
	    subject_text(&p, "cwe_id").len == 0)
		p.class = &ocsf_posture_finding;
	write_head(&p);
	write_metadata(&p);
	for (size_t i = 0; i < OCSF_RULE_LISTS_MAX; i++)
		if (p.class->rules[i] != NULL)
			write_members(&p, p.class->rules[i]);
	write_observables(&p);
	write_rest(&p);
}
