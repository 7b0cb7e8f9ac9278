/* SPDX-License-Identifier: Apache-2.0
 *
 * SecurityScorecard. The webhook's form is from "Receive event notifications
 * with webhooks"; what a rule's trigger holds beyond the documented example is
 * not documented, so its type is kept as a word and nothing else is guessed.
 * Nothing is signed: the path is the proof, and the API has the facts. */
#include "securityscorecard.h"

#include <string.h>

#include "vulnbus/json.h"

#define DAY_MS     86400000
#define DATE_CHARS 10 /* of "2022-08-10T19:49:46.029Z" */

/* Of what has no documented bound; how much there was is said beside it. */
#define EVENT_ISSUES_MAX 40

/* The example has the counts in trigger.issues, the field table calls the
 * place context.issues. */
static const struct json_value *
issues_of(const struct json_value *document)
{
	const struct json_value *issues = json_member(
	    json_member(document, "trigger"), "issues");

	return issues != NULL
		   ? issues
		   : json_member(json_member(document, "context"), "issues");
}

static void
add_issue_counts(const struct json_value *issues, struct tree *t)
{
	static const struct {
		const char *status;
		struct source_field count[2];
	} counts[] = {
		{ "active", { { "count", "active", SOURCE_FORM_COUNT } } },
		{ "departed", { { "count", "departed", SOURCE_FORM_COUNT } } },
		{ "resolved", { { "count", "resolved", SOURCE_FORM_COUNT } } },
	};
	struct json_each each = { .at = NULL };
	int64_t count = 0;

	if (json_type_of(issues) != JSON_TYPE_MAP)
		return;
	tree_open_list(t, VIEW("issues"));
	while (json_each(issues, &each)) {
		if (++count > EVENT_ISSUES_MAX ||
		    each.name.len > SOURCE_WORD_BYTES_MAX)
			continue;
		tree_open_map(t, VIEW(""));
		tree_text(t, VIEW("type"), each.name);
		for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++)
			source_copy(t,
			    json_member(each.value, counts[i].status),
			    counts[i].count);
		tree_close(t);
	}
	tree_close(t);
	tree_int(t, VIEW("issue_type_count"), count);
}

static void
add_attributes(const struct json_value *document, struct event *event)
{
	static const struct source_field of_trigger[] = {
		{ "type", "trigger_type", SOURCE_FORM_WORD },
		{ "selected", "trigger_selected", SOURCE_FORM_WORD },
		{ "severity", "trigger_severity", SOURCE_FORM_WORD },
		{ NULL },
	};
	static const struct source_field of_document[] = {
		{ "scorecard_id", "scorecard_id", SOURCE_FORM_WORD },
		{ "retries", "retries", SOURCE_FORM_COUNT },
		{ NULL },
	};

	source_copy(
	    &event->attributes, json_member(document, "trigger"), of_trigger);
	source_copy(&event->attributes, document, of_document);
	add_issue_counts(issues_of(document), &event->attributes);
}

static enum status
normalise(const struct json_value *document, size_t index, struct event *event,
    struct error *err)
{
	static const char *const texts[] = { "execution_id", "domain",
		"scorecard_id", "created_at" };
	const struct json_value *trigger = json_member(document, "trigger");

	if (index > 0)
		return STATUS_END;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		if (json_text(json_member(document, texts[i])).len == 0)
			return error_set(err, STATUS_INVALID,
			    "%s: documented for every webhook", texts[i]);
	if (json_type_of(trigger) != JSON_TYPE_MAP)
		return error_set(err, STATUS_INVALID,
		    "trigger: documented for every webhook");
	event->subject_type = VIEW("scorecard");
	event->subject_id = json_text(json_member(document, "domain"));
	if (source_word(json_member(document, "execution_id")).len == 0)
		return error_set(err, STATUS_INVALID, "execution_id: no id");
	event->id = event_print(event, "%.*s:%.*s", VIEW_ARGS(event->source),
	    VIEW_ARGS(json_text(json_member(document, "execution_id"))));
	if (timestamp_parse(json_text(json_member(document, "created_at")),
		&event->occurred_ms) != STATUS_OK)
		event->occurred_ms = TIMESTAMP_NONE;
	add_attributes(document, event);
	if (source_word(json_member(trigger, "type")).len == 0)
		return error_set(err, STATUS_UNKNOWN, "trigger: without type");
	event->kind = VIEW("scorecard.changed");
	return STATUS_OK;
}

