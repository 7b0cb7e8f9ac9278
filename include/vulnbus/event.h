/* SPDX-License-Identifier: Apache-2.0
 *
 * One normalised notification, whoever sent it: what a vendor's normalise
 * makes, what events.v1 carries, what the enricher works on.
 *
 * Its texts are borrowed from the document or record it was made from, or lie
 * in its own `text`; so it cannot be copied, and clears with event_clear. */
#ifndef VULNBUS_EVENT_H
#define VULNBUS_EVENT_H

#include "vulnbus/buffer.h"
#include "vulnbus/timestamp.h"
#include "vulnbus/tree.h"

#define EVENT_TEXT_BYTES     2048
#define EVENT_ATTRIBUTES_MAX 256
#define EVENT_ID_BYTES_MAX   128 /* of a vendor's id */
#define EVENT_ATTEMPT_NONE   (-1)

struct event {
	struct view id;     /* deterministic: equal on every redelivery */
	struct view source; /* the configured instance */
	struct view vendor;
	struct view kind; /* "scan.completed"; empty when not known */
	struct view subject_type;
	struct view subject_id;
	int64_t occurred_ms; /* or TIMESTAMP_NONE */
	int64_t received_ms;
	int64_t attempt; /* or EVENT_ATTEMPT_NONE */
	struct view proof;
	struct tree attributes; /* owned; the vendor's other facts */
	char text[EVENT_TEXT_BYTES];
	size_t text_len;
	bool is_text_full;
};

void
event_init(struct event *event);

void
event_clear(struct event *event);

/* A text made in the event's own memory. When that is full the view is empty
 * and event_check says so. */
struct view
event_print(struct event *event, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* id, source, vendor, subject: present, printable, within their ceilings. */
enum status
event_check(const struct event *event, struct error *err) MUST_CHECK;

/* True when it says what was asked of the vendor through vulnbus, and not what
 * the vendor said: "export.requested". What became of it is still to be told,
 * by a webhook or by reconciliation. */
bool
event_is_request(const struct event *event);

/* "<source>/<subject type>/<subject id>", the record key of all that is said
 * about one subject. */
void
event_key(const struct event *event, struct buffer *out);

/* To and from the value of events.v1. From: texts are borrowed from `t`,
 * which must outlive the event. */
void
event_to_tree(const struct event *event, struct tree *t);

enum status
event_from_tree(const struct tree *t, uint32_t index, struct event *event,
    struct error *err) MUST_CHECK;

#endif
