/* SPDX-License-Identifier: Apache-2.0
 *
 * Stage: where events are safe while Kafka is away. Records that are put here
 * are on the disk when their owner is told so; concurrent ones share a commit.
 * When Kafka answers they are sent, in the order they came, and forgotten once
 * it has acknowledged them. */
#ifndef VULNBUS_SPOOL_H
#define VULNBUS_SPOOL_H

#include "vulnbus/spool_rows.h"

struct spool;

/* Starts a thread. STATUS_INVALID: the file is damaged, or not a spool; it is
 * left as it is. STATUS_UNAVAILABLE: it cannot be used now. */
enum status
spool_open(const struct spool_options *options, struct spool **out_spool,
    struct error *err) MUST_CHECK;

/* From now on nothing is sent; what is put is still stored. Returns when the
 * thread is not inside `send`. */
void
spool_stop_sending(struct spool *spool);

/* Stores what was put, and ends the thread. Nothing may be under way any more,
 * neither puts nor reports. */
void
spool_close(struct spool **spool);

/* Copies of a record, for a later spool_put. NULL: no memory. */
struct spool_item;

struct spool_item *
spool_item_new(struct spool *spool, const struct kafka_record *record);

void
spool_item_free(struct spool_item *item);

/* Takes the item. on_done tells the rest, unless this fails: then the item is
 * freed. STATUS_UNAVAILABLE: too much waits for the disk. Any thread. */
enum status
spool_put(struct spool *spool, struct spool_item *item, void *owner,
    struct error *err) MUST_CHECK;

/* True while it holds what Kafka does not have yet: what comes now belongs
 * behind that. Any thread. */
bool
spool_is_holding(struct spool *spool);

/* False for a while after something found no room. Any thread. */
bool
spool_has_room(struct spool *spool);

#endif
