/* SPDX-License-Identifier: Apache-2.0 */
#include "vulnbus/kafka_forward.h"

#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kafka_producer_state.h"

static rd_kafka_headers_t *
headers_of(const rd_kafka_message_t *message, const struct kafka_header *more,
    size_t count)
{
	rd_kafka_headers_t *headers = NULL;

	if (rd_kafka_message_headers(message, &headers) ==
	    RD_KAFKA_RESP_ERR_NO_ERROR)
		headers = rd_kafka_headers_copy(headers);
	else
		headers = rd_kafka_headers_new(count);
	for (size_t i = 0; headers != NULL && i < count; i++) {
		rd_kafka_header_remove(headers, more[i].name);
		rd_kafka_header_add(headers, more[i].name, -1,
		    more[i].value.data, (ssize_t)more[i].value.len);
	}
	return headers;
}

enum status
kafka_forward(struct kafka_producer *producer,
    const struct kafka_message *message, const char *topic, int32_t partition,
    const struct kafka_header *headers, size_t header_count, struct error *err)
{
	const rd_kafka_message_t *from = (const void *)message;
	rd_kafka_headers_t *all = headers_of(from, headers, header_count);
	rd_kafka_timestamp_type_t type;
	rd_kafka_resp_err_t code;

	if (all == NULL)
		return error_set(err, STATUS_NO_MEMORY, "kafka: no memory");
	code = rd_kafka_producev(kafka_producer_client(producer),
	    RD_KAFKA_V_TOPIC(topic),
	    RD_KAFKA_V_PARTITION(partition == KAFKA_PARTITION_BY_KEY
				     ? RD_KAFKA_PARTITION_UA
				     : partition),
	    RD_KAFKA_V_KEY(from->key, from->key_len),
	    RD_KAFKA_V_VALUE(from->payload, from->len), RD_KAFKA_V_HEADERS(all),
	    RD_KAFKA_V_TIMESTAMP(rd_kafka_message_timestamp(from, &type)),
	    RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
	if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
		rd_kafka_headers_destroy(all);
	return kafka_judge_send(code, topic, err);
}

enum status
kafka_forward_keep(struct kafka_producer *producer, const char *group_id,
    const char *topic, const struct kafka_position *positions,
    const struct kafka_note *notes, size_t count, struct error *err)
{
	rd_kafka_consumer_group_metadata_t *group =
	    rd_kafka_consumer_group_metadata_new(group_id);
	rd_kafka_topic_partition_list_t *list =
	    rd_kafka_topic_partition_list_new((int)count);
	enum status status;

	for (size_t i = 0; i < count; i++) {
		rd_kafka_topic_partition_t *entry =
		    rd_kafka_topic_partition_list_add(
			list, topic, positions[i].partition);

		entry->offset = positions[i].next_offset;
		entry->metadata = strdup(notes[i].text);
		entry->metadata_size = entry->metadata == NULL
					   ? 0
					   : strlen(notes[i].text);
	}
	status = kafka_producer_send_list(producer, list, group, err);
	rd_kafka_topic_partition_list_destroy(list);
	rd_kafka_consumer_group_metadata_destroy(group);
	return status;
}

enum status
kafka_forward_kept(struct kafka_consumer *consumer, const char *topic,
    struct kafka_position *out_positions, struct kafka_note *out_notes,
    size_t count, uint32_t ms, struct error *err)
{
	rd_kafka_topic_partition_list_t *list =
	    rd_kafka_topic_partition_list_new((int)count);
	enum status status = STATUS_OK;
	rd_kafka_resp_err_t code;

	for (size_t i = 0; i < count; i++)
		rd_kafka_topic_partition_list_add(list, topic, (int32_t)i);
	code = rd_kafka_committed(
	    kafka_consumer_client(consumer), list, (int)ms);
	for (size_t i = 0; i < count; i++) {
		const rd_kafka_topic_partition_t *entry = &list->elems[i];

		if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
			code = entry->err;
		out_positions[i] = (struct kafka_position){ (int32_t)i,
			entry->offset < 0 ? -1 : entry->offset };
		snprintf(out_notes[i].text, sizeof(out_notes[i].text), "%.*s",
		    (int)entry->metadata_size,
		    entry->metadata == NULL ? "" : (char *)entry->metadata);
	}
	if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
		status = error_set(err, STATUS_UNAVAILABLE,
		    "kafka: committed offsets: %s", rd_kafka_err2str(code));
	rd_kafka_topic_partition_list_destroy(list);
	return status;
}

void
kafka_forward_stop(
    struct kafka_consumer *consumer, const char *topic, int32_t partition)
{
	rd_kafka_topic_partition_list_t *list =
	    rd_kafka_topic_partition_list_new(1);

	rd_kafka_topic_partition_list_add(list, topic, partition);
	rd_kafka_pause_partitions(kafka_consumer_client(consumer), list);
	rd_kafka_topic_partition_list_destroy(list);
}
