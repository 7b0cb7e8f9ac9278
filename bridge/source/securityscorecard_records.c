/* SPDX-License-Identifier: Apache-2.0
 *
 * What the answers of SecurityScorecard's API become. */
#include "securityscorecard.h"

#include "vulnbus/json.h"

/* Of what has no documented bound; how much there was is said beside it. */
#define FACTORS_MAX         20
#define RECORD_ISSUES_MAX   60
#define CHANGES_MAX         50
#define RECORD_BREACHES_MAX 60

static void
add_severity(struct tree *t, const struct json_value *object)
{
	source_copy_severity(t, &source_securityscorecard, VIEW("severity"),
	    VIEW("severity_word"), json_member(object, "severity"));
}

const struct json_value *
securityscorecard_entries(const struct source_reply *reply)
{
	const struct json_value *entries = json_member(
	    reply->document, "entries");

	return entries != NULL ? entries : reply->document;
}

/* The score is "undefined while calculating"; its change is spelled in two
 * ways. */
static void
add_scorecard(const struct event *event, const struct source_reply *reply,
    struct tree *body)
{
	static const struct source_field fields[] = {
		{ "name", "name", SOURCE_FORM_WORD },
		{ "grade", "grade", SOURCE_FORM_WORD },
		{ "score", "score", SOURCE_FORM_NUMBER },
		{ "industry", "industry", SOURCE_FORM_WORD },
		{ "size", "size", SOURCE_FORM_WORD },
		{ NULL },
	};
	static const struct source_field changes[][2] = {
		{ { "last30day_score_change", "score_change_30_days",
		    SOURCE_FORM_NUMBER } },
		{ { "last30days_score_change", "score_change_30_days",
		    SOURCE_FORM_NUMBER } },
	};
	const bool is_days = json_member(reply->document, changes[0]->theirs) ==
			     NULL;

	tree_open_map(body, VIEW("scorecard"));
	tree_text(body, VIEW("domain"), event->subject_id);
	tree_text_if(body, VIEW("id"),
	    tree_get_text(&event->attributes, 0, "scorecard_id"));
	source_copy(body, reply->document, fields);
	source_copy(body, reply->document, changes[is_days]);
	tree_close(body);
	source_detail(body, VIEW("detail"), reply);
}

static void
add_factor_issues(
    const struct json_value *issues, size_t *left, struct tree *body)
{
	static const struct source_field fields[] = {
		{ "type", "type", SOURCE_FORM_WORD },
		{ "count", "count", SOURCE_FORM_COUNT },
		{ NULL },
	};
	const struct json_value *issue;

	tree_open_list(body, VIEW("issues"));
	for (size_t i = 0; (issue = json_element(issues, i)) != NULL; i++) {
		if (*left == 0)
			break;
		--*left;
		tree_open_map(body, VIEW(""));
		source_copy(body, issue, fields);
		add_severity(body, issue);
		tree_close(body);
	}
	tree_close(body);
}

static size_t
length_of(const struct json_value *list)
{
	size_t count = 0;

	while (json_element(list, count) != NULL)
		count++;
	return count;
}

static void
add_factors(const struct source_reply *reply, struct tree *body)
{
	static const struct source_field fields[] = {
		{ "name", "name", SOURCE_FORM_WORD },
		{ "grade", "grade", SOURCE_FORM_WORD },
		{ "score", "score", SOURCE_FORM_NUMBER },
		{ NULL },
	};
	const struct json_value *entries = securityscorecard_entries(reply);
	size_t issues_left = RECORD_ISSUES_MAX;
	const struct json_value *entry;

	source_detail(body, VIEW("factors_detail"), reply);
	if (reply->code != 200)
		return;
	tree_open_list(body, VIEW("factors"));
	for (size_t i = 0;
	     i < FACTORS_MAX && (entry = json_element(entries, i)) != NULL;
	     i++) {
		const struct json_value *issues = json_member(
		    entry, "issue_summary");

		tree_open_map(body, VIEW(""));
		source_copy(body, entry, fields);
		tree_int(
		    body, VIEW("issue_type_count"), (int64_t)length_of(issues));
		add_factor_issues(issues, &issues_left, body);
		tree_close(body);
	}
	tree_close(body);
	tree_int(body, VIEW("factor_count"), (int64_t)length_of(entries));
}

