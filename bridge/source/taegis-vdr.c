/* SPDX-License-Identifier: Apache-2.0
 *
 * Secureworks Taegis VDR. Rules without another source are from "Using VDR
 * Webhooks"; a webhook holds "just enough information to poll-back the Public
 * API". */
#include "taegis-vdr.h"

#include "vulnbus/json.h"

/* The API's examples write ids as strings, its queries take integers. Too long
 * or unprintable it is left as it came: the event is refused for it. */
static struct view
id_of(const struct json_value *value, struct event *event)
{
	if (json_type_of(value) == JSON_TYPE_INT)
		return event_print(
		    event, "%lld", (long long)json_int(value, 0));
	return json_text(value);
}

static const struct {
	const char *kind, *status, *event_kind;
} kinds[] = {
	{ "scan", "done", "scan.completed" },
	{ "scan", "failed", "scan.failed" },
	{ "export", "done", "export.completed" },
};

static struct view
kind_of(struct view kind, struct view status)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if (view_is(kind, kinds[i].kind) &&
		    view_is(status, kinds[i].status))
			return view_of(kinds[i].event_kind);
	return VIEW("");
}

/* "iat" is the only time VDR states: that of signing, in seconds. */
static int64_t
occurred_at(const struct json_value *document)
{
	const double seconds = json_number(json_member(document, "iat"), -1.0);

	if (seconds < 0 || seconds > 253402300799.0)
		return TIMESTAMP_NONE;
	return (int64_t)(seconds * 1000.0);
}

static bool
is_optional(const struct json_value *value, enum json_type type)
{
	return json_type_of(value) == JSON_TYPE_MISSING ||
	       json_type_of(value) == JSON_TYPE_NULL ||
	       json_type_of(value) == type;
}

static enum status
add_attributes(const struct json_value *document, struct view status,
    struct event *event, struct error *err)
{
	const struct json_value *asset_id = json_member(document, "assetId");
	const struct json_value *ad_hoc = json_member(document, "isAdHoc");
	const struct json_value *attempt = json_member(
	    document, "attemptNumber");
	const struct json_value *asset_type = json_member(
	    document, "assetType");

	tree_text(&event->attributes, VIEW("status"), status);
	tree_text_if(
	    &event->attributes, VIEW("asset_id"), id_of(asset_id, event));
	tree_text_if(
	    &event->attributes, VIEW("asset_type"), json_text(asset_type));
	if (json_type_of(ad_hoc) == JSON_TYPE_BOOL)
		tree_bool(&event->attributes, VIEW("is_ad_hoc"),
		    json_bool(ad_hoc, false));
	event->attempt = json_int(attempt, EVENT_ATTEMPT_NONE);
	if (!is_optional(attempt, JSON_TYPE_INT))
		return error_set(
		    err, STATUS_UNKNOWN, "attemptNumber: not an integer");
	if (!is_optional(ad_hoc, JSON_TYPE_BOOL))
		return error_set(err, STATUS_UNKNOWN, "isAdHoc: not a boolean");
	if (!is_optional(asset_id, JSON_TYPE_TEXT) &&
	    json_type_of(asset_id) != JSON_TYPE_INT)
		return error_set(err, STATUS_UNKNOWN, "assetId: not an id");
	if (!is_optional(asset_type, JSON_TYPE_TEXT))
		return error_set(err, STATUS_UNKNOWN, "assetType: not a text");
	return STATUS_OK;
}

static enum status
normalise(const struct json_value *document, size_t index, struct event *event,
    struct error *err)
{
	const struct view kind = json_text(json_member(document, "kind"));
	const struct view status = json_text(json_member(document, "status"));
	enum status result;

	if (index > 0)
		return STATUS_END;
	event->subject_id = id_of(json_member(document, "id"), event);
	event->subject_type = kind;
	if (event->subject_id.len == 0 || kind.len == 0 || status.len == 0)
		return error_set(err, STATUS_INVALID,
		    "id, kind and status are documented for every event");
	if (event->subject_id.len > EVENT_ID_BYTES_MAX || status.len > 63)
		return error_set(err, STATUS_INVALID, "id or status: too long");
	event->kind = kind_of(kind, status);
	event->occurred_ms = occurred_at(document);
	result = add_attributes(document, status, event, err);
	event->id = event_print(event, "%.*s:%.*s:%.*s:%lld:%.*s",
	    VIEW_ARGS(event->source), VIEW_ARGS(kind),
	    VIEW_ARGS(event->subject_id),
	    event->attempt == EVENT_ATTEMPT_NONE ? 0LL
						 : (long long)event->attempt,
	    VIEW_ARGS(status));
	if (result == STATUS_OK && event->kind.len == 0)
		result = error_set(err, STATUS_UNKNOWN,
		    "kind and status are not documented together");
	return result;
}

/* Both "server" and "servers", "site" and "website" are seen. */
static const char *
asset_path(struct view type)
{
	if (view_is(type, "server") || view_is(type, "servers"))
		return "server";
	if (view_is(type, "site") || view_is(type, "sites") ||
	    view_is(type, "website") || view_is(type, "websites"))
		return "website";
	return NULL;
}

static void
locate_scan(const struct event *event, const struct source_replies *replies,
    struct source_request *out_request)
{
	const struct view asset_id = tree_get_text(
	    &event->attributes, 0, "asset_id");
	const char *path = asset_path(
	    tree_get_text(&event->attributes, 0, "asset_type"));

	if (replies->count == 0)
		*out_request = (struct source_request){ .ask = SOURCE_ASK_JSON,
			.path = "scan",
			.id = event->subject_id };
	else if (replies->count == 1 && asset_id.len > 0 && path != NULL)
		*out_request = (struct source_request){
			.ask = SOURCE_ASK_JSON, .path = path, .id = asset_id
		};
}

