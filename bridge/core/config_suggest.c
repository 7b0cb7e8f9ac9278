/* SPDX-License-Identifier: Apache-2.0
 *
 * "Did you mean": the known key nearest to a misspelt one. */
#include "config_table.h"

#define NAME_MAX_BYTES 48

/* Levenshtein's distance; names longer than NAME_MAX_BYTES are far away. */
static size_t
distance(struct view a, struct view b)
{
	size_t row[NAME_MAX_BYTES + 1];

	if (a.len > NAME_MAX_BYTES || b.len > NAME_MAX_BYTES)
		return SIZE_MAX;
	for (size_t j = 0; j <= b.len; j++)
		row[j] = j;
	for (size_t i = 1; i <= a.len; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= b.len; j++) {
			size_t cost = diagonal +
				      (a.data[i - 1] == b.data[j - 1] ? 0 : 1);

			diagonal = row[j];
			if (cost > row[j] + 1)
				cost = row[j] + 1;
			if (cost > row[j - 1] + 1)
				cost = row[j - 1] + 1;
			row[j] = cost;
		}
	}
	return row[b.len];
}

struct view
config_suggest(struct view section, struct view name)
{
	struct view best = VIEW("");
	size_t least = name.len < 4 ? 2 : 3;

	for (size_t i = 0; i < config_key_count; i++) {
		struct view rest = view_of(config_keys[i].path);

		if (!view_starts(rest, section))
			continue;
		rest.data += section.len;
		rest.len -= section.len;

		struct view key = view_cut(&rest, '.');

		if (key.len > 2 && key.data[key.len - 1] == ']')
			key.len -= 2;

		size_t apart = distance(name, key);

		if (apart < least && apart < key.len) {
			least = apart;
			best = key;
		}
	}
	return best;
}
