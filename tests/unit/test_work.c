/* SPDX-License-Identifier: Apache-2.0
 *
 * Work and its state records: the enricher's memory. */
#include "check.h"

#include "vulnbus/json.h"
#include "vulnbus/msgpack.h"
#include "vulnbus/work.h"

#define TRACE  "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
#define ORIGIN "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01"
#define ID     "acme:scan:39836:1:done"
#define EVENT                                                               \
	"{\"id\":\"" ID "\",\"source\":\"acme\",\"vendor\":\"taegis-vdr\"," \
	"\"kind\":\"scan.completed\","                                      \
	"\"subject\":{\"type\":\"scan\",\"id\":\"39836\"},"                 \
	"\"received_ms\":1598539393000,\"proof\":\"jws-es512\","            \
	"\"attributes\":{}}"

static struct kafka_record
event_record(void)
{
	struct kafka_record record = {
		.partition = 3, .offset = 77, .value = VIEW(EVENT)
	};

	kafka_record_add_header(&record, "ce_id", VIEW(ID));
	kafka_record_add_header(
	    &record, "content-type", VIEW("application/json"));
	kafka_record_add_header(&record, "traceparent", VIEW(TRACE));
	kafka_record_add_header(&record, "ce_traceparent", VIEW(ORIGIN));
	return record;
}

static struct work *
work_of(const struct kafka_record *record)
{
	struct error err = { "" };
	struct work *work = NULL;

	assert_ok(work_from_event(record, 1000, &work, &err), &err);
	return work;
}

static void
an_event_becomes_work(void **state)
{
	const struct kafka_record record = event_record();
	struct work *work = work_of(&record);
	struct error err = { "" };
	struct decoded decoded;

	(void)state;
	assert_string_equal(work->key, ID);
	assert_int_equal(work->partition, 3);
	assert_int_equal(work->offset, 77);
	assert_true(work->is_json);
	assert_true(work->is_new);
	/* The same trace, and a hop of its own. */
	assert_memory_equal(work->trace.hop, TRACE, 36);
	assert_memory_not_equal(work->trace.hop + 36, TRACE + 36, 16);
	assert_string_equal(work->trace.origin, ORIGIN);
	assert_int_equal(work->next.state, WORK_WAITING);
	assert_int_equal(work->next.due_ms, 1000);
	assert_int_equal(work->next.first_ms, 1000);
	decoded_init(&decoded);
	assert_ok(work_decode(work, &decoded, &err), &err);
	assert_view(decoded.event.id, ID);
	assert_view(decoded.event.subject_id, "39836");
	decoded_clear(&decoded);
	work_free(work);
	work_free(NULL);
}

static void
a_replay_is_work_of_its_own(void **state)
{
	struct kafka_record record = event_record();
	struct work *work;

	(void)state;
	kafka_record_add_header(&record, "vulnbus-replay", VIEW("r1"));
	work = work_of(&record);
	assert_string_equal(work->key, ID "#r1");
	work_free(work);
}

static void
a_replay_with_control_characters_is_refused(void **state)
{
	struct kafka_record record = event_record();
	struct error err = { "" };
	struct work *work = NULL;

	(void)state;
	kafka_record_add_header(&record, "vulnbus-replay", VIEW("r\0\x1b"));
	assert_status(
	    work_from_event(&record, 1000, &work, &err), STATUS_INVALID);
	assert_null(work);
}

static void
an_event_without_an_id_is_refused(void **state)
{
	static const struct view ids[] = { VIEW(""), VIEW("a\nb"),
		VIEW("a\0b") };
	static char long_id[EVENT_TEXT_BYTES + 1];
	struct error err = { "" };
	struct work *work = NULL;

	(void)state;
	memset(long_id, 'x', sizeof(long_id));
	for (size_t i = 0; i <= COUNT(ids); i++) {
		struct kafka_record record = { .value = VIEW(EVENT) };

		kafka_record_add_header(&record, "ce_id",
		    i < COUNT(ids) ? ids[i]
				   : (struct view){ long_id, sizeof(long_id) });
		assert_status(work_from_event(&record, 1000, &work, &err),
		    STATUS_INVALID);
		assert_null(work);
	}
}

