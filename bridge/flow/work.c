/* SPDX-License-Identifier: Apache-2.0 */
#include "vulnbus/work.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vulnbus/json.h"
#include "vulnbus/msgpack.h"

#define STATE_VERSION   1
#define VALUE_BYTES_MAX (4u << 20)
#define NODES_MAX       8192

static struct work *
work_new(struct view key, struct view value)
{
	struct work *work = calloc(1, sizeof(*work));

	if (work == NULL)
		return NULL;
	buffer_init(&work->value, VALUE_BYTES_MAX);
	buffer_append_view(&work->value, value);
	work->key = strndup(key.data, key.len);
	work->state_offset = work->sent_offset = -1;
	if (work->key == NULL || buffer_status(&work->value) != STATUS_OK) {
		work_free(work);
		return NULL;
	}
	return work;
}

static bool
is_json(const struct kafka_record *record)
{
	return view_starts(kafka_record_header(record, "content-type"),
	    VIEW("application/json"));
}

struct work *
work_new_sweep(struct view key, const struct kafka_record *event,
    int64_t due_ms, int64_t since_ms)
{
	struct work *work = work_new(key, event->value);

	if (work == NULL)
		return NULL;
	trace_begin(&work->trace);
	work->is_sweep = work->is_new = true;
	work->is_json = is_json(event);
	work->offset = -1;
	work->next = (struct work_status){ .state = WORK_WAITING,
		.due_ms = due_ms,
		.first_ms = due_ms,
		.cursor = { .since_ms = since_ms, .page = 1 } };
	return work;
}

struct work *
work_new_note(struct view key, int64_t now_ms)
{
	struct work *work = work_new(key, VIEW(""));

	if (work == NULL)
		return NULL;
	work->is_note = work->is_new = true;
	work->next = (struct work_status){ .state = WORK_DONE,
		.due_ms = now_ms };
	return work;
}

void
work_free(struct work *work)
{
	if (work == NULL)
		return;
	free(work->key);
	free(work->doom);
	buffer_clear(&work->value);
	free(work);
}

void
work_doom(struct work *work, const char *reason, const char *stage,
    int64_t attempts, unsigned http_status, int64_t now_ms)
{
	char *text = strdup(reason);

	/* Without memory for the reason it is still a dead letter. */
	free(work->doom);
	work->doom = text != NULL ? text : calloc(1, 1);
	if (work->doom == NULL)
		abort();
	work->doom_stage = stage;
	work->doom_attempts = attempts;
	work->doom_http_status = http_status;
	work->next.state = WORK_DONE;
	work->next.due_ms = now_ms;
}

void
work_undo(struct work *work)
{
	free(work->doom);
	work->doom = NULL;
	work->next = work->committed;
}

static void
take_trace(const struct kafka_record *record, struct trace *out)
{
	trace_continue(kafka_record_header(record, "traceparent"),
	    kafka_record_header(record, "ce_traceparent"), out);
}

struct work *
work_from_wreck(
    const struct kafka_record *record, enum topic origin, int64_t now_ms)
{
	const struct view id = origin == TOPIC_STATE
				   ? record->key
				   : kafka_record_header(record, "ce_id");
	struct work *work;
	char place[TOPIC_NAME_BYTES + 64];

	snprintf(place, sizeof(place), "record:%s:%d:%lld", record->topic,
	    record->partition, (long long)record->offset);
	work = work_new(id.len > 0 && id.len < EVENT_TEXT_BYTES / 2 &&
				view_is_printable(id) &&
				!view_starts(id, VIEW(WORK_SWEEP_PREFIX))
			    ? id
			    : view_of(place),
	    VIEW(""));
	if (work == NULL)
		return NULL;
	take_trace(record, &work->trace);
	work->partition = record->partition;
	work->offset = record->offset;
	work->origin = origin;
	work->is_new = true;
	work->next.first_ms = now_ms;
	return work;
}

