/* SPDX-License-Identifier: Apache-2.0
 *
 * The tables of ocsf_table.c. Not for others: the contract is vulnbus/ocsf.h.
 */
#ifndef VULNBUS_OCSF_TABLE_H
#define VULNBUS_OCSF_TABLE_H

#include "vulnbus/ocsf.h"

#define OCSF_OTHER 99 /* in every enumeration: see the sibling's text */

#define OCSF_FAILURE 2 /* of a scan's, target's or export's status_id */

/* A word of ours, and what OCSF has for it. */
struct ocsf_word {
	const char *ours; /* NULL ends the list */
	int64_t id;
	const char *caption;
};

extern const struct ocsf_word ocsf_activities[];  /* by kind */
extern const struct ocsf_word ocsf_statuses[];    /* by status, or kind */
extern const struct ocsf_word ocsf_severities[];  /* by severity */
extern const struct ocsf_word ocsf_observables[]; /* by member */

/* Members that the head of every class tells of: any record's, and those of
 * what it is about. NULL ends the list. */
extern const char *const ocsf_common[];
extern const char *const ocsf_of_subject[];

/* A member of the record and its place in the projection. */
struct ocsf_rule {
	const char *from; /* "finding.title"; or "@subject", the id of what the
			   * record is about; "@asset": of the asset, if it is
			   * known. NULL ends the list */
	const char *to;   /* "resources[].uid"; NULL: told already. Lines of
			   * one object stand together */
	/* Something else than the value, which then stays in `unmapped`;
	 * NULL: the value itself. */
	void (*write)(struct tree *t, const struct tree *from, uint32_t index);
	bool is_always; /* `write` has something for nothing too: index 0 */
};

#define OCSF_RULE_LISTS_MAX 3

struct ocsf_class {
	int64_t uid;
	const char *name;
	int64_t category_uid;
	const char *category_name;
	const struct ocsf_rule *rules[OCSF_RULE_LISTS_MAX]; /* NULL ends it */
};

/* By topic; NULL: not projected. */
extern const struct ocsf_class *const ocsf_classes[TOPIC_COUNT];

/* Of a finding in which no CWE is named. */
extern const struct ocsf_class ocsf_posture_finding;

#endif
