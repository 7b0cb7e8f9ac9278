/* SPDX-License-Identifier: Apache-2.0
 *
 * A consumer for each topic: a reader's assignment names one. */
#include "vulnbus/tool_reader.h"

#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* The longest wait on the descriptor alone: what librdkafka says there is a
 * hint, and a hint may be missed. */
#define WAIT_STEP_MS 50

struct channel {
	struct kafka_consumer *consumer; /* owned; NULL: not wanted */
	int32_t partitions;
	int64_t *next; /* owned; of each partition, the next offset to read */
	int64_t *mark; /* owned */
};

struct reader {
	const struct topics *topics;
	struct channel channels[TOPIC_COUNT];
	int turn; /* whose records come next, so that none is starved */
	int event_fd;
	uint32_t timeout_ms;
	struct kafka_message *message;
};

/* Where the topic ends now. */
static enum status
find_ends(
    struct reader *r, enum topic topic, int64_t *out_ends, struct error *err)
{
	const struct channel *channel = &r->channels[topic];
	enum status status = STATUS_OK;

	for (int32_t p = 0; status == STATUS_OK && p < channel->partitions;
	     p++) {
		int64_t first;

		status = kafka_consumer_bounds(channel->consumer,
		    r->topics->names[topic], p, r->timeout_ms, &first,
		    &out_ends[p], err);
	}
	return status;
}

static enum status
open_channel(struct reader *r, const struct reader_options *options,
    enum topic topic, struct error *err)
{
	struct channel *channel = &r->channels[topic];
	const size_t count = (size_t)channel->partitions;
	struct kafka_position *positions = calloc(count, sizeof(*positions));
	enum status status;

	channel->next = calloc(count, sizeof(*channel->next));
	channel->mark = calloc(count, sizeof(*channel->mark));
	if (positions == NULL || channel->next == NULL || channel->mark == NULL)
		status = error_set(err, STATUS_NO_MEMORY, "no memory");
	else
		status = kafka_consumer_open(
		    &(struct kafka_consumer_options){
			.config = options->config,
			.client = "vulnbus-tool",
			.is_strict = true,
		    },
		    &channel->consumer, err);
	if (status == STATUS_OK && options->is_from_end)
		status = find_ends(r, topic, channel->next, err);
	if (status == STATUS_OK) {
		kafka_consumer_signal(channel->consumer, r->event_fd);
		for (size_t p = 0; p < count; p++)
			positions[p] = (struct kafka_position){ (int32_t)p,
				options->is_from_end ? channel->next[p]
						     : KAFKA_OFFSET_BEGINNING };
		status = kafka_consumer_assign(channel->consumer,
		    r->topics->names[topic], positions, count, err);
	}
	free(positions);
	return status;
}

static enum status
count_partitions(
    struct reader *r, const struct reader_options *options, struct error *err)
{
	struct kafka_topic wanted[TOPIC_COUNT] = { { .name = NULL } };
	int32_t counts[TOPIC_COUNT] = { 0 };
	enum status status;

	for (int i = 0; i < TOPIC_COUNT; i++)
		if (options->is_wanted[i])
			wanted[i].name = options->topics->names[i];
	status = kafka_topics_count(options->config, wanted, TOPIC_COUNT,
	    options->timeout_ms, counts, err);
	for (int i = 0; status == STATUS_OK && i < TOPIC_COUNT; i++) {
		if (options->is_wanted[i] && counts[i] == 0)
			status = error_set(err, STATUS_MISSING,
			    "topic %s does not exist",
			    options->topics->names[i]);
		r->channels[i].partitions = counts[i];
	}
	return status;
}

enum status
reader_open(const struct reader_options *options, struct reader **out_reader,
    struct error *err)
{
	struct reader *r = calloc(1, sizeof(*r));
	enum status status;

	if (r == NULL)
		return error_set(err, STATUS_NO_MEMORY, "no memory");
	r->topics = options->topics;
	r->timeout_ms = options->timeout_ms;
	r->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	status = r->event_fd < 0
		     ? error_set(err, STATUS_NO_MEMORY, "no eventfd")
		     : count_partitions(r, options, err);
	for (int i = 0; status == STATUS_OK && i < TOPIC_COUNT; i++)
		if (options->is_wanted[i])
			status = open_channel(r, options, (enum topic)i, err);
	if (status != STATUS_OK) {
		reader_close(&r);
		return status;
	}
	*out_reader = r;
	return STATUS_OK;
}

void
reader_close(struct reader **reader)
{
	struct reader *r = *reader;

	if (r == NULL)
		return;
	kafka_message_free(r->message);
	for (int i = 0; i < TOPIC_COUNT; i++) {
		kafka_consumer_close(&r->channels[i].consumer);
		free(r->channels[i].next);
		free(r->channels[i].mark);
	}
	if (r->event_fd >= 0)
		close(r->event_fd);
	free(r);
	*reader = NULL;
}

/* The end of a partition comes with the position too: control records and
 * aborted ones move it without being seen. */
static void
note_position(
    struct channel *channel, const struct kafka_record *record, bool is_record)
{
	const int64_t next = record->offset + (is_record ? 1 : 0);

	if (record->partition < channel->partitions &&
	    next > channel->next[record->partition])
		channel->next[record->partition] = next;
}

/* One look at each topic, without waiting. */
static enum status
look(struct reader *r, enum topic *out_topic, struct kafka_record *out_record,
    struct error *err)
{
	for (int i = 0; i < TOPIC_COUNT; i++) {
		const int at = (r->turn + i) % TOPIC_COUNT;
		struct channel *channel = &r->channels[at];
		enum status status = STATUS_OK;

		if (channel->consumer == NULL)
			continue;
		status = kafka_consumer_poll(
		    channel->consumer, 0, out_record, &r->message, err);
		if (out_record->topic != NULL)
			note_position(channel, out_record, status == STATUS_OK);
		if (status == STATUS_END && out_record->topic != NULL)
			i--; /* more may wait behind the end's report */
		if (status == STATUS_END)
			continue;
		r->turn = at + 1;
		*out_topic = (enum topic)at;
		return status;
	}
	return STATUS_END;
}

enum status
reader_next(struct reader *r, uint32_t ms, enum topic *out_topic,
    struct kafka_record *out_record, struct error *err)
{
	struct pollfd wait = { .fd = r->event_fd, .events = POLLIN };
	uint64_t count;
	ssize_t got;

	kafka_message_free(r->message);
	r->message = NULL;
	for (;;) {
		const enum status status = look(r, out_topic, out_record, err);
		const uint32_t step = ms < WAIT_STEP_MS ? ms : WAIT_STEP_MS;

		if (status != STATUS_END || ms == 0)
			return status;
		if (poll(&wait, 1, (int)step) < 0)
			return STATUS_END;
		got = read(r->event_fd, &count, sizeof(count));
		(void)got; /* nothing there is fine too */
		ms -= step;
	}
}

enum status
reader_mark(struct reader *r, struct error *err)
{
	enum status status = STATUS_OK;

	for (int i = 0; status == STATUS_OK && i < TOPIC_COUNT; i++)
		if (r->channels[i].consumer != NULL)
			status = find_ends(
			    r, (enum topic)i, r->channels[i].mark, err);
	return status;
}

bool
reader_is_at_mark(const struct reader *r)
{
	for (int i = 0; i < TOPIC_COUNT; i++) {
		const struct channel *channel = &r->channels[i];

		for (int32_t p = 0;
		     channel->consumer != NULL && p < channel->partitions; p++)
			if (channel->next[p] < channel->mark[p])
				return false;
	}
	return true;
}
