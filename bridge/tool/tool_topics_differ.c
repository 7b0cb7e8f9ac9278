/* SPDX-License-Identifier: Apache-2.0
 *
 * Differences between topics and what they should be, in words: Kafka's
 * documentation ("Topic Configs", "Modifying topics") says what a setting
 * does, this says what that means here. */
#include <stdio.h>
#include <string.h>

#include "vulnbus/tool_topics.h"

#define HOUR_MS 3600000LL

/* What one look at a topic comes to: counted, or told as well. */
struct look {
	const struct tool *tool; /* NULL: only counted */
	const struct config *config;
	const char *command_config;
	const struct topics_found *found;
	const struct kafka_topic *wanted;
	const struct kafka_topic_state *state;
	enum topic topic;
	unsigned count;
};

void
topics_duration(int64_t ms, char out[TOPICS_DURATION_SIZE])
{
	if (ms < 0)
		snprintf(out, TOPICS_DURATION_SIZE, "for ever");
	else if (ms % DAY_MS == 0)
		snprintf(out, TOPICS_DURATION_SIZE, "%lld d",
		    (long long)(ms / DAY_MS));
	else if (ms % HOUR_MS == 0)
		snprintf(out, TOPICS_DURATION_SIZE, "%lld h",
		    (long long)(ms / HOUR_MS));
	else
		snprintf(out, TOPICS_DURATION_SIZE, "%lld s",
		    (long long)(ms / 1000));
}

/* Counts one; true when it is to be told, its first line is begun then. */
static bool
differs(struct look *look)
{
	look->count++;
	if (look->tool == NULL)
		return false;
	printf("%s%s%s: ", tool_paint(look->tool->is_colour, PAINT_BOLD),
	    look->wanted->name, tool_paint(look->tool->is_colour, PAINT_PLAIN));
	return true;
}

static void
mend(const struct look *look, const char *program, const char *rest)
{
	printf("    %s --bootstrap-server %s%s%s --alter %s\n", program,
	    look->config->kafka.bootstrap_servers,
	    look->command_config == NULL ? "" : " --command-config ",
	    look->command_config == NULL ? "" : look->command_config, rest);
}

static void
mend_config(const struct look *look, const char *name, const char *value)
{
	char rest[TOPIC_NAME_BYTES + 128];

	snprintf(rest, sizeof(rest),
	    "--entity-type topics --entity-name %s --add-config %s=%s",
	    look->wanted->name, name, value);
	mend(look, "kafka-configs.sh", rest);
}

static void
mend_partitions(const struct look *look, enum topic topic, int32_t should)
{
	char rest[TOPIC_NAME_BYTES + 64];

	snprintf(rest, sizeof(rest), "--topic %s --partitions %d",
	    look->found->wanted[topic].name, should);
	mend(look, "kafka-topics.sh", rest);
}

/* What is known of an event stands in the partition of its number. */
static void
look_at_state(struct look *look)
{
	const int32_t events = look->found->states[TOPIC_EVENTS].partitions;
	const int32_t is = look->state->partitions;

	if (events == 0 || is == events || !differs(look))
		return;
	printf("%d partitions, %s has %d\n", is,
	    look->found->wanted[TOPIC_EVENTS].name, events);
	printf("  They must have equally many: the daemons do not start.\n");
	if (is < events)
		mend_partitions(look, TOPIC_STATE, events);
	else
		mend_partitions(look, TOPIC_EVENTS, is);
}

static void
look_at_partitions(struct look *look)
{
	const int32_t is = look->state->partitions;
	const int32_t should = look->wanted->partitions;

	if (is == should || !differs(look))
		return;
	printf("%d partitions, %d configured\n", is, should);
	if (is > should) {
		printf("  Nothing is wrong with more. Partitions cannot be "
		       "taken away: set topics.partitions\n"
		       "  to %d.\n",
		    is);
	} else if (look->topic == TOPIC_EVENTS) {
		printf("  At most %d enrichers share the work. When partitions "
		       "are added, keys move to others,\n"
		       "  where the enricher's memory is not: a webhook that "
		       "comes again within\n"
		       "  enricher.dedup_window is worked on again. Stop the "
		       "ingress, wait until no event\n"
		       "  waits (vulnbus_events_waiting), stop the enrichers; "
		       "then\n",
		    is);
		mend_partitions(look, TOPIC_EVENTS, should);
		mend_partitions(look, TOPIC_STATE, should);
	} else {
		printf("  Fewer consumers of a group share the work. When "
		       "partitions are added, keys move\n"
		       "  to others: what a consumer knows of a key may be "
		       "elsewhere.\n");
		mend_partitions(look, look->topic, should);
	}
}

static void
look_at_copies(struct look *look)
{
	const int32_t should = look->wanted->replication_factor;

	if (should < 0 || look->state->copies == should || !differs(look))
		return;
	printf("%d copies, %d configured\n", look->state->copies, should);
	printf("  %s By hand: write a plan of which brokers hold which "
	       "partition, and\n"
	       "  kafka-reassign-partitions.sh --bootstrap-server %s "
	       "--reassignment-json-file PLAN --execute\n",
	    look->state->copies < should
		? "With fewer copies, fewer brokers may be lost before "
		  "records are."
		: "More copies take more disk.",
	    look->config->kafka.bootstrap_servers);
}

