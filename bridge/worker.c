/* SPDX-License-Identifier: Apache-2.0 */
#include "vulnbus/worker.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vulnbus/log.h"
#include "vulnbus/metrics.h"
#include "vulnbus/prose.h"

#define BODY_NODES_MAX    8192
#define STATE_EXTRA_BYTES 8192
#define LATER_MS          1000
#define TIDY_EVERY_MS     60000
#define READ_AHEAD_MAX    256
#define LINGER_MS         250 /* a transaction, for what is under way */

static const struct binding *
binding_of(const struct worker *w, const struct feed *feed)
{
	return bindings_find(&w->site->bindings, view_of(feed->name));
}

void
worker_end_conversation(struct worker *w, struct work *work)
{
	struct conversation **at = &w->active;

	if (work->conversation == NULL)
		return;
	while (*at != work->conversation)
		at = &(*at)->next;
	*at = work->conversation->next;
	work->feed->active--;
	work->feed->sweeping -= work->is_sweep;
	feed_spent(work->feed, work->conversation->requests);
	fetch_close(work->conversation);
	work->conversation = NULL;
}

void
worker_drop(struct worker *w, struct work *work)
{
	worker_end_conversation(w, work);
	worker_unqueue(w, work);
	commit_forget(&w->commit, work);
	work_free(work);
}

void
worker_unqueue(struct worker *w, struct work *work)
{
	if (work->item.place == 0)
		return;
	if (work_takes_place(work))
		w->loaded--;
	feed_remove(&w->feeds, work);
}

/* Of the events in memory some are those that were read back together. */
static size_t
places_to_read_ahead(const struct worker *w)
{
	const size_t places = w->config->enricher.max_in_memory / 4;

	return places < READ_AHEAD_MAX ? places : READ_AHEAD_MAX;
}

/* Back into its source's queue. Without memory for that the process cannot
 * keep its word, and its next life will find the work in the state topic. */
void
worker_queue(struct worker *w, struct work *work, int64_t due_ms)
{
	struct error err;

	if (w->loaded + places_to_read_ahead(w) >=
		w->config->enricher.max_in_memory &&
	    work->state_offset >= 0 && !work->is_sweep)
		work_unload(work);
	if (work_takes_place(work))
		w->loaded++;
	if (feed_add(&w->feeds, work->feed, work, due_ms, &err) != STATUS_OK)
		abort();
}

/* At the cost of those that are due last, or nearly so. */
static void
make_places(struct worker *w)
{
	const size_t most = w->config->enricher.max_in_memory -
			    places_to_read_ahead(w);

	for (struct feed *feed = w->feeds.first; feed != NULL;
	     feed = feed->next)
		for (size_t i = feed->waiting.count;
		     i-- > 0 && w->loaded > most;) {
			struct work *work =
			    (struct work *)(void *)feed->waiting.items[i];

			if (!work_is_loaded(work) || work->state_offset < 0)
				continue;
			work_unload(work);
			w->loaded--;
		}
}

static size_t
count_loaded(struct work *const *works, size_t count)
{
	size_t loaded = 0;

	for (size_t i = 0; i < count; i++)
		loaded += work_is_loaded(works[i]);
	return loaded;
}

/* With it, those that are due next: one at a time would be dozens a second. */
static enum status
read_back(struct worker *w, struct work *work, struct error *err)
{
	struct work *works[1 + READ_AHEAD_MAX] = { work };
	struct work *next[READ_AHEAD_MAX];
	const size_t next_count = feed_ahead(
	    work->feed, next, places_to_read_ahead(w));
	size_t count = 1, loaded;
	enum status status;

	make_places(w);
	loaded = count_loaded(next, next_count);
	for (size_t i = 0; i < next_count; i++)
		if (!work_is_loaded(next[i]))
			works[count++] = next[i];
	status = consume_read_back(w->consume, works, count, err);
	w->loaded += count_loaded(next, next_count) - loaded;
	return status;
}

