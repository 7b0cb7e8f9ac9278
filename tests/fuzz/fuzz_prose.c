/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as free text: what comes out holds no address and no control
 * character. */
#include "fuzz.h"

#include "vulnbus/prose.h"

/* A letter or digit on both sides: every reader would take it for one. */
static bool
is_address(struct view text, size_t at)
{
	return text.data[at] == '@' && at > 0 && at + 1 < text.len &&
	       memchr("abcxyz019", text.data[at - 1], 9) != NULL &&
	       memchr("abcxyz019", text.data[at + 1], 9) != NULL;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct prose prose;
	const struct view text = { (const char *)data, len };
	struct view out;

	prose.len = 0;
	out = prose_add(&prose, text);
	REQUIRE(out.len <= PROSE_TEXT_BYTES_MAX && prose.len == out.len);
	for (size_t i = 0; i < out.len; i++) {
		const unsigned char c = (unsigned char)out.data[i];

		REQUIRE((c >= 0x20 && c != 0x7f) || c == '\n' || c == '\t');
		REQUIRE(!is_address(out, i));
	}
	return 0;
}
