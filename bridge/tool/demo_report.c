/* SPDX-License-Identifier: Apache-2.0
 *
 * The summary: every figure is counted from what was read back, and held
 * against what the webhooks sent must lead to. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vulnbus/timestamp.h"
#include "vulnbus/tool_demo.h"

struct sums {
	int64_t sent, accepted, refused;
	int64_t answers_wrong;
	int64_t scans, exports; /* to be enriched */
	int64_t enriched_wrong; /* not exactly once */
	int64_t again;          /* delivered once more */
};

static struct sums
add_up(struct demo *demo)
{
	struct sums sums = { .sent = 0 };

	for (size_t i = 0; i < demo_step_count; i++) {
		const struct demo_step *step = &demo_steps[i];
		const struct demo_result *result = &demo->results[i];
		const bool is_first = !step->is_again && !step->is_forged;

		sums.sent += result->is_sent;
		sums.accepted += result->code == 202;
		sums.refused += result->code == 401;
		sums.answers_wrong += result->code != step->code;
		sums.again += step->is_again;
		sums.scans += is_first && step->topic == TOPIC_SCANS;
		sums.exports += is_first && step->topic == TOPIC_EXPORTS;
		sums.enriched_wrong += is_first && result->records != 1;
	}
	return sums;
}

/* One line of the table; false when the figure is not the expected one. */
static bool
show(struct demo *demo, const char *label, int64_t count, int64_t expected,
    const char *remark)
{
	char number[32], wanted[32];
	const bool is_right = count == expected;

	demo_number(count, number);
	demo_number(expected, wanted);
	if (is_right)
		demo_say(demo, label, PAINT_PLAIN, "%s%9s%s  %s",
		    tool_paint(demo->tool->is_colour, PAINT_GREEN), number,
		    tool_paint(demo->tool->is_colour, PAINT_PLAIN), remark);
	else
		demo_say(demo, label, PAINT_PLAIN, "%s%9s  expected %s%s",
		    tool_paint(demo->tool->is_colour, PAINT_RED), number,
		    wanted, tool_paint(demo->tool->is_colour, PAINT_PLAIN));
	return is_right;
}

static int
compare(const void *a, const void *b)
{
	const int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;

	return (left > right) - (left < right);
}

static void
show_time(struct demo *demo, const char *label, int64_t us, const char *remark)
{
	char took[32];

	demo_duration(us, took);
	demo_say(demo, label, PAINT_PLAIN, "%s%9s%s  %s",
	    tool_paint(demo->tool->is_colour, PAINT_BOLD), took,
	    tool_paint(demo->tool->is_colour, PAINT_PLAIN), remark);
}

static void
show_times(struct demo *demo)
{
	int64_t times[DEMO_STEPS_MAX];
	size_t count = 0;

	for (size_t i = 0; i < demo_step_count; i++)
		if (demo->results[i].enriched_us != 0)
			times[count++] = demo->results[i].enriched_us -
					 demo->results[i].sent_us;
	if (count > 0) {
		qsort(times, count, sizeof(*times), compare);
		show_time(demo, "latency", times[0],
		    "from webhook to enriched record, the shortest");
		show_time(demo, "",
		    (times[(count - 1) / 2] + times[count / 2]) / 2,
		    "the median");
		show_time(demo, "", times[count - 1], "the longest");
	}
	show_time(demo, "total", (clock_steady_ms() - demo->started_ms) * 1000,
	    "since the start");
}

static bool
show_rows(struct demo *demo)
{
	const struct demo_counts *counts = &demo->counts;
	bool is_right = show(demo, "rows", counts->read[TOPIC_EXPORT_ROWS],
	    demo->rows, "of the export, each once and in order");

	if (counts->rows_misplaced > 0)
		is_right = show(
		    demo, "", counts->rows_misplaced, 0, "rows out of order");
	if (counts->manifest_rows != demo->rows)
		is_right = show(demo, "", counts->manifest_rows, demo->rows,
		    "rows in the manifest");
	if (strcmp(counts->manifest_sha256, demo_vendor_sha256(demo->vendor)) !=
	    0) {
		demo_say(demo, "", PAINT_RED,
		    "the manifest's sha256 is not that of the file");
		is_right = false;
	}
	return is_right;
}

bool
demo_report(struct demo *demo)
{
	const struct demo_counts *counts = &demo->counts;
	const struct sums sums = add_up(demo);
	bool is_right = true;

	demo_head(demo, "Summary: what was sent, and what was read back");
	is_right &= show(
	    demo, "webhooks", sums.sent, (int64_t)demo_step_count, "sent");
	is_right &= show(demo, "", sums.accepted,
	    sums.scans + sums.exports + sums.again, "accepted (202)");
	is_right &= show(demo, "", sums.refused,
	    sums.sent - sums.scans - sums.exports - sums.again,
	    "refused (401)");
	is_right &= show(demo, "events", counts->read[TOPIC_EVENTS],
	    sums.accepted, "one for each accepted webhook");
	is_right &= show(demo, "duplicates", counts->duplicates, sums.again,
	    "recognised by the enricher");
	is_right &= show(demo, "scans", counts->read[TOPIC_SCANS], sums.scans,
	    "enriched, each once");
	is_right &= show(demo, "exports", counts->read[TOPIC_EXPORTS],
	    sums.exports, "manifest, with the sha256 of the file served");
	is_right &= show_rows(demo);
	is_right &= show(demo, "dead letters", counts->read[TOPIC_DEAD_LETTERS],
	    0, "nothing had to be given up");
	if (sums.answers_wrong > 0)
		is_right = show(demo, "answers", sums.answers_wrong, 0, "");
	if (sums.enriched_wrong > 0)
		is_right = show(demo, "events", sums.enriched_wrong, 0, "");
	if (counts->undecoded > 0)
		is_right = show(demo, "undecoded", counts->undecoded, 0, "");
	show_times(demo);
	return is_right;
}
