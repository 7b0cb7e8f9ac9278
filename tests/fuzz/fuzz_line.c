/* SPDX-License-Identifier: Apache-2.0
 *
 * Any record as the operator's tool shows it: nothing steers the terminal,
 * lines and rows are one line each, JSON is JSON. The library does not hold
 * the tool. */
#include "record.h"

#include "../../bridge/tool/tool.c"
#include "../../bridge/tool/tool_filter.c"
#include "../../bridge/tool/tool_line.c"
#include "../../bridge/tool/tool_line_json.c"
#include "../../bridge/tool/tool_line_table.c"
#include "vulnbus/encode.h"

/* UTF-8 without hazards; line feeds where they are ours. */
static void
require_harmless(struct view text, size_t line_feeds)
{
	while (text.len > 0) {
		const size_t len = view_character(text);

		REQUIRE(len > 0);
		if (len == 1 && text.data[0] == '\n' && line_feeds > 0)
			line_feeds--;
		else
			REQUIRE(
			    !line_is_hazard((struct view){ text.data, len }));
		text.data += len;
		text.len -= len;
	}
}

static void
require_lines(const struct line_record *line)
{
	struct line_layout layout = { .width = 60, .indent = 4 };
	struct buffer out;

	buffer_init(&out, LINE_BYTES_MAX);
	line_print(&out, line, false);
	REQUIRE(buffer_status(&out) == STATUS_OK);
	require_harmless(buffer_view(&out), 1);
	buffer_reset(&out);
	line_table(&out, line, false);
	REQUIRE(buffer_status(&out) == STATUS_OK);
	require_harmless(buffer_view(&out), 1);
	buffer_reset(&out);
	line_facts(&out, line, &layout);
	require_harmless(buffer_view(&out), SIZE_MAX);
	buffer_clear(&out);
}

static void
require_json(const struct line_record *line)
{
	struct json_document *document = NULL;
	struct error err = { "" };
	struct buffer out;

	for (int is_pretty = 0; is_pretty < 2; is_pretty++) {
		buffer_init(&out, LINE_BYTES_MAX);
		if (line_json(&out, line, is_pretty, &err) == STATUS_OK) {
			require_harmless(
			    buffer_view(&out), is_pretty ? SIZE_MAX : 1);
			REQUIRE(json_parse(buffer_view(&out), &document,
				    &err) == STATUS_OK);
			json_free(document);
		}
		buffer_clear(&out);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const struct filter filter = { .source = VIEW("acme"),
		.kind = VIEW("scan"),
		.id = VIEW("acme:scan:1:1:done") };
	struct json_document *document = NULL;
	struct line_record line = { .why = NULL };
	struct kafka_record record;
	struct error err = { "" };
	struct tree value;

	if (!take_record((struct view){ (const char *)data, len }, &record))
		return 0;
	line.record = &record;
	line.topic = (enum topic)topic_find(&topics, record.topic);
	tree_init(&value, LINE_NODES_MAX);
	if (decode_value(&record, &value, &document, &err) == STATUS_OK)
		line.value = &value;
	else
		line.why = err.text;
	if (line.value != NULL)
		(void)filter_takes(&filter, &record, &value);
	require_lines(&line);
	require_json(&line);
	tree_clear(&value);
	json_free(document);
	return 0;
}