enum status
work_key(
    const struct kafka_record *record, struct buffer *out, struct error *err)
{
	const struct view id = kafka_record_header(record, "ce_id");
	const struct view replay = kafka_record_header(
	    record, "vulnbus-replay");

	if (id.len == 0 || !view_is_printable(id) ||
	    view_starts(id, VIEW(WORK_SWEEP_PREFIX)))
		return error_set(err, STATUS_INVALID, "no ce_id");
	if (!view_is_printable(replay))
		return error_set(
		    err, STATUS_INVALID, "vulnbus-replay: not printable");
	buffer_append_view(out, id);
	if (replay.len > 0) {
		buffer_append(out, "#", 1);
		buffer_append_view(out, replay);
	}
	if (buffer_status(out) != STATUS_OK)
		return error_set(err, STATUS_INVALID, "ce_id: too long");
	return STATUS_OK;
}

void
work_unload(struct work *work)
{
	buffer_clear(&work->value);
}

void
work_load(struct work *work, struct work *loaded)
{
	buffer_take(&loaded->value, &work->value);
}

bool
work_is_loaded(const struct work *work)
{
	return work->value.len > 0;
}

bool
work_takes_place(const struct work *work)
{
	return work_is_loaded(work) && !work->is_sweep;
}

enum status
work_from_event(const struct kafka_record *record, int64_t now_ms,
    struct work **out_work, struct error *err)
{
	struct buffer key;
	struct work *work = NULL;
	enum status status;

	buffer_init(&key, EVENT_TEXT_BYTES);
	status = work_key(record, &key, err);
	if (status != STATUS_OK)
		goto out;
	work = work_new(buffer_view(&key), record->value);
	if (work == NULL) {
		status = error_set(err, STATUS_NO_MEMORY, "no memory");
		goto out;
	}
	work->partition = record->partition;
	work->offset = record->offset;
	work->origin = TOPIC_EVENTS;
	take_trace(record, &work->trace);
	work->is_json = is_json(record);
	work->is_new = true;
	work->next = (struct work_status){
		.state = WORK_WAITING, .due_ms = now_ms, .first_ms = now_ms
	};
	*out_work = work;
out:
	buffer_clear(&key);
	return status;
}

void
decoded_init(struct decoded *decoded)
{
	tree_init(&decoded->tree, NODES_MAX);
	decoded->document = NULL;
	event_init(&decoded->event);
}

void
decoded_clear(struct decoded *decoded)
{
	event_clear(&decoded->event);
	tree_clear(&decoded->tree);
	json_free(decoded->document);
	decoded->document = NULL;
}

enum status
work_decode(const struct work *work, struct decoded *decoded, struct error *err)
{
	const struct kafka_record record = {
		.value = buffer_view(&work->value),
		.headers = { { "content-type",
		    work->is_json ? VIEW("application/json")
				  : VIEW("application/vnd.msgpack") } },
		.header_count = 1,
	};
	enum status status = decode_value(
	    &record, &decoded->tree, &decoded->document, err);

	if (status == STATUS_OK)
		status = event_from_tree(
		    &decoded->tree, 0, &decoded->event, err);
	return status;
}

static void
write_progress(const struct progress *progress, struct tree *tree)
{
	if (progress->generation == 0)
		return;
	tree_open_map(tree, VIEW("progress"));
	tree_int(tree, VIEW("rows"), (int64_t)progress->rows);
	tree_int(tree, VIEW("bytes"), (int64_t)progress->bytes);
	tree_int(tree, VIEW("generation"), progress->generation);
	tree_text(tree, VIEW("digest"),
	    (struct view){ (const char *)progress->digest, SHA256_BYTES });
	tree_close(tree);
}

static void
write_cursor(const struct cursor *cursor, struct tree *tree)
{
	tree_open_map(tree, VIEW("cursor"));
	tree_int(tree, VIEW("since_ms"), cursor->since_ms);
	tree_int(tree, VIEW("until_ms"), cursor->until_ms);
	tree_int(tree, VIEW("list"), cursor->list);
	tree_int(tree, VIEW("page"), cursor->page);
	tree_bool(tree, VIEW("is_blind"), cursor->is_blind);
	tree_close(tree);
}

enum status
work_write_state(const struct work *work, struct tree *tree, struct buffer *out,
    struct error *err)
{
	const struct work_status *next = &work->next;

