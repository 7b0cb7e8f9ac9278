/* SPDX-License-Identifier: Apache-2.0
 *
 * Stage: an event or a record becomes bytes for Kafka, a CloudEvent 1.0 in
 * binary mode (CloudEvents Kafka Protocol Binding, section 3.2). */
#ifndef VULNBUS_ENCODE_H
#define VULNBUS_ENCODE_H

#include "vulnbus/event.h"
#include "vulnbus/topics.h"
#include "vulnbus/trace.h"

/* One encoded record; its views look into itself, so it is not copied, or are
 * borrowed from the call's arguments (ids, base_url). Used again and again:
 * each encode call replaces what was there. */
struct encoded {
	struct kafka_record record;
	struct tree tree;
	struct tree projected; /* what `tree` is a projection of, */
	char id[EVENT_TEXT_BYTES + sizeof("/ocsf")]; /* and its id */
	struct buffer value;
	struct buffer key;
	int64_t time_ms; /* what `time` says */
	char time[TIMESTAMP_TEXT_SIZE];
	const char *type; /* may be `type_text` */
	char type_text[96];
	struct trace trace;
};

/* What all records of one program share. */
struct encoding {
	const struct topics *topics;
	enum config_format format;
	size_t record_bytes_max; /* for encode_record; 0: no ceiling */
};

void
encoded_init(struct encoded *encoded);

void
encoded_clear(struct encoded *encoded);

/* The event onto events.v1. `trace` may be NULL: none. */
enum status
encode_event(const struct encoding *encoding, const struct event *event,
    struct view base_url, const struct trace *trace, struct encoded *out,
    struct error *err) MUST_CHECK;

/* A record of an event onto `topic`: the common fields, then the members of
 * `body`, shortened (fit.h) where the record would be over its ceiling: it
 * stays above only when nothing is left to shorten. `id` is the record's
 * own. */
struct encode_record {
	enum topic topic;
	bool is_ocsf; /* not the record, but its projection (ocsf.h), onto the
		       * topic of these: `id` and "/ocsf", and always JSON */
	const struct event *event;
	struct view id;
	struct view base_url;
	const struct trace *trace; /* or NULL */
	int64_t made_ms;
	const char *made_name; /* "fetched_ms" or "failed_ms" */
	const struct tree *body;
};

enum status
encode_record(const struct encoding *encoding,
    const struct encode_record *record, struct encoded *out,
    struct error *err) MUST_CHECK;

/* Why an event could not be carried through. */
struct encode_failure {
	const char *reason;
	const char *stage;
	int64_t attempts;
	unsigned http_status;     /* 0: none */
	const char *origin_topic; /* NULL: it came from no topic */
	int32_t origin_partition;
	int64_t origin_offset;
};

enum status
encode_dead_letter(const struct encoding *encoding, struct event *event,
    const struct encode_failure *failure, struct view base_url,
    const struct trace *trace, int64_t now_ms, struct encoded *out,
    struct error *err) MUST_CHECK;

/* The value of a record read from a topic, by its content-type header. Texts
 * of the tree are borrowed from *out_document (JSON, to be freed by the
 * caller) or from the record's value. */
struct json_document;

enum status
decode_value(const struct kafka_record *record, struct tree *out_tree,
    struct json_document **out_document, struct error *err) MUST_CHECK;

#endif
