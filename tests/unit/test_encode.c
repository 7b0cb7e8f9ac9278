/* SPDX-License-Identifier: Apache-2.0
 *
 * Records for Kafka: CloudEvents in binary mode, in both formats. */
#include "check.h"

#include "vulnbus/encode.h"
#include "vulnbus/json.h"
#include "vulnbus/msgpack.h"

#define TRACE  "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
#define ORIGIN "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01"

static const struct trace trace = { TRACE, ORIGIN };
static struct topics topics;

static int
name_topics(void **state)
{
	(void)state;
	for (int i = 0; i < TOPIC_COUNT; i++)
		snprintf(topics.names[i], sizeof(topics.names[i]), "vb.%s.v1",
		    topic_short_name((enum topic)i));
	return 0;
}

static void
fill(struct event *event)
{
	event_init(event);
	event->id = VIEW("acme:scan:39836:1:done");
	event->source = VIEW("acme");
	event->vendor = VIEW("taegis-vdr");
	event->kind = VIEW("scan.completed");
	event->subject_type = VIEW("scan");
	event->subject_id = VIEW("39836");
	event->occurred_ms = 1598539392000;
	event->received_ms = 1598539393000;
	event->attempt = 1;
	event->proof = VIEW("jws-es512");
	tree_text(&event->attributes, VIEW("asset_id"), VIEW("1"));
}

static void
assert_headers(const struct kafka_record *record,
    const struct kafka_header *expected, size_t count)
{
	for (size_t i = 0; i < count; i++)
		assert_bytes(kafka_record_header(record, expected[i].name),
		    expected[i].value);
	assert_int_equal(record->header_count, count);
}

static void
an_event_is_a_cloudevent(void **state)
{
	static const struct kafka_header expected[] = {
		{ "content-type", VIEW("application/vnd.msgpack") },
		{ "ce_specversion", VIEW("1.0") },
		{ "ce_id", VIEW("acme:scan:39836:1:done") },
		{ "ce_source", VIEW("https://a.example") },
		{ "ce_type", VIEW("vulnbus.scan.completed") },
		{ "ce_time", VIEW("2020-08-27T14:43:12Z") },
		{ "ce_subject", VIEW("scan/39836") },
		{ "ce_partitionkey", VIEW("acme/scan/39836") },
		{ "ce_dataschema", VIEW("urn:vulnbus:schema:event:v1") },
		{ "traceparent", VIEW(TRACE) },
		{ "ce_traceparent", VIEW(ORIGIN) },
	};
	const struct encoding encoding = { &topics, CONFIG_FORMAT_MSGPACK, 0 };
	struct error err = { "" };
	struct encoded encoded;
	struct event event;

	(void)state;
	fill(&event);
	encoded_init(&encoded);
	assert_ok(encode_event(&encoding, &event, VIEW("https://a.example"),
		      &trace, &encoded, &err),
	    &err);
	assert_headers(&encoded.record, expected, COUNT(expected));
	assert_string_equal(encoded.record.topic, "vb.events.v1");
	assert_view(encoded.record.key, "acme/scan/39836");
	assert_int_equal(encoded.record.timestamp_ms, 1598539393000);
	assert_int_equal(encoded.record.partition, KAFKA_PARTITION_BY_KEY);
	encoded_clear(&encoded);
	event_clear(&event);
}

static void
what_an_event_lacks_has_no_header(void **state)
{
	const struct encoding encoding = { &topics, CONFIG_FORMAT_JSON, 0 };
	struct error err = { "" };
	struct encoded encoded;
	struct event event;

	(void)state;
	fill(&event);
	event.occurred_ms = TIMESTAMP_NONE;
	event.attempt = EVENT_ATTEMPT_NONE;
	encoded_init(&encoded);
	assert_ok(encode_event(&encoding, &event, VIEW("https://a.example"),
		      NULL, &encoded, &err),
	    &err);
	assert_view(kafka_record_header(&encoded.record, "ce_time"), "");
	assert_view(kafka_record_header(&encoded.record, "traceparent"), "");
	assert_view(kafka_record_header(&encoded.record, "ce_traceparent"), "");
	assert_int_equal(encoded.record.header_count, 8);
	assert_view(kafka_record_header(&encoded.record, "content-type"),
	    "application/json");
	assert_view(encoded.record.value,
	    "{\"id\":\"acme:scan:39836:1:done\",\"source\":\"acme\","
	    "\"vendor\":\"taegis-vdr\",\"kind\":\"scan.completed\","
	    "\"subject\":{\"type\":\"scan\",\"id\":\"39836\"},"
	    "\"received_ms\":1598539393000,\"proof\":\"jws-es512\","
	    "\"attributes\":{\"asset_id\":\"1\"}}");
	encoded_clear(&encoded);
	event_clear(&event);
}

