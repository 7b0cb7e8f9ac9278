/* SPDX-License-Identifier: Apache-2.0
 *
 * A record as readers of OCSF know it (Open Cybersecurity Schema Framework
 * 1.8.0, schema.ocsf.io). Pure: made of the normalised record and of nothing
 * else, so another vendor changes nothing here.
 *
 *   scans       6007 Scan Activity
 *   findings    2002 Vulnerability Finding where there is a CWE, otherwise
 *               2007 Application Security Posture Finding
 *   targets     3004 Entity Management
 *   exports and scorecards: 0 Base Event, there is no class for them
 *
 * What no attribute is meant for stands in `unmapped`, under its own name: the
 * record came from an allow-list, so this does too. */
#ifndef VULNBUS_OCSF_H
#define VULNBUS_OCSF_H

#include "vulnbus/event.h"
#include "vulnbus/topics.h"

#define OCSF_VERSION "1.8.0"

struct ocsf_source {
	enum topic topic; /* the record's, one that ocsf_takes */
	const struct event *event;
	const struct tree *record; /* the value; of a deletion its common
				    * fields */
	struct view id;            /* the projection's own */
	struct view base_url;      /* the vendor's */
	struct view original_time; /* when it happened (RFC 3339), or empty */
};

/* Is there a projection of this topic's records? */
bool
ocsf_takes(enum topic topic);

/* Writes the projection into `out`, which is empty. Its texts are borrowed
 * from `source` and all that points to. */
void
ocsf_project(const struct ocsf_source *source, struct tree *out);

#endif
