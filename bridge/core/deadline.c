/* SPDX-License-Identifier: Apache-2.0 */
#include "vulnbus/deadline.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "vulnbus/timestamp.h"

struct deadlines {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	pthread_t thread;
	struct deadline line; /* a ring; `next` is the first to expire */
	uint32_t within_ms;
	bool is_stopping;
	bool has_alarm; /* the thread will look by itself */
	deadline_f *on_expired;
	void *arg;
};

static void
unlink_deadline(struct deadline *deadline)
{
	deadline->previous->next = deadline->next;
	deadline->next->previous = deadline->previous;
	deadline->is_waiting = false;
}

static struct timespec
timespec_of(int64_t ms)
{
	return (struct timespec){ .tv_sec = ms / 1000,
		.tv_nsec = (long)(ms % 1000) * 1000000 };
}

static void *
run(void *arg)
{
	struct deadlines *d = arg;

	pthread_mutex_lock(&d->lock);
	while (!d->is_stopping) {
		struct deadline *first = d->line.next;
		struct timespec until;

		d->has_alarm = first != &d->line;
		if (!d->has_alarm) {
			pthread_cond_wait(&d->changed, &d->lock);
			continue;
		}
		if (first->at_ms > clock_steady_ms()) {
			until = timespec_of(first->at_ms);
			pthread_cond_timedwait(&d->changed, &d->lock, &until);
			continue;
		}
		unlink_deadline(first);
		pthread_mutex_unlock(&d->lock);
		d->on_expired(first, d->arg);
		pthread_mutex_lock(&d->lock);
	}
	pthread_mutex_unlock(&d->lock);
	return NULL;
}

enum status
deadlines_open(uint32_t within_ms, deadline_f *on_expired, void *arg,
    struct deadlines **out_deadlines, struct error *err)
{
	struct deadlines *d = calloc(1, sizeof(*d));
	pthread_condattr_t attributes;

	if (d == NULL)
		return error_set(err, STATUS_NO_MEMORY, "no memory");
	d->line.next = d->line.previous = &d->line;
	d->within_ms = within_ms;
	d->on_expired = on_expired;
	d->arg = arg;
	pthread_mutex_init(&d->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&d->changed, &attributes);
	pthread_condattr_destroy(&attributes);
	if (pthread_create(&d->thread, NULL, run, d) != 0) {
		free(d);
		return error_set(err, STATUS_NO_MEMORY, "no thread");
	}
	*out_deadlines = d;
	return STATUS_OK;
}

void
deadlines_close(struct deadlines **deadlines)
{
	struct deadlines *d = *deadlines;

	if (d == NULL)
		return;
	pthread_mutex_lock(&d->lock);
	d->is_stopping = true;
	pthread_cond_signal(&d->changed);
	pthread_mutex_unlock(&d->lock);
	pthread_join(d->thread, NULL);
	pthread_cond_destroy(&d->changed);
	pthread_mutex_destroy(&d->lock);
	free(d);
	*deadlines = NULL;
}

void
deadlines_add(struct deadlines *d, struct deadline *deadline)
{
	pthread_mutex_lock(&d->lock);
	deadline->at_ms = clock_steady_ms() + d->within_ms;
	deadline->is_waiting = true;
	deadline->next = &d->line;
	deadline->previous = d->line.previous;
	deadline->previous->next = deadline;
	d->line.previous = deadline;
	/* An alarm for one who has left since is early enough for all who come
	 * later. */
	if (!d->has_alarm)
		pthread_cond_signal(&d->changed);
	pthread_mutex_unlock(&d->lock);
}

bool
deadlines_remove(struct deadlines *d, struct deadline *deadline)
{
	bool was_waiting;

	pthread_mutex_lock(&d->lock);
	was_waiting = deadline->is_waiting;
	if (was_waiting)
		unlink_deadline(deadline);
	pthread_mutex_unlock(&d->lock);
	return was_waiting;
}
