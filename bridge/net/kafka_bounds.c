/* SPDX-License-Identifier: Apache-2.0
 *
 * A door to librdkafka: where a partition begins and ends. */
#include "vulnbus/kafka_bounds.h"

#include <librdkafka/rdkafka.h>

/* librdkafka 2.0.2 asks the leader it remembers, for five minutes. */
static void
refresh_leaders(rd_kafka_t *client, const char *topic, uint32_t ms)
{
	const struct rd_kafka_metadata *metadata = NULL;
	rd_kafka_topic_t *handle = rd_kafka_topic_new(client, topic, NULL);

	if (handle == NULL)
		return;
	if (rd_kafka_metadata(client, 0, handle, &metadata, (int)ms) ==
	    RD_KAFKA_RESP_ERR_NO_ERROR)
		rd_kafka_metadata_destroy(metadata);
	rd_kafka_topic_destroy(handle);
}

/* Timestamps with a meaning of their own: Apache Kafka protocol guide,
 * ListOffsets. */
#define TIMESTAMP_LATEST   (-1)
#define TIMESTAMP_EARLIEST (-2)

/* Not rd_kafka_query_watermark_offsets(): until librdkafka 2.3 it waits for a
 * dead leader for ever, whatever time it was given. */
static rd_kafka_resp_err_t
find_offset(rd_kafka_t *client, const char *topic, int32_t partition,
    int64_t timestamp, uint32_t ms, int64_t *out_offset)
{
	rd_kafka_topic_partition_list_t *list =
	    rd_kafka_topic_partition_list_new(1);
	rd_kafka_topic_partition_t *asked = rd_kafka_topic_partition_list_add(
	    list, topic, partition);
	rd_kafka_resp_err_t code;

	asked->offset = timestamp;
	code = rd_kafka_offsets_for_times(client, list, (int)ms);
	if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
		code = asked->err;
	if (code == RD_KAFKA_RESP_ERR_NO_ERROR && asked->offset < 0)
		code = RD_KAFKA_RESP_ERR__TIMED_OUT; /* not filled in */
	if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
		*out_offset = asked->offset;
	rd_kafka_topic_partition_list_destroy(list);
	return code;
}

enum status
kafka_bounds(struct rd_kafka_s *client, const char *topic, int32_t partition,
    uint32_t ms, int64_t *out_first, int64_t *out_next, struct error *err)
{
	rd_kafka_resp_err_t code = find_offset(
	    client, topic, partition, TIMESTAMP_EARLIEST, ms, out_first);

	if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
		code = find_offset(
		    client, topic, partition, TIMESTAMP_LATEST, ms, out_next);
	if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
		return STATUS_OK;
	refresh_leaders(client, topic, ms);
	return error_set(err, STATUS_UNAVAILABLE, "kafka: bounds of %s: %s",
	    topic, rd_kafka_err2str(code));
}

enum status
kafka_bounds_ends(struct rd_kafka_s *client, const char *topic,
    const int32_t *partitions, size_t count, uint32_t ms, int64_t *out_ends,
    struct error *err)
{
	rd_kafka_topic_partition_list_t *list =
	    rd_kafka_topic_partition_list_new((int)count);
	rd_kafka_resp_err_t code;

	for (size_t i = 0; i < count; i++)
		rd_kafka_topic_partition_list_add(list, topic, partitions[i])
		    ->offset = TIMESTAMP_LATEST;
	code = rd_kafka_offsets_for_times(client, list, (int)ms);
	for (size_t i = 0; i < count; i++) {
		const rd_kafka_topic_partition_t *asked =
		    rd_kafka_topic_partition_list_find(
			list, topic, partitions[i]);

		if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
			code = asked->err;
		if (code == RD_KAFKA_RESP_ERR_NO_ERROR && asked->offset < 0)
			code = RD_KAFKA_RESP_ERR__TIMED_OUT; /* not filled in */
		out_ends[i] = asked->offset;
	}
	rd_kafka_topic_partition_list_destroy(list);
	if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
		return STATUS_OK;
	refresh_leaders(client, topic, ms);
	return error_set(err, STATUS_UNAVAILABLE, "kafka: ends of %s: %s",
	    topic, rd_kafka_err2str(code));
}

enum status
kafka_bounds_since(struct rd_kafka_s *client, const char *topic,
    int32_t partition, int64_t timestamp_ms, uint32_t ms, int64_t *out_offset,
    struct error *err)
{
	rd_kafka_topic_partition_list_t *list =
	    rd_kafka_topic_partition_list_new(1);
	rd_kafka_topic_partition_t *asked = rd_kafka_topic_partition_list_add(
	    list, topic, partition);
	rd_kafka_resp_err_t code;
	enum status status = STATUS_OK;

	/* Below zero it would have a meaning of its own. */
	asked->offset = timestamp_ms < 0 ? 0 : timestamp_ms;
	code = rd_kafka_offsets_for_times(client, list, (int)ms);
	if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
		code = asked->err;
	if (code == RD_KAFKA_RESP_ERR_NO_ERROR && asked->offset >= 0)
		*out_offset = asked->offset;
	if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
		status = error_set(err, STATUS_UNAVAILABLE,
		    "kafka: offset of a time of %s: %s", topic,
		    rd_kafka_err2str(code));
	rd_kafka_topic_partition_list_destroy(list);
	return status;
}
