/* SPDX-License-Identifier: Apache-2.0 */
#include "vulnbus/topics.h"

#include <stdio.h>
#include <string.h>

static const struct {
	const char *name;
	const char *record;
	const char *schema;
	const char *type;
	const char *cleanup;
	int64_t retention_ms;
} table[TOPIC_COUNT] = {
#define X(symbol, name, record, cleanup, retention)         \
	{ name, record, "urn:vulnbus:schema:" record ":v1", \
		"vulnbus." record ".enriched", cleanup, retention },
	TOPIC_TABLE(X)
#undef X
};

void
topics_init(struct topics *topics, const struct config *config)
{
	for (int i = 0; i < TOPIC_COUNT; i++) {
		snprintf(topics->names[i], sizeof(topics->names[i]), "%s.%s.v1",
		    config->topics.prefix, table[i].name);
		topics->is_used[i] = i != TOPIC_OCSF || config->topics.ocsf;
	}
}

const char *
topic_short_name(enum topic topic)
{
	return table[topic].name;
}

const char *
topic_record(enum topic topic)
{
	return table[topic].record;
}

const char *
topic_schema(enum topic topic)
{
	return table[topic].schema;
}

const char *
topic_type(enum topic topic)
{
	return table[topic].type;
}

int
topic_find(const struct topics *topics, const char *name)
{
	for (int i = 0; i < TOPIC_COUNT; i++)
		if (strcmp(table[i].name, name) == 0 ||
		    strcmp(topics->names[i], name) == 0)
			return i;
	return -1;
}

void
topics_wanted(const struct topics *topics, const struct config *config,
    struct kafka_topic out_wanted[TOPIC_COUNT])
{
	for (int i = 0; i < TOPIC_COUNT; i++)
		out_wanted[i] = (struct kafka_topic){
			.name = topics->is_used[i] ? topics->names[i] : NULL,
			.partitions = config->topics.partitions,
			.replication_factor = config->topics.replication_factor,
			.cleanup_policy = table[i].cleanup,
			.retention_ms = table[i].retention_ms,
		};
	/* What the enricher has forgotten it would do again. */
	out_wanted[TOPIC_STATE].retention_ms = config->enricher.dedup_window_ms;
}

static enum status
create_missing(const struct config *config, struct kafka_topic *wanted,
    const int32_t *counts, uint32_t timeout_ms, struct error *err)
{
	struct kafka_topic missing[TOPIC_COUNT];
	size_t count = 0;

	/* The state topic follows the events topic, which an operator may
	 * have made with more partitions. */
	if (counts[TOPIC_EVENTS] > 0)
		wanted[TOPIC_STATE].partitions = counts[TOPIC_EVENTS];
	for (int i = 0; i < TOPIC_COUNT; i++)
		if (counts[i] == 0 && wanted[i].name != NULL)
			missing[count++] = wanted[i];
	if (count == 0)
		return STATUS_OK;
	return kafka_topics_create(config, missing, count, timeout_ms, err);
}

static enum status
check_counts(const struct topics *topics, const struct config *config,
    const int32_t *counts, struct error *err)
{
	for (int i = 0; i < TOPIC_COUNT; i++)
		/* What was created a moment ago may not be seen yet. */
		if (counts[i] == 0 && topics->is_used[i])
			return error_set(err,
			    config->topics.create ? STATUS_UNAVAILABLE
						  : STATUS_INVALID,
			    "topic %s does not exist", topics->names[i]);
	if (counts[TOPIC_EVENTS] != counts[TOPIC_STATE])
		return error_set(err, STATUS_INVALID,
		    "topics %s and %s must have equally many partitions, "
		    "they have %d and %d",
		    topics->names[TOPIC_EVENTS], topics->names[TOPIC_STATE],
		    counts[TOPIC_EVENTS], counts[TOPIC_STATE]);
	return STATUS_OK;
}

enum status
topics_prepare(const struct topics *topics, const struct config *config,
    uint32_t timeout_ms, int32_t *out_partitions, struct error *err)
{
	struct kafka_topic wanted[TOPIC_COUNT];
	int32_t counts[TOPIC_COUNT] = { 0 };
	enum status status;

	topics_wanted(topics, config, wanted);
	status = kafka_topics_count(
	    config, wanted, TOPIC_COUNT, timeout_ms, counts, err);
	if (status == STATUS_OK && config->topics.create) {
		status = create_missing(
		    config, wanted, counts, timeout_ms, err);
		if (status == STATUS_OK)
			status = kafka_topics_count(config, wanted, TOPIC_COUNT,
			    timeout_ms, counts, err);
	}
	if (status == STATUS_OK)
		status = check_counts(topics, config, counts, err);
	if (status == STATUS_OK)
		*out_partitions = counts[TOPIC_EVENTS];
	return status;
}
