/* SPDX-License-Identifier: Apache-2.0
 *
 * Projections, as a table of files in tests/unit/vendors/<vendor>/:
 *
 *   <case>.ocsf.json            of <case>.event.json and <case>.record.json
 *   <case>.free-text.ocsf.json  of <case>.event.json and <case>.free-text.json
 *
 * The system tests hold the same files against the OCSF schema. */
#include "golden.h"

#include "vulnbus/ocsf.h"
#include "vulnbus/source.h"

#define FETCHED_MS 1598539399000
#define CASES_MAX  1000
#define BASE_URL   "https://acme.example"

struct ocsf_case {
	char path[400];   /* of the event, without its suffix */
	char record[128]; /* the record's suffix */
	bool has_golden;
	char golden[128];
};

static struct ocsf_case cases[CASES_MAX];
static size_t case_count;

/* What a projection is made of. */
struct fixture {
	struct json_document *event_document, *record_document;
	struct tree event_tree, golden, record, out;
	struct event event;
	char id[EVENT_TEXT_BYTES];
	char time[TIMESTAMP_TEXT_SIZE];
	enum topic topic;
};

static enum topic
topic_of(struct view record)
{
	if (view_is(record, "target-deleted"))
		return TOPIC_TARGETS;
	for (int i = 0; i < TOPIC_COUNT; i++)
		if (view_equal(record, view_of(topic_record((enum topic)i))))
			return (enum topic)i;
	return TOPIC_COUNT;
}

/* The record as it stands on its topic. */
static void
add_record(struct fixture *f)
{
	const uint32_t body = tree_find(&f->golden, 0, "body");

	tree_text(&f->record, VIEW("id"), view_of(f->id));
	tree_text(&f->record, VIEW("event_id"), f->event.id);
	tree_text(&f->record, VIEW("source"), f->event.source);
	tree_text(&f->record, VIEW("vendor"), f->event.vendor);
	tree_text(&f->record, VIEW("kind"), f->event.kind);
	tree_int(&f->record, VIEW("fetched_ms"), FETCHED_MS);
	tree_copy(&f->record, &f->golden, body);
	assert_status(tree_status(&f->record), STATUS_OK);
}

/* False when there is nothing to project: no record, or an event alone. */
static bool
open_fixture(const struct ocsf_case *c, struct fixture *f)
{
	struct error err = { "" };

	*f = (struct fixture){ .topic = TOPIC_COUNT };
	tree_init(&f->event_tree, GOLDEN_NODES_MAX);
	tree_init(&f->golden, GOLDEN_NODES_MAX);
	tree_init(&f->record, GOLDEN_NODES_MAX);
	tree_init(&f->out, GOLDEN_NODES_MAX);
	event_init(&f->event);
	f->event_document = read_json(c->path, ".event.json");
	f->record_document = read_json(c->path, c->record);
	assert_non_null(f->event_document);
	assert_non_null(f->record_document);
	assert_ok(json_to_tree(f->event_document, &f->event_tree, &err), &err);
	assert_ok(event_from_tree(&f->event_tree, 0, &f->event, &err), &err);
	assert_ok(json_to_tree(f->record_document, &f->golden, &err), &err);
	f->topic = topic_of(tree_get_text(&f->golden, 0, "record"));
	if (f->topic == TOPIC_COUNT)
		return false;
	snprintf(f->id, sizeof(f->id), "%.*s/%s/ocsf", VIEW_ARGS(f->event.id),
	    topic_record(f->topic));
	if (f->event.occurred_ms != TIMESTAMP_NONE)
		timestamp_print(f->event.occurred_ms, f->time);
	add_record(f);
	assert_true(ocsf_takes(f->topic));
	ocsf_project(&(struct ocsf_source){ .topic = f->topic,
			 .event = &f->event,
			 .record = &f->record,
			 .id = view_of(f->id),
			 .base_url = VIEW(BASE_URL),
			 .original_time = view_of(f->time) },
	    &f->out);
	assert_status(tree_status(&f->out), STATUS_OK);
	return true;
}

static void
close_fixture(struct fixture *f)
{
	event_clear(&f->event);
	tree_clear(&f->event_tree);
	tree_clear(&f->golden);
	tree_clear(&f->record);
	tree_clear(&f->out);
	json_free(f->event_document);
	json_free(f->record_document);
}

/* --- what holds for every record ---------------------------------------- */

