/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as a row of the spool: refused, or a record that lies inside of
 * them and reads the same after it was written. */
#include "record.h"

#include "vulnbus/buffer.h"

static bool
is_inside(struct view part, struct view whole)
{
	return part.data >= whole.data && part.len <= whole.len &&
	       (size_t)(part.data - whole.data) <= whole.len - part.len;
}

static void
check_inside(const struct kafka_record *record, struct view bytes)
{
	REQUIRE(topic_find(&topics, record->topic) >= 0);
	REQUIRE(record->partition == KAFKA_PARTITION_BY_KEY);
	REQUIRE(is_inside(record->key, bytes));
	REQUIRE(is_inside(record->value, bytes));
	REQUIRE(record->header_count <= KAFKA_HEADERS_MAX);
	for (size_t i = 0; i < record->header_count; i++) {
		const struct view name = { record->headers[i].name,
			strlen(record->headers[i].name) + 1 };

		REQUIRE(is_inside(name, bytes));
		REQUIRE(is_inside(record->headers[i].value, bytes));
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const struct view bytes = { (const char *)data, len };
	struct kafka_record record, again;
	struct buffer once, twice;
	struct error err = { "" };

	if (!take_record(bytes, &record))
		return 0;
	check_inside(&record, bytes);
	buffer_init(&once, 1 << 20);
	buffer_init(&twice, 1 << 20);
	spool_record_write(&record, &topics, &once);
	REQUIRE(buffer_status(&once) != STATUS_OK || once.len <= len);
	if (buffer_status(&once) == STATUS_OK) {
		REQUIRE(spool_record_read(buffer_view(&once), &topics, &again,
			    &err) == STATUS_OK);
		spool_record_write(&again, &topics, &twice);
		REQUIRE(view_equal(buffer_view(&once), buffer_view(&twice)));
	}
	buffer_clear(&once);
	buffer_clear(&twice);
	return 0;
}
