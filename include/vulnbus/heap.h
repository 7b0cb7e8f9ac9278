/* SPDX-License-Identifier: Apache-2.0
 *
 * What is due first: a binary heap of members that lie in the caller's own
 * structures and know their place, so that any of them can be taken out. */
#ifndef VULNBUS_HEAP_H
#define VULNBUS_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct heap_item {
	int64_t due_ms;
	size_t place; /* from 1; 0: in no heap */
};

struct heap {
	struct heap_item **items; /* owned */
	size_t count;
	size_t size;
};

void
heap_init(struct heap *heap);

/* The members stay the caller's. */
void
heap_clear(struct heap *heap);

/* False when there is no memory. */
bool
heap_add(struct heap *heap, struct heap_item *item, int64_t due_ms);

/* NULL when it is empty. */
struct heap_item *
heap_first(const struct heap *heap);

/* Takes an item out; one that is in no heap is left alone. */
void
heap_remove(struct heap *heap, struct heap_item *item);

#endif
