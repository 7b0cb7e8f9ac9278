/* SPDX-License-Identifier: Apache-2.0
 *
 * Probely, now Snyk API & Web. Its two specifications contradict each other
 * ("Create Target's Webhook" and openapi.yaml 1.2.0), so whatever either says
 * is taken. Nothing is signed: the path is the proof, and the API has the
 * facts. */
#include "probely.h"

#include <string.h>

#include "vulnbus/json.h"

/* The type of an object is the first word of its kind. */
static const struct {
	const char *event_type, *kind;
} types[] = {
	{ "user_created", "user.created" },
	{ "user_deleted", "user.deleted" },
	{ "target_created", "target.created" },
	{ "target_deleted", "target.deleted" },
	{ "target_verified", "target.verified" },
	{ "target_verification_failed", "target.verification_failed" },
	{ "scan_started", "scan.started" },
	{ "scan_canceled", "scan.canceled" },
	{ "scan_completed", "scan.completed" },
	{ "scan_failed", "scan.failed" },
	{ "finding_detected", "finding.detected" },
	{ "finding_fixed", "finding.fixed" },
};

static struct view
kind_of(struct view event_type)
{
	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
		if (view_is(event_type, types[i].event_type))
			return view_of(types[i].kind);
	return VIEW("");
}

/* "target" of a scan or finding: an object, or its id alone. */
static struct view
target_id_of(const struct json_value *content, struct event *event)
{
	const struct json_value *target = json_member(content, "target");

	return json_type_of(target) == JSON_TYPE_MAP
		   ? source_id(json_member(target, "id"), event)
		   : source_id(target, event);
}

static void
set_finding(const struct json_value *content, struct event *event)
{
	const struct view finding = source_id(
	    json_member(content, "id"), event);
	const struct view target = target_id_of(content, event);

	event->subject_id = VIEW("");
	if (finding.len == 0 || target.len == 0)
		return;
	tree_text(&event->attributes, VIEW("target_id"), target);
	tree_text(&event->attributes, VIEW("finding_id"), finding);
	event->subject_id = event_print(
	    event, "%.*s.%.*s", VIEW_ARGS(target), VIEW_ARGS(finding));
}

static void
set_scan(const struct json_value *content, struct event *event)
{
	const struct view status = source_word(json_member(content, "status"));

	event->subject_id = source_id(json_member(content, "id"), event);
	tree_text_if(&event->attributes, VIEW("target_id"),
	    target_id_of(content, event));
	if (status.len > 0)
		tree_text_if(&event->attributes, VIEW("status"),
		    event_print(event, "%.*s", VIEW_ARGS(status)));
}

static void
set_subject(const struct json_value *content, struct event *event)
{
	if (view_is(event->subject_type, "finding"))
		set_finding(content, event);
	else if (view_is(event->subject_type, "scan"))
		set_scan(content, event);
	else
		event->subject_id = source_id(
		    json_member(content, "id"), event);
}

/* An object in one specification, and in the other a text, which holds that
 * object as JSON. Its texts do not outlive this. */
static enum status
take_content(
    const struct json_value *content, struct event *event, struct error *err)
{
	struct json_document *document = NULL;
	enum status status = STATUS_OK;

	if (json_type_of(content) == JSON_TYPE_TEXT) {
		status = json_parse(json_text(content), &document, err);
		content = json_root(document);
	}
	set_subject(content, event);
	json_free(document);
	return status == STATUS_NO_MEMORY ? status : STATUS_OK;
}

static enum status
normalise(const struct json_value *document, size_t index, struct event *event,
    struct error *err)
{
	const struct view id = source_id(json_member(document, "id"), event);
	const struct view event_type = source_word(
	    json_member(document, "event_type"));
	const struct json_value *at = json_member(document, "occurred_at");
	struct view object_type = kind_of(event_type);
	enum status status;

	if (index > 0)
		return STATUS_END;
	if (at == NULL)
		at = json_member(document, "ocurred_at");
	if (id.len == 0 || event_type.len == 0)
		return error_set(err, STATUS_INVALID,
		    "id and event_type are documented for every event");
	event->id = event_print(
	    event, "%.*s:%.*s", VIEW_ARGS(event->source), VIEW_ARGS(id));
	event->kind = kind_of(event_type);
	if (timestamp_parse(json_text(at), &event->occurred_ms) != STATUS_OK)
		event->occurred_ms = TIMESTAMP_NONE;
	tree_text(&event->attributes, VIEW("event_type"), event_type);
	event->subject_type = event->kind.len > 0
				  ? view_cut(&object_type, '.')
				  : source_word(
					json_member(document, "object_type"));
	status = take_content(json_member(document, "content"), event, err);
	if (status != STATUS_OK)
		return status;
	if (event->kind.len > 0 && event->subject_id.len > 0)
		return STATUS_OK;
	status = error_set(err, STATUS_UNKNOWN, "%s",
	    event->kind.len > 0 ? "content: does not say which object"
				: "event_type: not documented");
	/* What is not known still is about something: itself. */
	if (event->subject_id.len == 0 || event->subject_type.len == 0 ||
	    event->subject_type.len > 63) {
		event->subject_type = VIEW("event");
		event->subject_id = id;
	}
	return status;
}

