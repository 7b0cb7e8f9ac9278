/* SPDX-License-Identifier: Apache-2.0
 *
 * The parts of `vulnbus replay`: what is to be sent again (plan), the records
 * of that (slice), how far it has come (progress), and the sending itself.
 * One thread. */
#ifndef VULNBUS_TOOL_REPLAY_H
#define VULNBUS_TOOL_REPLAY_H

#include "vulnbus/kafka_forward.h"
#include "vulnbus/tool.h"
#include "vulnbus/tool_filter.h"
#include "vulnbus/topics.h"

struct json_document;

#define REPLAY_ID_BYTES    64
#define REPLAY_OFFSET_NONE (-1)

/* A bound as the operator gave it: a time, an offset, or neither. */
struct replay_bound {
	int64_t ms;     /* INT64_MIN: none */
	int64_t offset; /* or REPLAY_OFFSET_NONE */
};

struct replay_range {
	int64_t first;
	int64_t end;  /* behind the last, as it was at the start */
	int64_t next; /* to be read */
	int64_t kept; /* as committed with all that was sent before it */
};

struct replay_plan {
	char id[REPLAY_ID_BYTES + 1];
	char group[TOPIC_NAME_BYTES + REPLAY_ID_BYTES + 16];
	const struct config *config;
	struct topics topics;
	enum topic topic;
	char to_topic[TOPIC_NAME_BYTES]; /* full */
	struct filter filter;
	struct replay_bound from; /* the first that is taken */
	struct replay_bound to;   /* the first that is not */
	int32_t to_partitions;
	int32_t partitions;
	struct replay_range *ranges;    /* owned */
	struct json_document *document; /* owned; of a note the texts are of */
};

/* A plan has its topic and options; this gives it an id of its own. */
void
plan_name(struct replay_plan *plan);

/* Sets the group that the id stands for. STATUS_INVALID: no such id. */
enum status
plan_take_id(struct replay_plan *plan, const char *id) MUST_CHECK;

/* Looks both topics up and settles where each partition begins and ends.
 * STATUS_MISSING: no such topic. STATUS_UNAVAILABLE: Kafka does not answer. */
enum status
plan_settle(struct replay_plan *plan, struct error *err) MUST_CHECK;

/* The plan as it was kept under its id; nothing must hold its transactions open
 * any more. STATUS_MISSING: nothing is known of it. STATUS_INVALID: what is
 * known of it cannot be understood. */
enum status
plan_recall(struct replay_plan *plan, struct error *err) MUST_CHECK;

/* Adds where each partition has come to, with all that plan_recall needs, to
 * the producer's transaction. STATUS_TOO_LARGE: the filters are too long.
 * Otherwise as kafka_producer_send_positions. */
enum status
plan_keep(const struct replay_plan *plan, struct kafka_producer *producer,
    struct error *err) MUST_CHECK;

/* How many offsets there are, and how many of them are behind. Some may hold
 * no record. */
int64_t
plan_total(const struct replay_plan *plan);

int64_t
plan_passed(const struct replay_plan *plan);

bool
plan_is_done(const struct replay_plan *plan);

void
plan_clear(struct replay_plan *plan);

/* The records between the bounds that the filter takes; moves the plan's
 * ranges. */
struct slice;

struct slice_counts {
	int64_t read;
	int64_t undecoded; /* left out: what the filter asks cannot be known */
};

/* A record that is taken; valid until the next call of slice_next. */
struct slice_record {
	struct kafka_record record;
	const struct kafka_message *message;
	const struct tree *value; /* empty unless asked for and decoded */
};

/* `wants_values`: they are decoded even if the filter does not need them. */
enum status
slice_open(struct replay_plan *plan, bool wants_values,
    struct slice **out_slice, struct error *err) MUST_CHECK;

void
slice_close(struct slice **slice);

/* STATUS_OK: a record. STATUS_END: none within `ms`; see plan_is_done.
 * STATUS_UNAVAILABLE: a passing error. STATUS_FATAL: it cannot go on. */
enum status
slice_next(struct slice *slice, uint32_t ms, struct slice_record *out_record,
    struct error *err) MUST_CHECK;

/* What has been read so far is committed, with what was sent of it. */
void
slice_keep(struct slice *slice);

/* Nothing has been read since. */
bool
slice_is_kept(const struct slice *slice);

/* Reads again what is not kept: its transaction was aborted. */
enum status
slice_rewind(struct slice *slice, struct error *err) MUST_CHECK;

const struct slice_counts *
slice_counts(const struct slice *slice);

/* Sends a record of the slice again, to the plan's topic: as it came, or, of
 * a dead letter that goes to events, the event that it holds. */
struct resend;

enum status
resend_open(const struct replay_plan *plan, struct kafka_producer *producer,
    struct resend **out_resend, struct error *err) MUST_CHECK;

void
resend_close(struct resend **resend);

/* Decoded values are needed: for slice_open. */
bool
resend_wants_values(const struct replay_plan *plan);

/* STATUS_MISSING: a dead letter without an event that could be worked on.
 * Otherwise as of kafka_producer_send. */
enum status
resend_record(struct resend *resend, const struct slice_record *record,
    struct error *err) MUST_CHECK;

/* What is told on standard error while it goes on: a line that is written
 * again on a terminal, else one in ten seconds. */
struct progress {
	bool is_terminal;
	int64_t began_ms;
	int64_t told_ms;
	int64_t passed_before; /* by an earlier run */
};

void
progress_begin(struct progress *progress, const struct replay_plan *plan);

void
progress_tell(
    struct progress *progress, const struct replay_plan *plan, int64_t sent);

/* Takes the line away. */
void
progress_end(const struct progress *progress);

/* Counts and prints what would be sent. Returns the exit status. */
int
replay_count(const struct tool *tool, struct replay_plan *plan);

/* Opens the session of the plan's id: what an earlier process of it left open
 * is aborted, and that process can commit nothing any more. */
struct replay;

enum status
replay_open(struct replay_plan *plan, struct replay **out_replay,
    struct error *err) MUST_CHECK;

void
replay_close(struct replay **replay);

/* Sends everything that is left, `rate` records a second (0: as fast as it
 * goes). `is_new`: the plan is kept before anything is sent. Returns the exit
 * status, with the outcome printed. */
int
replay_run(
    struct replay *replay, const struct tool *tool, int64_t rate, bool is_new);

#endif
