/* SPDX-License-Identifier: Apache-2.0
 *
 * What a vendor's API lists and no webhook told becomes an event like any
 * other, with the proof "api". Each partition reads the lists for itself, and
 * takes from them what would come to it: so whether an event is known stands
 * in its own memory, and the cursor is committed with what it led to. */
#include <stdlib.h>

#include "vulnbus/log.h"
#include "vulnbus/worker.h"

#define KEY_BYTES_MAX 1024
#define BEHIND_MS     1000
/* Clocks differ, and a list may show an event after a younger one. */
#define OVERLAP_MS    600000

static int64_t
overlap_ms(const struct worker *w)
{
	const int64_t most = w->config->enricher.dedup_window_ms / 2;

	return OVERLAP_MS < most ? OVERLAP_MS : most;
}

/* How long the webhook has the first word. */
static int64_t
grace_ms(const struct worker *w, const struct binding *binding)
{
	const int64_t every_ms = reconcile_every_ms(
	    w, view_of(binding->config->name));
	const int64_t most = binding->contract->reconciliation.grace_s *
			     INT64_C(1000);
	const int64_t known_ms = w->config->enricher.dedup_window_ms / 2;
	const int64_t grace = every_ms < most ? every_ms : most;

	return grace < known_ms ? grace : known_ms;
}

/* --- Which sweeps there are ---------------------------------------------- */

/* A text in place of an event: who is asked about what. */
static enum status
write_event(struct worker *w, const struct binding *binding, struct view key,
    struct view type, struct view subject, struct error *err)
{
	struct event event;
	enum status status;

	event_init(&event);
	event.id = key;
	event.source = view_of(binding->config->name);
	event.vendor = view_of(binding->config->vendor);
	event.kind = VIEW("sweep");
	event.subject_type = type;
	event.subject_id = subject;
	event.received_ms = clock_wall_ms();
	event.proof = VIEW("api");
	status = encode_event(&w->encoding, &event, view_of(binding->base_url),
	    VIEW(""), &w->encoded, err);
	event_clear(&event);
	return status;
}

static void
add_sweep(struct worker *w, struct partition *partition,
    const struct binding *binding, struct view type, struct view subject)
{
	const int64_t every_ms = reconcile_every_ms(
	    w, view_of(binding->config->name));
	const int64_t now_ms = clock_wall_ms();
	struct map_entry *entry;
	struct buffer key;
	struct error err;
	struct work *work;

	buffer_init(&key, KEY_BYTES_MAX);
	buffer_print(&key, "%s%s/%.*s/%.*s", WORK_SWEEP_PREFIX,
	    binding->config->name, VIEW_ARGS(type), VIEW_ARGS(subject));
	if (map_find(&partition->known, buffer_view(&key)) != NULL ||
	    write_event(w, binding, buffer_view(&key), type, subject, &err) !=
		STATUS_OK)
		goto out;
	entry = map_add(&partition->known, buffer_view(&key));
	work = work_new_sweep(buffer_view(&key), &w->encoded.record,
	    now_ms + every_ms,
	    now_ms - every_ms - grace_ms(w, binding) - overlap_ms(w));
	if (entry == NULL || work == NULL)
		abort();
	work->partition = partition->id;
	work->feed = feeds_find(&w->feeds, view_of(binding->config->name));
	if (work->feed == NULL)
		abort();
	entry->pointer = work;
	commit_touch(&w->commit, work);
out:
	buffer_clear(&key);
}

void
sweep_begin(struct worker *w)
{
	const struct kafka_position *positions;
	size_t count;

	if (!w->is_sweep_owed)
		return;
	positions = consume_positions(w->consume, &count);
	for (size_t i = 0; i < w->site->bindings.count; i++) {
		const struct binding *binding = &w->site->bindings.items[i];

		if (binding_swept(binding) != SOURCE_SWEPT_ACCOUNT)
			continue;
		for (size_t j = 0; j < count; j++)
			add_sweep(w,
			    consume_partition(
				w->consume, positions[j].partition),
			    binding, VIEW("account"),
			    view_of(binding->config->name));
	}
	w->is_sweep_owed = false;
}

/* --- What is known ------------------------------------------------------- */

static void
add_note(struct worker *w, struct partition *partition, struct view id)
{
	struct map_entry *entry = map_add(&partition->known, id);
	struct work *work;

	if (entry != NULL && (entry->pointer != NULL || entry->number != 0))
		return;
	work = work_new_note(id, clock_wall_ms());
	if (entry == NULL || work == NULL)
		abort();
	work->partition = partition->id;
	entry->pointer = work;
	commit_touch(&w->commit, work);
}

