/* SPDX-License-Identifier: Apache-2.0
 *
 * One source's keys over time, and who makes room when there are too many. */
#include "check.h"

#include "vulnbus/key_set.h"

#define OVERLAP_MS 1000
#define POOL       (2 * JWS_KEYS_MAX)

static struct es512_key *pool[POOL];

static int
make_pool(void **state)
{
	struct error err;

	(void)state;
	for (size_t i = 0; i < POOL; i++)
		if (es512_key_generate(&pool[i], &err) != STATUS_OK)
			return -1;
	return 0;
}

static int
free_pool(void **state)
{
	(void)state;
	for (size_t i = 0; i < POOL; i++)
		es512_key_free(pool[i]);
	return 0;
}

/* The `count` keys of the pool from `first` on become the current ones. */
static bool
replace(struct key_set *set, size_t first, size_t count, int64_t now_ms)
{
	struct jws_keys keys = { .count = count };

	for (size_t i = 0; i < count; i++)
		keys.items[i] = pool[first + i];
	return key_set_replace(set, &keys, OVERLAP_MS, now_ms);
}

static bool
is_valid(const struct key_set *set, size_t index, int64_t now_ms)
{
	struct jws_keys keys;
	bool answer = false;

	key_set_hold(set, now_ms, &keys);
	for (size_t i = 0; i < keys.count; i++)
		if (es512_key_equal(keys.items[i], pool[index]))
			answer = true;
	jws_keys_clear(&keys);
	return answer;
}

static void
an_old_key_stays_for_the_overlap(void **state)
{
	struct key_set set = { .count = 0 };

	(void)state;
	assert_true(replace(&set, 0, 1, 0));
	assert_false(replace(&set, 0, 1, 10));
	assert_true(replace(&set, 1, 1, 100));
	assert_true(is_valid(&set, 0, 100 + OVERLAP_MS - 1));
	assert_false(is_valid(&set, 0, 100 + OVERLAP_MS));
	assert_true(is_valid(&set, 1, INT64_MAX - 1));
	key_set_clear(&set);
}

/* The first ones of the set are renewed: they stand where the oldest once
 * stood, and are not what goes. */
static void
a_full_set_forgets_the_first_to_expire_and_no_current_one(void **state)
{
	struct key_set set = { .count = 0 };

	(void)state;
	for (size_t i = 0; i < JWS_KEYS_MAX; i++)
		replace(&set, i, 1, (int64_t)i);
	assert_int_equal(set.count, JWS_KEYS_MAX);
	replace(&set, 0, 1, 50);
	assert_int_equal(set.count, JWS_KEYS_MAX);
	{
		struct jws_keys keys = { .count = 2 };

		keys.items[0] = pool[JWS_KEYS_MAX];
		keys.items[1] = pool[0];
		assert_true(key_set_replace(&set, &keys, OVERLAP_MS, 60));
	}
	assert_int_equal(set.count, JWS_KEYS_MAX);
	assert_true(is_valid(&set, 0, 60));
	assert_true(is_valid(&set, JWS_KEYS_MAX, 60));
	assert_false(is_valid(&set, 1, 60));
	for (size_t i = 2; i < JWS_KEYS_MAX; i++)
		assert_true(is_valid(&set, i, 60));
	key_set_clear(&set);
}

static void
as_many_keys_as_fit_may_all_change_at_once(void **state)
{
	struct key_set set = { .count = 0 };

	(void)state;
	assert_true(replace(&set, 0, JWS_KEYS_MAX, 0));
	assert_true(replace(&set, 8, JWS_KEYS_MAX, 10));
	for (size_t i = 0; i < POOL; i++)
		assert_int_equal(
		    is_valid(&set, i, 10), i >= 8 && i < 8 + JWS_KEYS_MAX);
	key_set_clear(&set);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_old_key_stays_for_the_overlap),
		cmocka_unit_test(
		    a_full_set_forgets_the_first_to_expire_and_no_current_one),
		cmocka_unit_test(as_many_keys_as_fit_may_all_change_at_once),
	};

	return cmocka_run_group_tests(tests, make_pool, free_pool);
}
