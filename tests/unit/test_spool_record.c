/* SPDX-License-Identifier: Apache-2.0
 *
 * A record as the spool keeps it: back as it was, or refused. */
#include "check.h"

#include "vulnbus/buffer.h"
#include "vulnbus/spool_record.h"
#include "vulnbus/topics.h"

#define BYTES_MAX    (1 << 20)
#define NUMBER_BYTES 8

static struct topics topics, renamed;

static void
name_topics(struct topics *out, const char *prefix)
{
	struct config *config = NULL;
	struct error err = { "" };
	char text[128];

	snprintf(text, sizeof(text),
	    "kafka: {bootstrap_servers: kafka:9092}\ntopics: {prefix: %s}\n",
	    prefix);
	assert_ok(config_parse("test", view_of(text), &config, &err), &err);
	topics_init(out, config);
	config_free(config);
}

static struct kafka_record
example(void)
{
	return (struct kafka_record){
		.topic = topics.names[TOPIC_EVENTS],
		.partition = KAFKA_PARTITION_BY_KEY,
		.timestamp_ms = 1700000000123,
		.key = VIEW("acme/scan/1"),
		.value = VIEW("a\0value\xff"),
		.headers = { { "ce_id", VIEW("acme:scan:1") },
		    { "empty", VIEW("") }, { "bytes", VIEW("\0\0") } },
		.header_count = 3,
	};
}

static void
assert_same(const struct kafka_record *got, const struct kafka_record *expected)
{
	assert_string_equal(got->topic, expected->topic);
	assert_int_equal(got->partition, KAFKA_PARTITION_BY_KEY);
	assert_true(got->timestamp_ms == expected->timestamp_ms);
	assert_bytes(got->key, expected->key);
	assert_bytes(got->value, expected->value);
	assert_int_equal(got->header_count, expected->header_count);
	for (size_t i = 0; i < got->header_count; i++) {
		assert_string_equal(
		    got->headers[i].name, expected->headers[i].name);
		assert_bytes(got->headers[i].value, expected->headers[i].value);
	}
}

static void
assert_comes_back(const struct kafka_record *record)
{
	struct kafka_record back;
	struct error err = { "" };
	struct buffer bytes;

	buffer_init(&bytes, BYTES_MAX);
	spool_record_write(record, &topics, &bytes);
	assert_int_equal(buffer_status(&bytes), STATUS_OK);
	assert_ok(
	    spool_record_read(buffer_view(&bytes), &topics, &back, &err), &err);
	assert_same(&back, record);
	buffer_clear(&bytes);
}

static void
a_record_comes_back_as_it_was(void **state)
{
	static char large[300000];
	struct kafka_record record = example();

	(void)state;
	assert_comes_back(&record);
	record.timestamp_ms = INT64_MIN;
	record.value = (struct view){ large, sizeof(large) };
	record.header_count = 0;
	assert_comes_back(&record);
	record = example();
	record.timestamp_ms = INT64_MAX;
	record.key = VIEW("");
	record.value = VIEW("");
	for (size_t i = 0; i < KAFKA_HEADERS_MAX; i++)
		record.headers[i] = record.headers[i % 3];
	record.header_count = KAFKA_HEADERS_MAX;
	assert_comes_back(&record);
	for (int i = 0; i < TOPIC_COUNT; i++) {
		record.topic = topics.names[i];
		assert_comes_back(&record);
	}
}

static void
a_spool_outlives_a_change_of_the_prefix(void **state)
{
	struct kafka_record record = example(), back;
	struct error err = { "" };
	struct buffer bytes;

	(void)state;
	buffer_init(&bytes, BYTES_MAX);
	spool_record_write(&record, &topics, &bytes);
	assert_ok(spool_record_read(buffer_view(&bytes), &renamed, &back, &err),
	    &err);
	assert_string_equal(back.topic, "another.events.v1");
	buffer_clear(&bytes);
}

static void
a_topic_that_is_not_known_is_refused(void **state)
{
	struct kafka_record record = example(), back;
	struct error err = { "" };
	struct buffer bytes;

	(void)state;
	buffer_init(&bytes, BYTES_MAX);
	record.topic = "somebody.else.v1";
	spool_record_write(&record, &topics, &bytes);
	assert_status(
	    spool_record_read(buffer_view(&bytes), &topics, &back, &err),
	    STATUS_INVALID);
	assert_contains(err.text, "topic");
	buffer_clear(&bytes);
}

/* Of exactly that size, so that a sanitizer sees a byte read behind it. */
static void
assert_refused(const char *what, const char *data, size_t len)
{
	char *copy = malloc(len > 0 ? len : 1);
	struct kafka_record back;
	struct error err = { "" };

	assert_non_null(copy);
	assert_non_null(data);
	memcpy(copy, data, len);
	assert_status_of(what,
	    spool_record_read((struct view){ copy, len }, &topics, &back, &err),
	    STATUS_INVALID);
	assert_string_not_equal(err.text, "");
	free(copy);
}

