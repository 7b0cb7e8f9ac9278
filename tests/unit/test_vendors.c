/* SPDX-License-Identifier: Apache-2.0
 *
 * The vendors' contracts, as tables of files in tests/unit/vendors/<vendor>/:
 *
 *   <case>.in.json      a proved notification
 *   <case>.event.json   the event it becomes; .event-1.json the second one
 *   <case>.error        "<status>: <text>" when it is refused or not known
 *   <case>.replies.json a list of what locate asks and what it gets; then
 *   <case>.record.json  what enrich makes of it
 *   <case>.free-text.json  what it makes of it where free text is forwarded
 *
 * Adding a case is adding files. */
#include "golden.h"

#include "vulnbus/authenticate.h"
#include "vulnbus/normalise.h"
#include "vulnbus/prose.h"

#define RECEIVED_MS 1598539393000
#define CASES_MAX   1000

struct vendor_case {
	char vendor[64];
	char path[400]; /* under VENDORS, without the suffix */
};

static struct vendor_case cases[CASES_MAX];
static size_t case_count;

static void
assert_refusal(const char *path, enum status status, const struct error *err)
{
	struct buffer expected;
	char got[600];

	snprintf(got, sizeof(got), "%s: %s", status_name(status), err->text);
	if (!read_text(path, ".error", &expected))
		fail_msg("got \"%s\", and no %s.error", got, path);
	assert_bytes(view_of(got), view_trim(buffer_view(&expected)));
	buffer_clear(&expected);
}

/* --- normalise --------------------------------------------------------- */

/* STATUS_END when there is no event `index`. */
static enum status
normalise_one(const struct vendor_case *c, const struct json_document *in,
    size_t index, struct event *event, struct error *err)
{
	/* The event borrows their texts. */
	static char name[] = "acme";
	static struct config_source source;
	static struct binding binding;

	source = (struct config_source){ .name = name,
		.vendor = (char *)(uintptr_t)c->vendor };
	binding = (struct binding){ .config = &source,
		.contract = source_find(c->vendor),
		.base_url = "https://acme.example" };
	event_init(event);
	return normalise(&binding, json_root(in), index,
	    authenticate_proof(&binding), RECEIVED_MS, event, err);
}

static void
check_event(
    const struct vendor_case *c, const struct event *event, size_t index)
{
	char suffix[32] = ".event.json";
	struct error err = { "" };
	struct event back;
	struct tree t;

	if (index > 0)
		snprintf(suffix, sizeof(suffix), ".event-%zu.json", index);
	tree_init(&t, GOLDEN_NODES_MAX);
	event_to_tree(event, &t);
	assert_golden(c->path, suffix, &t);
	/* It survives the topic. */
	event_init(&back);
	assert_ok(event_from_tree(&t, 0, &back, &err), &err);
	event_clear(&back);
	tree_clear(&t);
}

static bool
has_file(const struct vendor_case *c, const char *suffix)
{
	struct buffer text;
	const bool is_there = read_text(c->path, suffix, &text);

	buffer_clear(&text);
	return is_there;
}

/* Every event of the notification; the first that is refused is the last. */
static enum status
check_events(const struct vendor_case *c, const struct json_document *in)
{
	enum status status = STATUS_OK;
	enum status first = STATUS_END;
	bool is_refused = false;

	for (size_t i = 0; i < 100 && status == STATUS_OK; i++) {
		struct error err = { "" };
		struct event event;

		status = normalise_one(c, in, i, &event, &err);
		if (i == 0)
			first = status;
		if (status == STATUS_OK || status == STATUS_UNKNOWN)
			check_event(c, &event, i);
		if (status != STATUS_OK && status != STATUS_END) {
			assert_refusal(c->path, status, &err);
			is_refused = true;
		}
		event_clear(&event);
	}
	assert_int_equal(has_file(c, ".error"), is_refused);
	return first;
}

/* --- locate and enrich ------------------------------------------------- */

/* One line of a replies file, with what its rows borrow. */
struct step {
	struct view columns[50];
	struct source_rows rows;
};

static void
check_request(
    const struct source_request *request, const struct json_value *expected)
{
	static const char *const asks[] = { "nothing", "json", "rows",
		"later" };

	assert_view(
	    json_text(json_member(expected, "ask")), asks[request->ask]);
	assert_bytes(
	    view_of(request->path), json_text(json_member(expected, "path")));
	assert_bytes(request->id, json_text(json_member(expected, "id")));
	assert_bytes(
	    view_of(request->other), json_text(json_member(expected, "other")));
	assert_bytes(
	    request->location, json_text(json_member(expected, "location")));
}

