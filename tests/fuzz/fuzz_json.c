/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as JSON: refused, or a tree that reads the same after it was
 * written. */
#include "fuzz.h"

#include "vulnbus/json.h"

/* False when it is no object, or beyond the tree's ceilings. */
static bool
rewrite(struct view text, struct buffer *out)
{
	struct json_document *document = NULL;
	struct error err = { "" };
	bool is_written = false;
	struct tree t;

	if (json_parse(text, &document, &err) != STATUS_OK)
		return false;
	tree_init(&t, 1000);
	if (json_to_tree(document, &t, &err) == STATUS_OK)
		is_written = json_write(&t, JSON_STYLE_COMPACT, out, &err) ==
			     STATUS_OK;
	tree_clear(&t);
	json_free(document);
	return is_written;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct buffer once, twice;

	buffer_init(&once, 1 << 20);
	buffer_init(&twice, 1 << 20);
	if (rewrite((struct view){ (const char *)data, len }, &once)) {
		REQUIRE(rewrite(buffer_view(&once), &twice));
		REQUIRE(view_equal(buffer_view(&once), buffer_view(&twice)));
	}
	buffer_reset(&once);
	json_quote((struct view){ (const char *)data, len }, &once);
	REQUIRE(buffer_status(&once) != STATUS_OK || once.len >= 2);
	buffer_clear(&once);
	buffer_clear(&twice);
	return 0;
}
