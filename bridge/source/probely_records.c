/* SPDX-License-Identifier: Apache-2.0
 *
 * What the answers of Probely's API become. What they hold of passwords,
 * headers, cookies, seeds of one-time passwords, raw requests and the like is
 * not in any list here, and so goes nowhere. */
#include "probely.h"

#include "vulnbus/json.h"

static void
add_counts(struct tree *t, const struct json_value *object)
{
	static const struct source_field fields[] = {
		{ "criticals", "critical", SOURCE_FORM_COUNT },
		{ "highs", "high", SOURCE_FORM_COUNT },
		{ "mediums", "medium", SOURCE_FORM_COUNT },
		{ "lows", "low", SOURCE_FORM_COUNT },
		{ NULL },
	};

	if (object == NULL)
		return;
	tree_open_map(t, VIEW("counts"));
	source_copy(t, object, fields);
	tree_close(t);
}

static void
add_place(struct tree *t, const struct json_value *target)
{
	static const struct source_field of_target[] = {
		{ "type", "type", SOURCE_FORM_WORD },
		{ NULL },
	};
	static const struct source_field of_site[] = {
		{ "host", "hostname", SOURCE_FORM_WORD },
		{ "url", "url", SOURCE_FORM_ADDRESS },
		{ NULL },
	};

	source_copy(t, target, of_target);
	source_copy(t, json_member(target, "site"), of_site);
}

/* What was scanned: a target as it stands in a scan or finding. */
static void
add_asset(struct tree *body, const struct event *event,
    const struct json_value *target)
{
	const struct view id = tree_get_text(
	    &event->attributes, 0, "target_id");

	if (id.len == 0)
		return;
	tree_open_map(body, VIEW("asset"));
	tree_text(body, VIEW("id"), id);
	add_place(body, target);
	tree_close(body);
}

/* The API's word, or the webhook's own, or the end of its kind. */
static void
add_status(
    const struct event *event, const struct json_value *scan, struct tree *body)
{
	const struct view notified = tree_get_text(
	    &event->attributes, 0, "status");
	struct view word = source_word(json_member(scan, "status"));
	struct view kind = event->kind;

	(void)view_cut(&kind, '.');
	if (word.len == 0)
		word = notified.len > 0 ? notified : kind;
	tree_text_if(body, VIEW("status"), source_state(&source_probely, word));
	tree_text(body, VIEW("status_word"), word);
	tree_text_if(body, VIEW("notified_status"),
	    source_state(&source_probely, notified));
}

static void
enrich_scan(const struct event *event, const struct source_reply *reply,
    struct tree *body)
{
	static const struct source_field fields[] = {
		{ "created", "requested_ms", SOURCE_FORM_TIME },
		{ "started", "started_ms", SOURCE_FORM_TIME },
		{ "completed", "completed_ms", SOURCE_FORM_TIME },
		{ "incremental", "is_incremental", SOURCE_FORM_FLAG },
		{ NULL },
	};
	const struct json_value *scan = reply->document;
	const struct json_value *profile = json_member(scan, "scan_profile");

	tree_open_map(body, VIEW("scan"));
	tree_text(body, VIEW("id"), event->subject_id);
	add_status(event, scan, body);
	source_copy(body, scan, fields);
	/* A word in 2024, an object in the new specification. */
	tree_text_if(body, VIEW("profile"),
	    json_type_of(profile) == JSON_TYPE_MAP
		? source_word(json_member(profile, "id"))
		: source_word(profile));
	add_counts(body, scan);
	tree_close(body);
	source_detail(body, VIEW("detail"), reply);
	add_asset(body, event, json_member(scan, "target"));
}