static enum status
locate(const struct event *event, const struct source_replies *replies,
    struct source_request *out_request, struct error *err)
{
	const struct view target = tree_get_text(
	    &event->attributes, 0, "target_id");

	*out_request = (struct source_request){ .ask = SOURCE_ASK_NOTHING };
	if (replies->count > 0 || view_is(event->subject_type, "user") ||
	    view_is(event->kind, "target.deleted"))
		return STATUS_OK;
	out_request->ask = SOURCE_ASK_JSON;
	out_request->id = event->subject_id;
	if (view_is(event->subject_type, "scan")) {
		out_request->path = "scan";
	} else if (view_is(event->subject_type, "target")) {
		out_request->path = "target";
	} else if (view_is(event->subject_type, "finding") &&
		   target.len < sizeof(out_request->other)) {
		out_request->path = "finding";
		out_request->id = tree_get_text(
		    &event->attributes, 0, "finding_id");
		memcpy(out_request->other, target.data, target.len);
	} else {
		return error_set(
		    err, STATUS_INVALID, "no scan, target or finding");
	}
	return STATUS_OK;
}

/* --- Reconciliation: the events, then the scans that ended ---------------- */

enum { LIST_EVENTS, LIST_SCANS, LIST_COUNT };

static void
ask(const struct source_sweep *sweep, struct source_request *out_request)
{
	char since[TIMESTAMP_TEXT_SIZE];

	*out_request = (struct source_request){ .ask = SOURCE_ASK_JSON,
		.path = sweep->list == LIST_EVENTS ? "events" : "scans",
		.page = sweep->page };
	timestamp_print(sweep->since_ms, since);
	memcpy(out_request->other, since, sizeof(since));
}

/* Of an event's deliveries, the one that went worst. */
static void
add_delivery(const struct json_value *item, struct event *event)
{
	static const char *const words[] = { "succeeded", "scheduled",
		"rescheduled", "failed" };
	const struct json_value *hooks = json_member(item, "webhooks");
	const struct json_value *hook;
	size_t worst = 0;
	bool is_said = false;

	for (size_t i = 0; (hook = json_element(hooks, i)) != NULL; i++)
		for (size_t j = 0; j < sizeof(words) / sizeof(*words); j++)
			if (view_is(source_word(json_member(hook, "status")),
				words[j])) {
				is_said = true;
				worst = j > worst ? j : worst;
			}
	if (is_said)
		tree_text(&event->attributes, VIEW("delivery"),
		    view_of(words[worst]));
}

/* Under one name, whichever way it is heard of. */
static struct view
scan_end_id(struct event *event, struct view end)
{
	return event_print(event, "%.*s:scan:%.*s:%.*s",
	    VIEW_ARGS(event->source), VIEW_ARGS(event->subject_id),
	    VIEW_ARGS(end));
}

static enum status
tell_scan(const struct json_value *scan, struct event *event)
{
	const struct view end = source_state(
	    &source_probely, source_word(json_member(scan, "status")));
	const struct view at = json_text(json_member(scan, "completed"));

	if (end.len == 0 || view_is(end, "started") ||
	    timestamp_parse(at, &event->occurred_ms) != STATUS_OK)
		return STATUS_MISSING;
	event->kind = event_print(event, "scan.%.*s", VIEW_ARGS(end));
	event->subject_type = VIEW("scan");
	set_scan(scan, event);
	event->id = scan_end_id(event, end);
	return event->subject_id.len == 0 ? STATUS_MISSING : STATUS_OK;
}

static enum status
tell(const struct source_sweep *sweep, const struct source_reply *reply,
    size_t index, struct event *event, struct error *err)
{
	const struct json_value *item = json_element(
	    json_member(reply->document, "results"), index);
	enum status status;

	if (item == NULL)
		return STATUS_END;
	status = sweep->list == LIST_SCANS ? tell_scan(item, event)
					   : normalise(item, 0, event, err);
	if (status == STATUS_OK && event->occurred_ms == TIMESTAMP_NONE)
		return error_set(err, STATUS_INVALID, "occurred_at: no time");
	if (status == STATUS_OK && sweep->list == LIST_EVENTS)
		add_delivery(item, event);
	return event->occurred_ms < sweep->since_ms &&
		       event->occurred_ms != TIMESTAMP_NONE
		   ? STATUS_MISSING
		   : status;
}

