/* SPDX-License-Identifier: Apache-2.0 */
#include "vulnbus/encode.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "vulnbus/fit.h"
#include "vulnbus/json.h"
#include "vulnbus/msgpack.h"
#include "vulnbus/ocsf.h"

#define NODES_MAX       8192
#define VALUE_BYTES_MAX (4u << 20)
#define KEY_BYTES_MAX   1024
/* Kafka protocol guide, "Record Batch": a batch, a record, a header. */
#define BATCH_BYTES     512
#define HEADER_BYTES    16
#define TYPE_MSGPACK    "application/vnd.msgpack"
#define TYPE_JSON       "application/json"

void
encoded_init(struct encoded *encoded)
{
	*encoded = (struct encoded){ .time_ms = TIMESTAMP_NONE };
	tree_init(&encoded->tree, NODES_MAX);
	tree_init(&encoded->projected, NODES_MAX);
	buffer_init(&encoded->value, VALUE_BYTES_MAX);
	buffer_init(&encoded->key, KEY_BYTES_MAX);
}

void
encoded_clear(struct encoded *encoded)
{
	tree_clear(&encoded->tree);
	tree_clear(&encoded->projected);
	buffer_clear(&encoded->value);
	buffer_clear(&encoded->key);
}

static void
start(struct encoded *out)
{
	tree_reset(&out->tree);
	tree_reset(&out->projected);
	buffer_reset(&out->value);
	buffer_reset(&out->key);
	out->record = (struct kafka_record){
		.partition = KAFKA_PARTITION_BY_KEY,
	};
}

static bool
is_in_json(const struct encoding *encoding, enum topic topic)
{
	return encoding->format == CONFIG_FORMAT_JSON || topic == TOPIC_OCSF;
}

static enum status
write_value(const struct encoding *encoding, enum topic topic,
    struct encoded *out, struct error *err)
{
	if (is_in_json(encoding, topic))
		return json_write(
		    &out->tree, JSON_STYLE_COMPACT, &out->value, err);
	return msgpack_write(&out->tree, &out->value, err);
}

/* An export's rows all have the time of their event. */
static struct view
time_of(const struct event *event, struct encoded *out)
{
	if (event->occurred_ms == TIMESTAMP_NONE)
		return VIEW("");
	if (event->occurred_ms != out->time_ms)
		timestamp_print(event->occurred_ms, out->time);
	out->time_ms = event->occurred_ms;
	return view_of(out->time);
}

/* "<type>/<id>", which is how the key ends, too. */
static struct view
subject_of(const struct event *event, const struct encoded *out)
{
	const size_t start = event->source.len + 1;

	return (struct view){ out->key.data + start, out->key.len - start };
}

/* CloudEvents allows no control characters in an attribute; event_check saw
 * to that for all that comes from a vendor. */
static void
add_headers(const struct encoding *encoding, enum topic topic,
    const struct event *event, struct view id, struct view base_url,
    const struct trace *trace, struct encoded *out)
{
	out->trace = trace == NULL ? (struct trace){ "", "" } : *trace;
	kafka_record_add_header(&out->record, "content-type",
	    is_in_json(encoding, topic) ? VIEW(TYPE_JSON) : VIEW(TYPE_MSGPACK));
	kafka_record_add_header(&out->record, "ce_specversion", VIEW("1.0"));
	kafka_record_add_header(&out->record, "ce_id", id);
	kafka_record_add_header(&out->record, "ce_source", base_url);
	kafka_record_add_header(&out->record, "ce_type", view_of(out->type));
	kafka_record_add_header(&out->record, "ce_time", time_of(event, out));
	kafka_record_add_header(
	    &out->record, "ce_subject", subject_of(event, out));
	kafka_record_add_header(
	    &out->record, "ce_partitionkey", buffer_view(&out->key));
	kafka_record_add_header(
	    &out->record, "ce_dataschema", view_of(topic_schema(topic)));
	/* The hop's, as any protocol has it; and the extension's, which "MUST
	 * carry the trace information of the starting trace of the
	 * transmission" (CloudEvents, Distributed Tracing Extension). */
	kafka_record_add_header(
	    &out->record, "traceparent", view_of(out->trace.hop));
	kafka_record_add_header(
	    &out->record, "ce_traceparent", view_of(out->trace.origin));
}

/* The tree is written: bytes, key and headers follow from it. */
static enum status
finish(const struct encoding *encoding, enum topic topic,
    const struct event *event, struct view id, struct view base_url,
    const struct trace *trace, int64_t timestamp_ms, struct encoded *out,
    struct error *err)
{
	enum status status = write_value(encoding, topic, out, err);

	if (status != STATUS_OK)
		return status;
	event_key(event, &out->key);
	if (buffer_status(&out->key) != STATUS_OK)
		return error_set(err, buffer_status(&out->key),
		    "record key: %s", status_name(buffer_status(&out->key)));
	out->record.topic = encoding->topics->names[topic];
	out->record.key = buffer_view(&out->key);
	out->record.value = buffer_view(&out->value);
	out->record.timestamp_ms = timestamp_ms;
	add_headers(encoding, topic, event, id, base_url, trace, out);
	return STATUS_OK;
}

enum status
encode_event(const struct encoding *encoding, const struct event *event,
    struct view base_url, const struct trace *trace, struct encoded *out,
    struct error *err)
{
	start(out);
	snprintf(out->type_text, sizeof(out->type_text), "vulnbus.%.*s",
	    VIEW_ARGS(event->kind));
	out->type = out->type_text;
	event_to_tree(event, &out->tree);
	return finish(encoding, TOPIC_EVENTS, event, event->id, base_url, trace,
	    event->received_ms, out, err);
}

