/* SPDX-License-Identifier: Apache-2.0
 *
 * The map, held against an array. */
#include "check.h"

#include "vulnbus/map.h"

#define NAMES 500

/* The name of number `i`: all lengths, also none. */
static struct view
name_of(size_t i, char out[32])
{
	if (i == 0)
		return VIEW("");
	return (struct view){ out,
		(size_t)snprintf(out, 32, "%zu-%.*s", i, (int)(i % 20),
		    "abcdefghijklmnopqrstuvwxyz") };
}

static void
names_are_found_again(void **state)
{
	struct map_entry *entry;
	struct map map;
	int there;

	(void)state;
	map_init(&map);
	assert_null(map_find(&map, VIEW("a")));
	map_remove(&map, VIEW("a"));
	map_expire(&map, 1);
	entry = map_add(&map, VIEW("a"));
	assert_non_null(entry);
	assert_int_equal(entry->number, 0);
	assert_null(entry->pointer);
	entry->number = 7;
	entry->pointer = &there;
	assert_ptr_equal(map_add(&map, VIEW("a")), entry);
	assert_int_equal(map_find(&map, VIEW("a"))->number, 7);
	assert_null(map_find(&map, VIEW("b")));
	assert_null(map_find(&map, VIEW("a\0")));
	assert_int_equal(map.count, 1);
	map_remove(&map, VIEW("a"));
	assert_null(map_find(&map, VIEW("a")));
	assert_int_equal(map.count, 0);
	map_clear(&map);
	map_clear(&map);
}

/* What expires has no pointer: work under way stays whatever its number. */
static void
only_numbers_expire(void **state)
{
	struct map map;
	char text[32];
	int there;

	(void)state;
	map_init(&map);
	for (size_t i = 0; i < NAMES; i++) {
		struct map_entry *entry = map_add(&map, name_of(i, text));

		assert_non_null(entry);

		entry->number = (int64_t)i;
		entry->pointer = i % 3 == 0 ? &there : NULL;
	}
	map_expire(&map, 100);
	for (size_t i = 0; i < NAMES; i++) {
		const bool is_kept = i >= 100 || i % 3 == 0;
		const struct map_entry *entry = map_find(
		    &map, name_of(i, text));

		assert_int_equal(entry != NULL, is_kept);
		assert_true(!is_kept || entry->number == (int64_t)i);
	}
	map_expire(&map, INT64_MAX);
	assert_int_equal(map.count, (NAMES + 2) / 3);
	map_clear(&map);
}

struct model {
	bool is_there[NAMES];
	int64_t numbers[NAMES];
	size_t count;
};

static void
check_against_model(const struct map *map, const struct model *model)
{
	char text[32];

	assert_int_equal(map->count, model->count);
	for (size_t i = 0; i < NAMES; i++) {
		const struct map_entry *entry = map_find(map, name_of(i, text));

		assert_int_equal(entry != NULL, model->is_there[i]);
		assert_true(
		    entry == NULL || entry->number == model->numbers[i]);
	}
}

static void
step(struct map *map, struct model *model, uint64_t *seed)
{
	const size_t i = check_random(seed, NAMES);
	char text[32];
	const struct view name = name_of(i, text);
	struct map_entry *entry;

	if (check_random(seed, 2) == 0) {
		model->count += !model->is_there[i];
		model->is_there[i] = true;
		model->numbers[i] = check_random(seed, 1000);
		entry = map_add(map, name);
		assert_non_null(entry);
		entry->number = model->numbers[i];
	} else {
		model->count -= model->is_there[i];
		model->is_there[i] = false;
		map_remove(map, name);
	}
}

static void
expire(struct map *map, struct model *model, int64_t limit)
{
	map_expire(map, limit);
	for (size_t i = 0; i < NAMES; i++)
		if (model->is_there[i] && model->numbers[i] < limit) {
			model->is_there[i] = false;
			model->count--;
		}
}

static void
any_order_of_adding_removing_and_expiring_is_right(void **state)
{
	static struct model model;
	uint64_t seed = check_seed();
	struct map map;

	(void)state;
	map_init(&map);
	for (int round = 0; round < 300; round++) {
		for (int i = 0; i < 200; i++)
			step(&map, &model, &seed);
		check_against_model(&map, &model);
		if (round % 7 == 0)
			expire(&map, &model, check_random(&seed, 1000));
		check_against_model(&map, &model);
	}
	map_clear(&map);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_found_again),
		cmocka_unit_test(only_numbers_expire),
		cmocka_unit_test(
		    any_order_of_adding_removing_and_expiring_is_right),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
