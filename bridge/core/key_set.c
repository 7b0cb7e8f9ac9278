/* SPDX-License-Identifier: Apache-2.0 */
#include "vulnbus/key_set.h"

#include <string.h>

#define NEVER INT64_MAX

static void
forget(struct key_set *set, size_t index)
{
	es512_key_free(set->keys[index]);
	set->count--;
	memmove(&set->keys[index], &set->keys[index + 1],
	    (set->count - index) * sizeof(*set->keys));
	memmove(&set->valid_until_ms[index], &set->valid_until_ms[index + 1],
	    (set->count - index) * sizeof(*set->valid_until_ms));
}

void
key_set_clear(struct key_set *set)
{
	while (set->count > 0)
		forget(set, set->count - 1);
}

bool
key_set_drop_expired(struct key_set *set, int64_t now_ms)
{
	const size_t before = set->count;

	for (size_t i = set->count; i-- > 0;)
		if (set->valid_until_ms[i] <= now_ms)
			forget(set, i);
	return set->count < before;
}

static bool
renew(struct key_set *set, const struct es512_key *key)
{
	for (size_t i = 0; i < set->count; i++)
		if (es512_key_equal(set->keys[i], key)) {
			set->valid_until_ms[i] = NEVER;
			return true;
		}
	return false;
}

/* Makes room for one more: of those that are not current the first to expire
 * goes. False when all are current. */
static bool
make_room(struct key_set *set)
{
	size_t first = 0;

	if (set->count < JWS_KEYS_MAX)
		return true;
	for (size_t i = 1; i < set->count; i++)
		if (set->valid_until_ms[i] < set->valid_until_ms[first])
			first = i;
	if (set->valid_until_ms[first] == NEVER)
		return false;
	forget(set, first);
	return true;
}

bool
key_set_replace(struct key_set *set, const struct jws_keys *keys,
    int64_t overlap_ms, int64_t now_ms)
{
	bool is_new = false;

	for (size_t i = 0; i < set->count; i++)
		if (set->valid_until_ms[i] == NEVER)
			set->valid_until_ms[i] = now_ms + overlap_ms;
	/* All that are known first, so that none of them has to make room. */
	for (size_t i = 0; i < keys->count; i++)
		renew(set, keys->items[i]);
	for (size_t i = 0; i < keys->count; i++) {
		if (renew(set, keys->items[i]) || !make_room(set))
			continue;
		is_new = true;
		set->keys[set->count] = es512_key_hold(keys->items[i]);
		set->valid_until_ms[set->count++] = NEVER;
	}
	key_set_drop_expired(set, now_ms);
	return is_new;
}

void
key_set_hold(
    const struct key_set *set, int64_t now_ms, struct jws_keys *out_keys)
{
	out_keys->count = 0;
	for (size_t i = 0; i < set->count; i++)
		if (set->valid_until_ms[i] > now_ms)
			out_keys->items[out_keys->count++] = es512_key_hold(
			    set->keys[i]);
}

void
key_set_copy(const struct key_set *from, struct key_set *to)
{
	*to = *from;
	for (size_t i = 0; i < from->count; i++)
		es512_key_hold(from->keys[i]);
}
