/* SPDX-License-Identifier: Apache-2.0
 *
 * Classes, words and places of OCSF 1.8.0, as tables ("OCSF Schema",
 * schema.ocsf.io/1.8.0: Classes, Objects). */
#include "ocsf_table.h"

/* Scan.type_id is required. */
static void
write_scan_type(struct tree *t, const struct tree *from, uint32_t index)
{
	const struct tree_node *node = &from->nodes[index];
	const bool is_known = index != 0 && node->type == TREE_BOOL;

	tree_int(t, VIEW("type_id"), !is_known ? 0 : node->boolean ? 1 : 2);
	tree_text(t, VIEW("type"),
	    !is_known       ? VIEW("Unknown")
	    : node->boolean ? VIEW("Manual")
			    : VIEW("Scheduled"));
}

static void
write_sum(struct tree *t, const struct tree *from, uint32_t index)
{
	int64_t sum = 0;

	for (uint32_t i = index + 1; i < from->nodes[index].end; i++)
		if (from->nodes[i].type == TREE_INT &&
		    from->nodes[i].integer > 0 &&
		    __builtin_add_overflow(sum, from->nodes[i].integer, &sum))
			sum = INT64_MAX;
	tree_int(t, VIEW("num_detections"), sum);
}

static void
write_affected(struct tree *t, const struct tree *from, uint32_t index)
{
	(void)from;
	(void)index;
	tree_int(t, VIEW("role_id"), 3);
	tree_text(t, VIEW("role"), VIEW("Affected"));
}

static void
write_target(struct tree *t, const struct tree *from, uint32_t index)
{
	(void)from;
	(void)index;
	tree_int(t, VIEW("type_id"), OCSF_OTHER);
	tree_text(t, VIEW("type"), VIEW("Target"));
}

#define COPY(member, place)                     \
	{                                       \
		.from = (member), .to = (place) \
	}
#define MADE(member, place, by)                                \
	{                                                      \
		.from = (member), .to = (place), .write = (by) \
	}
#define ALWAYS(member, place, by)                               \
	{                                                       \
		.from = (member), .to = (place), .write = (by), \
		.is_always = true                               \
	}

static const struct ocsf_rule scan_rules[] = {
	COPY("@subject", "scan.uid"),
	COPY("scan.id", NULL),
	ALWAYS("scan.is_ad_hoc", "scan.type_id", write_scan_type),
	COPY("scan.started_ms", "start_time"),
	COPY("scan.completed_ms", "end_time"),
	MADE("scan.counts", "num_detections", write_sum),
	{ NULL },
};

/* An id is unique within its target only, the subject's within the source. */
static const struct ocsf_rule finding_rules[] = {
	COPY("@subject", "finding_info.uid"),
	COPY("finding.id", "finding_info.uid_alt"),
	COPY("finding.title", "finding_info.title"),
	COPY("finding.description", "finding_info.desc"),
	COPY("finding.created_ms", "finding_info.created_time"),
	COPY("finding.last_found_ms", "finding_info.last_seen_time"),
	COPY("finding.changed_ms", "finding_info.modified_time"),
	COPY("finding.comment", "comment"),
	COPY("asset.id", "resources[].uid"),
	MADE("asset.id", "resources[].role_id", write_affected),
	COPY("asset.type", "resources[].type"),
	COPY("asset.hostname", "resources[].hostname"),
	{ NULL },
};

/* Of advisory, CVE and CWE a vulnerability has just one; CVSS is of a CVE. */
static const struct ocsf_rule vulnerability_rules[] = {
	COPY("finding.cwe_id", "vulnerabilities[].cwe.uid"),
	COPY("finding.severity_word", "vulnerabilities[].severity"),
	COPY("finding.fix", "vulnerabilities[].remediation.desc"),
	{ NULL },
};

/* One of application, compliance, remediation, vulnerabilities is required. */
static const struct ocsf_rule posture_rules[] = {
	COPY("@asset", "application.uid"),
	COPY("asset.type", "application.type"),
	COPY("asset.hostname", "application.hostname"),
	COPY("asset.url", "application.url.url_string"),
	COPY("finding.fix", "remediation.desc"),
	{ NULL },
};

static const struct ocsf_rule target_rules[] = {
	COPY("@subject", "entity.uid"),
	MADE("@subject", "entity.type_id", write_target),
	COPY("target.hostname", "entity.name"),
	COPY("target", "entity.data"),
	{ NULL },
};

static const struct ocsf_class scan_activity = { 6007, "Scan Activity", 6,
	"Application Activity", { scan_rules } };
static const struct ocsf_class vulnerability_finding = { 2002,
	"Vulnerability Finding", 2, "Findings",
	{ finding_rules, vulnerability_rules } };
const struct ocsf_class ocsf_posture_finding = { 2007,
	"Application Security Posture Finding", 2, "Findings",
	{ finding_rules, posture_rules } };
static const struct ocsf_class entity_management = { 3004, "Entity Management",
	3, "Identity & Access Management", { target_rules } };
static const struct ocsf_class base_event = { 0, "Base Event", 0,
	"Uncategorized", { NULL } };

const struct ocsf_class *const ocsf_classes[TOPIC_COUNT] = {
	[TOPIC_SCANS] = &scan_activity,
	[TOPIC_FINDINGS] = &vulnerability_finding,
	[TOPIC_TARGETS] = &entity_management,
	[TOPIC_EXPORTS] = &base_event,
	[TOPIC_SCORECARDS] = &base_event,
};

/* Activity ids are those of the kind's class. That somebody proved a target to
 * be theirs, or could not, is an update. */
const struct ocsf_word ocsf_activities[] = {
	{ "scan.started", 1, "Started" },
	{ "scan.completed", 2, "Completed" },
	{ "scan.canceled", 3, "Cancelled" },
	{ "scan.failed", 6, "Error" },
	{ "finding.detected", 1, "Create" },
	{ "finding.fixed", 3, "Close" },
	{ "target.created", 1, "Create" },
	{ "target.verified", 3, "Update" },
	{ "target.verification_failed", 3, "Update" },
	{ "target.deleted", 4, "Delete" },
	{ NULL },
};

/* By the normalised status; of what has none, by the kind. */
const struct ocsf_word ocsf_statuses[] = {
	{ "started", 0, "Unknown" }, /* how it ends */
	{ "completed", 1, "Success" },
	{ "failed", 2, "Failure" },
	{ "target.created", 1, "Success" },
	{ "target.verified", 1, "Success" },
	{ "target.verification_failed", 2, "Failure" },
	{ "target.deleted", 1, "Success" },
	{ "finding.detected", 1, "New" },
	{ "finding.fixed", 4, "Resolved" },
	{ NULL },
};

const struct ocsf_word ocsf_severities[] = {
	{ "", 0, "Unknown" },
	{ "info", 1, "Informational" },
	{ "low", 2, "Low" },
	{ "medium", 3, "Medium" },
	{ "high", 4, "High" },
	{ "critical", 5, "Critical" },
	{ NULL },
};

/* Observable.type_id, by the member's name. */
const struct ocsf_word ocsf_observables[] = {
	{ "hostname", 1, "Hostname" },
	{ "domain", 1, "Hostname" },
	{ "ip", 2, "IP Address" },
	{ "url", 6, "URL String" },
	{ NULL },
};

const char *const ocsf_common[] = { "id", "event_id", "source", "vendor",
	"kind", "fetched_ms", "detail", NULL };

const char *const ocsf_of_subject[] = { "status", "status_word", "severity",
	NULL };
