/* SPDX-License-Identifier: Apache-2.0
 *
 * The parts of the command "topics". */
#ifndef VULNBUS_TOOL_TOPICS_H
#define VULNBUS_TOOL_TOPICS_H

#include "vulnbus/kafka_describe.h"
#include "vulnbus/tool.h"
#include "vulnbus/topics.h"

/* What there is beside what there should be. */
struct topics_found {
	struct topics topics;
	struct kafka_topic wanted[TOPIC_COUNT];
	struct kafka_topic_state states[TOPIC_COUNT];
	bool is_new[TOPIC_COUNT]; /* made by this call */
};

/* --- tool_topics_differ.c --------------------------------------------------
 */

/* "30 d", "36 h", "90 s" or "for ever". */
#define TOPICS_DURATION_SIZE 32

void
topics_duration(int64_t ms, char out[TOPICS_DURATION_SIZE]);

/* How many things are not as they should be, of one topic. */
unsigned
topics_differences(const struct config *config,
    const struct topics_found *found, enum topic topic);

/* Prints each of them: what it is, what it means and what mends it, by commands
 * with that --command-config unless it is NULL. */
void
topics_explain(const struct tool *tool, const struct config *config,
    const char *command_config, const struct topics_found *found);

/* --- tool_acls.c ------------------------------------------------------------
 */

enum acls_form { ACLS_KAFKA, ACLS_STRIMZI };

struct acls_options {
	const char *ingress; /* principals; NULL: vulnbus-ingress, ... */
	const char *enricher;
	const char *operator;
	const char *cluster;        /* Strimzi's; NULL: my-cluster */
	const char *command_config; /* of kafka-acls.sh, or NULL */
};

/* Prints what each program needs, and nothing more; the exit status. */
int
acls_print(const struct tool *tool, const struct config *config,
    enum acls_form form, const struct acls_options *options);

#endif