static void
locate_export(const struct event *event, const struct source_replies *replies,
    struct source_request *out_request)
{
	const struct source_reply *export = &replies->items[0];
	struct view location;

	if (replies->count == 0) {
		*out_request = (struct source_request){ .ask = SOURCE_ASK_JSON,
			.path = "export",
			.id = event->subject_id };
		return;
	}
	if (replies->count > 1 || export->code != 200 ||
	    view_is(taegis_vdr_export_state(export), "failed") ||
	    view_is(taegis_vdr_export_state(export), "canceled"))
		return;
	if (event_is_request(event)) {
		if (!view_is(taegis_vdr_export_state(export), "completed"))
			out_request->ask = SOURCE_ASK_LATER;
		return;
	}
	location = json_text(json_member(export->document, "fileLocation"));
	if (!view_is(taegis_vdr_export_state(export), "completed") ||
	    location.len == 0)
		out_request->ask = SOURCE_ASK_LATER;
	else
		*out_request = (struct source_request){ .ask = SOURCE_ASK_ROWS,
			.location = location };
}

static enum status
locate(const struct event *event, const struct source_replies *replies,
    struct source_request *out_request, struct error *err)
{
	*out_request = (struct source_request){ .ask = SOURCE_ASK_NOTHING };
	if (view_is(event->subject_type, "scan"))
		locate_scan(event, replies, out_request);
	else if (view_is(event->subject_type, "export"))
		locate_export(event, replies, out_request);
	else
		return error_set(
		    err, STATUS_INVALID, "neither a scan nor an export");
	return STATUS_OK;
}

/* No webhook tells that an export failed, or is gone; "done" is the one status
 * they document. */
static enum status
reconcile(const struct event *request, const struct source_replies *replies,
    size_t index, struct event *event, struct error *err)
{
	const struct source_reply *export = &replies->items[0];
	struct view word = json_text(json_member(export->document, "status"));

	if (index > 0)
		return STATUS_END;
	if (!view_is(request->subject_type, "export") || replies->count == 0)
		return error_set(err, STATUS_INVALID, "not an export");
	if (view_is(taegis_vdr_export_state(export), "completed"))
		word = VIEW("done");
	else if (export->code != 200)
		word = export->code == 403 ? VIEW("forbidden") : VIEW("gone");
	event->kind = VIEW("export.completed");
	event->subject_type = VIEW("export");
	event->subject_id = request->subject_id;
	event->id = event_print(event, "%.*s:export:%.*s:0:%.*s",
	    VIEW_ARGS(event->source), VIEW_ARGS(request->subject_id),
	    VIEW_ARGS(word));
	tree_text(&event->attributes, VIEW("status"), word);
	return STATUS_OK;
}

/* No "high" and no "low". */
static const struct source_word severities[] = {
	{ "critical", "critical" },
	{ "medium", "medium" },
	{ "warning", "low" },
	{ "info", "info" },
	{ NULL },
};

/* "done" and "failed" are the webhook's words (Using VDR Webhooks), "pending"
 * an export's, the rest VdrScan.status of the Taegis API. */
static const struct source_word states[] = {
	{ "done", "completed" },
	{ "failed", "failed" },
	{ "pending", "started" },
	{ "new", "started" },
	{ "picked", "started" },
	{ "progress", "started" },
	{ "cancel", "canceled" },
	{ NULL },
};

#define SCAN(attempt, status)                                             \
	"{\"assetId\":{asset=\"1\"},\"assetType\":{asset_type=\"site\"}," \
	"\"attemptNumber\":{attempt=" attempt "},\"id\":{id},"            \
	"\"isAdHoc\":{ad_hoc=true},\"kind\":\"scan\","                    \
	"\"status\":{status=\"" status "\"}}"

static const struct source_webhook webhooks[] = {
	{ "scan.completed", SCAN("1", "done") },
	{ "scan.failed", SCAN("2", "failed") },
	{ "export.completed", "{\"id\":{id},\"kind\":\"export\","
			      "\"status\":{status=\"done\"}}" },
	{ NULL },
};

const struct source source_taegis_vdr = {
	.name = "taegis-vdr",
	.product = { "Taegis VDR", "Secureworks" },
	.authentication = {
		.proof = SOURCE_PROOF_JWS_ES512,
		.header = "Authorization",
		.prefix = "Signed ",
		.stamp = "iat",
		.key_path = "/api/webhook.key",
		.hint = "X-Signature",
	},
	.api = {
		.authorization = "Bearer",
		.paths = {
			{ "scan", "/api/v2/scans/{id}" },
			{ "server", "/api/v2/servers/{id}" },
			{ "website", "/api/v2/websites/{id}" },
			{ "export", "/api/v2/exports/{id}" },
			{ "export-request",
			    "/api/v2/vulnerability-groups/export" },
			{ "hooks", "/connectors" },
		},
	},
	/* "Using VDR Webhooks": "Connectors can be registered via the Public
	 * API /connectors route"; no more is published. */
	.registration = {
		.body = "{\"scanSuccessWebhook\":{\"url\":{url}},"
			"\"scanFailureWebhook\":{\"url\":{url}},"
			"\"exportCompleteWebhook\":{\"url\":{url}}}",
		.items = "items",
		.is_undocumented = true,
		.by_hand = "Register a connector (Public API, /connectors) "
			   "that exposes this delve.json:\n{body}\n"
			   "The ingress serves it at ingress.connector_path.\n",
	},
	.severity_column = "severity",
	.severities = severities,
	.states = states,
	.webhooks = webhooks,
	.normalise = normalise,
	.locate = locate,
	.enrich = taegis_vdr_enrich,
	.reconcile = reconcile,
};
