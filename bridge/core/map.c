/* SPDX-License-Identifier: Apache-2.0 */
#include "vulnbus/map.h"

#include <stdlib.h>
#include <string.h>

#include "vulnbus/crypto.h"

void
map_init(struct map *map)
{
	*map = (struct map){ .entries = NULL };
}

void
map_clear(struct map *map)
{
	free(map->entries);
	map_init(map);
}

static void
hash_of(struct view name, uint64_t out[2])
{
	unsigned char digest[SHA256_BYTES];

	sha256_of(name, digest);
	memcpy(out, digest, 2 * sizeof(*out));
	/* Zeros mark a free place. */
	if (out[0] == 0 && out[1] == 0)
		out[0] = 1;
}

static bool
is_free(const struct map_entry *entry)
{
	return entry->hash[0] == 0 && entry->hash[1] == 0;
}

/* The entry of that hash, or the free place where it would stand. There is
 * always one: the table is never more than two thirds full. */
static struct map_entry *
place_of(const struct map *map, const uint64_t hash[2])
{
	size_t i = hash[0] & (map->size - 1);

	while (!is_free(&map->entries[i]) &&
	       (map->entries[i].hash[0] != hash[0] ||
		   map->entries[i].hash[1] != hash[1]))
		i = (i + 1) & (map->size - 1);
	return &map->entries[i];
}

static bool
resize(struct map *map, size_t size)
{
	struct map fresh = { .size = size, .count = map->count };

	fresh.entries = calloc(size, sizeof(*fresh.entries));
	if (fresh.entries == NULL)
		return false;
	for (size_t i = 0; i < map->size; i++)
		if (!is_free(&map->entries[i]))
			*place_of(
			    &fresh, map->entries[i].hash) = map->entries[i];
	free(map->entries);
	*map = fresh;
	return true;
}

struct map_entry *
map_find(const struct map *map, struct view name)
{
	struct map_entry *entry;
	uint64_t hash[2];

	if (map->size == 0)
		return NULL;
	hash_of(name, hash);
	entry = place_of(map, hash);
	return is_free(entry) ? NULL : entry;
}

struct map_entry *
map_add(struct map *map, struct view name)
{
	struct map_entry *entry;
	uint64_t hash[2];

	if (map->count * 3 >= map->size * 2 &&
	    !resize(map, map->size == 0 ? 64 : map->size * 2))
		return NULL;
	hash_of(name, hash);
	entry = place_of(map, hash);
	if (is_free(entry)) {
		map->count++;
		memcpy(entry->hash, hash, sizeof(hash));
	}
	return entry;
}

/* What stands behind a freed place in the same run may have to move up, or a
 * search for it would end at the gap. */
static void
remove_at(struct map *map, size_t gap)
{
	const size_t mask = map->size - 1;
	size_t i = gap;

	map->count--;
	for (;;) {
		size_t home;

		i = (i + 1) & mask;
		if (is_free(&map->entries[i]))
			break;
		home = map->entries[i].hash[0] & mask;
		if (((i - home) & mask) >= ((i - gap) & mask)) {
			map->entries[gap] = map->entries[i];
			gap = i;
		}
	}
	memset(&map->entries[gap], 0, sizeof(map->entries[gap]));
}

void
map_remove(struct map *map, struct view name)
{
	struct map_entry *entry = map_find(map, name);

	if (entry != NULL)
		remove_at(map, (size_t)(entry - map->entries));
}

void
map_expire(struct map *map, int64_t limit)
{
	for (size_t i = 0; i < map->size;) {
		const struct map_entry *entry = &map->entries[i];

		if (!is_free(entry) && entry->pointer == NULL &&
		    entry->number < limit)
			remove_at(map, i); /* another may have moved here */
		else
			i++;
	}
}
