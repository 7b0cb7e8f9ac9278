/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as a record of the events or the state topic, as the enricher
 * reads it: work, or a wreck with a key of its own. What is written of the
 * state reads the same, what the event says survives the topic. */
#include "record.h"

#include "vulnbus/work.h"

#define NOW_MS INT64_C(1598539393000)

/* The state as it is written is read as the same state. */
static void
require_round_trip(const struct work *work)
{
	struct kafka_record record = { .topic = topics.names[TOPIC_STATE],
		.key = view_of(work->key) };
	struct buffer once, twice;
	struct error err = { "" };
	struct work *back = NULL;
	int64_t done_ms;
	struct tree t;

	buffer_init(&once, 8u << 20);
	buffer_init(&twice, 8u << 20);
	tree_init(&t, WORK_STATE_NODES_MAX);
	REQUIRE(work_write_state(work, &t, &once, &err) == STATUS_OK);
	record.value = buffer_view(&once);
	REQUIRE(
	    work_read_state(&record, &t, &back, &done_ms, &err) == STATUS_OK);
	REQUIRE(
	    back->next.progress.generation == work->next.progress.generation);
	REQUIRE(work_write_state(back, &t, &twice, &err) == STATUS_OK);
	REQUIRE(view_equal(buffer_view(&once), buffer_view(&twice)));
	work_free(back);
	tree_clear(&t);
	buffer_clear(&once);
	buffer_clear(&twice);
}

static void
require_event(const struct work *work)
{
	struct event back;
	struct error err = { "" };
	struct decoded decoded;
	struct tree t;

	decoded_init(&decoded);
	tree_init(&t, 16384);
	event_init(&back);
	if (work_decode(work, &decoded, &err) == STATUS_OK) {
		event_to_tree(&decoded.event, &t);
		REQUIRE(tree_status(&t) == STATUS_OK);
		REQUIRE(event_from_tree(&t, 0, &back, &err) == STATUS_OK);
		REQUIRE(view_equal(back.id, decoded.event.id));
		REQUIRE(back.occurred_ms == decoded.event.occurred_ms);
		REQUIRE(back.attempt == decoded.event.attempt);
	} else {
		REQUIRE(err.text[0] != '\0');
	}
	event_clear(&back);
	tree_clear(&t);
	decoded_clear(&decoded);
}

static void
require_wreck(const struct kafka_record *record, enum topic origin)
{
	struct work *wreck = work_from_wreck(record, origin, NOW_MS);

	REQUIRE(wreck != NULL && wreck->key[0] != '\0');
	REQUIRE(view_is_printable(view_of(wreck->key)));
	REQUIRE(!view_starts(view_of(wreck->key), VIEW(WORK_SWEEP_PREFIX)));
	work_doom(wreck, "no event", "consume", 1, 0, NOW_MS);
	work_free(wreck);
}

static void
take_state(const struct kafka_record *record)
{
	struct error err = { "" };
	struct work *work = NULL;
	enum status status;
	int64_t done_ms;
	struct tree t;

	tree_init(&t, WORK_STATE_NODES_MAX);
	status = work_read_state(record, &t, &work, &done_ms, &err);
	if (status == STATUS_OK) {
		require_round_trip(work);
		if (!work->is_sweep)
			require_event(work);
	} else if (status == STATUS_END) {
		REQUIRE(done_ms >= 0);
	} else {
		REQUIRE(err.text[0] != '\0');
		require_wreck(record, TOPIC_STATE);
	}
	work_free(work);
	tree_clear(&t);
}

static void
take_event(const struct kafka_record *record)
{
	struct error err = { "" };
	struct work *work = NULL;

	if (work_from_event(record, NOW_MS, &work, &err) == STATUS_OK) {
		REQUIRE(view_is_printable(view_of(work->key)));
		require_round_trip(work);
		require_event(work);
	} else {
		REQUIRE(err.text[0] != '\0');
		require_wreck(record, TOPIC_EVENTS);
	}
	work_free(work);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct kafka_record record;

	if (!take_record((struct view){ (const char *)data, len }, &record))
		return 0;
	if (record.topic == topics.names[TOPIC_STATE])
		take_state(&record);
	else
		take_event(&record);
	return 0;
}
