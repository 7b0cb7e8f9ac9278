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
#define NODES_MAX      4096
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

static void
say_text(struct view text)
{
	struct buffer line;

	buffer_init(&line, TEXT_BYTES_MAX);
	line_text(&line, text, SHOWN_BYTES);
	printf("%.*s", VIEW_ARGS(buffer_view(&line)));
	buffer_clear(&line);
}

static long long
number(const struct tree *value, const char *name)
{
	return (long long)tree_get_int(value, 0, name, 0);
}

static int
say_manifest(const struct follow *follow, uint32_t export)
{
	const struct tree *value = &follow->value;
	const struct view status = tree_get_text(value, export, "status");
	const struct view detail = tree_get_text(value, 0, "detail");
	const bool is_complete = view_is(status, "completed") &&
				 detail.len == 0;

	end_progress(follow);
	printf("%s: export %s: ", follow->source, follow->id);
	say_text(detail.len > 0 ? detail : status);
	if (is_complete)
		printf(", %lld rows, %lld bytes, generation %lld",
		    number(value, "rows"), number(value, "bytes"),
		    number(value, "generation"));
	printf("\n");
	return is_complete ? EX_OK : EX_FAILED;
}

static int
say_given_up(const struct follow *follow)
{
	end_progress(follow);
	printf("%s: export %s: given up: ", follow->source, follow->id);
	say_text(tree_get_text(&follow->value, 0, "reason"));
	printf("\n");
	return EX_FAILED;
}

/* --- what it reads --- */

/* "<source>:export:<id>:", the beginning of its events' ids. */
static bool
is_of_export(const struct follow *follow, struct view event_id)
{
	char prefix[TEXT_BYTES_MAX];
	const int len = snprintf(prefix, sizeof(prefix),
	    "%s:export:%s:", follow->source, follow->id);

	return len > 0 && (size_t)len < sizeof(prefix) &&
	       view_starts(event_id, view_of(prefix));
}

/* -1: it goes on. */
static int
take(struct follow *follow, enum topic topic)
{
	const struct tree *value = &follow->value;

	if (!is_of_export(follow, tree_get_text(value, 0, "event_id")))
		return -1;
	switch (topic) {
	case TOPIC_EXPORT_ROWS:
		follow->rows++;
		return -1;
	case TOPIC_EXPORTS:
		return say_manifest(follow, tree_find(value, 0, "export"));
	case TOPIC_DEAD_LETTERS:
		return say_given_up(follow);
	default:
		return -1;
	}
}

static int
read_one(struct follow *follow, struct error *err)
{
	struct json_document *document = NULL;
	struct kafka_record record;
	enum topic topic;
	int result = -1;

	*err = (struct error){ "" };
	switch (reader_next(follow->reader, STEP_MS, &topic, &record, err)) {
	case STATUS_OK:
		tree_reset(&follow->value);
		if (decode_value(&record, &follow->value, &document, err) ==
		    STATUS_OK)
			result = take(follow, topic);
		json_free(document);
		return result;
	case STATUS_FATAL:
		return EX_UNAVAILABLE;
	default:
		return -1;
	}
}

int
follow_run(struct follow *follow, const struct tool *tool, const char *source,
    const char *export_id)
{
	struct error err;
	int result = -1;

	follow->source = source;
	follow->id = export_id;
	follow->began_ms = follow->said_ms = clock_steady_ms();
	tool_catch_signals();
	while (result < 0 && !tool_is_interrupted()) {
		say_progress(follow);
		result = read_one(follow, &err);
	}
	if (result == EX_UNAVAILABLE)
		return tool_fail_kafka(
		    tool, follow->config, STATUS_UNAVAILABLE, &err);
	if (result >= 0)
		return result;
	end_progress(follow);
	fprintf(stderr, "not waited for any longer; it goes on\n");
	return EX_TEMPFAIL;
}