static void
a_record_that_was_cut_or_has_more_is_refused(void **state)
{
	const struct kafka_record record = example();
	struct buffer bytes;
	char what[32];

	(void)state;
	buffer_init(&bytes, BYTES_MAX);
	spool_record_write(&record, &topics, &bytes);
	for (size_t len = 0; len < bytes.len; len++) {
		snprintf(what, sizeof(what), "cut to %zu", len);
		assert_refused(what, bytes.data, len);
	}
	buffer_append(&bytes, "", 1);
	assert_refused("one byte more", bytes.data, bytes.len);
	buffer_clear(&bytes);
}

/* Where the lengths and the count of headers are. */
static size_t
find_lengths(const struct kafka_record *record, size_t *out)
{
	size_t at = 0, count = 0;

	out[count++] = at;
	at += NUMBER_BYTES +
	      strlen(topic_short_name(
		  (enum topic)topic_find(&topics, record->topic))) +
	      1;
	out[count++] = at;
	at += NUMBER_BYTES + record->key.len;
	out[count++] = at;
	at += NUMBER_BYTES + record->value.len + NUMBER_BYTES;
	out[count++] = at;
	at += NUMBER_BYTES;
	for (size_t i = 0; i < record->header_count; i++) {
		out[count++] = at;
		at += NUMBER_BYTES + strlen(record->headers[i].name) + 1;
		out[count++] = at;
		at += NUMBER_BYTES + record->headers[i].value.len;
	}
	out[count] = at;
	return count;
}

static void
a_length_with_any_bit_flipped_is_refused(void **state)
{
	const struct kafka_record record = example();
	size_t lengths[32], count = find_lengths(&record, lengths);
	struct buffer bytes;
	char what[64];

	(void)state;
	buffer_init(&bytes, BYTES_MAX);
	spool_record_write(&record, &topics, &bytes);
	assert_int_equal(lengths[count], bytes.len);
	for (size_t i = 0; i < count; i++)
		for (size_t bit = 0; bit < 8 * NUMBER_BYTES; bit++) {
			char *byte = bytes.data + lengths[i] + bit / 8;

			snprintf(
			    what, sizeof(what), "length %zu, bit %zu", i, bit);
			*byte = (char)(*byte ^ 1 << bit % 8);
			assert_refused(what, bytes.data, bytes.len);
			*byte = (char)(*byte ^ 1 << bit % 8);
		}
	buffer_clear(&bytes);
}

/* Names are borrowed as strings: the NUL is there, and only at the end. */
static void
a_name_without_its_nul_or_with_one_inside_is_refused(void **state)
{
	const struct kafka_record record = example();
	struct buffer bytes;
	size_t lengths[32];

	(void)state;
	(void)find_lengths(&record, lengths);
	buffer_init(&bytes, BYTES_MAX);
	spool_record_write(&record, &topics, &bytes);
	assert_status(buffer_status(&bytes), STATUS_OK);
	bytes.data[lengths[4] + NUMBER_BYTES + strlen("ce_id")] = 'x';
	assert_refused("no NUL", bytes.data, bytes.len);
	bytes.data[lengths[4] + NUMBER_BYTES + strlen("ce_id")] = '\0';
	bytes.data[lengths[4] + NUMBER_BYTES + 2] = '\0';
	assert_refused("a NUL inside", bytes.data, bytes.len);
	buffer_clear(&bytes);
}

static void
more_headers_than_a_record_has_room_for_are_refused(void **state)
{
	struct kafka_record record = example();
	struct buffer bytes, more;
	size_t lengths[64], count;

	(void)state;
	buffer_init(&bytes, BYTES_MAX);
	buffer_init(&more, BYTES_MAX);
	for (size_t i = 0; i < KAFKA_HEADERS_MAX; i++)
		record.headers[i] = record.headers[0];
	record.header_count = KAFKA_HEADERS_MAX;
	spool_record_write(&record, &topics, &bytes);
	count = find_lengths(&record, lengths);
	assert_status(buffer_status(&bytes), STATUS_OK);
	bytes.data[lengths[3]] = KAFKA_HEADERS_MAX + 1;
	buffer_append_view(&more, buffer_view(&bytes));
	buffer_append(&more, bytes.data + lengths[count - 2],
	    bytes.len - lengths[count - 2]);
	assert_refused("one header more", more.data, more.len);
	buffer_clear(&more);
	buffer_clear(&bytes);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_record_comes_back_as_it_was),
		cmocka_unit_test(a_spool_outlives_a_change_of_the_prefix),
		cmocka_unit_test(a_topic_that_is_not_known_is_refused),
		cmocka_unit_test(a_record_that_was_cut_or_has_more_is_refused),
		cmocka_unit_test(a_length_with_any_bit_flipped_is_refused),
		cmocka_unit_test(
		    a_name_without_its_nul_or_with_one_inside_is_refused),
		cmocka_unit_test(
		    more_headers_than_a_record_has_room_for_are_refused),
	};

	name_topics(&topics, "vulnbus");
	name_topics(&renamed, "another");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
