/* SPDX-License-Identifier: Apache-2.0
 *
 * The sending: a transaction holds records and how far the slice has been read
 * for them, so that the two cannot disagree. */
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

#include "vulnbus/timestamp.h"
#include "vulnbus/tool_replay.h"

#define SESSION_MS          60000
#define STEP_MS             200
#define FULL_MS             10 /* between two tries when the queue is full */
#define AHEAD_MS            20
#define SILENCE_MS          30000
#define PAUSE_MS            1000
#define FAILURES_MAX        30
#define FLUSH_MS            1000
/* A transaction ends with the first of these. What it holds is hidden from
 * all who read committed records, and what stands behind it too. */
#define TRANSACTION_RECORDS 50000
#define TRANSACTION_BYTES   (16 << 20)
#define TRANSACTION_MS      1000

struct replay {
	struct replay_plan *plan;
	struct kafka_producer *producer;
	struct resend *resend;
	struct slice *slice;
	struct progress progress;
	int64_t rate;
	int64_t sent; /* in transactions that are committed */
	int64_t unfit;
	bool is_open; /* a transaction, with: */
	int64_t open_sent;
	int64_t open_unfit;
	size_t open_bytes;
	int64_t kept_ms;
	int64_t heard_ms;
	unsigned failures; /* transactions aborted since the last commit */
	enum status refusal;
	struct error why_refused;
};

static void
on_failure(void *record_arg, const struct kafka_report *report, void *arg)
{
	struct replay *replay = arg;

	(void)record_arg;
	if (report->status == STATUS_TOO_LARGE ||
	    report->status == STATUS_INVALID)
		replay->refusal = error_set(&replay->why_refused,
		    report->status, "%s refuses a record: %s", report->topic,
		    report->why);
}

enum status
replay_open(
    struct replay_plan *plan, struct replay **out_replay, struct error *err)
{
	struct replay *replay = calloc(1, sizeof(*replay));
	enum status status;

	if (replay == NULL)
		return error_set(err, STATUS_NO_MEMORY, "no memory");
	replay->plan = plan;
	status = kafka_producer_open(
	    &(struct kafka_producer_options){
		.config = plan->config,
		.client = "vulnbus-tool",
		.transactional_id = plan->group,
		.transaction_timeout_ms =
		    plan->config->enricher.transaction_timeout_ms,
		.on_delivery = on_failure,
		.arg = replay,
	    },
	    &replay->producer, err);
	if (status == STATUS_OK)
		status = kafka_producer_begin_session(
		    replay->producer, SESSION_MS, err);
	if (status != STATUS_OK) {
		replay_close(&replay);
		return status;
	}
	*out_replay = replay;
	return STATUS_OK;
}

void
replay_close(struct replay **replay)
{
	if (*replay == NULL)
		return;
	slice_close(&(*replay)->slice);
	resend_close(&(*replay)->resend);
	kafka_producer_close(&(*replay)->producer, FLUSH_MS);
	free(*replay);
	*replay = NULL;
}

/* --- transactions --- */

static enum status
open_transaction(struct replay *replay, struct error *err)
{
	enum status status;

	if (replay->is_open)
		return STATUS_OK;
	status = kafka_producer_begin(replay->producer, err);
	replay->is_open = status == STATUS_OK;
	return status;
}

static void
begin_anew(struct replay *replay)
{
	replay->is_open = false;
	replay->open_sent = 0;
	replay->open_unfit = 0;
	replay->open_bytes = 0;
	replay->kept_ms = clock_steady_ms();
}

static enum status
commit(struct replay *replay, struct error *err)
{
	enum status status = open_transaction(replay, err);

	if (status == STATUS_OK)
		status = plan_keep(replay->plan, replay->producer, err);
	if (status == STATUS_OK)
		status = kafka_producer_commit(replay->producer, err);
	if (status != STATUS_OK)
		return status;
	slice_keep(replay->slice);
	replay->sent += replay->open_sent;
	replay->unfit += replay->open_unfit;
	replay->failures = 0;
	begin_anew(replay);
	return STATUS_OK;
}

/* Aborts, and goes back to what is committed. A record that is refused for
 * good would be refused again. */
static enum status
start_over(struct replay *replay, struct error *err)
{
	struct error why = *err;
	enum status status = kafka_producer_abort(replay->producer, err);

	kafka_producer_poll(replay->producer, 0);
	if (status != STATUS_OK)
		return STATUS_FATAL;
	begin_anew(replay);
	if (replay->refusal != STATUS_OK) {
		*err = replay->why_refused;
		return replay->refusal;
	}
	if (++replay->failures > FAILURES_MAX) {
		*err = why;
		return STATUS_FATAL;
	}
	kafka_producer_poll(replay->producer, PAUSE_MS);
	replay->heard_ms = clock_steady_ms();
	return slice_rewind(replay->slice, err);
}

/* --- records --- */

static bool
is_commit_due(const struct replay *replay)
{
	if (replay->open_sent >= TRANSACTION_RECORDS ||
	    replay->open_bytes >= TRANSACTION_BYTES)
		return true;
	return clock_steady_ms() - replay->kept_ms >= TRANSACTION_MS &&
	       (replay->is_open || !slice_is_kept(replay->slice));
}