static bool
is_somewhere(const struct tree *t, const struct tree_node *wanted)
{
	for (uint32_t i = 1; i < t->count; i++) {
		const struct tree_node *node = &t->nodes[i];

		if (node->type != wanted->type)
			continue;
		if ((node->type == TREE_TEXT &&
			view_equal(node->text, wanted->text)) ||
		    (node->type == TREE_INT &&
			node->integer == wanted->integer) ||
		    (node->type == TREE_REAL && node->real == wanted->real) ||
		    (node->type == TREE_BOOL &&
			node->boolean == wanted->boolean))
			return true;
	}
	return false;
}

/* The words that OCSF has others for. */
static bool
is_translated(const struct tree_node *node)
{
	return view_is(node->name, "status") ||
	       view_is(node->name, "severity") || view_is(node->name, "id");
}

static void
assert_nothing_is_lost(const struct fixture *f)
{
	for (uint32_t i = 1; i < f->record.count; i++) {
		const struct tree_node *node = &f->record.nodes[i];

		if (node->type == TREE_MAP || node->type == TREE_LIST ||
		    is_translated(node) || view_is(node->name, "vendor"))
			continue;
		if (!is_somewhere(&f->out, node))
			fail_msg("%.*s is not in the projection",
			    VIEW_ARGS(node->name));
	}
}

static void
assert_says(const struct fixture *f, const char *name)
{
	if (tree_find(&f->out, 0, name) == 0)
		fail_msg("%s is missing", name);
}

/* It would be a rule out of its place; the writer would keep the last. */
static void
assert_no_name_is_there_twice(const struct fixture *f)
{
	const struct tree *t = &f->out;

	for (uint32_t i = 0; i < t->count; i++)
		for (uint32_t k = i + 1;
		     t->nodes[i].type == TREE_MAP && k < t->nodes[i].end;
		     k = t->nodes[k].end) {
			char name[256];

			snprintf(name, sizeof(name), "%.*s",
			    VIEW_ARGS(t->nodes[k].name));
			if (tree_find(t, i, name) != k)
				fail_msg("%s is there twice", name);
		}
}

static void
assert_promises(const struct fixture *f)
{
	static const char *const required[] = { "activity_id", "category_uid",
		"class_uid", "metadata", "severity_id", "time", "type_uid" };
	const uint32_t metadata = tree_find(&f->out, 0, "metadata");

	for (size_t i = 0; i < COUNT(required); i++)
		assert_says(f, required[i]);
	assert_int_equal(tree_get_int(&f->out, 0, "type_uid", -1),
	    tree_get_int(&f->out, 0, "class_uid", -1) * 100 +
		tree_get_int(&f->out, 0, "activity_id", -1));
	assert_view(tree_get_text(&f->out, metadata, "uid"), f->id);
	assert_view(tree_get_text(&f->out, metadata, "version"), "1.8.0");
	assert_bytes(tree_get_text(&f->out, metadata, "original_event_uid"),
	    f->event.id);
	assert_nothing_is_lost(f);
	assert_no_name_is_there_twice(f);
}

static void
check_case(void **state)
{
	const struct ocsf_case *c = *state;
	struct fixture f;

	if (open_fixture(c, &f)) {
		assert_promises(&f);
		if (c->has_golden)
			assert_golden(c->path, c->golden, &f.out);
	}
	close_fixture(&f);
}

/* --- the rest ------------------------------------------------------------ */

static void
only_records_with_facts_of_their_own_are_projected(void **state)
{
	(void)state;
	assert_false(ocsf_takes(TOPIC_EVENTS));
	assert_false(ocsf_takes(TOPIC_EXPORT_ROWS));
	assert_false(ocsf_takes(TOPIC_DEAD_LETTERS));
	assert_false(ocsf_takes(TOPIC_STATE));
	assert_false(ocsf_takes(TOPIC_OCSF));
}

static void
every_vendor_has_a_product(void **state)
{
	(void)state;
	for (size_t i = 0; source_all[i] != NULL; i++) {
		const struct source_product *product = source_product(
		    view_of(source_all[i]->name));

		assert_non_null(product);
		assert_non_null(product->name);
		assert_non_null(product->vendor);
	}
	assert_string_equal(source_product(VIEW("delve"))->name, "Delve");
	assert_null(source_product(VIEW("nobody")));
	assert_null(source_product(VIEW("")));
}

