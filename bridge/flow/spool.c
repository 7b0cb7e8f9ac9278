/* SPDX-License-Identifier: Apache-2.0 */
#include "vulnbus/spool.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "vulnbus/spool_record.h"
#include "vulnbus/spool_rows.h"
#include "vulnbus/timestamp.h"

#define TICK_MS       500
#define FULL_MS       5000
#define ROW_BYTES_MAX (32u << 20)

struct spool {
	struct spool_options options;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	pthread_t thread;
	/* Under `lock`. */
	struct spool_item *queue, **queue_end;
	uint64_t queued_bytes;
	struct spool_row *reported;
	bool is_stopping;
	bool is_sending;
	bool may_send;
	/* Anybody's. */
	atomic_bool is_holding;
	atomic_llong full_until_ms; /* steady clock */
	struct spool_rows rows;     /* the thread's own */
};

struct spool_item *
spool_item_new(struct spool *spool, const struct kafka_record *record)
{
	struct spool_item *item = calloc(1, sizeof(*item));

	if (item == NULL)
		return NULL;
	buffer_init(&item->payload, ROW_BYTES_MAX);
	spool_record_write(record, spool->options.topics, &item->payload);
	if (buffer_status(&item->payload) == STATUS_OK)
		return item;
	spool_item_free(item);
	return NULL;
}

void
spool_item_free(struct spool_item *item)
{
	if (item == NULL)
		return;
	buffer_clear(&item->payload);
	free(item);
}

enum status
spool_put(struct spool *spool, struct spool_item *item, void *owner,
    struct error *err)
{
	bool is_taken;

	item->owner = owner;
	item->next = NULL;
	pthread_mutex_lock(&spool->lock);
	is_taken = spool->queued_bytes + item->payload.len <=
		       spool->options.queue_bytes_max ||
		   spool->queue == NULL;
	if (is_taken) {
		atomic_store(&spool->is_holding, true);
		spool->queued_bytes += item->payload.len;
		*spool->queue_end = item;
		spool->queue_end = &item->next;
		pthread_cond_broadcast(&spool->changed);
	}
	pthread_mutex_unlock(&spool->lock);
	if (is_taken)
		return STATUS_OK;
	spool_item_free(item);
	return error_set(
	    err, STATUS_UNAVAILABLE, "too much waits for the spool's disk");
}

bool
spool_is_holding(struct spool *spool)
{
	return atomic_load(&spool->is_holding);
}

bool
spool_has_room(struct spool *spool)
{
	return clock_steady_ms() >= atomic_load(&spool->full_until_ms);
}

static void
on_report(struct shipment *shipment, enum status status, const char *why)
{
	struct spool_row *row = (struct spool_row *)(void *)shipment;
	struct spool *spool = row->owner;

	row->outcome = status;
	if (why != NULL)
		error_set(&row->why, status, "%s", why);
	pthread_mutex_lock(&spool->lock);
	/* It will be sent again: nothing may come before it until then. */
	if (!spool_rows_is_final(status))
		atomic_store(&spool->is_holding, true);
	row->next = spool->reported;
	spool->reported = row;
	pthread_cond_broadcast(&spool->changed);
	pthread_mutex_unlock(&spool->lock);
}

/* Until there is something to do. */
static void
wait_for_work(struct spool *spool)
{
	const int64_t until_ms = clock_steady_ms() + TICK_MS;
	const struct timespec until = { .tv_sec = until_ms / 1000,
		.tv_nsec = (long)(until_ms % 1000) * 1000000 };

	while (spool->queue == NULL && spool->reported == NULL &&
	       !spool->is_stopping)
		if (pthread_cond_timedwait(
			&spool->changed, &spool->lock, &until) == ETIMEDOUT)
			break;
}

/* What a round begins with. */
struct round {
	struct spool_item *items;
	bool may_send;
	bool is_last;
};

/* What comes from here on may go to Kafka straight away, if Kafka will have
 * all that is in the file at the end of the round: rows are sent before their
 * owners are told, so nobody's next record can overtake them. */