void
sweep_note(struct worker *w, struct partition *partition, struct work *work)
{
	const struct binding *binding = work->feed == NULL
					    ? NULL
					    : bindings_find(&w->site->bindings,
						  view_of(work->feed->name));
	const enum source_swept swept = binding_swept(binding);
	struct decoded decoded;
	struct error err;
	struct view id;

	decoded_init(&decoded);
	/* A replayed event has told all this before. */
	if (swept == SOURCE_SWEPT_NOTHING || work->doom != NULL ||
	    work_decode(work, &decoded, &err) != STATUS_OK ||
	    !view_is(decoded.event.id, work->key))
		goto out;
	for (size_t i = 0;
	     (id = binding->contract->reconciliation.alias(&decoded.event, i))
		 .len > 0;
	     i++)
		add_note(w, partition, id);
	if (swept == SOURCE_SWEPT_SUBJECT)
		add_sweep(w, partition, binding, decoded.event.subject_type,
		    decoded.event.subject_id);
out:
	decoded_clear(&decoded);
}

/* --- What comes of a page ------------------------------------------------ */

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
	enum status status = STATUS_OK;

	for (size_t i = 0; status != STATUS_END; i++) {
		enum status taken = STATUS_OK;
		struct event event;

		event_init(&event);
		event.source = c->sweep.source;
		event.vendor = c->decoded.event.vendor;
		event.received_ms = clock_wall_ms();
		event.proof = VIEW("api");
		status = how->tell(
		    &c->sweep, &c->replies.items[0], i, &event, &c->why);
		if (status == STATUS_OK)
			taken = take_item(w, c, &event);
		event_clear(&event);
		if (taken == STATUS_UNAVAILABLE)
			return taken;
		if (taken != STATUS_OK ||
		    (status != STATUS_OK && status != STATUS_END &&
			status != STATUS_MISSING))
			LOG_WARN("an item of the vendor's list is no event",
			    LOG_VIEW("source", c->sweep.source),
			    LOG_TEXT("error.message", c->why.text));
	}
	return STATUS_OK;
}

static void
wait(struct worker *w, struct work *work, int64_t ms)
{
	work->next.due_ms = clock_wall_ms() + ms;
	commit_touch(&w->commit, work);
}

/* The next begins where this one left the first word to the webhooks. */
static void
end_sweep(struct worker *w, struct conversation *c)
{
	c->work->next.cursor = (struct cursor){
		.since_ms = c->sweep.until_ms - grace_ms(w, c->binding) -
			    overlap_ms(w),
		.page = 1,
	};
	c->work->next.attempts = 0;
	wait(w, c->work, reconcile_every_ms(w, c->sweep.source));
}

static void
complete(struct worker *w, struct conversation *c)
{
	const struct source_reply *reply = &c->replies.items[0];
	struct cursor *cursor = &c->work->next.cursor;
	enum status status = take_page(w, c);

	if (status != STATUS_OK) {
		wait(w, c->work, BEHIND_MS);
		return;
	}
	/* Beyond the last page there may be none to see. */
	if (reply->code != 200 && c->sweep.page == 1)
		LOG_WARN("the vendor does not show what it lists",
		    LOG_VIEW("source", c->sweep.source),
		    LOG_VIEW("subject.id", c->sweep.subject),
		    LOG_INT("http.response.status_code", reply->code));
	status = c->binding->contract->reconciliation.turn(
	    &c->sweep, reply, &c->why);
	if (status == STATUS_OK) {
		cursor->until_ms = c->sweep.until_ms;
		cursor->list = c->sweep.list;
		cursor->page = c->sweep.page;
		wait(w, c->work, 0);
		return;
	}
	if (status == STATUS_END) {
		end_sweep(w, c);
		return;
	}
	LOG_WARN("reconciliation not possible",
	    LOG_VIEW("source", c->sweep.source),
	    LOG_TEXT("error.message", c->why.text));
	*cursor = (struct cursor){ .since_ms = cursor->since_ms, .page = 1 };
	wait(w, c->work, reconcile_every_ms(w, c->sweep.source));
}

/* It is nobody's event: it is not given up, only less urgent. */
static void
postpone(struct worker *w, struct conversation *c)
{
	const struct config_enricher *config = &w->config->enricher;
	int64_t wait_ms = outcome_backoff_ms(
	    w, ++c->work->next.attempts, config->retry_to_ms);

	if (c->retry_after_ms > 0) {
		wait_ms = c->retry_after_ms < config->retry_to_ms
			      ? c->retry_after_ms
			      : config->retry_to_ms;
		feed_pause(c->work->feed, wait_ms);
	}
	if (c->outcome == FETCH_HOPELESS)
		wait_ms = reconcile_every_ms(w, c->sweep.source);
	LOG_WARN("reconciliation postponed",
	    LOG_VIEW("source", c->sweep.source),
	    LOG_TEXT("error.message", c->why.text),
	    LOG_INT("wait_ms", wait_ms));
	wait(w, c->work, wait_ms);
}

void
sweep_settle(struct worker *w, struct conversation *c)
{
	if (binding_swept(c->binding) == SOURCE_SWEPT_NOTHING) {
		c->work->next.state = WORK_FORGOTTEN;
		commit_touch(&w->commit, c->work);
	} else if (c->outcome == FETCH_COMPLETE) {
		complete(w, c);
	} else {
		postpone(w, c);
	}
}