/* "We detect Scorecard events on a daily basis": what fired the rule may be
 * dated the day before. */
static void
print_day_before(int64_t ms, char out[SOURCE_OTHER_SIZE])
{
	char text[TIMESTAMP_TEXT_SIZE];

	timestamp_print(ms > DAY_MS ? ms - DAY_MS : 0, text);
	memcpy(out, text, DATE_CHARS);
	out[DATE_CHARS] = '\0';
}

static int64_t
time_of(const struct event *event)
{
	return event->occurred_ms != TIMESTAMP_NONE ? event->occurred_ms
						    : event->received_ms;
}

static enum status
locate(const struct event *event, const struct source_replies *replies,
    struct source_request *out_request, struct error *err)
{
	static const char *const paths[] = { "company", "factors", "changes" };

	(void)err;
	*out_request = (struct source_request){ .ask = SOURCE_ASK_NOTHING };
	/* A scorecard one may not see, or that is not there, has no parts. */
	if (replies->count == sizeof(paths) / sizeof(*paths) ||
	    (replies->count > 0 && replies->items[0].code != 200))
		return STATUS_OK;
	out_request->ask = SOURCE_ASK_JSON;
	out_request->path = paths[replies->count];
	out_request->id = event->subject_id;
	if (view_is(view_of(out_request->path), "changes"))
		print_day_before(time_of(event), out_request->other);
	return STATUS_OK;
}

/* --- Reconciliation: each scorecard's history, day by day -----------------
 *
 * An entry of the history names no execution of a rule, so what is compared is
 * whether there was a webhook that day or the day after; so the day before
 * yesterday is the first that can be missed. */

#define MISSED_DAYS 2

static void
ask(const struct source_sweep *sweep, struct source_request *out_request)
{
	*out_request = (struct source_request){
		.ask = SOURCE_ASK_JSON, .path = "changes", .id = sweep->subject
	};
	print_day_before(sweep->since_ms - DAY_MS, out_request->other);
}

static struct view
day_id(struct event *event, int64_t ms)
{
	char text[TIMESTAMP_TEXT_SIZE];

	timestamp_print(ms, text);
	return event_print(event, "%.*s:%.*s:%.*s", VIEW_ARGS(event->source),
	    VIEW_ARGS(event->subject_id), DATE_CHARS, text);
}

/* Of all that happened on a day the first entry stands for the others. */
static enum status
tell(const struct source_sweep *sweep, const struct source_reply *reply,
    size_t index, struct event *event, struct error *err)
{
	const struct json_value *entries = securityscorecard_entries(reply);
	const int64_t day = sweep->since_ms / DAY_MS - MISSED_DAYS +
			    (int64_t)index;
	const struct json_value *entry;
	int64_t ms = 0;

	(void)err;
	if (day > sweep->until_ms / DAY_MS - MISSED_DAYS)
		return STATUS_END;
	for (size_t i = 0; (entry = json_element(entries, i)) != NULL; i++)
		if (timestamp_parse(json_text(json_member(entry, "date")),
			&ms) == STATUS_OK &&
		    ms / DAY_MS == day)
			break;
	if (entry == NULL)
		return STATUS_MISSING;
	event->kind = VIEW("scorecard.changed");
	event->subject_type = VIEW("scorecard");
	event->subject_id = sweep->subject;
	event->occurred_ms = ms;
	event->id = day_id(event, ms);
	tree_text_if(&event->attributes, VIEW("change_type"),
	    source_word(json_member(entry, "event_type")));
	return STATUS_OK;
}