static bool
is_ahead(const struct replay *replay)
{
	const int64_t elapsed_ms = clock_steady_ms() -
				   replay->progress.began_ms;

	return replay->rate > 0 && replay->sent + replay->open_sent >
				       elapsed_ms * replay->rate / 1000;
}

static enum status
send(
    struct replay *replay, const struct slice_record *record, struct error *err)
{
	enum status status = open_transaction(replay, err);

	if (status != STATUS_OK)
		return status;
	while ((status = resend_record(replay->resend, record, err)) ==
	       STATUS_UNAVAILABLE)
		kafka_producer_poll(replay->producer, FULL_MS);
	switch (status) {
	case STATUS_OK:
		replay->open_sent++;
		replay->open_bytes += record->record.key.len +
				      record->record.value.len;
		return STATUS_OK;
	case STATUS_MISSING:
		replay->open_unfit++;
		return STATUS_OK;
	case STATUS_ABORTED:
		return status;
	default:
		return error_add(err, status, "%s/%d/%lld",
		    record->record.topic, record->record.partition,
		    (long long)record->record.offset);
	}
}

/* One thing at a time, none of which takes long. */
static enum status
step(struct replay *replay, struct error *err)
{
	struct slice_record record;
	enum status status;

	if (is_commit_due(replay))
		return commit(replay, err);
	if (is_ahead(replay)) {
		kafka_producer_poll(replay->producer, AHEAD_MS);
		replay->heard_ms = clock_steady_ms();
		return STATUS_OK;
	}
	status = slice_next(replay->slice, STEP_MS, &record, err);
	if (status == STATUS_OK) {
		replay->heard_ms = clock_steady_ms();
		return send(replay, &record, err);
	}
	if (status == STATUS_FATAL)
		return status;
	if (!slice_is_kept(replay->slice) && status == STATUS_END)
		replay->heard_ms = clock_steady_ms();
	if (clock_steady_ms() - replay->heard_ms > SILENCE_MS)
		return error_set(err, STATUS_FATAL, "nothing more comes");
	return STATUS_OK;
}

static enum status
send_all(struct replay *replay, bool is_new, struct error *err)
{
	enum status status = is_new ? commit(replay, err) : STATUS_OK;

	for (;;) {
		const bool is_over = plan_is_done(replay->plan) ||
				     tool_is_interrupted();

		if (status == STATUS_ABORTED)
			status = start_over(replay, err);
		else if (!is_over)
			status = step(replay, err);
		else if (replay->is_open || !slice_is_kept(replay->slice))
			status = commit(replay, err);
		else
			return STATUS_OK;
		if (status != STATUS_OK && status != STATUS_ABORTED)
			return status;
		progress_tell(&replay->progress, replay->plan,
		    replay->sent + replay->open_sent);
	}
}

/* --- what came of it --- */

static void
say_outcome(const struct replay *replay)
{
	const struct slice_counts *counts = slice_counts(replay->slice);
	const int64_t ms = clock_steady_ms() - replay->progress.began_ms;

	if (counts->undecoded > 0)
		fprintf(stderr,
		    "%lld records cannot be decoded and were left out\n",
		    (long long)counts->undecoded);
	if (replay->unfit > 0)
		fprintf(stderr,
		    "%lld dead letters hold no event to be worked on and were "
		    "left out\n",
		    (long long)replay->unfit);
	printf("replayed %lld records of %lld read in %.1f s (%lld/s), replay "
	       "%s\n",
	    (long long)replay->sent, (long long)counts->read,
	    (double)ms / 1000.0, (long long)(replay->sent * 1000 / (ms + 1)),
	    replay->plan->id);
}

static int
fail(const struct replay *replay, const struct tool *tool, enum status status,
    const struct error *err)
{
	const struct replay_plan *plan = replay->plan;

	if (status == STATUS_TOO_LARGE || status == STATUS_INVALID)
		tool_fail(tool, EX_DATAERR, "%s", err->text);
	else
		tool_fail_kafka(tool, plan->config, status, err);
	fprintf(stderr,
	    "%lld records are replayed; `vulnbus replay --resume %s` goes on\n",
	    (long long)replay->sent, plan->id);
	return status == STATUS_TOO_LARGE || status == STATUS_INVALID
		   ? EX_DATAERR
		   : EX_UNAVAILABLE;
}

int
replay_run(
    struct replay *replay, const struct tool *tool, int64_t rate, bool is_new)
{
	struct replay_plan *plan = replay->plan;
	struct error err;
	enum status status;

	replay->rate = rate;
	status = resend_open(plan, replay->producer, &replay->resend, &err);
	if (status == STATUS_OK)
		status = slice_open(
		    plan, resend_wants_values(plan), &replay->slice, &err);
	if (status != STATUS_OK)
		return tool_fail_kafka(tool, plan->config, status, &err);
	progress_begin(&replay->progress, plan);
	replay->kept_ms = replay->heard_ms = clock_steady_ms();
	status = send_all(replay, is_new, &err);
	progress_end(&replay->progress);
	if (status != STATUS_OK)
		return fail(replay, tool, status, &err);
	say_outcome(replay);
	if (plan_is_done(plan))
		return EX_OK;
	fprintf(stderr, "interrupted; `vulnbus replay --resume %s` goes on\n",
	    plan->id);
	return EX_TEMPFAIL;
}
