/* SPDX-License-Identifier: Apache-2.0 */
#include "vulnbus/metrics.h"
#include "vulnbus/worker.h"

void
measure_sources(struct worker *w)
{
	for (size_t i = 0; i < w->site->bindings.count; i++)
		metric_set(METRIC_EVENTS_WAITING,
		    w->site->bindings.items[i].config->name, NULL, 0);
	metric_set(METRIC_EVENTS_WAITING_MAX, NULL, NULL,
	    (int64_t)w->config->enricher.max_waiting);
}

/* What waits for sources that are configured no more is one figure. */
static void
measure_waiting(struct worker *w)
{
	int64_t others = 0;

	for (const struct feed *feed = w->feeds.first; feed != NULL;
	     feed = feed->next) {
		const int64_t count = (int64_t)feed->waiting.count;

		if (bindings_find(&w->site->bindings, view_of(feed->name)))
			metric_set(
			    METRIC_EVENTS_WAITING, feed->name, NULL, count);
		else
			others += count;
	}
	metric_set(METRIC_EVENTS_WAITING, "", NULL, others);
}

void
measure_round(struct worker *w)
{
	measure_waiting(w);
	metric_set(METRIC_EVENTS_IN_MEMORY, NULL, NULL, (int64_t)w->loaded);
	/* Its figures of itself come through here; between transactions no
	 * record is under way. */
	if (!w->commit.is_open)
		kafka_producer_poll(w->commit.producer, 0);
}
