/* SPDX-License-Identifier: Apache-2.0
 *
 * The operator's tool: times as people type them, records as lines and as
 * JSON. The library does not hold the tool, so its files are taken in whole. */
#include "check.h"

#include "../../bridge/tool/tool.c"
#include "../../bridge/tool/tool_line.c"
#include "../../bridge/tool/tool_line_json.c"
#include "../../bridge/tool/tool_time.c"

#define NOW_MS 1700000000000 /* 2023-11-14T22:13:20Z */

/* RFC 3339, or so long ago. */
static void
a_time_is_absolute_or_relative(void **state)
{
	static const struct {
		const char *text;
		int64_t ms;
	} good[] = {
		{ "2023-11-14T22:13:20Z", NOW_MS },
		{ "2023-11-14T22:13:20.5Z", NOW_MS + 500 },
		{ "-0s", NOW_MS },
		{ "-90s", NOW_MS - 90000 },
		{ "-30m", NOW_MS - 1800000 },
		{ "-2h", NOW_MS - 7200000 },
		{ "-7d", NOW_MS - 604800000 },
	};
	static const char *const bad[] = { "", "-", "-2", "-h", "2h", "-2w",
		"-2.5h", "--2h", "- 2h", "-2 h", "soon", "2023-11-14",
		"-99999999999999999d", "-999999999999h" };
	int64_t ms;

	(void)state;
	for (size_t i = 0; i < COUNT(good); i++) {
		assert_status_of(good[i].text,
		    tool_time(view_of(good[i].text), NOW_MS, &ms), STATUS_OK);
		assert_int_equal(ms, good[i].ms);
	}
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_status_of(bad[i],
		    tool_time(view_of(bad[i]), NOW_MS, &ms), STATUS_INVALID);
}

/* What a vendor wrote cannot steer the terminal it is shown on. */
static void
control_sequences_do_not_reach_a_terminal(void **state)
{
	static const struct {
		struct view in;
		const char *out;
	} cases[] = {
		{ VIEW("plain"), "plain" },
		{ VIEW("\033[31mred"), "?[31mred" },
		{ VIEW("a\r\n\tb\0c\x7f"), "a???b?c?" },
		{ VIEW("\xc2\x9b"
		       "31m"),
		    "?31m" },
		{ VIEW("Montr\xc3\xa9"
		       "al"),
		    "Montr\xc3\xa9"
		    "al" },
		{ VIEW("\xc2\xa0"), "\xc2\xa0" },
		{ VIEW("cut\xc2"), "cut?" },
		{ VIEW("\xff\x9b\xc0\xaf\xed\xa0\x80"), "???????" },
		{ VIEW("a\xe2\x80\xae"
		       "b\xe2\x81\xa6"
		       "c\xe2\x80\xa8"),
		    "a?b?c?" },
		{ VIEW("\xf0\x9f\x90\x9e"), "\xf0\x9f\x90\x9e" },
		{ VIEW("12345678901234567890"), "12345678901234567890" },
		{ VIEW("123456789012345678901"), "12345678901234567..." },
		{ VIEW("1234567890123456\xc3\xa9"
		       "9012"),
		    "1234567890123456..." },
	};
	struct buffer out;

	(void)state;
	buffer_init(&out, 1000);
	for (size_t i = 0; i < COUNT(cases); i++) {
		buffer_reset(&out);
		line_text(&out, cases[i].in, 20);
		assert_view(buffer_view(&out), cases[i].out);
	}
	buffer_clear(&out);
}

/* A scan, as the enricher writes it. */
static void
write_scan(struct tree *t)
{
	tree_init(t, 100);
	tree_text(t, VIEW("id"), VIEW("s:scan:1:1:done/scan"));
	tree_text(t, VIEW("event_id"), VIEW("s:scan:1:1:done"));
	tree_text(t, VIEW("kind"), VIEW("scan.completed"));
	tree_int(t, VIEW("fetched_ms"), NOW_MS);
	tree_open_map(t, VIEW("scan"));
	tree_text(t, VIEW("id"), VIEW("1"));
	tree_text(t, VIEW("status"), VIEW("completed"));
	tree_int(t, VIEW("requested_ms"), NOW_MS);
	tree_bool(t, VIEW("is_ad_hoc"), true);
	tree_close(t);
	tree_text(t, VIEW("detail"), VIEW("two words"));
	tree_open_list(t, VIEW("columns"));
	tree_text(t, VIEW(""), VIEW("a"));
	tree_close(t);
}