static void
an_event_comes_back_from_both_formats(void **state)
{
	static const enum config_format formats[] = { CONFIG_FORMAT_JSON,
		CONFIG_FORMAT_MSGPACK };

	(void)state;
	for (size_t i = 0; i < COUNT(formats); i++) {
		const struct encoding encoding = { &topics, formats[i], 0 };
		struct json_document *document = NULL;
		struct event event, back;
		struct error err = { "" };
		struct encoded encoded;
		struct tree t;

		fill(&event);
		encoded_init(&encoded);
		assert_ok(
		    encode_event(&encoding, &event, VIEW("https://a.example"),
			&trace, &encoded, &err),
		    &err);
		tree_init(&t, 100);
		assert_ok(
		    decode_value(&encoded.record, &t, &document, &err), &err);
		event_init(&back);
		assert_ok(event_from_tree(&t, 0, &back, &err), &err);
		assert_bytes(back.id, event.id);
		assert_bytes(back.subject_id, event.subject_id);
		assert_int_equal(back.occurred_ms, event.occurred_ms);
		assert_view(
		    tree_get_text(&back.attributes, 0, "asset_id"), "1");
		event_clear(&back);
		event_clear(&event);
		tree_clear(&t);
		json_free(document);
		encoded_clear(&encoded);
	}
}

static void
a_record_has_the_common_fields_and_its_own(void **state)
{
	const struct encoding encoding = { &topics, CONFIG_FORMAT_JSON, 0 };
	struct error err = { "" };
	struct encoded encoded;
	struct event event;
	struct tree body;

	(void)state;
	fill(&event);
	tree_init(&body, 100);
	tree_open_map(&body, VIEW("scan"));
	tree_text(&body, VIEW("status"), VIEW("completed"));
	tree_close(&body);
	encoded_init(&encoded);
	assert_ok(encode_record(&encoding,
		      &(struct encode_record){ .topic = TOPIC_SCANS,
			  .event = &event,
			  .id = VIEW("acme:scan:39836:1:done/scan"),
			  .base_url = VIEW("https://a.example"),
			  .trace = &trace,
			  .made_ms = 1598539400000,
			  .made_name = "fetched_ms",
			  .body = &body },
		      &encoded, &err),
	    &err);
	assert_view(encoded.record.value,
	    "{\"id\":\"acme:scan:39836:1:done/scan\","
	    "\"event_id\":\"acme:scan:39836:1:done\",\"source\":\"acme\","
	    "\"vendor\":\"taegis-vdr\",\"kind\":\"scan.completed\","
	    "\"fetched_ms\":1598539400000,"
	    "\"scan\":{\"status\":\"completed\"}}");
	assert_string_equal(encoded.record.topic, "vb.scans.v1");
	assert_view(encoded.record.key, "acme/scan/39836");
	assert_int_equal(encoded.record.timestamp_ms, 1598539400000);
	assert_view(kafka_record_header(&encoded.record, "ce_id"),
	    "acme:scan:39836:1:done/scan");
	assert_view(kafka_record_header(&encoded.record, "ce_type"),
	    "vulnbus.scan.enriched");
	assert_view(kafka_record_header(&encoded.record, "ce_dataschema"),
	    "urn:vulnbus:schema:scan:v1");
	encoded_clear(&encoded);
	tree_clear(&body);
	event_clear(&event);
}