	tree_reset(tree);
	buffer_reset(out);
	if (next->state == WORK_FORGOTTEN)
		return STATUS_OK;
	tree_int(tree, VIEW("v"), STATE_VERSION);
	if (next->state == WORK_DONE) {
		tree_int(tree, VIEW("done_ms"), next->due_ms);
		return msgpack_write(tree, out, err);
	}
	tree_int(tree, VIEW("due_ms"), next->due_ms);
	tree_int(tree, VIEW("first_ms"), next->first_ms);
	tree_int(tree, VIEW("attempts"), next->attempts);
	tree_int(tree, VIEW("polls"), next->polls);
	tree_int(tree, VIEW("offset"), work->offset);
	tree_bool(tree, VIEW("json"), work->is_json);
	tree_text(tree, VIEW("trace"), view_of(work->trace.hop));
	tree_text(tree, VIEW("origin"), view_of(work->trace.origin));
	tree_text(tree, VIEW("event"), buffer_view(&work->value));
	write_progress(&next->progress, tree);
	if (work->is_sweep)
		write_cursor(&next->cursor, tree);
	return msgpack_write(tree, out, err);
}

static void
read_progress(const struct tree *tree, struct progress *out)
{
	const uint32_t at = tree_find(tree, 0, "progress");
	struct view digest;

	if (at == 0)
		return;
	digest = tree_get_text(tree, at, "digest");
	if (digest.len != SHA256_BYTES)
		return;
	out->rows = (uint64_t)tree_get_int(tree, at, "rows", 0);
	out->bytes = (uint64_t)tree_get_int(tree, at, "bytes", 0);
	out->generation = (uint32_t)tree_get_int(tree, at, "generation", 1);
	memcpy(out->digest, digest.data, SHA256_BYTES);
}

static bool
get_bool(const struct tree *tree, uint32_t in, const char *name)
{
	const uint32_t at = tree_find(tree, in, name);

	return at != 0 && tree->nodes[at].type == TREE_BOOL &&
	       tree->nodes[at].boolean;
}

static bool
read_cursor(const struct tree *tree, struct cursor *out)
{
	const uint32_t at = tree_find(tree, 0, "cursor");

	if (at == 0)
		return false;
	out->since_ms = tree_get_int(tree, at, "since_ms", 0);
	out->until_ms = tree_get_int(tree, at, "until_ms", 0);
	out->list = (uint32_t)tree_get_int(tree, at, "list", 0);
	out->page = (uint32_t)tree_get_int(tree, at, "page", 1);
	out->is_blind = get_bool(tree, at, "is_blind");
	return true;
}

enum status
work_read_state(const struct kafka_record *record, struct tree *tree,
    struct work **out_work, int64_t *out_done_ms, struct error *err)
{
	enum status status = msgpack_read(record->value, tree, err);
	struct work *work;
	uint32_t event;

	if (status != STATUS_OK)
		return status;
	if (tree_get_int(tree, 0, "v", 0) != STATE_VERSION)
		return error_set(
		    err, STATUS_INVALID, "state record of another version");
	*out_done_ms = tree_get_int(tree, 0, "done_ms", -1);
	if (*out_done_ms >= 0)
		return STATUS_END;
	event = tree_find(tree, 0, "event");
	if (event == 0 || tree->nodes[event].type != TREE_TEXT)
		return error_set(
		    err, STATUS_INVALID, "state record without its event");
	work = work_new(record->key, tree->nodes[event].text);
	if (work == NULL)
		return error_set(err, STATUS_NO_MEMORY, "no memory");
	trace_restore(tree_get_text(tree, 0, "trace"),
	    tree_get_text(tree, 0, "origin"), &work->trace);
	work->partition = record->partition;
	work->state_offset = record->offset;
	work->written_ms = record->timestamp_ms;
	work->offset = tree_get_int(tree, 0, "offset", -1);
	work->is_json = get_bool(tree, 0, "json");
	work->committed = (struct work_status){
		.state = WORK_WAITING,
		.due_ms = tree_get_int(tree, 0, "due_ms", 0),
		.first_ms = tree_get_int(tree, 0, "first_ms", 0),
		.attempts = tree_get_int(tree, 0, "attempts", 0),
		.polls = tree_get_int(tree, 0, "polls", 0),
	};
	read_progress(tree, &work->committed.progress);
	work->is_sweep = read_cursor(tree, &work->committed.cursor);
	work->next = work->committed;
	*out_work = work;
	return STATUS_OK;
}