/* A trace that is none is not carried on: a new one begins. */
static void
only_whole_traces_are_kept(void **state)
{
	struct kafka_record record = { .value = VIEW(EVENT) };
	struct work *work;

	(void)state;
	kafka_record_add_header(&record, "ce_id", VIEW(ID));
	kafka_record_add_header(&record, "traceparent", VIEW("00-abc"));
	work = work_of(&record);
	assert_int_equal(strlen(work->trace.hop), TRACEPARENT_BYTES);
	assert_memory_equal(work->trace.hop, "00-", 3);
	assert_null(strstr(work->trace.hop, "abc-"));
	assert_string_equal(work->trace.origin, work->trace.hop);
	assert_false(work->is_json);
	work_free(work);
}

static void
what_is_no_event_is_not_decoded(void **state)
{
	static const struct view values[] = { VIEW(""), VIEW("x"), VIEW("[]"),
		VIEW("{}"), VIEW("{\"id\":\"a\"}") };

	(void)state;
	for (size_t i = 0; i < COUNT(values); i++) {
		struct kafka_record record = event_record();
		struct error err = { "" };
		struct decoded decoded;
		struct work *work;

		record.value = values[i];
		work = work_of(&record);
		decoded_init(&decoded);
		assert_status_of(values[i].data,
		    work_decode(work, &decoded, &err), STATUS_INVALID);
		decoded_clear(&decoded);
		work_free(work);
	}
}

/* Writes the state and reads it as the state topic gives it back. */
static enum status
there_and_back(
    const struct work *work, struct work **out_work, int64_t *out_done_ms)
{
	struct error err = { "" };
	struct buffer value;
	enum status status;
	struct tree tree;

	tree_init(&tree, 100);
	buffer_init(&value, 1 << 20);
	assert_ok(work_write_state(work, &tree, &value, &err), &err);
	status = work_read_state(
	    &(struct kafka_record){ .partition = work->partition,
		.offset = 5,
		.key = view_of(work->key),
		.value = buffer_view(&value) },
	    &tree, out_work, out_done_ms, &err);
	tree_clear(&tree);
	buffer_clear(&value);
	return status;
}

static void
waiting_work_comes_back(void **state)
{
	const struct kafka_record record = event_record();
	struct work *work = work_of(&record), *back = NULL;
	const struct trace trace = work->trace;
	int64_t done_ms = 0;

	(void)state;
	work->next = (struct work_status){ .state = WORK_WAITING,
		.due_ms = 2000,
		.first_ms = 1000,
		.attempts = 3,
		.polls = 4,
		.progress = { .rows = 5, .bytes = 6, .generation = 2 } };
	memset(work->next.progress.digest, 0xa5, SHA256_BYTES);
	assert_status(there_and_back(work, &back, &done_ms), STATUS_OK);
	assert_string_equal(back->key, ID);
	assert_int_equal(back->partition, 3);
	assert_int_equal(back->offset, 77);
	assert_true(back->is_json);
	assert_false(back->is_new);
	assert_string_equal(back->trace.hop, trace.hop);
	assert_string_equal(back->trace.origin, ORIGIN);
	assert_view(buffer_view(&back->value), EVENT);
	assert_int_equal(back->next.state, WORK_WAITING);
	assert_int_equal(back->next.due_ms, 2000);
	assert_int_equal(back->next.first_ms, 1000);
	assert_int_equal(back->next.attempts, 3);
	assert_int_equal(back->next.polls, 4);
	assert_int_equal(back->next.progress.rows, 5);
	assert_int_equal(back->next.progress.bytes, 6);
	assert_int_equal(back->next.progress.generation, 2);
	assert_memory_equal(back->next.progress.digest,
	    work->next.progress.digest, SHA256_BYTES);
	assert_memory_equal(&back->committed, &back->next, sizeof(back->next));
	work_free(work);
	work_free(back);
}

static void
work_not_begun_has_no_progress(void **state)
{
	const struct kafka_record record = event_record();
	struct work *work = work_of(&record), *back = NULL;
	int64_t done_ms = 0;

	(void)state;
	assert_status(there_and_back(work, &back, &done_ms), STATUS_OK);
	assert_int_equal(back->next.progress.generation, 0);
	assert_int_equal(back->next.progress.rows, 0);
	work_free(work);
	work_free(back);
}

