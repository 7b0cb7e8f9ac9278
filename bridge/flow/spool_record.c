/* SPDX-License-Identifier: Apache-2.0
 *
 * Fields one after the other, each with its length in front; names with their
 * NUL, so that they can be borrowed as they stand. */
#include "vulnbus/spool_record.h"

#include <string.h>

#include "vulnbus/topics.h"

#define NUMBER_BYTES 8

static void
put_number(struct buffer *out, int64_t value)
{
	unsigned char bytes[NUMBER_BYTES];

	for (int i = 0; i < NUMBER_BYTES; i++)
		bytes[i] = (unsigned char)((uint64_t)value >> (8 * i));
	buffer_append(out, bytes, sizeof(bytes));
}

static void
put_view(struct buffer *out, struct view v)
{
	put_number(out, (int64_t)v.len);
	buffer_append_view(out, v);
}

static void
put_name(struct buffer *out, const char *name)
{
	put_view(out, (struct view){ name, strlen(name) + 1 });
}

void
spool_record_write(const struct kafka_record *record,
    const struct topics *topics, struct buffer *out)
{
	const int topic = topic_find(topics, record->topic);

	put_name(out,
	    topic < 0 ? record->topic : topic_short_name((enum topic)topic));
	put_view(out, record->key);
	put_view(out, record->value);
	put_number(out, record->timestamp_ms);
	put_number(out, (int64_t)record->header_count);
	for (size_t i = 0; i < record->header_count; i++) {
		put_name(out, record->headers[i].name);
		put_view(out, record->headers[i].value);
	}
}

static bool
get_number(struct view *from, int64_t *out)
{
	uint64_t value = 0;

	if (from->len < NUMBER_BYTES)
		return false;
	for (int i = 0; i < NUMBER_BYTES; i++)
		value |= (uint64_t)(unsigned char)from->data[i] << (8 * i);
	from->data += NUMBER_BYTES;
	from->len -= NUMBER_BYTES;
	*out = (int64_t)value;
	return true;
}

static bool
get_view(struct view *from, struct view *out)
{
	int64_t len;

	if (!get_number(from, &len) || len < 0 || (uint64_t)len > from->len)
		return false;
	*out = (struct view){ from->data, (size_t)len };
	from->data += len;
	from->len -= (size_t)len;
	return true;
}

static bool
get_name(struct view *from, const char **out)
{
	struct view v;

	if (!get_view(from, &v) || v.len == 0 ||
	    memchr(v.data, '\0', v.len) != v.data + v.len - 1)
		return false;
	*out = v.data;
	return true;
}

static bool
get_headers(struct view *from, struct kafka_record *record)
{
	int64_t count;

	if (!get_number(from, &count) || count < 0 || count > KAFKA_HEADERS_MAX)
		return false;
	for (int64_t i = 0; i < count; i++)
		if (!get_name(from, &record->headers[i].name) ||
		    !get_view(from, &record->headers[i].value))
			return false;
	record->header_count = (size_t)count;
	return true;
}

enum status
spool_record_read(struct view payload, const struct topics *topics,
    struct kafka_record *out_record, struct error *err)
{
	const char *name;
	int topic;

	*out_record =
	    (struct kafka_record){ .partition = KAFKA_PARTITION_BY_KEY };
	if (!get_name(&payload, &name) ||
	    !get_view(&payload, &out_record->key) ||
	    !get_view(&payload, &out_record->value) ||
	    !get_number(&payload, &out_record->timestamp_ms) ||
	    !get_headers(&payload, out_record) || payload.len != 0)
		return error_set(
		    err, STATUS_INVALID, "a row that is no record");
	topic = topic_find(topics, name);
	if (topic < 0)
		return error_set(
		    err, STATUS_INVALID, "a row for a topic that is not known");
	out_record->topic = topics->names[topic];
	return STATUS_OK;
}