static enum status
turn(struct source_sweep *sweep, const struct source_reply *reply,
    struct error *err)
{
	(void)sweep;
	(void)reply;
	(void)err;
	return STATUS_END;
}

static struct view
alias(struct event *event, size_t index)
{
	const int64_t ms = time_of(event) - (int64_t)index * DAY_MS;

	return index < 2 && ms >= 0 ? day_id(event, ms) : VIEW("");
}

/* "positive" is a signal that is good. */
static const struct source_word severities[] = {
	{ "critical", "critical" },
	{ "high", "high" },
	{ "medium", "medium" },
	{ "low", "low" },
	{ "info", "info" },
	{ NULL },
};

/* The example of "Receive event notifications with webhooks". */
static const struct source_webhook webhooks[] = {
	{ "scorecard.changed",
	    "{\"trigger\":{\"type\":{trigger=\"new_issues\"},\"issues\":{"
	    "\"csp_no_policy_v2\":{\"active\":{\"count\":26},"
	    "\"departed\":{\"count\":3},\"resolved\":{\"count\":2}},"
	    "\"domain_missing_https_v2\":{\"active\":{\"count\":15}}},"
	    "\"selected\":{selected=\"by_severity\"},"
	    "\"severity\":{severity=\"low\"}},\"created_at\":{now},"
	    "\"execution_id\":{uuid},\"scorecard_id\":{scorecard="
	    "\"8e21f4aa-ee49-5f6d-be70-366b95ecc586\"},"
	    "\"domain\":{id=\"example.com\"}}" },
	{ NULL },
};

const struct source source_securityscorecard = {
	.name = "securityscorecard",
	.product = { "SecurityScorecard", "SecurityScorecard" },
	.default_base_url = "https://api.securityscorecard.io",
	/* "App Actions": the headers of a call. */
	.authentication = { .proof = SOURCE_PROOF_SECRET_PATH,
	    .app_secret = "x-ssc-app-secrets" },
	.api = {
		.authorization = "Token",
		.calls_per_hour = 5000,
		.paths = {
			{ "company", "/companies/{id}" },
			{ "factors", "/companies/{id}/factors" },
			{ "changes",
			    "/companies/{id}/history/events/?date_from={since}" },
			{ "hooks", "/subscriptions?username={account}" },
			{ "account", "/myself" },
		},
	},
	/* Not in the public reference; as the vendor's own clients do it. The
	 * steps: "Create rules", Send Web Request. */
	.registration = {
		.body =
		    "{\"event_type\":\"scorecard.changed\",\"delivery\":"
		    "{\"workflow\":{\"name\":{name},\"steps\":[{\"action\":"
		    "{\"value\":\"call_webhook\",\"url\":{\"value\":{url}}}}],"
		    "\"filters\":{\"changes\":{\"value\":\"grade_drop\","
		    "\"grade\":{\"value\":\"any\"}},"
		    "\"scorecards\":{\"value\":\"followed\"}}}}}",
		.items = "entries",
		.account = "username",
		.is_undocumented = true,
		.by_hand = "In SecurityScorecard:\n"
			   "  1. My Settings, Rules, Create Rule.\n"
			   "  2. Name the rule, choose the event and the "
			   "scorecards\n"
			   "     (My Scorecard, All Followed Scorecards or "
			   "Selected Portfolio).\n"
			   "  3. Action: Send Web Request, to\n"
			   "     {url}\n"
			   "  4. Save. One rule tells of one event: repeat for "
			   "others.\n",
	},
	/* "We detect Scorecard events on a daily basis". */
	.reconciliation = { .swept = SOURCE_SWEPT_SUBJECT,
	    .every_s = 86400,
	    .known_s = 4 * 86400,
	    .ask = ask,
	    .tell = tell,
	    .turn = turn,
	    .alias = alias },
	.severities = severities,
	.webhooks = webhooks,
	.normalise = normalise,
	.locate = locate,
	.enrich = securityscorecard_enrich,
};
