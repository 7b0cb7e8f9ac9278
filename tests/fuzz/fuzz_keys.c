/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as keys: refused, or keys that are the same after a trip through
 * PEM. */
#include "fuzz.h"

#include "vulnbus/jws.h"

static void
require_round_trip(const struct jws_keys *keys)
{
	struct jws_keys back = { .count = 0 };
	struct error err = { "" };
	struct buffer pem;

	buffer_init(&pem, 1 << 16);
	for (size_t i = 0; i < keys->count; i++)
		REQUIRE(
		    es512_key_to_pem(keys->items[i], &pem, &err) == STATUS_OK);
	REQUIRE(jws_keys_read(buffer_view(&pem), &back, &err) == STATUS_OK);
	REQUIRE(back.count == keys->count);
	for (size_t i = 0; i < keys->count; i++)
		REQUIRE(es512_key_equal(back.items[i], keys->items[i]));
	jws_keys_clear(&back);
	buffer_clear(&pem);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const struct view text = { (const char *)data, len };
	struct jws_keys keys = { .count = 0 };
	struct error err = { "" };

	if (jws_keys_read(text, &keys, &err) == STATUS_OK) {
		REQUIRE(keys.count > 0);
		require_round_trip(&keys);
	} else {
		REQUIRE(keys.count == 0 || keys.count == JWS_KEYS_MAX);
	}
	jws_keys_clear(&keys);
	return 0;
}
