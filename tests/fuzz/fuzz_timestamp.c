/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as a time: refused, or a time that prints and reads the same. */
#include "fuzz.h"

#include "vulnbus/timestamp.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const struct view text = { (const char *)data, len };
	char printed[TIMESTAMP_TEXT_SIZE];
	int64_t ms, again;

	if (timestamp_parse(text, &ms) == STATUS_OK) {
		timestamp_print(ms, printed);
		REQUIRE(printed[0] != '\0');
		REQUIRE(timestamp_parse(view_of(printed), &again) == STATUS_OK);
		REQUIRE(again == ms);
	}
	if (retry_after_parse(text, 784111777000, &ms) == STATUS_OK)
		REQUIRE(ms >= 0);
	return 0;
}