/* Whatever the format of the others. */
static void
a_projection_is_a_cloudevent_in_json(void **state)
{
	static const struct kafka_header expected[] = {
		{ "content-type", VIEW("application/json") },
		{ "ce_specversion", VIEW("1.0") },
		{ "ce_id", VIEW("acme:scan:39836:1:done/scan/ocsf") },
		{ "ce_source", VIEW("https://a.example") },
		{ "ce_type", VIEW("vulnbus.ocsf.scan") },
		{ "ce_time", VIEW("2020-08-27T14:43:12Z") },
		{ "ce_subject", VIEW("scan/39836") },
		{ "ce_partitionkey", VIEW("acme/scan/39836") },
		{ "ce_dataschema", VIEW("urn:vulnbus:schema:ocsf:v1") },
		{ "traceparent", VIEW(TRACE) },
		{ "ce_traceparent", VIEW(ORIGIN) },
	};
	const struct encoding encoding = { &topics, CONFIG_FORMAT_MSGPACK, 0 };
	struct json_document *document = NULL;
	struct error err = { "" };
	struct encoded encoded;
	struct event event;
	struct tree body, back;

	(void)state;
	fill(&event);
	tree_init(&body, 100);
	tree_init(&back, 100);
	tree_open_map(&body, VIEW("scan"));
	tree_text(&body, VIEW("status"), VIEW("completed"));
	tree_close(&body);
	encoded_init(&encoded);
	assert_ok(encode_record(&encoding,
		      &(struct encode_record){ .topic = TOPIC_SCANS,
			  .is_ocsf = true,
			  .event = &event,
			  .id = VIEW("acme:scan:39836:1:done/scan"),
			  .base_url = VIEW("https://a.example"),
			  .trace = &trace,
			  .made_ms = 1598539400000,
			  .made_name = "fetched_ms",
			  .body = &body },
		      &encoded, &err),
	    &err);
	assert_headers(&encoded.record, expected, COUNT(expected));
	assert_string_equal(encoded.record.topic, "vb.ocsf.v1");
	assert_view(encoded.record.key, "acme/scan/39836");
	assert_int_equal(encoded.record.timestamp_ms, 1598539400000);
	assert_ok(decode_value(&encoded.record, &back, &document, &err), &err);
	assert_int_equal(tree_get_int(&back, 0, "type_uid", 0), 600702);
	assert_int_equal(tree_get_int(&back, 0, "status_id", 0), 1);
	assert_int_equal(tree_get_int(&back, tree_find(&back, 0, "metadata"),
			     "processed_time", 0),
	    1598539400000);
	json_free(document);
	encoded_clear(&encoded);
	tree_clear(&body);
	tree_clear(&back);
	event_clear(&event);
}

static void
a_dead_letter_says_why_and_from_where(void **state)
{
	const struct encoding encoding = { &topics, CONFIG_FORMAT_JSON, 0 };
	const struct encode_failure failure = { .reason = "gone",
		.stage = "fetch",
		.attempts = 3,
		.http_status = 500,
		.origin_topic = "vb.events.v1",
		.origin_partition = 4,
		.origin_offset = 1234567890123 };
	struct error err = { "" };
	struct encoded encoded;
	struct event event;

	(void)state;
	fill(&event);
	event.kind = VIEW("");
	encoded_init(&encoded);
	assert_ok(encode_dead_letter(&encoding, &event, &failure,
		      VIEW("https://a.example"), &trace, 1598539400000,
		      &encoded, &err),
	    &err);
	assert_view(encoded.record.value,
	    "{\"id\":\"acme:scan:39836:1:done/dead-letter\","
	    "\"event_id\":\"acme:scan:39836:1:done\",\"source\":\"acme\","
	    "\"vendor\":\"taegis-vdr\",\"failed_ms\":1598539400000,"
	    "\"reason\":\"gone\",\"stage\":\"fetch\",\"attempts\":3,"
	    "\"http_status\":500,\"event\":{"
	    "\"id\":\"acme:scan:39836:1:done\",\"source\":\"acme\","
	    "\"vendor\":\"taegis-vdr\","
	    "\"subject\":{\"type\":\"scan\",\"id\":\"39836\"},"
	    "\"occurred_ms\":1598539392000,\"received_ms\":1598539393000,"
	    "\"attempt\":1,\"proof\":\"jws-es512\","
	    "\"attributes\":{\"asset_id\":\"1\"}}}");
	assert_string_equal(encoded.record.topic, "vb.dead-letters.v1");
	assert_view(
	    kafka_record_header(&encoded.record, "vulnbus-origin-topic"),
	    "vb.events.v1");
	assert_view(
	    kafka_record_header(&encoded.record, "vulnbus-origin-partition"),
	    "4");
	assert_view(
	    kafka_record_header(&encoded.record, "vulnbus-origin-offset"),
	    "1234567890123");
	encoded_clear(&encoded);
	event_clear(&event);
}

static void
a_dead_letter_from_no_topic_names_none(void **state)
{
	const struct encoding encoding = { &topics, CONFIG_FORMAT_MSGPACK, 0 };
	const struct encode_failure failure = { .reason = "new",
		.stage = "normalise" };
	struct error err = { "" };
	struct encoded encoded;
	struct event event;

	(void)state;
	fill(&event);
	encoded_init(&encoded);
	assert_ok(encode_dead_letter(&encoding, &event, &failure,
		      VIEW("https://a.example"), NULL, 1, &encoded, &err),
	    &err);
	assert_view(
	    kafka_record_header(&encoded.record, "vulnbus-origin-topic"), "");
	assert_int_equal(tree_find(&encoded.tree, 0, "http_status"), 0);
	encoded_clear(&encoded);
	event_clear(&event);
}