static void
enrich_finding(const struct event *event, const struct source_reply *reply,
    struct tree *body)
{
	static const struct source_field of_definition[] = {
		{ "id", "definition_id", SOURCE_FORM_WORD },
		{ "name", "title", SOURCE_FORM_WORD },
		{ "cwe_id", "cwe_id", SOURCE_FORM_WORD },
		{ "desc", "description", SOURCE_FORM_PROSE },
		{ NULL },
	};
	static const struct source_field of_finding[] = {
		{ "url", "url", SOURCE_FORM_ADDRESS },
		{ "state", "status_word", SOURCE_FORM_WORD },
		{ "method", "method", SOURCE_FORM_WORD },
		{ "insertion_point", "insertion_point", SOURCE_FORM_WORD },
		{ "parameter", "parameter", SOURCE_FORM_WORD },
		{ "cvss_vector", "cvss_vector", SOURCE_FORM_WORD },
		{ "cvss_score", "cvss_score", SOURCE_FORM_NUMBER },
		{ "new", "is_new", SOURCE_FORM_FLAG },
		{ "retesting", "is_retesting", SOURCE_FORM_FLAG },
		{ "created_at", "created_ms", SOURCE_FORM_TIME },
		{ "last_found", "last_found_ms", SOURCE_FORM_TIME },
		{ "changed", "changed_ms", SOURCE_FORM_TIME },
		{ "evidence", "evidence", SOURCE_FORM_PROSE },
		{ "value", "parameter_value", SOURCE_FORM_PROSE },
		{ "fix", "fix", SOURCE_FORM_PROSE },
		{ "comment", "comment", SOURCE_FORM_PROSE },
		{ "review_reason", "review_reason", SOURCE_FORM_PROSE },
		{ "change_reason", "change_reason", SOURCE_FORM_PROSE },
		{ NULL },
	};
	static const struct source_field of_assignee[] = {
		{ "name", "assignee", SOURCE_FORM_PROSE }, { NULL }
	};
	const struct json_value *finding = reply->document;

	tree_open_map(body, VIEW("finding"));
	tree_text(body, VIEW("id"),
	    tree_get_text(&event->attributes, 0, "finding_id"));
	source_copy_severity(body, &source_probely, VIEW("severity"),
	    VIEW("severity_word"), json_member(finding, "severity"));
	source_copy(body, json_member(finding, "definition"), of_definition);
	source_copy(body, finding, of_finding);
	source_copy(body, json_member(finding, "assignee"), of_assignee);
	tree_close(body);
	source_detail(body, VIEW("detail"), reply);
	add_asset(body, event, json_member(finding, "target"));
}

static void
enrich_target(const struct event *event, const struct source_reply *reply,
    struct tree *body)
{
	static const struct source_field of_site[] = {
		{ "verified", "is_verified", SOURCE_FORM_FLAG },
		{ "verification_method", "verification_method",
		    SOURCE_FORM_WORD },
		{ "verification_date", "verified_ms", SOURCE_FORM_TIME },
		{ "name", "name", SOURCE_FORM_PROSE },
		{ "desc", "description", SOURCE_FORM_PROSE },
		{ NULL },
	};
	static const struct source_field of_target[] = {
		{ "changed", "changed_ms", SOURCE_FORM_TIME }, { NULL }
	};
	const struct json_value *target = reply->document;

	tree_open_map(body, VIEW("target"));
	tree_text(body, VIEW("id"), event->subject_id);
	add_place(body, target);
	source_copy(body, json_member(target, "site"), of_site);
	source_copy_severity(body, &source_probely, VIEW("risk"),
	    VIEW("risk_word"), json_member(target, "risk"));
	add_counts(body, target);
	source_copy(body, target, of_target);
	tree_close(body);
	source_detail(body, VIEW("detail"), reply);
}

enum status
probely_enrich(const struct event *event, const struct source_replies *replies,
    struct tree *body, enum source_record *out_record, struct error *err)
{
	const struct source_reply *reply = &replies->items[0];

	(void)err; /* locate has refused what is none of these */
	if (view_is(event->subject_type, "user")) {
		*out_record = SOURCE_RECORD_NONE;
	} else if (view_is(event->kind, "target.deleted")) {
		*out_record = SOURCE_RECORD_TARGET_DELETED;
	} else if (view_is(event->subject_type, "scan")) {
		enrich_scan(event, reply, body);
		*out_record = SOURCE_RECORD_SCAN;
	} else if (view_is(event->subject_type, "finding")) {
		enrich_finding(event, reply, body);
		*out_record = SOURCE_RECORD_FINDING;
	} else {
		enrich_target(event, reply, body);
		*out_record = SOURCE_RECORD_TARGET;
	}
	return STATUS_OK;
}
