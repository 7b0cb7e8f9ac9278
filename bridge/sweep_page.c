/* SPDX-License-Identifier: Apache-2.0
 *
 * What comes of one page of a vendor's list: what no webhook told becomes an
 * event like any other, with the proof "api". */
#include "vulnbus/log.h"
#include "vulnbus/worker.h"

#define KEY_BYTES_MAX 1024
/* Clocks differ, and a list may show an event after a younger one. */
#define OVERLAP_MS    600000

static int64_t
least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* What is done is remembered for dedup_window: a sweep, what it leaves to the
 * webhooks, and the overlap must lie within. */
int64_t
sweep_every_ms(const struct worker *w, struct view source)
{
	return least(reconcile_every_ms(w, source),
	    w->config->enricher.dedup_window_ms / 2);
}

int64_t
sweep_overlap_ms(const struct worker *w)
{
	return least(OVERLAP_MS, w->config->enricher.dedup_window_ms / 4);
}

static int64_t
most_grace_ms(const struct worker *w, const struct binding *binding)
{
	return least(binding->contract->reconciliation.grace_s * INT64_C(1000),
	    w->config->enricher.dedup_window_ms / 4);
}

/* How long the webhook has the first word. */
static int64_t
grace_ms(const struct worker *w, const struct binding *binding)
{
	return least(most_grace_ms(w, binding),
	    sweep_every_ms(w, view_of(binding->config->name)));
}

static bool
is_of(struct worker *w, const struct partition *partition,
    const struct event *event)
{
	struct buffer key;
	bool is_place;

	buffer_init(&key, KEY_BYTES_MAX);
	event_key(event, &key);
	is_place = consume_is_place_of(
	    w->consume, partition, buffer_view(&key));
	buffer_clear(&key);
	return is_place;
}

/* What is on the topic and not taken in yet is not known yet. */
static enum status
take_item(struct worker *w, struct conversation *c, struct event *event)
{
	struct partition *partition = consume_partition(
	    w->consume, c->work->partition);

	if (event->occurred_ms > c->sweep.until_ms - grace_ms(w, c->binding) ||
	    !is_of(w, partition, event) || reconcile_is_known(w, c, event))
		return STATUS_OK;
	if (!consume_is_level(w->consume, partition, w->round))
		return STATUS_UNAVAILABLE;
	return reconcile_event(w, c, event, &c->why);
}

/* STATUS_UNAVAILABLE: there may be something on this page, but not yet. What
 * cannot become an event is no reason to leave the others out. */
static enum status
take_page(struct worker *w, struct conversation *c)
{
	const struct source_reconciliation *how =
	    &c->binding->contract->reconciliation;
	enum status status = STATUS_OK, taken = STATUS_OK;
	/* On this page: an event is known only once it is taken in. */
	struct map seen;

	map_init(&seen);
	for (size_t i = 0; status != STATUS_END && taken != STATUS_UNAVAILABLE;
	     i++) {
		struct event event;

		reconcile_init(c, &event);
		status = how->tell(
		    &c->sweep, &c->replies.items[0], i, &event, &c->why);
		taken = STATUS_OK;
		if (status == STATUS_OK && map_find(&seen, event.id) == NULL &&
		    map_add(&seen, event.id) != NULL)
			taken = take_item(w, c, &event);
		event_clear(&event);
		if (status != STATUS_OK && status != STATUS_END &&
		    status != STATUS_MISSING)
			taken = status;
		if (taken != STATUS_OK && taken != STATUS_UNAVAILABLE)
			LOG_WARN("an item of the vendor's list is no event",
			    LOG_VIEW("source", c->sweep.source),
			    LOG_TRACE(&c->work->trace),
			    LOG_TEXT("error.message", c->why.text));
	}
	map_clear(&seen);
	return taken == STATUS_UNAVAILABLE ? taken : STATUS_OK;
}

static void
wait(struct worker *w, struct work *work, int64_t ms)
{
	work->next.due_ms = clock_wall_ms() + ms;
	commit_touch(&w->commit, work);
}

static void
forget(struct worker *w, struct work *work)
{
	work->next.state = WORK_FORGOTTEN;
	commit_touch(&w->commit, work);
	w->is_sweep_owed = true;
}

/* The next one begins where this left the first word to the webhooks. What is
 * not shown may be, one day. */
