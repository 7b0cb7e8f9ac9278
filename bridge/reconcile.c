/* SPDX-License-Identifier: Apache-2.0
 *
 * What was asked of a vendor through vulnbus, and whose webhook may not have
 * come: the API is asked, and what it tells becomes an event like any other,
 * with the proof "api". A webhook that comes after all has the same id. */
#include "vulnbus/log.h"
#include "vulnbus/metrics.h"
#include "vulnbus/worker.h"

int64_t
reconcile_every_ms(const struct worker *w, struct view source)
{
	const struct binding *binding = bindings_find(
	    &w->site->bindings, source);
	const int64_t every_ms = w->config->enricher.reconcile_every_ms;
	int64_t least_ms;

	if (binding == NULL)
		return every_ms;
	if (binding->config->api.reconcile_every_ms > 0)
		return binding->config->api.reconcile_every_ms;
	least_ms = binding->contract->reconciliation.every_s * INT64_C(1000);
	return every_ms > least_ms ? every_ms : least_ms;
}

/* What a subject's events have told stands in the memory of their partition;
 * it is the request's own. */
bool
reconcile_is_known(
    struct worker *w, const struct conversation *c, struct event *event)
{
	const struct source *contract = c->binding->contract;
	struct partition *partition = consume_partition(
	    w->consume, c->work->partition);
	struct view alias;

	if (partition == NULL)
		return false;
	if (map_find(&partition->known, event->id) != NULL)
		return true;
	if (contract->reconciliation.alias == NULL)
		return false;
	alias = contract->reconciliation.alias(event, 0);
	return alias.len > 0 && map_find(&partition->known, alias) != NULL;
}

void
reconcile_init(const struct conversation *c, struct event *event)
{
	event_init(event);
	event->source = c->decoded.event.source;
	event->vendor = c->decoded.event.vendor;
	event->received_ms = clock_wall_ms();
	event->proof = VIEW("api");
}

enum status
reconcile_event(struct worker *w, const struct conversation *c,
    struct event *event, struct error *err)
{
	enum status status = event_check(event, err);
	struct trace trace = c->work->trace;

	/* A sweep is of the list; what it finds are so many notifications. */
	if (c->work->is_sweep)
		trace_begin(&trace);

	if (status == STATUS_OK)
		status = encode_event(&w->encoding, event,
		    view_of(c->binding->base_url), &trace, &w->encoded, err);
	if (status == STATUS_OK)
		status = commit_send(&w->commit, &w->encoded.record, c->work);
	if (status != STATUS_OK)
		return status;
	metric_add(METRIC_RECONCILED, c->binding->config->name, NULL, 1);
	LOG_INFO("the vendor's API tells what no webhook told",
	    LOG_VIEW("event.id", event->id), LOG_TRACE(&trace));
	return STATUS_OK;
}

enum status
reconcile_complete(struct worker *w, struct conversation *c, struct error *err)
{
	enum status status = STATUS_OK;

	if (c->binding->contract->reconcile == NULL)
		return error_set(err, STATUS_INVALID,
		    "this vendor is not asked for what it did not tell");
	for (size_t i = 0; status == STATUS_OK; i++) {
		struct event event;

		reconcile_init(c, &event);
		status = c->binding->contract->reconcile(
		    &c->decoded.event, &c->replies, i, &event, err);
		if (status == STATUS_OK && !reconcile_is_known(w, c, &event))
			status = reconcile_event(w, c, &event, err);
		event_clear(&event);
	}
	return status == STATUS_END ? STATUS_OK : status;
}
