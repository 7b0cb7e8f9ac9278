/* SPDX-License-Identifier: Apache-2.0
 *
 * The heap, held against a list that is searched from end to end. */
#include "check.h"

#include "vulnbus/heap.h"

#define ITEMS 300

static void
the_first_due_comes_first(void **state)
{
	static const int64_t due[] = { 5, 3, 9, 3, INT64_MIN, 7, INT64_MAX, 0,
		-1 };
	struct heap_item items[COUNT(due)] = { { 0 } };
	int64_t last = INT64_MIN;
	struct heap heap;

	(void)state;
	heap_init(&heap);
	for (size_t i = 0; i < COUNT(due); i++)
		assert_true(heap_add(&heap, &items[i], due[i]));
	for (size_t i = 0; i < COUNT(due); i++) {
		struct heap_item *first = heap_first(&heap);

		assert_true(first->due_ms >= last);
		last = first->due_ms;
		heap_remove(&heap, first);
		assert_int_equal(first->place, 0);
	}
	assert_null(heap_first(&heap));
	heap_clear(&heap);
}

static void
an_item_in_no_heap_is_left_alone(void **state)
{
	struct heap_item inside = { 0 }, outside = { 0 };
	struct heap heap;

	(void)state;
	heap_init(&heap);
	assert_null(heap_first(&heap));
	heap_remove(&heap, &outside);
	assert_true(heap_add(&heap, &inside, 1));
	heap_remove(&heap, &outside);
	assert_int_equal(heap.count, 1);
	heap_remove(&heap, &inside);
	heap_remove(&heap, &inside);
	assert_int_equal(heap.count, 0);
	heap_clear(&heap);
}

static void
clearing_sets_the_items_free(void **state)
{
	struct heap_item items[3] = { { 0 } };
	struct heap heap;

	(void)state;
	heap_init(&heap);
	for (size_t i = 0; i < COUNT(items); i++)
		assert_true(heap_add(&heap, &items[i], 1));
	heap_clear(&heap);
	for (size_t i = 0; i < COUNT(items); i++)
		assert_int_equal(items[i].place, 0);
	assert_null(heap_first(&heap));
	assert_true(heap_add(&heap, &items[0], 1));
	heap_clear(&heap);
}

static void
check_against_list(const struct heap *heap, const struct heap_item *items)
{
	size_t count = 0;
	int64_t least = INT64_MAX;

	for (size_t i = 0; i < ITEMS; i++) {
		if (items[i].place == 0)
			continue;
		count++;
		assert_ptr_equal(heap->items[items[i].place - 1], &items[i]);
		if (items[i].due_ms < least)
			least = items[i].due_ms;
	}
	assert_int_equal(heap->count, count);
	if (count == 0)
		assert_null(heap_first(heap));
	else
		assert_int_equal(heap_first(heap)->due_ms, least);
}

/* Any item may be taken out at any time; the least of the rest is first. */
static void
any_order_of_adding_and_removing_is_right(void **state)
{
	static struct heap_item items[ITEMS];
	uint64_t seed = check_seed();
	struct heap heap;

	(void)state;
	heap_init(&heap);
	for (int step = 0; step < 20000; step++) {
		struct heap_item *item = &items[check_random(&seed, ITEMS)];

		if (item->place == 0)
			assert_true(heap_add(&heap, item,
			    (int64_t)check_random(&seed, 100) - 50));
		else
			heap_remove(&heap, item);
		if (step % 3 == 0 && heap.count > 0)
			heap_remove(&heap, heap_first(&heap));
		check_against_list(&heap, items);
	}
	heap_clear(&heap);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_due_comes_first),
		cmocka_unit_test(an_item_in_no_heap_is_left_alone),
		cmocka_unit_test(clearing_sets_the_items_free),
		cmocka_unit_test(any_order_of_adding_and_removing_is_right),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
