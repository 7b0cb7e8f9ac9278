/* SPDX-License-Identifier: Apache-2.0
 *
 * Events: complete or refused, and the same after a trip over the topic. */
#include "check.h"

#include "vulnbus/event.h"

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
	tree_bool(&event->attributes, VIEW("is_ad_hoc"), true);
}

static void
a_complete_event_is_good(void **state)
{
	struct error err = { "" };
	struct event event;

	(void)state;
	fill(&event);
	assert_ok(event_check(&event, &err), &err);
	event.kind = VIEW("");
	event.occurred_ms = TIMESTAMP_NONE;
	event.attempt = EVENT_ATTEMPT_NONE;
	assert_ok(event_check(&event, &err), &err);
	event_clear(&event);
	event_clear(&event);
}

static void
what_is_missing_or_unprintable_is_refused(void **state)
{
	static const size_t fields[] = { offsetof(struct event, id),
		offsetof(struct event, source), offsetof(struct event, vendor),
		offsetof(struct event, subject_type),
		offsetof(struct event, subject_id) };
	static const char *const names[] = { "id", "source", "vendor",
		"subject.type", "subject.id" };
	static char long_text[3000];
	const struct {
		struct view value;
		const char *why;
	} cases[] = {
		{ VIEW(""), ": missing" },
		{ VIEW("a\nb"), ": control characters" },
		{ VIEW("a\0b"), ": control characters" },
		{ VIEW("\x7f"), ": control characters" },
		{ { long_text, sizeof(long_text) }, ": too long" },
	};

	(void)state;
	memset(long_text, 'x', sizeof(long_text));
	for (size_t f = 0; f < COUNT(fields); f++)
		for (size_t i = 0; i < COUNT(cases); i++) {
			struct error err = { "" };
			struct event event;

			fill(&event);
			memcpy((char *)&event + fields[f], &cases[i].value,
			    sizeof(cases[i].value));
			assert_status_of(names[f], event_check(&event, &err),
			    STATUS_INVALID);
			assert_contains(err.text, names[f]);
			assert_contains(err.text, cases[i].why);
			event_clear(&event);
		}
}

static void
lengths_have_ceilings(void **state)
{
	struct error err = { "" };
	struct event event;
	char text[300];

	(void)state;
	memset(text, 'x', sizeof(text));
	fill(&event);
	event.source = (struct view){ text, 63 };
	event.subject_id = (struct view){ text, EVENT_ID_BYTES_MAX * 2 };
	assert_ok(event_check(&event, &err), &err);
	event.source.len = 64;
	assert_status(event_check(&event, &err), STATUS_INVALID);
	event.source.len = 63;
	event.subject_id.len++;
	assert_status(event_check(&event, &err), STATUS_INVALID);
	event_clear(&event);
}

static void
too_many_attributes_are_refused(void **state)
{
	struct error err = { "" };
	struct event event;

	(void)state;
	fill(&event);
	for (int i = 0; i < EVENT_ATTRIBUTES_MAX; i++)
		tree_int(&event.attributes, VIEW("n"), i);
	assert_status(event_check(&event, &err), STATUS_INVALID);
	assert_contains(err.text, "attributes: too_large");
	event_clear(&event);
}

/* Texts of the event's own: an overflow is noticed once, at the end. */
static void
printing_stays_within_the_event(void **state)
{
	struct error err = { "" };
	struct event event;
	struct view first;

	(void)state;
	fill(&event);
	first = event_print(&event, "%s-%d", "a", 7);
	assert_view(first, "a-7");
	assert_int_equal(event_print(&event, "%2000d", 1).len, 2000);
	assert_view(first, "a-7");
	assert_ok(event_check(&event, &err), &err);
	assert_int_equal(event_print(&event, "%100d", 1).len, 0);
	assert_status(event_check(&event, &err), STATUS_INVALID);
	assert_string_equal(err.text, "event: too long");
	assert_view(event_print(&event, "%s", "short"), "short");
	assert_status(event_check(&event, &err), STATUS_INVALID);
	event_clear(&event);
}

static void
the_key_names_the_subject(void **state)
{
	struct event event;
	struct buffer key;

	(void)state;
	fill(&event);
	buffer_init(&key, 100);
	event_key(&event, &key);
	assert_view(buffer_view(&key), "acme/scan/39836");
	buffer_clear(&key);
	event_clear(&event);
}

static void
assert_same_event(const struct event *a, const struct event *b)
{
	assert_bytes(a->id, b->id);
	assert_bytes(a->source, b->source);
	assert_bytes(a->vendor, b->vendor);
	assert_bytes(a->kind, b->kind);
	assert_bytes(a->subject_type, b->subject_type);
	assert_bytes(a->subject_id, b->subject_id);
	assert_bytes(a->proof, b->proof);
	assert_int_equal(a->occurred_ms, b->occurred_ms);
	assert_int_equal(a->received_ms, b->received_ms);
	assert_int_equal(a->attempt, b->attempt);
	assert_int_equal(a->attributes.count, b->attributes.count);
}

static void
a_tree_gives_the_same_event_back(void **state)
{
	struct event event, back;
	struct error err = { "" };
	struct tree t;
	uint32_t at;

	(void)state;
	for (int round = 0; round < 2; round++) {
		fill(&event);
		if (round == 1) {
			event.kind = VIEW("");
			event.occurred_ms = TIMESTAMP_NONE;
			event.attempt = EVENT_ATTEMPT_NONE;
			tree_reset(&event.attributes);
		}
		tree_init(&t, 100);
		event_to_tree(&event, &t);
		event_init(&back);
		assert_ok(event_from_tree(&t, 0, &back, &err), &err);
		if (round == 0)
			assert_same_event(&back, &event);
		at = tree_find(&back.attributes, 0, "is_ad_hoc");
		assert_int_equal(at != 0, round == 0);
		assert_int_equal(back.attempt, event.attempt);
		assert_int_equal(back.occurred_ms, event.occurred_ms);
		event_clear(&back);
		event_clear(&event);
		tree_clear(&t);
	}
}

/* A record of the topic may be anybody's: odd types are as good as missing. */
static void
odd_records_are_refused(void **state)
{
	struct error err = { "" };
	struct event back;
	struct tree t;

	(void)state;
	tree_init(&t, 100);
	event_init(&back);
	assert_status(event_from_tree(&t, 0, &back, &err), STATUS_INVALID);
	event_clear(&back);

	tree_int(&t, VIEW("id"), 7);
	tree_text(&t, VIEW("source"), VIEW("a"));
	tree_text(&t, VIEW("vendor"), VIEW("v"));
	tree_text(&t, VIEW("subject"), VIEW("scan/1"));
	tree_text(&t, VIEW("attributes"), VIEW("x"));
	event_init(&back);
	assert_status(event_from_tree(&t, 0, &back, &err), STATUS_INVALID);
	assert_string_equal(err.text, "id: missing");
	assert_int_equal(back.attributes.count, 0);
	event_clear(&back);
	tree_clear(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_complete_event_is_good),
		cmocka_unit_test(what_is_missing_or_unprintable_is_refused),
		cmocka_unit_test(lengths_have_ceilings),
		cmocka_unit_test(too_many_attributes_are_refused),
		cmocka_unit_test(printing_stays_within_the_event),
		cmocka_unit_test(the_key_names_the_subject),
		cmocka_unit_test(a_tree_gives_the_same_event_back),
		cmocka_unit_test(odd_records_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