/* False when its event could not be read back: it waits a little longer. */
static bool
start_work(struct worker *w, struct work *work, const struct binding *binding)
{
	struct error err = { "no memory" };

	if (work_takes_place(work))
		w->loaded--;
	else if (!work_is_loaded(work) && read_back(w, work, &err) != STATUS_OK)
		goto later;
	work->conversation = fetch_open(work, w->site, binding,
	    work->feed->grant, w->client, outcome_on_row, w);
	if (work->conversation == NULL)
		goto later;
	work->conversation->next = w->active;
	w->active = work->conversation;
	work->feed->active++;
	work->feed->sweeping += work->is_sweep;
	return true;
later:
	LOG_WARN("event not begun", LOG_TEXT("event.id", work->key),
	    LOG_TRACE(&work->trace), LOG_TEXT("error.message", err.text));
	worker_queue(w, work, clock_wall_ms() + LATER_MS);
	return false;
}

static void
start_due(struct worker *w)
{
	const int64_t now_ms = clock_wall_ms();
	const double share = consume_share(w->consume);

	for (struct feed *feed = w->feeds.first; feed != NULL;
	     feed = feed->next) {
		const struct binding *binding = binding_of(w, feed);
		struct work *work;

		if (!authorisation_is_ready(w, feed, binding, now_ms))
			continue;
		while ((work = feed_next(
			    &w->feeds, feed, binding, share, now_ms)) != NULL)
			if (!start_work(w, work, binding))
				break;
	}
}

static uint32_t
wait_ms(const struct worker *w, uint32_t most_ms)
{
	const int64_t now_ms = clock_wall_ms();
	int64_t wait = most_ms;

	for (const struct feed *feed = w->feeds.first; feed != NULL;
	     feed = feed->next) {
		const int64_t due_ms = feed_due_ms(feed, binding_of(w, feed));

		if (due_ms != INT64_MAX && due_ms - now_ms < wait)
			wait = due_ms - now_ms;
	}
	/* A source at its hourly budget is due all the time. */
	return wait < 1 ? 1 : (uint32_t)wait;
}

static bool
has_to_commit(const struct worker *w)
{
	return w->commit.is_open || w->commit.dirty != NULL ||
	       consume_has_moved(w->consume);
}

/* May the transaction take in a little more? Not when nothing is under way, and
 * not when a file's rows wait for it. */
static bool
may_linger(const struct worker *w)
{
	for (const struct conversation *c = w->active; c != NULL; c = c->next)
		if (c->is_paused)
			return false;
	return w->active != NULL || authorisation_is_under_way(w);
}

/* Requests out, replies in. While a transaction is committed no reply is read,
 * so a conversation of several requests would move by one a transaction if each
 * reply had its own. */
static void
talk(struct worker *w, uint32_t ms)
{
	const int64_t until_ms = clock_steady_ms() + LINGER_MS;
	int64_t left_ms;

	do {
		start_due(w);
		outcome_settle_all(w);
		left_ms = until_ms - clock_steady_ms();
		if (!has_to_commit(w))
			http_client_poll(
			    w->client, w->event_fd, wait_ms(w, ms));
		else if (may_linger(w) && left_ms > 0)
			http_client_poll(
			    w->client, -1, wait_ms(w, (uint32_t)left_ms));
		outcome_settle_all(w);
	} while (has_to_commit(w) && may_linger(w) && left_ms > 0);
}

/* Transfers that waited for their rows to be committed. Not earlier in the
 * round than this: rows come at once, and open the next transaction. */
static void
resume_transfers(struct worker *w)
{
	for (struct conversation *c = w->active; c != NULL; c = c->next)
		if (!c->work->is_dirty && c->outcome == FETCH_UNDER_WAY)
			fetch_resume(c);
}