static struct round
begin_round(struct spool *spool)
{
	struct round round;

	pthread_mutex_lock(&spool->lock);
	wait_for_work(spool);
	round.items = spool->queue;
	spool_rows_settle(&spool->rows, spool->reported);
	round.is_last = spool->is_stopping && round.items == NULL;
	round.may_send = spool->may_send &&
			 spool->options.is_kafka_up(spool->options.arg);
	spool->queue = NULL;
	spool->queue_end = &spool->queue;
	spool->queued_bytes = 0;
	spool->reported = NULL;
	spool->is_sending = round.may_send;
	atomic_store(
	    &spool->is_holding, !round.may_send || spool->rows.has_unsent);
	pthread_mutex_unlock(&spool->lock);
	return round;
}

static void
end_round(struct spool *spool, bool may_send)
{
	pthread_mutex_lock(&spool->lock);
	if (!may_send || spool->rows.has_unsent)
		atomic_store(&spool->is_holding, true);
	else if (spool->queue == NULL && spool->reported == NULL)
		atomic_store(&spool->is_holding, false);
	spool->is_sending = false;
	pthread_cond_broadcast(&spool->changed);
	pthread_mutex_unlock(&spool->lock);
}

static void *
run(void *arg)
{
	struct spool *spool = arg;
	struct round round;

	do {
		struct spool_item *next;
		struct error err = { "" };
		enum status status;

		round = begin_round(spool);
		status = spool_rows_store(&spool->rows, round.items, &err);
		if (status != STATUS_OK)
			atomic_store(
			    &spool->full_until_ms, clock_steady_ms() + FULL_MS);
		else if (round.items != NULL)
			atomic_store(&spool->full_until_ms, 0);
		if (round.may_send)
			spool_rows_send(&spool->rows);
		if (spool->rows.was_unreadable)
			atomic_store(
			    &spool->full_until_ms, clock_steady_ms() + FULL_MS);
		end_round(spool, round.may_send);
		for (; round.items != NULL; round.items = next) {
			next = round.items->next;
			spool->options.on_done(
			    round.items->owner, status, err.text);
			spool_item_free(round.items);
		}
		spool_rows_measure(&spool->rows);
	} while (!round.is_last);
	return NULL;
}

enum status
spool_open(const struct spool_options *options, struct spool **out_spool,
    struct error *err)
{
	struct spool *spool = calloc(1, sizeof(*spool));
	pthread_condattr_t attributes;
	enum status status;

	if (spool == NULL)
		return error_set(err, STATUS_NO_MEMORY, "no memory");
	spool->options = *options;
	spool->queue_end = &spool->queue;
	spool->may_send = true;
	atomic_store(&spool->is_holding, true);
	spool->rows = (struct spool_rows){ .options = &spool->options,
		.on_report = on_report,
		.owner = spool };
	pthread_mutex_init(&spool->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&spool->changed, &attributes);
	pthread_condattr_destroy(&attributes);
	status = spool_rows_open(&spool->rows, err);
	if (status == STATUS_OK &&
	    pthread_create(&spool->thread, NULL, run, spool) != 0)
		status = error_set(err, STATUS_NO_MEMORY, "no thread");
	if (status != STATUS_OK) {
		spool_rows_close(&spool->rows);
		free(spool);
		return status;
	}
	*out_spool = spool;
	return STATUS_OK;
}

void
spool_stop_sending(struct spool *spool)
{
	pthread_mutex_lock(&spool->lock);
	spool->may_send = false;
	while (spool->is_sending)
		pthread_cond_wait(&spool->changed, &spool->lock);
	pthread_mutex_unlock(&spool->lock);
}

void
spool_close(struct spool **out_spool)
{
	struct spool *spool = *out_spool;

	if (spool == NULL)
		return;
	pthread_mutex_lock(&spool->lock);
	spool->is_stopping = true;
	pthread_cond_broadcast(&spool->changed);
	pthread_mutex_unlock(&spool->lock);
	pthread_join(spool->thread, NULL);
	spool_rows_close(&spool->rows);
	pthread_cond_destroy(&spool->changed);
	pthread_mutex_destroy(&spool->lock);
	free(spool);
	*out_spool = NULL;
}
