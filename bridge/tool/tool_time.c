/* SPDX-License-Identifier: Apache-2.0 */
#include "vulnbus/tool_time.h"

#include "vulnbus/timestamp.h"

static int64_t
unit_ms(char unit)
{
	switch (unit) {
	case 's':
		return 1000;
	case 'm':
		return 60 * 1000;
	case 'h':
		return 60 * 60 * 1000;
	case 'd':
		return 24 * 60 * 60 * 1000;
	default:
		return 0;
	}
}

enum status
tool_time(struct view text, int64_t now_ms, int64_t *out_ms)
{
	struct view digits = text;
	int64_t number, unit;

	if (text.len < 3 || text.data[0] != '-')
		return timestamp_parse(text, out_ms);
	unit = unit_ms(text.data[text.len - 1]);
	digits.len--;
	if (unit == 0 || view_to_int(digits, &number) != STATUS_OK ||
	    number < -(now_ms / unit))
		return STATUS_INVALID;
	*out_ms = now_ms + number * unit;
	return STATUS_OK;
}