static void
tidy(struct worker *w, int64_t now_ms)
{
	if (now_ms - w->tidied_at_ms < TIDY_EVERY_MS)
		return;
	w->tidied_at_ms = now_ms;
	consume_expire(
	    w->consume, now_ms - w->config->enricher.dedup_window_ms);
	transaction_refresh(w);
}

static void
clear_signal(struct worker *w)
{
	uint64_t count;
	const ssize_t got = read(w->event_fd, &count, sizeof(count));

	(void)got; /* nothing there is fine too */
}

enum status
worker_round(struct worker *w, uint32_t ms, struct error *err)
{
	const int64_t now_ms = clock_wall_ms();
	enum status status;

	w->round++;
	clear_signal(w);
	status = intake_take_events(w, err);
	if (status == STATUS_OK && w->is_broken)
		status = error_set(
		    err, STATUS_FATAL, "a transaction was not undone");
	if (status != STATUS_OK)
		return status;
	sweep_begin(w);
	resume_transfers(w);
	talk(w, ms);
	tidy(w, now_ms);
	status = transaction_end(w, err);
	if (status == STATUS_OK)
		measure_round(w);
	return status;
}

/* A state record is the event and a little more: key, times, progress. */
static size_t
state_bytes_max(size_t message_bytes)
{
	return message_bytes > STATE_EXTRA_BYTES
		   ? message_bytes - STATE_EXTRA_BYTES
		   : 0;
}

/* Until a source is refused its token is taken to be good. */
static void
authorise_all(struct worker *w)
{
	measure_sources(w);
	for (size_t i = 0; i < w->site->bindings.count; i++)
		metric_set(METRIC_SOURCE_AUTHORISED,
		    w->site->bindings.items[i].config->name, NULL, 1);
	for (struct feed *feed = w->feeds.first; feed != NULL;
	     feed = feed->next)
		feed_authorised(feed);
}

enum status
worker_open(struct worker *w, struct error *err)
{
	const struct consume_callbacks callbacks = intake_callbacks(w);
	enum status status = http_client_open(&w->client, err);

	authorise_all(w);
	encoded_init(&w->encoded);
	encoded_init(&w->projection);
	tree_init(&w->body, BODY_NODES_MAX);
	w->encoding.record_bytes_max = kafka_message_bytes_max(w->config);
	w->state_bytes_max = state_bytes_max(w->encoding.record_bytes_max);
	w->prose = malloc(sizeof(*w->prose));
	if (status == STATUS_OK && w->prose == NULL)
		status = error_set(err, STATUS_NO_MEMORY, "no memory");
	/* Partitions are taken over in the first round: by then an earlier
	 * life's open transaction is ended, with the new session. */
	if (status == STATUS_OK)
		status = consume_open(
		    w->config, w->topics, &callbacks, &w->consume, err);
	if (status == STATUS_OK)
		status = commit_open(w->config, w->topics, &w->commit, err);
	w->has_commit = status == STATUS_OK;
	if (status != STATUS_OK) {
		worker_close(w);
		return status;
	}
	consume_signal(w->consume, w->event_fd);
	return STATUS_OK;
}

void
worker_close(struct worker *w)
{
	/* The producer first: its last reports speak of works that the
	 * consumer takes with it. */
	if (w->has_commit)
		commit_close(&w->commit);
	w->has_commit = false;
	consume_close(&w->consume);
	w->is_broken = false;
	authorisation_finish(w);
	feeds_clear(&w->feeds);
	http_client_close(&w->client);
	encoded_clear(&w->encoded);
	encoded_clear(&w->projection);
	tree_clear(&w->body);
	free(w->prose);
	w->prose = NULL;
}

void
worker_use_site(struct worker *w, struct site *site)
{
	site_release(w->site);
	w->site = site;
	w->is_sweep_owed = true;
	/* "Tries again at SIGHUP": a refused token may be good by now. */
	authorise_all(w);
	for (struct grant *grant = w->grants; grant != NULL;
	     grant = grant->next)
		grant->ask_at_ms = 0;
}
