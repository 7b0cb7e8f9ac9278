/* SPDX-License-Identifier: Apache-2.0
 *
 * Whose lists are read, and by what names an event is known to them. Each
 * partition reads the lists for itself, and takes from them what would come to
 * it: so whether an event is known stands in its own memory, and the cursor is
 * committed with what it led to. */
#include <stdlib.h>

#include "vulnbus/log.h"
#include "vulnbus/worker.h"

#define KEY_BYTES_MAX 1024

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
	    NULL, &w->encoded, err);
	event_clear(&event);
	return status;
}

/* Anybody who knows the path may name a subject. */
static bool
is_full(const struct worker *w, struct feed *feed)
{
	if (feed->sweeps.count + feed->sweeping <
	    w->config->enricher.max_in_memory)
		return false;
	if (!feed->is_full)
		LOG_WARN("no more of the source's subjects are reconciled",
		    LOG_TEXT("source", feed->name));
	feed->is_full = true;
	return true;
}

static int64_t
first_due_ms(const struct worker *w, struct view source)
{
	const int64_t half_ms = sweep_every_ms(w, source) / 2;
	uint32_t random;

	random_bytes(&random, sizeof(random));
	return clock_wall_ms() + half_ms + random % (half_ms + 1);
}

static void
add_sweep(struct worker *w, struct partition *partition,
    const struct binding *binding, struct view type, struct view subject)
{
	const struct view source = view_of(binding->config->name);
	struct feed *feed = feeds_find(&w->feeds, source);
	struct map_entry *entry;
	struct buffer key;
	struct error err;
	struct work *work;

	buffer_init(&key, KEY_BYTES_MAX);
	buffer_print(&key, "%s%s/%.*s/%.*s", WORK_SWEEP_PREFIX,
	    binding->config->name, VIEW_ARGS(type), VIEW_ARGS(subject));
	entry = map_find(&partition->known, buffer_view(&key));
	if (feed == NULL)
		abort();
	if ((entry != NULL && entry->pointer != NULL) || is_full(w, feed) ||
	    write_event(w, binding, buffer_view(&key), type, subject, &err) !=
		STATUS_OK)
		goto out;
	entry = map_add(&partition->known, buffer_view(&key));
	work = work_new_sweep(buffer_view(&key), &w->encoded.record,
	    first_due_ms(w, source), clock_wall_ms() - sweep_overlap_ms(w));
	if (entry == NULL || work == NULL)
		abort();
	work->partition = partition->id;
	work->feed = feed;
	entry->pointer = work;
	entry->number = 0;
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

/* Also while there is no reconciliation: there may be, later. What was found by
 * it stands for nothing but itself. */
static void
add_notes(struct worker *w, struct partition *partition,
    const struct source *contract, struct event *event)
{
	const size_t most = view_is(event->proof, "api") ? 1 : SIZE_MAX;

	for (size_t i = 0; i < most; i++) {
		const struct view id = contract->reconciliation.alias(event, i);

		if (id.len == 0)
			break;
		add_note(w, partition, id);
	}
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

	decoded_init(&decoded);
	/* A replayed event has told all this before. */
	if (binding == NULL ||
	    binding->contract->reconciliation.alias == NULL ||
	    work->doom != NULL ||
	    work_decode(work, &decoded, &err) != STATUS_OK ||
	    !view_is(decoded.event.id, work->key))
		goto out;
	add_notes(w, partition, binding->contract, &decoded.event);
	if (swept == SOURCE_SWEPT_SUBJECT)
		add_sweep(w, partition, binding, decoded.event.subject_type,
		    decoded.event.subject_id);
out:
	decoded_clear(&decoded);
}
