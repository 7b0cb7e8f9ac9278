/* SPDX-License-Identifier: Apache-2.0
 *
 * Deadlines: each expires once, in the order they came, or not at all. */
#include "check.h"

#include <pthread.h>
#include <time.h>

#include "vulnbus/deadline.h"
#include "vulnbus/timestamp.h"

#define MANY        1000
#define PATIENCE_MS PATIENCE_OF_MS(10000)

static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct deadline *expired[MANY];
	int64_t at_ms[MANY];
	size_t count;
	void *arg;
} seen = { .lock = PTHREAD_MUTEX_INITIALIZER,
	.changed = PTHREAD_COND_INITIALIZER };

static void
on_expired(struct deadline *deadline, void *arg)
{
	pthread_mutex_lock(&seen.lock);
	seen.arg = arg;
	seen.at_ms[seen.count] = clock_steady_ms();
	seen.expired[seen.count++] = deadline;
	pthread_cond_signal(&seen.changed);
	pthread_mutex_unlock(&seen.lock);
}

/* Waits for the event, not for the time. */
static size_t
wait_for(size_t count)
{
	struct timespec until;
	int failed = 0;
	size_t have;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += PATIENCE_MS / 1000;
	pthread_mutex_lock(&seen.lock);
	while (seen.count < count && failed == 0)
		failed = pthread_cond_timedwait(
		    &seen.changed, &seen.lock, &until);
	have = seen.count;
	pthread_mutex_unlock(&seen.lock);
	return have;
}

static struct deadlines *
open_deadlines(uint32_t within_ms)
{
	struct deadlines *deadlines = NULL;
	struct error err = { "" };

	seen.count = 0;
	assert_ok(
	    deadlines_open(within_ms, on_expired, &seen, &deadlines, &err),
	    &err);
	return deadlines;
}

static void
each_expires_once_in_order_and_not_early(void **state)
{
	static struct deadline all[MANY];
	struct deadlines *deadlines = open_deadlines(50);
	int64_t added_ms[MANY];

	(void)state;
	for (size_t i = 0; i < MANY; i++) {
		added_ms[i] = clock_steady_ms();
		deadlines_add(deadlines, &all[i]);
	}
	assert_int_equal(wait_for(MANY), MANY);
	assert_ptr_equal(seen.arg, &seen);
	for (size_t i = 0; i < MANY; i++) {
		assert_ptr_equal(seen.expired[i], &all[i]);
		assert_true(seen.at_ms[i] - added_ms[i] >= 50);
		assert_false(deadlines_remove(deadlines, &all[i]));
	}
	deadlines_close(&deadlines);
	assert_null(deadlines);
	deadlines_close(&deadlines);
}

static void
what_is_removed_does_not_expire(void **state)
{
	static struct deadline all[10];
	struct deadlines *deadlines = open_deadlines(100);

	(void)state;
	for (size_t i = 0; i < COUNT(all); i++)
		deadlines_add(deadlines, &all[i]);
	for (size_t i = 0; i < COUNT(all) - 1; i++) {
		assert_true(deadlines_remove(deadlines, &all[i]));
		assert_false(deadlines_remove(deadlines, &all[i]));
	}
	assert_int_equal(wait_for(1), 1);
	assert_ptr_equal(seen.expired[0], &all[9]);
	deadlines_close(&deadlines);
	assert_int_equal(seen.count, 1);
}

/* The thread sleeps without an alarm when nothing waits. */
static void
an_empty_line_is_woken_by_the_next(void **state)
{
	static struct deadline one;
	struct deadlines *deadlines = open_deadlines(1);

	(void)state;
	for (size_t i = 1; i <= 20; i++) {
		deadlines_add(deadlines, &one);
		assert_int_equal(wait_for(i), i);
	}
	deadlines_close(&deadlines);
}

static void
closing_waits_for_nobody(void **state)
{
	struct deadlines *deadlines = open_deadlines(3600000);
	static struct deadline one;
	const int64_t start_ms = clock_steady_ms();

	(void)state;
	deadlines_add(deadlines, &one);
	assert_true(deadlines_remove(deadlines, &one));
	deadlines_close(&deadlines);
	assert_true(clock_steady_ms() - start_ms < PATIENCE_MS);
	assert_int_equal(seen.count, 0);
}

struct racer {
	pthread_t thread;
	struct deadlines *deadlines;
	struct deadline mine[200];
	size_t removed;
};

static void *
add_and_remove(void *arg)
{
	struct racer *racer = arg;

	for (size_t i = 0; i < COUNT(racer->mine); i++)
		deadlines_add(racer->deadlines, &racer->mine[i]);
	for (size_t i = 0; i < COUNT(racer->mine); i++)
		racer->removed += deadlines_remove(
		    racer->deadlines, &racer->mine[i]);
	return NULL;
}

/* Every deadline of two racing threads is removed or expires, never both. */
static void
a_race_is_won_by_one(void **state)
{
	static struct racer racers[2];
	struct deadlines *deadlines = open_deadlines(0);

	(void)state;
	for (size_t i = 0; i < COUNT(racers); i++) {
		racers[i].deadlines = deadlines;
		assert_int_equal(pthread_create(&racers[i].thread, NULL,
				     add_and_remove, &racers[i]),
		    0);
	}
	for (size_t i = 0; i < COUNT(racers); i++)
		pthread_join(racers[i].thread, NULL);
	deadlines_close(&deadlines);
	assert_int_equal(
	    racers[0].removed + racers[1].removed + seen.count, 400);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_expires_once_in_order_and_not_early),
		cmocka_unit_test(what_is_removed_does_not_expire),
		cmocka_unit_test(an_empty_line_is_woken_by_the_next),
		cmocka_unit_test(closing_waits_for_nobody),
		cmocka_unit_test(a_race_is_won_by_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