static struct source_reply
reply_of(const struct json_value *line, struct step *step)
{
	const struct json_value *rows = json_member(line, "rows");
	const struct json_value *columns = json_member(rows, "columns");
	struct source_reply reply = {
		.code = (unsigned)json_int(json_member(line, "code"), 0),
		.document = json_member(line, "document"),
	};

	if (rows == NULL)
		return reply;
	step->rows = (struct source_rows){
		.rows = (uint64_t)json_int(json_member(rows, "rows"), 0),
		.bytes = (uint64_t)json_int(json_member(rows, "bytes"), 0),
		.sha256 = json_text(json_member(rows, "sha256")),
		.columns = step->columns,
		.generation = (uint32_t)json_int(
		    json_member(rows, "generation"), 1),
	};
	while (step->rows.column_count < COUNT(step->columns) &&
	       json_element(columns, step->rows.column_count) != NULL) {
		const size_t i = step->rows.column_count++;

		step->columns[i] = json_text(json_element(columns, i));
	}
	reply.rows = &step->rows;
	return reply;
}

/* Asks until there is no reply left. True when all is known then. */
static bool
converse(const struct source *contract, const struct event *event,
    const struct json_value *script, struct step *steps,
    struct source_replies *replies)
{
	struct source_request request;
	struct error err = { "" };

	for (size_t i = 0; i <= SOURCE_STEPS_MAX; i++) {
		const struct json_value *line = json_element(script, i);

		assert_ok(
		    contract->locate(event, replies, &request, &err), &err);
		if (line == NULL)
			return request.ask == SOURCE_ASK_NOTHING;
		check_request(&request, line);
		if (json_member(line, "code") == NULL) {
			assert_null(json_element(script, i + 1));
			return false;
		}
		assert_true(i < SOURCE_STEPS_MAX);
		replies->items[replies->count++] = reply_of(line, &steps[i]);
	}
	return false;
}

static void
check_record_as(const struct vendor_case *c, const char *suffix,
    const struct event *event, const struct source_replies *replies,
    struct prose *prose)
{
	static const char *const names[] = {
		[SOURCE_RECORD_NONE] = "none",
		[SOURCE_RECORD_SCAN] = "scan",
		[SOURCE_RECORD_EXPORT] = "export",
		[SOURCE_RECORD_FINDING] = "finding",
		[SOURCE_RECORD_TARGET] = "target",
		[SOURCE_RECORD_TARGET_DELETED] = "target-deleted",
		[SOURCE_RECORD_SCORECARD] = "scorecard",
	};
	enum source_record record = SOURCE_RECORD_NONE;
	struct error err = { "" };
	struct tree body, whole;

	tree_init(&body, GOLDEN_NODES_MAX);
	body.prose = prose;
	tree_init(&whole, GOLDEN_NODES_MAX);
	assert_ok(source_find(c->vendor)->enrich(
		      event, replies, &body, &record, &err),
	    &err);
	assert_true((size_t)record < COUNT(names));
	tree_text(&whole, VIEW("record"), view_of(names[record]));
	tree_open_map(&whole, VIEW("body"));
	tree_copy(&whole, &body, 0);
	tree_close(&whole);
	assert_golden(c->path, suffix, &whole);
	tree_clear(&body);
	tree_clear(&whole);
}

static void
check_record(const struct vendor_case *c, const struct event *event,
    const struct source_replies *replies)
{
	static struct prose prose;

	prose.len = 0;
	check_record_as(c, ".record.json", event, replies, NULL);
	if (has_file(c, ".free-text.json"))
		check_record_as(c, ".free-text.json", event, replies, &prose);
}

static void
check_enrichment(const struct vendor_case *c, const struct json_document *in)
{
	struct json_document *script = read_json(c->path, ".replies.json");
	struct source_replies replies = { .count = 0 };
	static struct step steps[SOURCE_STEPS_MAX];
	struct error err = { "" };
	struct event event;
	bool is_known;

	memset(steps, 0, sizeof(steps));
	if (script == NULL)
		return;
	assert_status(normalise_one(c, in, 0, &event, &err), STATUS_OK);
	is_known = converse(
	    source_find(c->vendor), &event, json_root(script), steps, &replies);
	if (is_known)
		check_record(c, &event, &replies);
	assert_int_equal(has_file(c, ".record.json"), is_known);
	event_clear(&event);
	json_free(script);
}

static void
check_case(void **state)
{
	const struct vendor_case *c = *state;
	struct json_document *in = read_json(c->path, ".in.json");

	assert_non_null(in);
	if (check_events(c, in) == STATUS_OK)
		check_enrichment(c, in);
	else
		assert_false(has_file(c, ".replies.json"));
	json_free(in);
}

/* --- the tables -------------------------------------------------------- */

static void
add_case(const char *vendor, const char *name, void *arg)
{
	struct vendor_case *c = &cases[case_count];
	const char *suffix = strstr(name, ".in.json");

	(void)arg;
	if (suffix == NULL || case_count == CASES_MAX)
		return;
	snprintf(c->vendor, sizeof(c->vendor), "%s", vendor);
	snprintf(c->path, sizeof(c->path), "%s/%.*s", vendor,
	    (int)(suffix - name), name);
	case_count++;
}