/* One that no table knows yet, of a finding without an asset. */
static void
another_vendor_is_projected_too(void **state)
{
	struct tree record, out;
	struct event event;
	uint32_t at;

	(void)state;
	event_init(&event);
	tree_init(&record, GOLDEN_NODES_MAX);
	tree_init(&out, GOLDEN_NODES_MAX);
	event.id = VIEW("acme:1");
	event.source = VIEW("acme");
	event.vendor = VIEW("newcomer");
	event.kind = VIEW("finding.reopened");
	event.subject_type = VIEW("finding");
	event.subject_id = VIEW("f1");
	event.received_ms = 1;
	tree_open_map(&record, VIEW("finding"));
	tree_text(&record, VIEW("id"), VIEW("f1"));
	tree_text(&record, VIEW("severity_word"), VIEW("critical"));
	tree_text(&record, VIEW("mood"), VIEW("bad"));
	tree_close(&record);
	assert_status(tree_status(&record), STATUS_OK);
	ocsf_project(&(struct ocsf_source){ .topic = TOPIC_FINDINGS,
			 .event = &event,
			 .record = &record,
			 .id = VIEW("acme:1/finding/ocsf"),
			 .base_url = VIEW(BASE_URL) },
	    &out);
	assert_int_equal(tree_get_int(&out, 0, "type_uid", 0), 200799);
	assert_view(
	    tree_get_text(&out, 0, "activity_name"), "finding.reopened");
	/* A vendor's word is not ours, even when it is the same. */
	assert_int_equal(tree_get_int(&out, 0, "severity_id", 0), 99);
	assert_view(tree_get_text(&out, 0, "severity"), "critical");
	assert_int_equal(tree_get_int(&out, 0, "time", 0), 1);
	at = tree_find(&out, 0, "application");
	assert_view(tree_get_text(&out, at, "uid"), "f1");
	at = tree_find(&out, tree_find(&out, 0, "metadata"), "product");
	assert_view(tree_get_text(&out, at, "name"), "newcomer");
	at = tree_find(&out, tree_find(&out, 0, "unmapped"), "finding");
	assert_view(tree_get_text(&out, at, "mood"), "bad");
	assert_int_equal(tree_find(&out, 0, "resources"), 0);
	tree_clear(&record);
	tree_clear(&out);
	event_clear(&event);
}

static void
add_case(const char *vendor, const char *name, const char *suffix)
{
	struct ocsf_case *c = &cases[case_count];
	const char *dot = strchr(name, '.');
	const size_t len = strlen(name), tail = strlen(suffix);
	struct buffer text;

	if (dot == NULL || case_count == CASES_MAX || len < tail ||
	    dot != name + len - tail || strcmp(dot, suffix) != 0)
		return;
	snprintf(c->path, sizeof(c->path), "%s/%.*s", vendor, (int)(dot - name),
	    name);
	snprintf(c->record, sizeof(c->record), "%s", suffix);
	snprintf(c->golden, sizeof(c->golden), "%s",
	    strcmp(suffix, ".record.json") == 0 ? ".ocsf.json"
						: ".free-text.ocsf.json");
	c->has_golden = read_text(c->path, c->golden, &text);
	buffer_clear(&text);
	case_count++;
}

static void
add_cases(const char *vendor, const char *name, void *arg)
{
	(void)arg;
	add_case(vendor, name, ".record.json");
	add_case(vendor, name, ".free-text.json");
}

static void
count_golden(const char *vendor, const char *name, void *arg)
{
	size_t *goldens = arg;

	(void)vendor;
	*goldens += strstr(name, ".ocsf.json") != NULL;
}

/* A golden without its record would never be looked at. */
static void
every_golden_belongs_to_a_case(void **state)
{
	size_t goldens = 0, known = 0;

	(void)state;
	golden_each_file(count_golden, &goldens);
	for (size_t i = 0; i < case_count; i++)
		known += cases[i].has_golden;
	assert_true(goldens >= 20);
	assert_int_equal(goldens, known);
}

int
main(void)
{
	const struct CMUnitTest fixed[] = {
		cmocka_unit_test(every_golden_belongs_to_a_case),
		cmocka_unit_test(
		    only_records_with_facts_of_their_own_are_projected),
		cmocka_unit_test(every_vendor_has_a_product),
		cmocka_unit_test(another_vendor_is_projected_too),
	};
	static struct CMUnitTest tests[CASES_MAX + COUNT(fixed)];

	golden_each_file(add_cases, NULL);
	memcpy(tests, fixed, sizeof(fixed));
	for (size_t i = 0; i < case_count; i++)
		tests[COUNT(fixed) + i] = (struct CMUnitTest){
			.name = cases[i].path,
			.test_func = check_case,
			.initial_state = &cases[i],
		};
	return _cmocka_run_group_tests(
	    "ocsf", tests, COUNT(fixed) + case_count, NULL, NULL);
}