static const struct kafka_record scan_record = {
	.topic = "vulnbus.scans.v1",
	.partition = 3,
	.offset = 7,
	.timestamp_ms = NOW_MS,
	.key = { "s/scan/1", 8 },
	.value = { "x", 1 },
	.headers = { { "ce_id", { "first", 5 } }, { "ce_id", { "again", 5 } } },
	.header_count = 2,
};

/* Its own facts, scalars before maps; what stands in every record is left
 * out. */
static void
a_record_is_one_line(void **state)
{
	struct tree t;
	struct line_record line = {
		.topic = TOPIC_SCANS, .record = &scan_record, .value = &t
	};
	struct buffer out;

	(void)state;
	write_scan(&t);
	buffer_init(&out, 10000);
	line_print(&out, &line, false);
	assert_view(buffer_view(&out),
	    "2023-11-14T22:13:20Z     scans        scan.completed   s/scan/1 "
	    "s:scan:1:1:done/scan detail=\"two words\" columns=[1] "
	    "scan: status=completed requested=2023-11-14T22:13:20Z "
	    "is_ad_hoc=true\n");
	buffer_reset(&out);
	line.topic = TOPIC_STATE;
	line.value = NULL;
	line_print(&out,
	    &(struct line_record){ .topic = TOPIC_STATE,
		.record = &(struct kafka_record){ .topic = "s",
		    .timestamp_ms = -1,
		    .key = VIEW("k") } },
	    false);
	assert_view(buffer_view(&out),
	    "-                        state        -                k "
	    "(deleted)\n");
	buffer_clear(&out);
	tree_clear(&t);
}

/* With a width, facts wrap and maps begin a line. */
static void
facts_wrap_at_the_width(void **state)
{
	struct tree t;
	const struct line_record line = {
		.topic = TOPIC_SCANS, .record = &scan_record, .value = &t
	};
	struct line_layout layout = { .width = 40, .indent = 2, .column = 2 };
	struct buffer out;

	(void)state;
	write_scan(&t);
	buffer_init(&out, 10000);
	line_facts(&out, &line, &layout);
	assert_view(buffer_view(&out), "detail=\"two words\" columns=[1]\n"
				       "  scan: status=completed\n"
				       "  requested=2023-11-14T22:13:20Z\n"
				       "  is_ad_hoc=true");
	buffer_clear(&out);
	tree_clear(&t);
}

/* Where it stood, its key, its headers (each name once), its value. */
static void
a_record_is_one_json_line(void **state)
{
	struct tree t;
	struct line_record line = {
		.topic = TOPIC_SCANS, .record = &scan_record, .value = &t
	};
	struct error err;
	struct buffer out;

	(void)state;
	tree_init(&t, 10);
	tree_int(&t, VIEW("row"), 1);
	buffer_init(&out, 10000);
	assert_ok(line_json(&out, &line, false, &err), &err);
	assert_view(buffer_view(&out),
	    "{\"topic\":\"vulnbus.scans.v1\",\"partition\":3,\"offset\":7,"
	    "\"timestamp_ms\":1700000000000,\"key\":\"s/scan/1\","
	    "\"headers\":{\"ce_id\":\"first\"},\"value\":{\"row\":1}}\n");
	buffer_reset(&out);
	line.value = NULL;
	assert_ok(line_json(&out, &line, false, &err), &err);
	assert_contains(out.data, ",\"value\":null}");
	buffer_reset(&out);
	line.why = "not a map";
	assert_ok(line_json(&out, &line, false, &err), &err);
	assert_contains(out.data, ",\"error\":\"not a map\"}");
	buffer_clear(&out);
	tree_clear(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_time_is_absolute_or_relative),
		cmocka_unit_test(control_sequences_do_not_reach_a_terminal),
		cmocka_unit_test(a_record_is_one_line),
		cmocka_unit_test(facts_wrap_at_the_width),
		cmocka_unit_test(a_record_is_one_json_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
