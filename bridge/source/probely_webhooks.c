/* SPDX-License-Identifier: Apache-2.0
 *
 * Events as the events reference and openapi.yaml list them; of the objects in
 * them what names them and makes them what they are. */
#include "probely.h"

#define EVENT(type, object, content)                                           \
	"{\"id\":{uuid},\"event_type\":\"" type "\",\"object_type\":\"" object \
	"\",\"occurred_at\":{now},\"content\":" content ",\"webhooks\":[]}"

#define TARGET "{\"id\":{target},\"type\":\"single\"}"
#define SCAN(status)                                                      \
	"{\"id\":{id},\"target\":" TARGET ",\"status\":{status=\"" status \
	"\"},\"scan_profile\":\"normal\"}"
#define FINDING(state)                                                     \
	"{\"id\":{id=28},\"target\":" TARGET ",\"state\":{status=\"" state \
	"\"},\"severity\":{severity=30}}"
#define OBJECT "{\"id\":{id}}"

const struct source_webhook probely_webhooks[] = {
	{ "scan.completed",
	    EVENT("scan_completed", "scan", SCAN("completed")) },
	{ "scan.started", EVENT("scan_started", "scan", SCAN("started")) },
	{ "scan.failed", EVENT("scan_failed", "scan", SCAN("failed")) },
	{ "scan.canceled", EVENT("scan_canceled", "scan", SCAN("canceled")) },
	{ "finding.detected",
	    EVENT("finding_detected", "finding", FINDING("notfixed")) },
	{ "finding.fixed",
	    EVENT("finding_fixed", "finding", FINDING("fixed")) },
	{ "target.created", EVENT("target_created", "target", OBJECT) },
	{ "target.deleted", EVENT("target_deleted", "target", OBJECT) },
	{ "target.verified", EVENT("target_verified", "target", OBJECT) },
	{ "target.verification_failed",
	    EVENT("target_verification_failed", "target", OBJECT) },
	{ "user.created", EVENT("user_created", "user", OBJECT) },
	{ "user.deleted", EVENT("user_deleted", "user", OBJECT) },
	{ NULL },
};
