/* SPDX-License-Identifier: Apache-2.0 */
#include "vulnbus/feed.h"

#include <stdlib.h>
#include <string.h>

#include "vulnbus/credential.h"
#include "vulnbus/log.h"
#include "vulnbus/metrics.h"

#define TOKEN_EVERY_MS         1000
#define UNKNOWN_CONCURRENT_MAX 16
#define PROBE_EVERY_MS         60000
#define MS_PER_HOUR            3600000.0

struct feed *
feeds_find(struct feeds *feeds, struct view source)
{
	struct feed *feed;

	for (feed = feeds->first; feed != NULL; feed = feed->next)
		if (view_is(source, feed->name))
			return feed;
	feed = calloc(1, sizeof(*feed));
	if (feed == NULL)
		return NULL;
	feed->name = strndup(source.data, source.len);
	if (feed->name == NULL) {
		free(feed);
		return NULL;
	}
	heap_init(&feed->waiting);
	heap_init(&feed->sweeps);
	feed->next = feeds->first;
	feeds->first = feed;
	return feed;
}

void
feeds_clear(struct feeds *feeds)
{
	while (feeds->first != NULL) {
		struct feed *feed = feeds->first;

		feeds->first = feed->next;
		heap_clear(&feed->waiting);
		heap_clear(&feed->sweeps);
		free(feed->name);
		free(feed);
	}
	feeds->waiting = 0;
}

static struct heap *
heap_of(struct feed *feed, const struct work *work)
{
	return work->is_sweep ? &feed->sweeps : &feed->waiting;
}

/* Whatever is due first, but a sweep only while few are under way: a list that
 * hangs must not take the events' places. */
static struct heap_item *
first_of(const struct feed *feed, const struct binding *binding)
{
	const uint32_t most =
	    binding == NULL ? 1 : (binding->config->api.max_concurrent + 3) / 4;
	struct heap_item *event = heap_first(&feed->waiting);
	struct heap_item *sweep = feed->sweeping < most
				      ? heap_first(&feed->sweeps)
				      : NULL;

	if (event == NULL || (sweep != NULL && sweep->due_ms < event->due_ms))
		return sweep;
	return event;
}

enum status
feed_add(struct feeds *feeds, struct feed *feed, struct work *work,
    int64_t due_ms, struct error *err)
{
	if (!heap_add(heap_of(feed, work), &work->item, due_ms))
		return error_set(err, STATUS_NO_MEMORY, "no memory");
	work->feed = feed;
	feeds->waiting += !work->is_sweep;
	return STATUS_OK;
}

void
feed_remove(struct feeds *feeds, struct work *work)
{
	if (work->item.place == 0)
		return;
	heap_remove(heap_of(work->feed, work), &work->item);
	feeds->waiting -= !work->is_sweep;
}

static uint32_t
calls_per_hour(const struct binding *binding)
{
	const uint32_t configured = binding->config->api.calls_per_hour;

	return configured > 0 ? configured
			      : binding->contract->api.calls_per_hour;
}

/* True when one more call is within the budget; it is then spent. */
static bool
spend(struct feed *feed, const struct binding *binding, double share)
{
	const double per_hour = calls_per_hour(binding) * share;
	const int64_t now_ms = clock_steady_ms();
	const double most = per_hour / 60.0 > 1.0 ? per_hour / 60.0 : 1.0;

	if (calls_per_hour(binding) == 0 || share <= 0)
		return true;
	if (feed->budget_at_ms == 0)
		feed->budget = most;
	else
		feed->budget += (double)(now_ms - feed->budget_at_ms) *
				per_hour / MS_PER_HOUR;
	feed->budget_at_ms = now_ms;
	if (feed->budget > most)
		feed->budget = most;
	if (feed->budget < 1.0) {
		feed->ready_at_ms = clock_wall_ms() +
				    (int64_t)((1.0 - feed->budget) *
					      MS_PER_HOUR / per_hour) +
				    1;
		metric_add(METRIC_API_WAITS, feed->name, "budget", 1);
		return false;
	}
	feed->budget -= 1.0;
	return true;
}

void
feed_spent(struct feed *feed, uint32_t requests)
{
	/* The first was paid for when the work was given out. */
	if (feed->budget_at_ms != 0 && requests > 1)
		feed->budget -= requests - 1;
}

