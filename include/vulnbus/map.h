/* SPDX-License-Identifier: Apache-2.0
 *
 * A map from names to a number and a pointer. Names are kept as the first 128
 * bits of their SHA-256: 32 bytes an entry, however long the names, and no
 * two names of anybody's choosing meet. */
#ifndef VULNBUS_MAP_H
#define VULNBUS_MAP_H

#include "vulnbus/view.h"

struct map_entry {
	uint64_t hash[2];
	int64_t number;
	void *pointer; /* the caller's */
};

struct map {
	struct map_entry *entries; /* owned */
	size_t count;
	size_t size; /* a power of two, or 0 */
};

void
map_init(struct map *map);

void
map_clear(struct map *map);

/* NULL when the name is not in it. Valid until the map is changed. */
struct map_entry *
map_find(const struct map *map, struct view name);

/* The name's entry, made with zeros if there was none; NULL: no memory. */
struct map_entry *
map_add(struct map *map, struct view name);

void
map_remove(struct map *map, struct view name);

/* Removes every entry without a pointer whose number is below `limit`. */
void
map_expire(struct map *map, int64_t limit);

#endif