static void
end_sweep(struct worker *w, struct conversation *c)
{
	const int64_t until_ms = c->sweep.until_ms;
	const int64_t known_ms = w->config->enricher.dedup_window_ms;
	struct work_status *next = &c->work->next;
	int64_t since_ms = until_ms - most_grace_ms(w, c->binding) -
			   sweep_overlap_ms(w);

	if (next->cursor.is_blind)
		since_ms = next->cursor.since_ms;
	if (until_ms - since_ms > known_ms &&
	    binding_swept(c->binding) == SOURCE_SWEPT_SUBJECT) {
		forget(w, c->work);
		return;
	}
	if (until_ms - since_ms > known_ms)
		since_ms = until_ms - known_ms / 2;
	next->cursor = (struct cursor){ .since_ms = since_ms, .page = 1 };
	next->attempts = 0;
	trace_begin(&c->work->trace); /* the next one's */
	wait(w, c->work, sweep_every_ms(w, c->sweep.source));
}

/* It is nobody's event: it is not given up, only less urgent. A 401 too: a
 * token may be refused for lists alone, and if it is not, the next event will
 * say so. */
static void
postpone(struct worker *w, struct conversation *c)
{
	const uint32_t most_ms = w->config->enricher.retry_to_ms;
	int64_t wait_ms = outcome_backoff_ms(
	    w, ++c->work->next.attempts, most_ms);

	if (c->retry_after_ms > 0) {
		wait_ms = least(c->retry_after_ms, most_ms);
		feed_pause(c->work->feed, wait_ms);
	}
	if (c->outcome == FETCH_HOPELESS)
		wait_ms = sweep_every_ms(w, c->sweep.source);
	LOG_WARN("reconciliation postponed",
	    LOG_VIEW("source", c->decoded.event.source),
	    LOG_TRACE(&c->work->trace), LOG_TEXT("error.message", c->why.text),
	    LOG_INT("wait_ms", wait_ms));
	wait(w, c->work, wait_ms);
}

static void
note_what_is_hidden(struct conversation *c)
{
	const unsigned code = c->replies.items[0].code;

	/* Beyond the last page there may be none to see. */
	if (code == 200 || c->sweep.page > 1)
		return;
	c->work->next.cursor.is_blind = true;
	LOG_WARN("the vendor does not show what it lists",
	    LOG_VIEW("source", c->sweep.source),
	    LOG_VIEW("subject.id", c->sweep.subject),
	    LOG_TRACE(&c->work->trace),
	    LOG_INT("http.response.status_code", code));
}

static void
complete(struct worker *w, struct conversation *c)
{
	struct cursor *cursor = &c->work->next.cursor;
	struct source_sweep turned = c->sweep;
	const enum status status = c->binding->contract->reconciliation.turn(
	    &turned, &c->replies.items[0], &c->why);

	if (status != STATUS_OK && status != STATUS_END) {
		if (status == STATUS_INVALID)
			c->outcome = FETCH_HOPELESS;
		postpone(w, c);
		return;
	}
	if (take_page(w, c) != STATUS_OK) {
		wait(w, c->work,
		    outcome_backoff_ms(w, ++c->work->next.attempts,
			(uint32_t)sweep_every_ms(w, c->sweep.source)));
		return;
	}
	note_what_is_hidden(c);
	if (status == STATUS_END) {
		end_sweep(w, c);
		return;
	}
	cursor->until_ms = turned.until_ms;
	cursor->list = turned.list;
	cursor->page = turned.page;
	c->work->next.attempts = 0;
	wait(w, c->work, 0);
}

/* It may come back, and then its cursor is worth something. */
static void
leave(struct worker *w, struct conversation *c)
{
	const int64_t age_ms = clock_wall_ms() - c->work->next.cursor.since_ms;

	if (binding_swept(c->binding) != SOURCE_SWEPT_NOTHING ||
	    age_ms > w->config->enricher.dedup_window_ms)
		forget(w, c->work);
	else
		wait(w, c->work, sweep_every_ms(w, c->decoded.event.source));
}

void
sweep_settle(struct worker *w, struct conversation *c)
{
	if (!fetch_is_swept(c))
		leave(w, c);
	else if (c->outcome == FETCH_COMPLETE)
		complete(w, c);
	else
		postpone(w, c);
}
