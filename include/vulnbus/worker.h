/* SPDX-License-Identifier: Apache-2.0
 *
 * The life of one event in the enricher: consume -> fetch -> enrich -> encode
 * -> commit. The one place where the enricher's stages meet. One thread. */
#ifndef VULNBUS_WORKER_H
#define VULNBUS_WORKER_H

#include <stdatomic.h>

#include "vulnbus/commit.h"
#include "vulnbus/consume.h"
#include "vulnbus/feed.h"
#include "vulnbus/fetch.h"

struct worker {
	const struct config *config; /* as at start */
	const struct topics *topics;
	struct encoding encoding;
	struct site *site; /* in force; held */
	struct http_client *client;
	struct consume *consume;
	struct commit commit;
	bool has_commit;
	struct feeds feeds;
	struct grant *grants; /* owned; they outlive the session */
	size_t loaded;        /* works in queues whose event is in memory */
	struct conversation *active;
	struct encoded encoded;    /* the record at hand */
	struct encoded projection; /* and it, as OCSF */
	struct tree body;
	struct prose *prose; /* owned; the free text of `body` */
	int event_fd;        /* readable when there are events */
	bool is_intake_paused;
	bool is_broken;         /* the session must be begun again */
	bool is_sweep_owed;     /* by partitions or sources that are new */
	uint64_t round;         /* counted from 1 */
	size_t state_bytes_max; /* of an event: its state must fit a record */
	int64_t tidied_at_ms;
	atomic_bool *is_stopping;
};

/* Joins the group and opens the session. STATUS_UNAVAILABLE: try again. */
enum status
worker_open(struct worker *worker, struct error *err) MUST_CHECK;

/* Leaves; what was not committed is forgotten, here. */
void
worker_close(struct worker *worker);

/* One round: events in, requests out, replies in, one transaction. Waits up to
 * `ms` when there is nothing to do. STATUS_FATAL: close and open again. */
enum status
worker_round(struct worker *worker, uint32_t ms, struct error *err) MUST_CHECK;

/* Takes over a reloaded configuration's sources; the site becomes its own. */
void
worker_use_site(struct worker *worker, struct site *site);

/* --- The parts of a round, one file each ---------------------------------- */

/* measure.c: metrics of a round, and of the sources as they are now. Outside of
 * transactions. */
void
measure_round(struct worker *worker);

void
measure_sources(struct worker *worker);

/* intake.c: events off the topic and memory off the state topic. */
enum status
intake_take_events(struct worker *worker, struct error *err) MUST_CHECK;

/* For consume_open. */
struct consume_callbacks
intake_callbacks(struct worker *worker);

/* reconcile.c: what was asked for, and became what? */
int64_t
reconcile_every_ms(const struct worker *worker, struct view source);

/* Is the event known in the conversation's partition, by whatever id? */
bool
reconcile_is_known(struct worker *worker,
    const struct conversation *conversation, struct event *event);

/* An event that the API tells in this conversation, for the source to fill in.
 * To be cleared. */
void
reconcile_init(const struct conversation *conversation, struct event *event);

/* The event becomes a record. */
enum status
reconcile_event(struct worker *worker, const struct conversation *conversation,
    struct event *event, struct error *err) MUST_CHECK;

/* Makes the events that a request's replies tell. */
enum status
reconcile_complete(struct worker *worker, struct conversation *conversation,
    struct error *err) MUST_CHECK;

/* sweep.c: whose lists are read for what nobody told? */
void
sweep_begin(struct worker *worker);

/* What an event that is taken in means for later sweeps. */
void
sweep_note(
    struct worker *worker, struct partition *partition, struct work *work);

/* sweep_page.c: what comes of it. */
void
sweep_settle(struct worker *worker, struct conversation *conversation);

/* How often a source's lists are read, and how far back each time. */
int64_t
sweep_every_ms(const struct worker *worker, struct view source);

int64_t
sweep_overlap_ms(const struct worker *worker);

/* outcome.c: what the vendors said becomes records, or another try. */
rows_row_f outcome_on_row;

void
outcome_settle_all(struct worker *worker);

/* authorisation.c: may the source's API be asked, as far as tokens go? What a
 * grant has come to is noted; a request is sent when work waits for one. */
bool
authorisation_is_ready(struct worker *worker, struct feed *feed,
    const struct binding *binding, int64_t now_ms);

/* An access token is being asked for. */
bool
authorisation_is_under_way(const struct worker *worker);

/* The API has taken a conversation's token, or answered 401 to it. */
void
authorisation_accepted(const struct conversation *conversation);

void
authorisation_refused(const struct conversation *conversation);

/* Waits a little for what is under way: a new refresh token must not be lost
 * with the session. */
void
authorisation_finish(struct worker *worker);

/* transaction.c: all a round has to write, or nothing of it. */
enum status
transaction_end(struct worker *worker, struct error *err) MUST_CHECK;

/* Writes old waiting states again before the state topic forgets them. */
void
transaction_refresh(struct worker *worker);

/* The wait before try `count`, from 1. */
int64_t
outcome_backoff_ms(
    const struct worker *worker, int64_t count, uint32_t most_ms);

/* worker.c: a work's place, in its source's queue or nowhere. */
void
worker_queue(struct worker *worker, struct work *work, int64_t due_ms);

void
worker_unqueue(struct worker *worker, struct work *work);

void
worker_end_conversation(struct worker *worker, struct work *work);

void
worker_drop(struct worker *worker, struct work *work);

#endif
