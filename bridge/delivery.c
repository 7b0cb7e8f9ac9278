/* SPDX-License-Identifier: Apache-2.0 */
#include "vulnbus/delivery.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

struct delivery {
	struct shipment shipment; /* first: found from a report */
	struct deliveries *shared;
	delivery_end_f *on_end;
	void *owner;
	atomic_int holders; /* the creator, and each record under way */
	pthread_mutex_t lock;
	/* Under `lock`. */
	bool is_sealed;
	bool is_hurried;
	bool is_ended;
	bool was_spooled;
	bool has_failed;       /* a record did not get to Kafka */
	bool has_failed_spool; /* nor to the spool */
	unsigned unreported;
	unsigned unspooled;
	struct spool_item *copies[DELIVERY_RECORDS_MAX]; /* owned */
	unsigned copy_count;
	struct error why;
};

enum step { STEP_WAIT, STEP_SPOOL, STEP_SAFE, STEP_LOST };

static void
on_report(struct shipment *shipment, enum status status, const char *why);

struct delivery *
delivery_new(struct deliveries *shared, delivery_end_f *on_end, void *owner)
{
	struct delivery *delivery = calloc(1, sizeof(*delivery));

	if (delivery == NULL)
		return NULL;
	delivery->shipment.on_report = on_report;
	delivery->shared = shared;
	delivery->on_end = on_end;
	delivery->owner = owner;
	atomic_init(&delivery->holders, 1);
	pthread_mutex_init(&delivery->lock, NULL);
	return delivery;
}

static void
hold(struct delivery *delivery)
{
	atomic_fetch_add(&delivery->holders, 1);
}

void
delivery_release(struct delivery *delivery)
{
	if (delivery == NULL || atomic_fetch_sub(&delivery->holders, 1) != 1)
		return;
	for (unsigned i = 0; i < delivery->copy_count; i++)
		spool_item_free(delivery->copies[i]);
	pthread_mutex_destroy(&delivery->lock);
	free(delivery);
}

/* Under the lock: what is to be done now, done by whoever asks. */
static enum step
next_step(struct delivery *d)
{
	const bool is_over = d->unreported == 0;

	if (!d->is_sealed || d->is_ended)
		return STEP_WAIT;
	if (is_over && !d->has_failed)
		return STEP_SAFE;
	if (d->was_spooled) {
		if (d->unspooled > 0)
			return STEP_WAIT;
		if (!d->has_failed_spool)
			return STEP_SAFE;
		return is_over ? STEP_LOST : STEP_WAIT;
	}
	if (d->copy_count > 0 && (is_over || d->is_hurried))
		return STEP_SPOOL;
	return is_over ? STEP_LOST : STEP_WAIT;
}

static void
note_spooled(struct delivery *delivery, enum status status, const char *why)
{
	pthread_mutex_lock(&delivery->lock);
	delivery->unspooled--;
	if (status != STATUS_OK) {
		delivery->has_failed_spool = true;
		error_set(&delivery->why, status, "%s", why);
	}
	pthread_mutex_unlock(&delivery->lock);
}

/* Only whoever took STEP_SPOOL is here, once. */
static void
put_copies(struct delivery *delivery)
{
	const unsigned count = delivery->copy_count;
	struct error err;

	delivery->copy_count = 0;
	for (unsigned i = 0; i < count; i++) {
		hold(delivery);
		if (spool_put(delivery->shared->spool, delivery->copies[i],
			delivery, &err) == STATUS_OK)
			continue;
		note_spooled(delivery, STATUS_UNAVAILABLE, err.text);
		delivery_release(delivery);
	}
}

static void
advance(struct delivery *delivery)
{
	struct error why;
	enum step step;

	do {
		pthread_mutex_lock(&delivery->lock);
		step = next_step(delivery);
		if (step == STEP_SPOOL) {
			delivery->was_spooled = true;
			delivery->unspooled = delivery->copy_count;
		} else if (step != STEP_WAIT) {
			delivery->is_ended = true;
		}
		why = delivery->why;
		pthread_mutex_unlock(&delivery->lock);
		if (step == STEP_SPOOL)
			put_copies(delivery);
	} while (step == STEP_SPOOL);
	if (step == STEP_SAFE)
		delivery->on_end(delivery->owner, STATUS_OK, "");
	else if (step == STEP_LOST)
		delivery->on_end(delivery->owner, STATUS_UNAVAILABLE, why.text);
}

static void
on_report(struct shipment *shipment, enum status status, const char *why)
{
	struct delivery *delivery = (struct delivery *)(void *)shipment;

	pthread_mutex_lock(&delivery->lock);
	delivery->unreported--;
	if (status != STATUS_OK) {
		delivery->has_failed = true;
		error_set(&delivery->why, status, "%s", why);
	}
	pthread_mutex_unlock(&delivery->lock);
	advance(delivery);
	delivery_release(delivery);
}

void
delivery_on_spooled(void *owner, enum status status, const char *why)
{
	struct delivery *delivery = owner;

	note_spooled(delivery, status, why);
	advance(delivery);
	delivery_release(delivery);
}

static enum status
keep_copy(struct delivery *delivery, const struct kafka_record *record,
    struct error *err)
{
	struct spool_item *copy;

	if (delivery->copy_count == DELIVERY_RECORDS_MAX)
		return error_set(
		    err, STATUS_TOO_LARGE, "too many events in one webhook");
	copy = spool_item_new(delivery->shared->spool, record);
	if (copy == NULL)
		return error_set(err, STATUS_NO_MEMORY, "no memory");
	delivery->copies[delivery->copy_count++] = copy;
	return STATUS_OK;
}

static enum status
send(struct delivery *delivery, const struct kafka_record *record,
    struct error *err)
{
	enum status status;

	pthread_mutex_lock(&delivery->lock);
	delivery->unreported++;
	pthread_mutex_unlock(&delivery->lock);
	hold(delivery);
	status = produce_send(
	    delivery->shared->produce, record, &delivery->shipment, err);
	if (status == STATUS_OK)
		return STATUS_OK;
	pthread_mutex_lock(&delivery->lock);
	delivery->unreported--;
	pthread_mutex_unlock(&delivery->lock);
	delivery_release(delivery);
	return status;
}

/* With a spool nothing is sent that belongs behind what the spool holds, and
 * nothing to a Kafka that is known to be away. */
enum status
delivery_add(struct delivery *delivery, const struct kafka_record *record,
    struct error *err)
{
	struct spool *spool = delivery->shared->spool;
	enum status status;

	if (spool == NULL)
		return send(delivery, record, err);
	status = keep_copy(delivery, record, err);
	if (status != STATUS_OK)
		return status;
	status = spool_is_holding(spool) ? STATUS_UNAVAILABLE
					 : send(delivery, record, err);
	if (status == STATUS_OK || status == STATUS_TOO_LARGE)
		return status;
	pthread_mutex_lock(&delivery->lock);
	delivery->has_failed = true;
	delivery->is_hurried = true;
	pthread_mutex_unlock(&delivery->lock);
	return STATUS_OK;
}

void
delivery_seal(struct delivery *delivery)
{
	pthread_mutex_lock(&delivery->lock);
	delivery->is_sealed = true;
	pthread_mutex_unlock(&delivery->lock);
	advance(delivery);
}

void
delivery_hurry(struct delivery *delivery)
{
	pthread_mutex_lock(&delivery->lock);
	delivery->is_hurried = true;
	pthread_mutex_unlock(&delivery->lock);
	advance(delivery);
}