/* One `encoded` serves all records of a program. */
static void
nothing_of_the_last_record_is_left(void **state)
{
	const struct encoding encoding = { &topics, CONFIG_FORMAT_JSON, 0 };
	const struct encode_failure failure = { .reason = "a long reason",
		.stage = "fetch",
		.origin_topic = "vb.events.v1" };
	struct encoded used, fresh;
	struct error err = { "" };
	struct event event;

	(void)state;
	fill(&event);
	encoded_init(&used);
	encoded_init(&fresh);
	assert_ok(encode_dead_letter(&encoding, &event, &failure,
		      VIEW("https://a.example"), &trace, 1, &used, &err),
	    &err);
	event.occurred_ms = TIMESTAMP_NONE;
	assert_ok(encode_event(&encoding, &event, VIEW("https://a.example"),
		      NULL, &used, &err),
	    &err);
	assert_ok(encode_event(&encoding, &event, VIEW("https://a.example"),
		      NULL, &fresh, &err),
	    &err);
	assert_bytes(used.record.value, fresh.record.value);
	assert_headers(
	    &used.record, fresh.record.headers, fresh.record.header_count);
	event.occurred_ms = 1598539391000; /* not that of the dead letter */
	assert_ok(encode_event(&encoding, &event, VIEW("https://a.example"),
		      NULL, &used, &err),
	    &err);
	assert_view(kafka_record_header(&used.record, "ce_time"),
	    "2020-08-27T14:43:11Z");
	encoded_clear(&used);
	encoded_clear(&fresh);
	event_clear(&event);
}

static struct kafka_record
record_of(const char *content_type, struct view value)
{
	struct kafka_record record = { .value = value };

	kafka_record_add_header(&record, "content-type", view_of(content_type));
	return record;
}

static void
values_are_read_by_their_content_type(void **state)
{
	static const struct {
		const char *content_type;
		struct view value;
		enum status status;
	} cases[] = {
		{ "application/json", VIEW("{\"a\":1}"), STATUS_OK },
		{ "Application/JSON", VIEW("{\"a\":1}"), STATUS_OK },
		{ "application/json; charset=utf-8", VIEW("{\"a\":1}"),
		    STATUS_OK },
		{ "application/vnd.msgpack", VIEW("\x81\xa1\x61\x01"),
		    STATUS_OK },
		{ "application/msgpack", VIEW("\x81\xa1\x61\x01"), STATUS_OK },
		{ "", VIEW("\x81\xa1\x61\x01"), STATUS_OK },
		{ "application/json", VIEW("\x81\xa1\x61\x01"),
		    STATUS_INVALID },
		{ "application/json", VIEW(""), STATUS_INVALID },
		{ "application/json", VIEW("[1]"), STATUS_INVALID },
		{ "application/json", VIEW("{\"a\":1,\"a\":2}"),
		    STATUS_INVALID },
		{ "application/vnd.msgpack", VIEW("{\"a\":1}"),
		    STATUS_INVALID },
		{ "application/vnd.msgpack", VIEW(""), STATUS_INVALID },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct kafka_record record = record_of(
		    cases[i].content_type, cases[i].value);
		struct json_document *document = NULL;
		struct error err = { "" };
		struct tree t;

		tree_init(&t, 100);
		assert_status_of(cases[i].content_type,
		    decode_value(&record, &t, &document, &err),
		    cases[i].status);
		if (cases[i].status == STATUS_OK)
			assert_int_equal(tree_get_int(&t, 0, "a", -1), 1);
		tree_clear(&t);
		json_free(document);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_event_is_a_cloudevent),
		cmocka_unit_test(what_an_event_lacks_has_no_header),
		cmocka_unit_test(an_event_comes_back_from_both_formats),
		cmocka_unit_test(a_record_has_the_common_fields_and_its_own),
		cmocka_unit_test(a_projection_is_a_cloudevent_in_json),
		cmocka_unit_test(a_dead_letter_says_why_and_from_where),
		cmocka_unit_test(a_dead_letter_from_no_topic_names_none),
		cmocka_unit_test(nothing_of_the_last_record_is_left),
		cmocka_unit_test(values_are_read_by_their_content_type),
	};

	return cmocka_run_group_tests(tests, name_topics, NULL);
}