static const char *
meaning_of_retention(const struct look *look)
{
	const bool is_shorter = look->state->retention_ms >= 0 &&
				look->state->retention_ms <
				    look->wanted->retention_ms;

	if (!is_shorter)
		return "Nothing is lost by it; the disk holds more.";
	if (look->topic == TOPIC_STATE)
		return "What the enricher has forgotten it does again: a "
		       "webhook repeated after that makes\n"
		       "  a second record, and an event that still waits may "
		       "be lost.";
	if (look->topic == TOPIC_EVENTS)
		return "Events go before an enricher that is away for longer "
		       "has read them.";
	return "Records go before a consumer that is away for longer has read "
	       "them.";
}

static void
look_at_retention(struct look *look)
{
	char is[TOPICS_DURATION_SIZE], should[TOPICS_DURATION_SIZE], ms[32];

	if (look->state->retention_ms == look->wanted->retention_ms ||
	    !differs(look))
		return;
	topics_duration(look->state->retention_ms, is);
	topics_duration(look->wanted->retention_ms, should);
	printf("retention is %s, should be %s%s\n", is, should,
	    look->topic == TOPIC_STATE ? " (enricher.dedup_window)" : "");
	printf("  %s\n", meaning_of_retention(look));
	snprintf(ms, sizeof(ms), "%lld", (long long)look->wanted->retention_ms);
	mend_config(look, "retention.ms", ms);
}

static bool
holds_word(const char *list, const char *word)
{
	struct view rest = view_of(list);

	while (rest.len > 0)
		if (view_is(view_trim(view_cut(&rest, ',')), word))
			return true;
	return false;
}

static void
look_at_cleanup(struct look *look)
{
	const char *is = look->state->cleanup_policy;
	const char *should = look->wanted->cleanup_policy;
	const bool compacts = holds_word(is, "compact");
	const bool deletes = holds_word(is, "delete");
	char value[KAFKA_POLICY_BYTES + 2];

	if ((compacts == holds_word(should, "compact") &&
		deletes == holds_word(should, "delete")) ||
	    !differs(look))
		return;
	printf("cleanup.policy is %s, should be %s\n", is, should);
	if (compacts && !holds_word(should, "compact"))
		printf("  Of the records with one key only the last is kept: "
		       "the others are lost.\n");
	else if (!compacts && holds_word(should, "compact"))
		printf("  Every record is kept until its time is over, also "
		       "where a later one replaces it:\n"
		       "  the topic grows, and reading it takes longer.\n");
	if (!deletes && holds_word(should, "delete"))
		printf("  The last record of each key is kept for ever: the "
		       "topic grows without end.\n");
	snprintf(value, sizeof(value),
	    strchr(should, ',') == NULL ? "%s" : "[%s]", should);
	mend_config(look, "cleanup.policy", value);
}

static void
look_at_size(struct look *look)
{
	const int64_t should = (int64_t)kafka_message_bytes_max(look->config);
	const int64_t is = look->state->batch_bytes_max;
	char bytes[32];

	if (is == 0 || is >= should || !differs(look))
		return;
	printf("max.message.bytes is %lld, message.max.bytes of "
	       "kafka.properties %lld\n",
	    (long long)is, (long long)should);
	printf("  The brokers refuse larger records, which become dead "
	       "letters. Lower message.max.bytes,\n"
	       "  so that records are shortened instead, or\n");
	snprintf(bytes, sizeof(bytes), "%lld", (long long)should);
	mend_config(look, "max.message.bytes", bytes);
}

static void
look_at(struct look *look)
{
	if (look->wanted->name == NULL)
		return;
	if (look->state->partitions == 0) {
		if (differs(look))
			printf("missing\n"
			       "  The daemons do not start without it.\n"
			       "    vulnbus topics --create\n");
		return;
	}
	if (look->topic == TOPIC_STATE)
		look_at_state(look);
	else
		look_at_partitions(look);
	look_at_copies(look);
	look_at_retention(look);
	look_at_cleanup(look);
	look_at_size(look);
}

static struct look
look_for(const struct tool *tool, const struct config *config,
    const struct topics_found *found, enum topic topic)
{
	return (struct look){ .tool = tool,
		.config = config,
		.found = found,
		.wanted = &found->wanted[topic],
		.state = &found->states[topic],
		.topic = topic };
}

unsigned
topics_differences(const struct config *config,
    const struct topics_found *found, enum topic topic)
{
	struct look look = look_for(NULL, config, found, topic);

	look_at(&look);
	return look.count;
}

void
topics_explain(const struct tool *tool, const struct config *config,
    const char *command_config, const struct topics_found *found)
{
	for (int i = 0; i < TOPIC_COUNT; i++) {
		struct look look = look_for(tool, config, found, (enum topic)i);

		look.command_config = command_config;
		look_at(&look);
	}
}
