/* SPDX-License-Identifier: Apache-2.0 */
#include "vulnbus/tool_follow.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "vulnbus/encode.h"
#include "vulnbus/json.h"
#include "vulnbus/timestamp.h"
#include "vulnbus/tool_line.h"
#include "vulnbus/tool_reader.h"

#define ANSWER_MS      5000
#define STEP_MS        200
#define SAY_EVERY_MS   10000
#define NODES_MAX      16384
#define TEXT_BYTES_MAX 4096
#define SHOWN_BYTES    300
#define EX_FAILED      1

struct follow {
	const struct config *config;
	struct topics topics;
	struct reader *reader;
	struct tree value;
	const char *source;
	const char *id;
	int64_t rows; /* on the topic so far */
	int64_t began_ms;
	int64_t said_ms;
	bool is_terminal;
	bool is_from_now;
	int ending; /* exit status; -1: none yet */
	int64_t ending_ms;
	struct buffer said;   /* of the ending */
	struct buffer prefix; /* of its events' ids */
};

enum status
follow_open(const struct config *config, bool is_from_now,
    struct follow **out_follow, struct error *err)
{
	struct follow *follow = calloc(1, sizeof(*follow));
	enum status status;

	if (follow == NULL)
		return error_set(err, STATUS_NO_MEMORY, "no memory");
	follow->config = config;
	follow->is_terminal = isatty(STDERR_FILENO);
	follow->is_from_now = is_from_now;
	follow->ending = -1;
	buffer_init(&follow->said, TEXT_BYTES_MAX);
	buffer_init(&follow->prefix, TEXT_BYTES_MAX);
	topics_init(&follow->topics, config);
	tree_init(&follow->value, NODES_MAX);
	status = reader_open(
	    &(struct reader_options){
		.config = config,
		.topics = &follow->topics,
		.is_wanted = { [TOPIC_EXPORTS] = true,
		    [TOPIC_EXPORT_ROWS] = is_from_now,
		    [TOPIC_DEAD_LETTERS] = true },
		.is_from_end = is_from_now,
		.timeout_ms = ANSWER_MS,
	    },
	    &follow->reader, err);
	if (status == STATUS_OK && !is_from_now)
		status = reader_mark(follow->reader, err);
	if (status != STATUS_OK) {
		follow_close(&follow);
		return status;
	}
	*out_follow = follow;
	return STATUS_OK;
}

void
follow_close(struct follow **follow)
{
	if (*follow == NULL)
		return;
	reader_close(&(*follow)->reader);
	tree_clear(&(*follow)->value);
	buffer_clear(&(*follow)->said);
	buffer_clear(&(*follow)->prefix);
	free(*follow);
	*follow = NULL;
}

/* --- what it says --- */

static void
say_progress(struct follow *follow)
{
	const int64_t now_ms = clock_steady_ms();
	const long long seconds = (now_ms - follow->began_ms) / 1000;

	if (now_ms - follow->said_ms <
	    (follow->is_terminal ? STEP_MS : SAY_EVERY_MS))
		return;
	follow->said_ms = now_ms;
	fprintf(stderr, "%s%s: export %s: %lld s, %lld rows%s",
	    follow->is_terminal ? "\r\033[K" : "", follow->source, follow->id,
	    seconds, (long long)follow->rows, follow->is_terminal ? "" : "\n");
	fflush(stderr);
}

static void
end_progress(const struct follow *follow)
{
	if (follow->is_terminal)
		fprintf(stderr, "\r\033[K");
}

static long long
number(const struct tree *value, const char *name)
{
	return (long long)tree_get_int(value, 0, name, 0);
}

static int
say_manifest(struct follow *follow, uint32_t export)
{
	const struct tree *value = &follow->value;
	const struct view status = tree_get_text(value, export, "status");
	const struct view detail = tree_get_text(value, 0, "detail");
	const bool is_complete = view_is(status, "completed") &&
				 detail.len == 0;

	line_text(&follow->said, detail.len > 0 ? detail : status, SHOWN_BYTES);
	if (is_complete)
		buffer_print(&follow->said,
		    ", %lld rows, %lld bytes, generation %lld",
		    number(value, "rows"), number(value, "bytes"),
		    number(value, "generation"));
	return is_complete ? EX_OK : EX_FAILED;
}

static int
say_given_up(struct follow *follow)
{
	buffer_print(&follow->said, "given up: ");
	line_text(&follow->said, tree_get_text(&follow->value, 0, "reason"),
	    SHOWN_BYTES);
	return EX_FAILED;
}

/* --- what it reads --- */

/* Of several endings the last one counts: what was given up may have been
 * replayed. What the ingress could not read is no ending. */
static void
take(struct follow *follow, enum topic topic, int64_t timestamp_ms)
{
	const struct tree *value = &follow->value;

	if (!view_starts(tree_get_text(value, 0, "event_id"),
		buffer_view(&follow->prefix)))
		return;
	if (topic == TOPIC_EXPORT_ROWS)
		follow->rows++;
	if ((topic != TOPIC_EXPORTS && topic != TOPIC_DEAD_LETTERS) ||
	    view_is(tree_get_text(value, 0, "stage"), "normalise") ||
	    (follow->ending >= 0 && timestamp_ms < follow->ending_ms))
		return;
	buffer_reset(&follow->said);
	follow->ending_ms = timestamp_ms;
	follow->ending = topic == TOPIC_EXPORTS
			     ? say_manifest(
				   follow, tree_find(value, 0, "export"))
			     : say_given_up(follow);
}

static enum status
read_one(struct follow *follow, struct error *err)
{
	struct json_document *document = NULL;
	struct kafka_record record;
	enum topic topic;
	enum status status;

	*err = (struct error){ "" };
	status = reader_next(follow->reader, STEP_MS, &topic, &record, err);
	if (status != STATUS_OK)
		return status;
	tree_reset(&follow->value);
	if (decode_value(&record, &follow->value, &document, err) == STATUS_OK)
		take(follow, topic, record.timestamp_ms);
	json_free(document);
	return STATUS_OK;
}

static bool
has_ended(const struct follow *follow)
{
	return follow->ending >= 0 &&
	       (follow->is_from_now || reader_is_at_mark(follow->reader));
}

int
follow_run(struct follow *follow, const struct tool *tool, const char *source,
    const char *export_id)
{
	struct error err;
	enum status status = STATUS_OK;

	follow->source = source;
	follow->id = export_id;
	buffer_print(&follow->prefix, "%s:export:%s:", source, export_id);
	follow->began_ms = follow->said_ms = clock_steady_ms();
	tool_catch_signals();
	while (!has_ended(follow) && status != STATUS_FATAL &&
	       !tool_is_interrupted()) {
		say_progress(follow);
		status = read_one(follow, &err);
	}
	end_progress(follow);
	if (has_ended(follow)) {
		printf("%s: export %s: %.*s\n", source, export_id,
		    VIEW_ARGS(buffer_view(&follow->said)));
		return follow->ending;
	}
	if (status == STATUS_FATAL)
		return tool_fail_kafka(
		    tool, follow->config, STATUS_UNAVAILABLE, &err);
	fprintf(stderr, "not waited for any longer; it goes on\n");
	return EX_TEMPFAIL;
}