void
feed_pause(struct feed *feed, int64_t ms)
{
	const int64_t until_ms = clock_wall_ms() + ms;

	if (until_ms <= feed->ready_at_ms)
		return;
	feed->ready_at_ms = until_ms;
	metric_add(METRIC_API_WAITS, feed->name, "retry-after", 1);
	LOG_INFO("the vendor asks for a pause", LOG_TEXT("source", feed->name),
	    LOG_INT("wait_ms", ms));
}

/* While the vendor refuses the token, one call a minute finds out whether it
 * still does. */
static bool
is_open(const struct feed *feed, const struct binding *binding)
{
	if (feed->active >= binding->config->api.max_concurrent)
		return false;
	if (feed->is_unauthorised && clock_steady_ms() < feed->probe_at_ms)
		return false;
	return clock_wall_ms() >= feed->ready_at_ms;
}

static bool
may_ask(struct feed *feed, const struct binding *binding, double share)
{
	if (!is_open(feed, binding) || !spend(feed, binding, share))
		return false;
	feed->probe_at_ms = clock_steady_ms() + PROBE_EVERY_MS;
	return true;
}

bool
feed_is_due(
    const struct feed *feed, const struct binding *binding, int64_t now_ms)
{
	const struct heap_item *first = first_of(feed, binding);

	return first != NULL && first->due_ms <= now_ms &&
	       is_open(feed, binding);
}

struct work *
feed_next(struct feeds *feeds, struct feed *feed, const struct binding *binding,
    double share, int64_t now_ms)
{
	struct heap_item *first = first_of(feed, binding);
	struct work *work = (struct work *)(void *)first;

	if (first == NULL || first->due_ms > now_ms)
		return NULL;
	if (binding == NULL && feed->active >= UNKNOWN_CONCURRENT_MAX)
		return NULL;
	if (binding != NULL && !may_ask(feed, binding, share))
		return NULL;
	feed_remove(feeds, work);
	return work;
}

size_t
feed_ahead(struct feed *feed, struct work **out_works, size_t most)
{
	struct heap_item *item;
	size_t count = 0;

	while (count < most && (item = heap_first(&feed->waiting)) != NULL) {
		heap_remove(&feed->waiting, item);
		out_works[count++] = (struct work *)(void *)item;
	}
	/* There was place for them a moment ago. */
	for (size_t i = 0; i < count; i++)
		if (!heap_add(&feed->waiting, &out_works[i]->item,
			out_works[i]->item.due_ms))
			abort();
	return count;
}

int64_t
feed_due_ms(const struct feed *feed, const struct binding *binding)
{
	const struct heap_item *first = first_of(feed, binding);

	if (first == NULL || feed->is_unauthorised || feed->is_without_token ||
	    (binding != NULL &&
		feed->active >= binding->config->api.max_concurrent))
		return INT64_MAX;
	return first->due_ms > feed->ready_at_ms ? first->due_ms
						 : feed->ready_at_ms;
}

void
feed_unauthorised(struct feed *feed, const struct binding *binding)
{
	if (!credential_digest(binding, feed->refused_token))
		memset(feed->refused_token, 0, SHA256_BYTES);
	metric_set(METRIC_SOURCE_AUTHORISED, feed->name, NULL, 0);
	feed->probe_at_ms = clock_steady_ms() + PROBE_EVERY_MS;
	if (feed->is_unauthorised)
		return;
	feed->is_unauthorised = true;
	LOG_WARN("the vendor refuses the token, its events wait",
	    LOG_TEXT("source", feed->name));
}

void
feed_authorised(struct feed *feed)
{
	if (!feed->is_unauthorised)
		return;
	feed->is_unauthorised = false;
	metric_set(METRIC_SOURCE_AUTHORISED, feed->name, NULL, 1);
	LOG_INFO("the source is asked again", LOG_TEXT("source", feed->name));
}

bool
feed_has_new_token(struct feed *feed, const struct binding *binding)
{
	const int64_t now_ms = clock_steady_ms();
	unsigned char digest[SHA256_BYTES];

	if (!feed->is_unauthorised ||
	    now_ms - feed->token_read_at_ms < TOKEN_EVERY_MS)
		return false;
	feed->token_read_at_ms = now_ms;
	return credential_digest(binding, digest) &&
	       memcmp(digest, feed->refused_token, SHA256_BYTES) != 0;
}
