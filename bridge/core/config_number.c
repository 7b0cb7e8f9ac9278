/* SPDX-License-Identifier: Apache-2.0
 *
 * Whole numbers with units: counts, durations and sizes, read and written. */
#include "config_table.h"

#include <stdio.h>

struct unit {
	const char *name;
	int64_t factor;
	bool is_read_only; /* accepted, never printed */
};

static const struct unit count_units[] = { { "", 1, false }, { 0 } };

static const struct unit duration_units[] = {
	{ "ms", 1, false },
	{ "s", 1000, false },
	{ "m", 60 * 1000, false },
	{ "h", 3600 * 1000, false },
	{ "d", 24 * 3600 * 1000, false },
	{ 0 },
};

static const struct unit size_units[] = {
	{ "B", 1, false },
	{ "KiB", 1 << 10, false },
	{ "MiB", 1 << 20, false },
	{ "GiB", 1 << 30, false },
	{ "KB", 1000, true },
	{ "MB", 1000 * 1000, true },
	{ "GB", 1000 * 1000 * 1000, true },
	{ 0 },
};

static const struct unit *
units_of(enum config_type type)
{
	if (type == CONFIG_DURATION)
		return duration_units;
	return type == CONFIG_SIZE ? size_units : count_units;
}

/* The digits in front, at most INT64_MAX; what follows is left in `v`. */
static bool
cut_digits(struct view *v, int64_t *out_value)
{
	bool is_negative = view_starts(*v, VIEW("-"));
	int64_t value = 0;
	size_t i = is_negative ? 1 : 0;
	size_t start = i;

	for (; i < v->len && v->data[i] >= '0' && v->data[i] <= '9'; i++) {
		int digit = v->data[i] - '0';

		value = value > (INT64_MAX - digit) / 10 ? INT64_MAX
							 : value * 10 + digit;
	}
	if (i == start)
		return false;
	v->data += i;
	v->len -= i;
	*out_value = is_negative ? -value : value;
	return true;
}

bool
config_number_parse(enum config_type type, struct view text, int64_t *out_value)
{
	const struct unit *unit = units_of(type);
	int64_t value = 0;

	if (!cut_digits(&text, &value))
		return false;
	while (unit->name && !view_is(text, unit->name))
		unit++;
	if (!unit->name)
		return false;
	if (value > INT64_MAX / unit->factor)
		value = INT64_MAX;
	else if (value < -INT64_MAX / unit->factor)
		value = -INT64_MAX;
	else
		value *= unit->factor;
	*out_value = value;
	return true;
}

struct config_number
config_number_text(enum config_type type, int64_t value)
{
	const struct unit *units = units_of(type);
	const struct unit *best = &units[0];
	struct config_number number;

	for (size_t i = 0; units[i].name; i++)
		if (value != 0 && value % units[i].factor == 0 &&
		    !units[i].is_read_only)
			best = &units[i];
	(void)snprintf(number.text, sizeof(number.text), "%lld%s",
	    (long long)(value / best->factor), best->name);
	return number;
}
