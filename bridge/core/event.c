/* SPDX-License-Identifier: Apache-2.0 */
#include "vulnbus/event.h"

#include <stdarg.h>
#include <stdio.h>

void
event_init(struct event *event)
{
	*event = (struct event){ .occurred_ms = TIMESTAMP_NONE,
		.attempt = EVENT_ATTEMPT_NONE };
	tree_init(&event->attributes, EVENT_ATTRIBUTES_MAX);
}

void
event_clear(struct event *event)
{
	tree_clear(&event->attributes);
}

struct view
event_print(struct event *event, const char *fmt, ...)
{
	char *at = event->text + event->text_len;
	const size_t room = sizeof(event->text) - event->text_len;
	va_list args;
	int len;

	va_start(args, fmt);
	len = vsnprintf(at, room, fmt, args);
	va_end(args);
	if (len < 0 || (size_t)len >= room) {
		event->is_text_full = true;
		return VIEW("");
	}
	event->text_len += (size_t)len;
	return (struct view){ at, (size_t)len };
}

enum status
event_check(const struct event *event, struct error *err)
{
	const struct {
		const char *name;
		struct view value;
		size_t max;
	} fields[] = {
		{ "id", event->id, EVENT_TEXT_BYTES },
		{ "source", event->source, 63 },
		{ "vendor", event->vendor, 63 },
		{ "subject.type", event->subject_type, 63 },
		{ "subject.id", event->subject_id, EVENT_ID_BYTES_MAX * 2 },
	};

	if (event->is_text_full)
		return error_set(err, STATUS_INVALID, "event: too long");
	for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++) {
		if (fields[i].value.len == 0)
			return error_set(
			    err, STATUS_INVALID, "%s: missing", fields[i].name);
		if (fields[i].value.len > fields[i].max)
			return error_set(err, STATUS_INVALID, "%s: too long",
			    fields[i].name);
		if (!view_is_printable(fields[i].value))
			return error_set(err, STATUS_INVALID,
			    "%s: control characters", fields[i].name);
	}
	if (tree_status(&event->attributes) != STATUS_OK)
		return error_set(err, STATUS_INVALID, "attributes: %s",
		    status_name(tree_status(&event->attributes)));
	return STATUS_OK;
}

void
event_key(const struct event *event, struct buffer *out)
{
	buffer_append_view(out, event->source);
	buffer_append(out, "/", 1);
	buffer_append_view(out, event->subject_type);
	buffer_append(out, "/", 1);
	buffer_append_view(out, event->subject_id);
}

void
event_to_tree(const struct event *event, struct tree *t)
{
	tree_text(t, VIEW("id"), event->id);
	tree_text(t, VIEW("source"), event->source);
	tree_text(t, VIEW("vendor"), event->vendor);
	tree_text_if(t, VIEW("kind"), event->kind);
	tree_open_map(t, VIEW("subject"));
	tree_text(t, VIEW("type"), event->subject_type);
	tree_text(t, VIEW("id"), event->subject_id);
	tree_close(t);
	if (event->occurred_ms != TIMESTAMP_NONE)
		tree_int(t, VIEW("occurred_ms"), event->occurred_ms);
	tree_int(t, VIEW("received_ms"), event->received_ms);
	if (event->attempt != EVENT_ATTEMPT_NONE)
		tree_int(t, VIEW("attempt"), event->attempt);
	tree_text(t, VIEW("proof"), event->proof);
	tree_open_map(t, VIEW("attributes"));
	tree_copy(t, &event->attributes, 0);
	tree_close(t);
}

enum status
event_from_tree(const struct tree *t, uint32_t index, struct event *event,
    struct error *err)
{
	const uint32_t subject = tree_find(t, index, "subject");
	const uint32_t attributes = tree_find(t, index, "attributes");

	event->id = tree_get_text(t, index, "id");
	event->source = tree_get_text(t, index, "source");
	event->vendor = tree_get_text(t, index, "vendor");
	event->kind = tree_get_text(t, index, "kind");
	if (subject != 0) {
		event->subject_type = tree_get_text(t, subject, "type");
		event->subject_id = tree_get_text(t, subject, "id");
	}
	event->occurred_ms = tree_get_int(
	    t, index, "occurred_ms", TIMESTAMP_NONE);
	event->received_ms = tree_get_int(t, index, "received_ms", 0);
	event->attempt = tree_get_int(t, index, "attempt", EVENT_ATTEMPT_NONE);
	event->proof = tree_get_text(t, index, "proof");
	if (attributes != 0)
		tree_copy(&event->attributes, t, attributes);
	return event_check(event, err);
}

bool
event_is_request(const struct event *event)
{
	const struct view suffix = VIEW(".requested");
	const struct view kind = event->kind;

	return kind.len > suffix.len &&
	       view_equal((struct view){ kind.data + kind.len - suffix.len,
			      suffix.len },
		   suffix);
}
