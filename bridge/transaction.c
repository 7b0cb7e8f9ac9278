/* SPDX-License-Identifier: Apache-2.0 */
#include <poll.h>

#include "vulnbus/log.h"
#include "vulnbus/metrics.h"
#include "vulnbus/worker.h"

#define ABORT_PAUSE_MS 100

static void
work_committed(struct worker *w, struct work *work)
{
	struct partition *partition = consume_partition(
	    w->consume, work->partition);
	struct map_entry *entry = map_find(
	    &partition->known, view_of(work->key));

	work->is_new = false;
	work->state_offset = work->sent_offset;
	work->committed = work->next;
	if (work->next.state == WORK_DONE) {
		entry->pointer = NULL;
		entry->number = work->next.due_ms;
		worker_drop(w, work);
	} else if (work->conversation != NULL) {
		fetch_resume(work->conversation);
	} else {
		worker_queue(w, work, work->next.due_ms);
	}
}

/* What is new is taken in again by the next transaction; all else begins
 * again from what is committed of it. */
static void
work_undone(struct worker *w, struct work *work)
{
	if (work->is_new) {
		commit_touch(&w->commit, work);
		return;
	}
	worker_end_conversation(w, work);
	work->next = work->committed;
	worker_queue(w, work, clock_wall_ms());
}

enum status
transaction_end(struct worker *w, struct error *err)
{
	const struct kafka_position *positions;
	struct work *dirty, *next;
	enum status status;
	size_t count;

	if (!w->commit.is_open && w->commit.dirty == NULL &&
	    !consume_has_moved(w->consume))
		return STATUS_OK;
	positions = consume_positions(w->consume, &count);
	status = commit_end(&w->commit, consume_member(w->consume), positions,
	    count, &dirty, err);
	for (; dirty != NULL; dirty = next) {
		next = dirty->next_dirty;
		dirty->is_dirty = false;
		if (status == STATUS_OK)
			work_committed(w, dirty);
		else if (status == STATUS_ABORTED)
			work_undone(w, dirty);
	}
	if (status == STATUS_OK)
		consume_settled(w->consume);
	if (status != STATUS_ABORTED)
		return status;
	LOG_WARN("transaction aborted", LOG_TEXT("error.message", err->text));
	poll(NULL, 0, ABORT_PAUSE_MS);
	return STATUS_OK;
}