/* Done is only when: nothing of the event is kept. */
static void
done_work_is_only_a_time(void **state)
{
	const struct kafka_record record = event_record();
	struct work *work = work_of(&record), *back = NULL;
	struct error err = { "" };
	struct buffer value;
	int64_t done_ms = 0;
	struct tree tree;

	(void)state;
	work->next.state = WORK_DONE;
	work->next.due_ms = 1598539400000;
	assert_status(there_and_back(work, &back, &done_ms), STATUS_END);
	assert_null(back);
	assert_int_equal(done_ms, 1598539400000);
	tree_init(&tree, 100);
	buffer_init(&value, 1000);
	assert_ok(work_write_state(work, &tree, &value, &err), &err);
	assert_true(value.len < 40);
	tree_clear(&tree);
	buffer_clear(&value);
	work_free(work);
}

static void
what_is_no_state_is_refused(void **state)
{
	static const struct {
		const char *what;
		struct view value;
	} cases[] = {
		{ "nothing", VIEW("") },
		{ "text", VIEW("{\"v\":1}") },
		{ "a list", VIEW("\x90") },
		{ "an empty map", VIEW("\x80") },
		{ "version 0", VIEW("\x81\xa1v\x00") },
		{ "version 2", VIEW("\x82\xa1v\x02\xa7"
				    "done_ms\x01") },
		{ "version as text", VIEW("\x81\xa1v\xa1"
					  "1") },
		{ "two records", VIEW("\x81\xa1v\x01\x81\xa1v\x01") },
		{ "a bomb", VIEW("\xdf\xff\xff\xff\xff") },
		{ "no event", VIEW("\x81\xa1v\x01") },
		{ "an event that is no text", VIEW("\x82\xa1v\x01\xa5"
						   "event\x01") },
		{ "done at no time", VIEW("\x82\xa1v\x01\xa7"
					  "done_ms\xa1x") },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct kafka_record record = { .key = VIEW("k"),
			.value = cases[i].value };
		struct error err = { "" };
		struct work *work = NULL;
		int64_t done_ms;
		struct tree tree;

		tree_init(&tree, 100);
		assert_status_of(cases[i].what,
		    work_read_state(&record, &tree, &work, &done_ms, &err),
		    STATUS_INVALID);
		assert_null(work);
		tree_clear(&tree);
	}
}

/* Any bytes: refused or read, and what is read can be freed. */
static void
garbage_is_refused_or_read(void **state)
{
	const struct kafka_record record = event_record();
	struct work *work = work_of(&record);
	uint64_t seed = check_seed();
	struct error err = { "" };
	struct buffer value;
	struct tree tree;

	(void)state;
	tree_init(&tree, 100);
	buffer_init(&value, 1 << 20);
	work->next.progress.generation = 1;
	assert_ok(work_write_state(work, &tree, &value, &err), &err);
	for (int round = 0; round < 20000; round++) {
		char *bytes = malloc(value.len);
		struct work *back = NULL;
		int64_t done_ms;

		assert_non_null(bytes);
		memcpy(bytes, value.data, value.len);
		for (uint32_t n = 1 + check_random(&seed, 4); n > 0; n--)
			bytes[check_random(&seed, (uint32_t)value.len)] =
			    (char)check_random(&seed, 256);
		if (work_read_state(&(struct kafka_record){ .key = VIEW("k"),
					.value = { bytes, value.len } },
			&tree, &back, &done_ms, &err) == STATUS_OK)
			work_free(back);
		free(bytes);
	}
	tree_clear(&tree);
	buffer_clear(&value);
	work_free(work);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_event_becomes_work),
		cmocka_unit_test(a_replay_is_work_of_its_own),
		cmocka_unit_test(a_replay_with_control_characters_is_refused),
		cmocka_unit_test(an_event_without_an_id_is_refused),
		cmocka_unit_test(only_whole_traces_are_kept),
		cmocka_unit_test(what_is_no_event_is_not_decoded),
		cmocka_unit_test(waiting_work_comes_back),
		cmocka_unit_test(work_not_begun_has_no_progress),
		cmocka_unit_test(done_work_is_only_a_time),
		cmocka_unit_test(what_is_no_state_is_refused),
		cmocka_unit_test(garbage_is_refused_or_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