/* What is told of a breach is free text, and goes where that does. */
static void
add_breach(const struct json_value *entry, size_t *left, struct tree *body)
{
	static const struct source_field of_breach[] = {
		{ "root_cause", "root_cause", SOURCE_FORM_PROSE },
		{ "type_of_breach", "type", SOURCE_FORM_PROSE },
		{ "records_lost", "records_lost", SOURCE_FORM_COUNT },
		{ NULL },
	};
	static const struct source_field of_incident[] = {
		{ "title", "title", SOURCE_FORM_PROSE },
		{ "summary", "summary", SOURCE_FORM_PROSE },
		{ NULL },
	};
	const struct json_value *data = json_member(entry, "breach_data");
	const struct json_value *incidents = json_member(
	    entry, "breach_incidents");
	const struct json_value *incident;

	if (body->prose == NULL || (data == NULL && incidents == NULL))
		return;
	tree_open_map(body, VIEW("breach"));
	source_copy(body, data, of_breach);
	tree_open_list(body, VIEW("incidents"));
	for (size_t i = 0;
	     *left > 0 && (incident = json_element(incidents, i)) != NULL;
	     i++, --*left) {
		tree_open_map(body, VIEW(""));
		source_copy(body, incident, of_incident);
		tree_close(body);
	}
	tree_close(body);
	tree_int(body, VIEW("incident_count"), (int64_t)length_of(incidents));
	tree_close(body);
}

/* An entry of history/events. */
static void
add_change(
    const struct json_value *entry, size_t *breaches_left, struct tree *body)
{
	static const struct source_field fields[] = {
		{ "id", "id", SOURCE_FORM_COUNT },
		{ "date", "occurred_ms", SOURCE_FORM_TIME },
		{ "event_type", "type", SOURCE_FORM_WORD },
		{ "group_status", "status_word", SOURCE_FORM_WORD },
		{ "issue_type", "issue_type", SOURCE_FORM_WORD },
		{ "factor", "factor", SOURCE_FORM_WORD },
		{ "issue_count", "issue_count", SOURCE_FORM_COUNT },
		{ "total_score_impact", "score_impact", SOURCE_FORM_NUMBER },
		{ NULL },
	};

	tree_open_map(body, VIEW(""));
	source_copy(body, entry, fields);
	add_severity(body, entry);
	add_breach(entry, breaches_left, body);
	tree_close(body);
}

static void
add_changes(const struct source_reply *reply, struct tree *body)
{
	const struct json_value *entries = securityscorecard_entries(reply);
	size_t breaches_left = RECORD_BREACHES_MAX;
	const struct json_value *entry;

	source_detail(body, VIEW("changes_detail"), reply);
	if (reply->code != 200)
		return;
	tree_open_list(body, VIEW("changes"));
	for (size_t i = 0;
	     i < CHANGES_MAX && (entry = json_element(entries, i)) != NULL; i++)
		add_change(entry, &breaches_left, body);
	tree_close(body);
	tree_int(body, VIEW("change_count"), (int64_t)length_of(entries));
}

enum status
securityscorecard_enrich(const struct event *event,
    const struct source_replies *replies, struct tree *body,
    enum source_record *out_record, struct error *err)
{
	(void)err;
	add_scorecard(event, &replies->items[0], body);
	tree_text_if(body, VIEW("trigger_type"),
	    tree_get_text(&event->attributes, 0, "trigger_type"));
	if (replies->count > 1)
		add_factors(&replies->items[1], body);
	if (replies->count > 2)
		add_changes(&replies->items[2], body);
	*out_record = SOURCE_RECORD_SCORECARD;
	return STATUS_OK;
}