static void
add_common(const struct event *event, struct view id, const char *made_name,
    int64_t made_ms, struct tree *t)
{
	tree_text(t, VIEW("id"), id);
	tree_text(t, VIEW("event_id"), event->id);
	tree_text(t, VIEW("source"), event->source);
	tree_text(t, VIEW("vendor"), event->vendor);
	tree_text_if(t, VIEW("kind"), event->kind);
	tree_int(t, view_of(made_name), made_ms);
}

static size_t
record_bytes(const struct kafka_record *record)
{
	size_t bytes = BATCH_BYTES + record->key.len + record->value.len;

	for (size_t i = 0; i < record->header_count; i++)
		bytes += HEADER_BYTES + strlen(record->headers[i].name) +
			 record->headers[i].value.len;
	return bytes;
}

/* The projection is made of what fits, so it says what was cut, as the record
 * does. */
static enum status
encode_projection(const struct encoding *encoding,
    const struct encode_record *record, const struct fit *fit,
    struct encoded *out, struct error *err)
{
	const struct event *event = record->event;
	enum status status;

	start(out);
	snprintf(out->type_text, sizeof(out->type_text), "vulnbus.ocsf.%s",
	    topic_record(record->topic));
	out->type = out->type_text;
	snprintf(out->id, sizeof(out->id), "%.*s/ocsf", VIEW_ARGS(record->id));
	add_common(event, record->id, record->made_name, record->made_ms,
	    &out->projected);
	fit_copy(&out->projected, record->body, fit);
	status = tree_status(&out->projected);
	if (status != STATUS_OK)
		return error_set(
		    err, status, "record: %s", status_name(status));
	ocsf_project(&(struct ocsf_source){ .topic = record->topic,
			 .event = event,
			 .record = &out->projected,
			 .id = view_of(out->id),
			 .base_url = record->base_url,
			 .original_time = time_of(event, out) },
	    &out->tree);
	return finish(encoding, TOPIC_OCSF, event, view_of(out->id),
	    record->base_url, record->trace, record->made_ms, out, err);
}

static enum status
encode_fitting(const struct encoding *encoding,
    const struct encode_record *record, const struct fit *fit,
    struct encoded *out, struct error *err)
{
	if (record->is_ocsf)
		return encode_projection(encoding, record, fit, out, err);
	start(out);
	out->type = topic_type(record->topic);
	add_common(record->event, record->id, record->made_name,
	    record->made_ms, &out->tree);
	fit_copy(&out->tree, record->body, fit);
	return finish(encoding, record->topic, record->event, record->id,
	    record->base_url, record->trace, record->made_ms, out, err);
}

enum status
encode_record(const struct encoding *encoding,
    const struct encode_record *record, struct encoded *out, struct error *err)
{
	const size_t most = encoding->record_bytes_max == 0
				? SIZE_MAX
				: encoding->record_bytes_max;
	struct fit fit = FIT_WHOLE;
	enum status status;

	do
		status = encode_fitting(encoding, record, &fit, out, err);
	while (
	    (status == STATUS_TOO_LARGE ||
		(status == STATUS_OK && record_bytes(&out->record) > most)) &&
	    fit_tighten(&fit, record->body));
	return status;
}

static void
add_origin(const struct encode_failure *failure, struct event *text,
    struct encoded *out)
{
	if (failure->origin_topic == NULL)
		return;
	kafka_record_add_header(&out->record, "vulnbus-origin-topic",
	    view_of(failure->origin_topic));
	kafka_record_add_header(&out->record, "vulnbus-origin-partition",
	    event_print(text, "%d", failure->origin_partition));
	kafka_record_add_header(&out->record, "vulnbus-origin-offset",
	    event_print(text, "%lld", (long long)failure->origin_offset));
}

enum status
encode_dead_letter(const struct encoding *encoding, struct event *event,
    const struct encode_failure *failure, struct view base_url,
    const struct trace *trace, int64_t now_ms, struct encoded *out,
    struct error *err)
{
	const struct view id = event_print(
	    event, "%.*s/dead-letter", VIEW_ARGS(event->id));
	enum status status;

	start(out);
	out->type = topic_type(TOPIC_DEAD_LETTERS);
	add_common(event, id, "failed_ms", now_ms, &out->tree);
	tree_text(&out->tree, VIEW("reason"), view_of(failure->reason));
	tree_text(&out->tree, VIEW("stage"), view_of(failure->stage));
	tree_int(&out->tree, VIEW("attempts"), failure->attempts);
	if (failure->http_status != 0)
		tree_int(&out->tree, VIEW("http_status"), failure->http_status);
	tree_open_map(&out->tree, VIEW("event"));
	event_to_tree(event, &out->tree);
	tree_close(&out->tree);
	status = finish(encoding, TOPIC_DEAD_LETTERS, event, id, base_url,
	    trace, now_ms, out, err);
	if (status == STATUS_OK)
		add_origin(failure, event, out);
	return status;
}

static bool
is_json(struct view content_type)
{
	const size_t len = sizeof(TYPE_JSON) - 1;

	return content_type.len >= len &&
	       strncasecmp(content_type.data, TYPE_JSON, len) == 0;
}

enum status
decode_value(const struct kafka_record *record, struct tree *out_tree,
    struct json_document **out_document, struct error *err)
{
	enum status status;

	*out_document = NULL;
	if (!is_json(kafka_record_header(record, "content-type")))
		return msgpack_read(record->value, out_tree, err);
	status = json_parse(record->value, out_document, err);
	if (status != STATUS_OK)
		return error_add(err, STATUS_INVALID, "value");
	return json_to_tree(*out_document, out_tree, err);
}
