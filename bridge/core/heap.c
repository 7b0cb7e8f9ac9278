/* SPDX-License-Identifier: Apache-2.0 */
#include "vulnbus/heap.h"

#include <stdlib.h>

void
heap_init(struct heap *heap)
{
	*heap = (struct heap){ .items = NULL };
}

void
heap_clear(struct heap *heap)
{
	for (size_t i = 0; i < heap->count; i++)
		heap->items[i]->place = 0;
	free(heap->items);
	heap_init(heap);
}

static void
put(struct heap *heap, size_t index, struct heap_item *item)
{
	heap->items[index] = item;
	item->place = index + 1;
}

static void
sift_up(struct heap *heap, size_t index, struct heap_item *item)
{
	while (index > 0) {
		const size_t parent = (index - 1) / 2;

		if (heap->items[parent]->due_ms <= item->due_ms)
			break;
		put(heap, index, heap->items[parent]);
		index = parent;
	}
	put(heap, index, item);
}

static void
sift_down(struct heap *heap, size_t index, struct heap_item *item)
{
	for (;;) {
		size_t child = index * 2 + 1;

		if (child >= heap->count)
			break;
		if (child + 1 < heap->count &&
		    heap->items[child + 1]->due_ms < heap->items[child]->due_ms)
			child++;
		if (heap->items[child]->due_ms >= item->due_ms)
			break;
		put(heap, index, heap->items[child]);
		index = child;
	}
	put(heap, index, item);
}

bool
heap_add(struct heap *heap, struct heap_item *item, int64_t due_ms)
{
	if (heap->count == heap->size) {
		const size_t size = heap->size == 0 ? 64 : heap->size * 2;
		struct heap_item **items = realloc(
		    heap->items, size * sizeof(*items));

		if (items == NULL)
			return false;
		heap->items = items;
		heap->size = size;
	}
	item->due_ms = due_ms;
	sift_up(heap, heap->count++, item);
	return true;
}

struct heap_item *
heap_first(const struct heap *heap)
{
	return heap->count == 0 ? NULL : heap->items[0];
}

void
heap_remove(struct heap *heap, struct heap_item *item)
{
	const size_t index = item->place - 1;
	struct heap_item *last;

	if (item->place == 0)
		return;
	item->place = 0;
	last = heap->items[--heap->count];
	if (last == item)
		return;
	if (index > 0 && heap->items[(index - 1) / 2]->due_ms > last->due_ms)
		sift_up(heap, index, last);
	else
		sift_down(heap, index, last);
}
