/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as Retry-After (RFC 9110, section 10.2.3): refused, or a wait that
 * is not negative; of a date, the wait until that date, whenever it is read. */
#include "fuzz.h"

#include "vulnbus/timestamp.h"

#define NOW_MS INT64_C(784111777000)

static bool
is_number(struct view text)
{
	int64_t value;

	return view_to_int(view_trim(text), &value) == STATUS_OK;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const struct view text = { (const char *)data, len };
	int64_t wait_ms = -1, later_ms = -1, earlier_ms = -1;

	if (retry_after_parse(text, NOW_MS, &wait_ms) != STATUS_OK)
		return 0;
	REQUIRE(wait_ms >= 0 && wait_ms % 1000 == 0);
	REQUIRE(retry_after_parse(text, NOW_MS + 5000, &later_ms) == STATUS_OK);
	REQUIRE(retry_after_parse(text, 0, &earlier_ms) == STATUS_OK);
	if (is_number(text)) {
		REQUIRE(later_ms == wait_ms && earlier_ms == wait_ms);
	} else {
		REQUIRE(later_ms == (wait_ms > 5000 ? wait_ms - 5000 : 0));
		REQUIRE(wait_ms == 0 || earlier_ms == wait_ms + NOW_MS);
	}
	return 0;
}