static void
assert_has_case(const char *vendor, const char *name, void *arg)
{
	struct buffer text;
	char path[600];

	(void)arg;
	snprintf(path, sizeof(path), "%s/%.*s", vendor, (int)strcspn(name, "."),
	    name);
	if (!read_text(path, ".in.json", &text))
		fail_msg("%s/%s: no case", vendor, name);
	buffer_clear(&text);
}

/* A misspelt file would be a case that never runs. */
static void
every_file_belongs_to_a_case(void **state)
{
	(void)state;
	golden_each_file(assert_has_case, NULL);
}

static void
every_contract_is_complete(void **state)
{
	(void)state;
	for (size_t i = 0; source_all[i] != NULL; i++) {
		const struct source *s = source_find(source_all[i]->name);

		assert_non_null(s);
		assert_null(s->like);
		assert_non_null(s->normalise);
		assert_non_null(s->locate);
		assert_non_null(s->enrich);
		assert_non_null(s->api.authorization);
		if (s->authentication.proof == SOURCE_PROOF_JWS_ES512) {
			assert_non_null(s->authentication.header);
			assert_non_null(s->authentication.stamp);
			assert_int_equal(s->authentication.key_path[0], '/');
		} else {
			assert_null(s->authentication.header);
			assert_null(s->authentication.hint);
		}
		for (size_t k = 0; k < SOURCE_PATHS_MAX; k++)
			if (s->api.paths[k].name != NULL)
				assert_int_equal(
				    s->api.paths[k].template[0], '/');
		if (i > 0)
			assert_true(strcmp(source_all[i - 1]->name,
					source_all[i]->name) < 0);
	}
	assert_null(source_find("nobody"));
	assert_null(source_find(""));
}

static void
words_become_comparable(void **state)
{
	static const struct {
		const char *vendor, *word, *severity, *status;
	} words[] = {
		{ "taegis-vdr", "critical", "critical", "" },
		{ "taegis-vdr", "CRITICAL", "critical", "" },
		{ "taegis-vdr", "medium", "medium", "" },
		{ "taegis-vdr", "warning", "low", "" },
		{ "taegis-vdr", "info", "info", "" },
		{ "taegis-vdr", "high", "", "" },
		{ "taegis-vdr", "low", "", "" },
		{ "taegis-vdr", "", "", "" },
		{ "taegis-vdr", "done", "", "completed" },
		{ "taegis-vdr", "DONE", "", "completed" },
		{ "taegis-vdr", "failed", "", "failed" },
		{ "taegis-vdr", "pending", "", "started" },
		{ "taegis-vdr", "PROGRESS", "", "started" },
		{ "taegis-vdr", "CANCEL", "", "canceled" },
		{ "taegis-vdr", "done ", "", "" },
		{ "delve", "warning", "low", "" },
		{ "delve", "done", "", "completed" },
		{ "probely", "40", "critical", "" },
		{ "probely", "30", "high", "" },
		{ "probely", "20", "medium", "" },
		{ "probely", "10", "low", "" },
		{ "probely", "0", "", "" },
		{ "probely", "critical", "", "" },
		{ "probely", "completed", "", "completed" },
		{ "probely", "completed_with_errors", "", "completed" },
		{ "probely", "failed", "", "failed" },
		{ "probely", "canceled", "", "canceled" },
		{ "probely", "canceling", "", "started" },
		{ "probely", "queued", "", "started" },
		{ "probely", "started", "", "started" },
		{ "probely", "paused", "", "started" },
		{ "probely", "pausing", "", "started" },
		{ "probely", "resuming", "", "started" },
		{ "probely", "finishing_up", "", "started" },
		{ "probely", "under_review", "", "started" },
		{ "probely", "done", "", "" },
		{ "securityscorecard", "critical", "critical", "" },
		{ "securityscorecard", "high", "high", "" },
		{ "securityscorecard", "medium", "medium", "" },
		{ "securityscorecard", "low", "low", "" },
		{ "securityscorecard", "info", "info", "" },
		{ "securityscorecard", "positive", "", "" },
		{ "securityscorecard", "warning", "", "" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(words); i++) {
		const struct source *s = source_find(words[i].vendor);
		const struct view word = view_of(words[i].word);

		assert_view(source_severity(s, word), words[i].severity);
		assert_view(source_state(s, word), words[i].status);
	}
}

int
main(void)
{
	const struct CMUnitTest fixed[] = {
		cmocka_unit_test(every_file_belongs_to_a_case),
		cmocka_unit_test(every_contract_is_complete),
		cmocka_unit_test(words_become_comparable),
	};
	static struct CMUnitTest tests[CASES_MAX + COUNT(fixed)];

	golden_each_file(add_case, NULL);
	memcpy(tests, fixed, sizeof(fixed));
	for (size_t i = 0; i < case_count; i++)
		tests[COUNT(fixed) + i] = (struct CMUnitTest){
			.name = cases[i].path,
			.test_func = check_case,
			.initial_state = &cases[i],
		};
	return _cmocka_run_group_tests(
	    "vendors", tests, COUNT(fixed) + case_count, NULL, NULL);
}
