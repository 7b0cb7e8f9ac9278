/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as msgpack: refused, or a tree that reads the same after it was
 * written; in little memory, whatever the bytes claim. */
#include "fuzz.h"

#include "vulnbus/json.h"
#include "vulnbus/msgpack.h"

static void
require_round_trip(const struct tree *t)
{
	struct buffer once, twice;
	struct error err = { "" };
	struct tree back;

	buffer_init(&once, 1 << 20);
	buffer_init(&twice, 1 << 20);
	tree_init(&back, 1000);
	REQUIRE(msgpack_write(t, &once, &err) == STATUS_OK);
	REQUIRE(msgpack_read(buffer_view(&once), &back, &err) == STATUS_OK);
	REQUIRE(back.count == t->count);
	REQUIRE(msgpack_write(&back, &twice, &err) == STATUS_OK);
	REQUIRE(view_equal(buffer_view(&once), buffer_view(&twice)));
	buffer_clear(&once);
	buffer_clear(&twice);
	tree_clear(&back);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const struct view bytes = { (const char *)data, len };
	struct error err = { "" };
	struct buffer json;
	struct tree t;

	tree_init(&t, 1000);
	if (msgpack_read(bytes, &t, &err) == STATUS_OK) {
		require_round_trip(&t);
		/* What the operator's tool does with it. */
		buffer_init(&json, 1 << 20);
		if (json_write(&t, JSON_STYLE_PRETTY, &json, &err) == STATUS_OK)
			REQUIRE(json.len >= 2);
		buffer_clear(&json);
	}
	tree_clear(&t);
	return 0;
}
