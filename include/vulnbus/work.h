/* SPDX-License-Identifier: Apache-2.0
 *
 * One event on its way through the enricher, and what the state topic says of
 * it. The state topic is the enricher's memory: event id -> waiting or done. */
#ifndef VULNBUS_WORK_H
#define VULNBUS_WORK_H

#include "vulnbus/crypto.h"
#include "vulnbus/encode.h"
#include "vulnbus/heap.h"

/* How far an export's rows are committed. The digest is that of the file up
 * to the end of the last row: a second reading that agrees so far may go on
 * from there. */
struct progress {
	uint64_t rows;
	uint64_t bytes;
	uint32_t generation; /* from 1; 0: not begun */
	unsigned char digest[SHA256_BYTES];
};

/* How far a source's lists are read, and what that sweep is of. */
struct cursor {
	int64_t since_ms;
	int64_t until_ms; /* 0: it has not begun */
	uint32_t list;
	uint32_t page;
	bool is_blind; /* something was not shown */
};

enum work_state {
	WORK_WAITING,
	WORK_DONE,
	WORK_FORGOTTEN, /* its state record is to go */
};

/* What the keys of sweeps begin with, and no event's id does. */
#define WORK_SWEEP_PREFIX ":cursor:"

/* What is committed of an event, or is about to be. */
struct work_status {
	enum work_state state;
	int64_t due_ms;   /* wall clock */
	int64_t first_ms; /* when it was taken in: give_up_after counts */
	int64_t attempts; /* that failed */
	int64_t polls;    /* that found the vendor not ready */
	struct progress progress;
	struct cursor cursor; /* of a sweep */
};

struct conversation;
struct feed;

struct work {
	struct heap_item item; /* first: found from the heap */
	char *key;             /* owned; of its state record */
	int32_t partition;     /* of its event, so of its state */
	int64_t offset;        /* of its event */
	int64_t state_offset;  /* of its last committed state record, or -1 */
	int64_t sent_offset;   /* of the one in the open transaction, or -1 */
	bool is_sweep;         /* no event, but a reading of lists */
	bool is_note;          /* nor that: another id of an event, done */
	bool is_json;          /* format of `value` */
	struct buffer value;   /* owned; the event as it was on the topic;
				* empty: only the state topic has it */
	struct trace trace;    /* its hop is the work, over all tries */
	struct feed *feed;     /* its source's queue */
	struct work_status committed; /* what the state topic says */
	struct work_status next;      /* what it will say */
	/* Set when it is to end in the dead letters. */
	char *doom; /* owned; the reason */
	const char *doom_stage;
	int64_t doom_attempts;
	unsigned doom_http_status;
	bool is_doom_short;   /* the dead letter cannot hold its attributes */
	bool is_doom_silent;  /* nor can it be written at all */
	bool was_refused;     /* by the brokers, in a batch with others */
	bool is_suspect;      /* so its records are sent alone */
	enum topic origin;    /* where it was read: events, or state */
	int64_t written_ms;   /* of its last state record */
	uint32_t abort_count; /* transactions in a row that were undone */
	bool is_new;          /* nothing is committed of it yet */
	bool is_dirty;        /* the open transaction touches it */
	struct work *next_dirty;
	struct conversation *conversation; /* owned; NULL: not being fetched */
};

/* From a record of the events topic. STATUS_INVALID: it names no id. */
enum status
work_from_event(const struct kafka_record *record, int64_t now_ms,
    struct work **out_work, struct error *err) MUST_CHECK;

/* From a record that is no event, or no state: it can only be doomed. Its key
 * is the record's id if it has one. NULL: no memory. */
struct work *
work_from_wreck(
    const struct kafka_record *record, enum topic origin, int64_t now_ms);

/* A sweep, first due at `due_ms`; `value` is what stands for its event. NULL:
 * no memory. */
struct work *
work_new_sweep(struct view key, const struct kafka_record *event,
    int64_t due_ms, int64_t since_ms);

/* Another id under which an event is known from now on. NULL: no memory. */
struct work *
work_new_note(struct view key, int64_t now_ms);

void
work_free(struct work *work);

/* The event ends as a dead letter: with the next transaction. */
void
work_doom(struct work *work, const char *reason, const char *stage,
    int64_t attempts, unsigned http_status, int64_t now_ms);

/* What is about to be written is not: back to what is committed. */
void
work_undo(struct work *work);

/* The key of an event's state: its id, and the replay's if it is one, so that
 * a replayed event is worked on again, once per replay. */
enum status
work_key(const struct kafka_record *record, struct buffer *out,
    struct error *err) MUST_CHECK;

/* The event itself, decoded into `tree`. `event` is freshly initialised. */
struct decoded {
	struct tree tree;
	struct json_document *document; /* owned */
	struct event event;
};

void
decoded_init(struct decoded *decoded);

void
decoded_clear(struct decoded *decoded);

enum status
work_decode(const struct work *work, struct decoded *decoded,
    struct error *err) MUST_CHECK;

/* More than max_in_memory: the state topic alone keeps the event. */
void
work_unload(struct work *work);

/* Takes the event out of `loaded`, the same work as read back. */
void
work_load(struct work *work, struct work *loaded);

bool
work_is_loaded(const struct work *work);

/* Counts towards max_in_memory: a sweep is no event. */
bool
work_takes_place(const struct work *work);

/* State records: `work->next` as the value to write, and back. Nothing is
 * written of what is forgotten. */
enum status
work_write_state(const struct work *work, struct tree *tree, struct buffer *out,
    struct error *err) MUST_CHECK;

#define WORK_STATE_NODES_MAX 64 /* of a state record's tree */

/* STATUS_OK: waiting, *out_work is made. STATUS_END: done, at *out_done_ms.
 * STATUS_INVALID: not a state record. */
enum status
work_read_state(const struct kafka_record *record, struct tree *tree,
    struct work **out_work, int64_t *out_done_ms, struct error *err) MUST_CHECK;

#endif