struct page_times {
	int64_t first_ms, last_ms, latest_ms;
};

static struct page_times
times_of(const struct json_value *results)
{
	struct page_times times = { TIMESTAMP_NONE, TIMESTAMP_NONE,
		TIMESTAMP_NONE };
	const struct json_value *item, *at;
	int64_t ms;

	for (size_t i = 0; (item = json_element(results, i)) != NULL; i++) {
		at = json_member(item, "occurred_at");
		if (at == NULL)
			at = json_member(item, "ocurred_at");
		if (timestamp_parse(json_text(at), &ms) != STATUS_OK)
			continue;
		if (times.first_ms == TIMESTAMP_NONE)
			times.first_ms = ms;
		if (ms > times.latest_ms)
			times.latest_ms = ms;
		times.last_ms = ms;
	}
	return times;
}

/* Events cannot be asked for by time, so they have to come newest first. */
static enum status
turn(struct source_sweep *sweep, const struct source_reply *reply,
    struct error *err)
{
	const struct json_value *results = json_member(
	    reply->document, "results");
	const int64_t pages = json_int(
	    json_member(reply->document, "page_total"), 1);
	const struct page_times times = times_of(results);
	bool is_last = sweep->page >= pages || json_element(results, 0) == NULL;

	if (reply->code == 403 && sweep->page > 1)
		return error_set(err, STATUS_UNAVAILABLE, "HTTP 403");
	if (sweep->list == LIST_EVENTS && !is_last) {
		if (times.first_ms < times.last_ms)
			return error_set(err, STATUS_INVALID,
			    "the events are not listed newest first");
		is_last = times.latest_ms != TIMESTAMP_NONE &&
			  times.latest_ms < sweep->since_ms;
	}
	if (!is_last) {
		sweep->page++;
		return STATUS_OK;
	}
	sweep->page = 1;
	return ++sweep->list < LIST_COUNT ? STATUS_OK : STATUS_END;
}

static struct view
alias(struct event *event, size_t index)
{
	struct view end = event->kind;

	if (index > 0 || !view_is(view_cut(&end, '.'), "scan") ||
	    view_is(end, "started"))
		return VIEW("");
	return scan_end_id(event, end);
}

/* In tens. 0 is the risk of a target without findings, which is no severity. */
static const struct source_word severities[] = {
	{ "40", "critical" },
	{ "30", "high" },
	{ "20", "medium" },
	{ "10", "low" },
	{ NULL },
};

/* What is not at its end yet has begun. */
static const struct source_word states[] = {
	{ "completed", "completed" },
	{ "completed_with_errors", "completed" },
	{ "failed", "failed" },
	{ "canceled", "canceled" },
	{ "canceling", "started" },
	{ "finishing_up", "started" },
	{ "paused", "started" },
	{ "pausing", "started" },
	{ "queued", "started" },
	{ "resuming", "started" },
	{ "started", "started" },
	{ "under_review", "started" },
	{ NULL },
};

const struct source source_probely = {
	.name = "probely",
	.product = { "Probely", "Snyk" },
	.default_base_url = "https://api.probely.com",
	.authentication = { .proof = SOURCE_PROOF_SECRET_PATH },
	.api = {
		.authorization = "JWT",
		.paths = {
			{ "scan", "/scans/{id}/" },
			{ "finding", "/targets/{target}/findings/{id}/" },
			{ "target", "/targets/{id}/" },
			{ "events", "/events/?ordering=-occurred_at&length=20"
				    "&page={page}" },
			{ "scans", "/scans/?completed__gte={since}&"
				   "ordering=completed&length=20&page={page}" },
			{ "hooks", "/webhooks/" },
			{ "target-hooks", "/targets/{target}/webhooks/" },
		},
	},
	/* Probely API reference, Webhooks. */
	.registration = { .items = "results",
	    .body = "{\"name\":{name},\"url\":{url},\"check_cert\":true,"
		    "\"api_version\":\"v1\"}" },
	.reconciliation = { .swept = SOURCE_SWEPT_ACCOUNT,
	    .grace_s = 900,
	    .ask = ask,
	    .tell = tell,
	    .turn = turn,
	    .alias = alias },
	.severities = severities,
	.states = states,
	.webhooks = probely_webhooks,
	.normalise = normalise,
	.locate = locate,
	.enrich = probely_enrich,
};
