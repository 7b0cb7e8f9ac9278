/* SPDX-License-Identifier: Apache-2.0
 *
 * What the answers of VDR's API, and the rows of its exports, become. */
#include "taegis-vdr.h"

#include "vulnbus/json.h"

struct view
taegis_vdr_export_state(const struct source_reply *reply)
{
	return source_state(&source_taegis_vdr,
	    json_text(json_member(reply->document, "status")));
}

/* Names of VdrAsset (Taegis API), which REST spells in camel case too. */
static void
add_asset(struct tree *body, const struct event *event,
    const struct json_value *asset)
{
	static const struct source_field fields[] = {
		{ "hostname", "hostname", SOURCE_FORM_WORD },
		{ "ip", "ip", SOURCE_FORM_WORD },
		{ "url", "url", SOURCE_FORM_ADDRESS },
		{ "location", "location", SOURCE_FORM_WORD },
		{ "osName", "os_name", SOURCE_FORM_WORD },
		{ "osFamily", "os_family", SOURCE_FORM_WORD },
		{ "isActive", "is_active", SOURCE_FORM_FLAG },
		{ "lastSeenDate", "last_seen_ms", SOURCE_FORM_TIME },
		{ "lastReportDate", "last_report_ms", SOURCE_FORM_TIME },
		{ "highCvss", "high_cvss", SOURCE_FORM_SCORE },
		{ "highCps", "high_cps", SOURCE_FORM_SCORE },
		{ NULL },
	};

	tree_open_map(body, VIEW("asset"));
	tree_text(
	    body, VIEW("id"), tree_get_text(&event->attributes, 0, "asset_id"));
	tree_text_if(body, VIEW("type"),
	    tree_get_text(&event->attributes, 0, "asset_type"));
	source_copy(body, asset, fields);
	tree_close(body);
}

static void
enrich_scan(const struct event *event, const struct source_replies *replies,
    struct tree *body)
{
	static const struct source_field fields[] = {
		{ "requestDate", "requested_ms", SOURCE_FORM_TIME },
		{ NULL },
	};
	const struct source_reply *reply = &replies->items[0];
	const struct view notified = tree_get_text(
	    &event->attributes, 0, "status");
	const uint32_t ad_hoc = tree_find(&event->attributes, 0, "is_ad_hoc");
	struct view word = json_text(json_member(reply->document, "status"));

	if (word.len == 0)
		word = notified;
	tree_open_map(body, VIEW("scan"));
	tree_text(body, VIEW("id"), event->subject_id);
	tree_text_if(
	    body, VIEW("status"), source_state(&source_taegis_vdr, word));
	tree_text(body, VIEW("status_word"), word);
	tree_text_if(body, VIEW("notified_status"),
	    source_state(&source_taegis_vdr, notified));
	source_copy(body, reply->document, fields);
	if (event->attempt != EVENT_ATTEMPT_NONE)
		tree_int(body, VIEW("attempt"), event->attempt);
	if (ad_hoc != 0)
		tree_bool(body, VIEW("is_ad_hoc"),
		    event->attributes.nodes[ad_hoc].boolean);
	tree_close(body);
	source_detail(body, VIEW("detail"), reply);
	if (tree_find(&event->attributes, 0, "asset_id") != 0)
		add_asset(body, event,
		    replies->count > 1 ? replies->items[1].document : NULL);
	if (replies->count > 1)
		source_detail(body, VIEW("asset_detail"), &replies->items[1]);
}

static void
add_rows(struct tree *body, const struct source_rows *rows)
{
	tree_int(body, VIEW("rows"), rows == NULL ? 0 : (int64_t)rows->rows);
	tree_int(body, VIEW("bytes"), rows == NULL ? 0 : (int64_t)rows->bytes);
	if (rows == NULL)
		return;
	tree_text(body, VIEW("sha256"), rows->sha256);
	tree_open_list(body, VIEW("columns"));
	for (size_t i = 0; i < rows->column_count; i++)
		tree_text(body, VIEW(""), rows->columns[i]);
	tree_close(body);
	tree_int(body, VIEW("generation"), rows->generation);
}

static void
enrich_export(const struct event *event, const struct source_replies *replies,
    struct tree *body)
{
	const struct source_reply *reply = &replies->items[0];
	const struct source_reply *file = replies->count > 1
					      ? &replies->items[1]
					      : NULL;
	const struct view told = json_text(
	    json_member(reply->document, "status"));
	const struct view word = told.len > 0
				     ? told
				     : tree_get_text(
					   &event->attributes, 0, "status");

	tree_open_map(body, VIEW("export"));
	tree_text(body, VIEW("id"), event->subject_id);
	tree_text_if(
	    body, VIEW("status"), source_state(&source_taegis_vdr, word));
	tree_text(body, VIEW("status_word"), word);
	tree_close(body);
	add_rows(body, file == NULL ? NULL : file->rows);
	source_detail(body, VIEW("detail"), file == NULL ? reply : file);
}

enum status
taegis_vdr_enrich(const struct event *event,
    const struct source_replies *replies, struct tree *body,
    enum source_record *out_record, struct error *err)
{
	if (view_is(event->subject_type, "scan")) {
		enrich_scan(event, replies, body);
		*out_record = SOURCE_RECORD_SCAN;
	} else if (view_is(event->subject_type, "export")) {
		enrich_export(event, replies, body);
		*out_record = SOURCE_RECORD_EXPORT;
	} else {
		return error_set(
		    err, STATUS_INVALID, "neither a scan nor an export");
	}
	return STATUS_OK;
}
