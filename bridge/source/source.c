/* SPDX-License-Identifier: Apache-2.0
 *
 * What all vendors share: the lookup by name, and the tables that make their
 * words comparable. */
#include "vulnbus/source.h"

#include <string.h>
#include <strings.h>

const struct source *
source_find(const char *vendor)
{
	for (size_t i = 0; source_all[i] != NULL; i++)
		if (strcmp(source_all[i]->name, vendor) == 0)
			return source_all[i]->like == NULL
				   ? source_all[i]
				   : source_find(source_all[i]->like);
	return NULL;
}

void
source_names(struct buffer *out)
{
	for (size_t i = 0; source_all[i] != NULL; i++)
		buffer_print(
		    out, "%s%s", i == 0 ? "" : ", ", source_all[i]->name);
}

struct word {
	const char *vendor;
	const char *theirs;
	const char *ours;
};

static struct view
look_up(const struct word *words, size_t count, const char *vendor,
    struct view theirs)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(words[i].vendor, vendor) == 0 &&
		    strlen(words[i].theirs) == theirs.len &&
		    strncasecmp(words[i].theirs, theirs.data, theirs.len) == 0)
			return view_of(words[i].ours);
	return VIEW("");
}

#define COUNT(a) (sizeof(a) / sizeof(*(a)))

/* VDR knows no "high" and no "low": critical, medium, warning, info. */
static const struct word severities[] = {
	{ "taegis-vdr", "critical", "critical" },
	{ "taegis-vdr", "medium", "medium" },
	{ "taegis-vdr", "warning", "low" },
	{ "taegis-vdr", "info", "info" },
};

/* "done" and "failed" are the webhook's words (Using VDR Webhooks), "pending"
 * an export's, the rest VdrScan.status of the Taegis API. */
static const struct word states[] = {
	{ "taegis-vdr", "done", "completed" },
	{ "taegis-vdr", "failed", "failed" },
	{ "taegis-vdr", "pending", "started" },
	{ "taegis-vdr", "new", "started" },
	{ "taegis-vdr", "picked", "started" },
	{ "taegis-vdr", "progress", "started" },
	{ "taegis-vdr", "cancel", "canceled" },
};

struct view
source_severity(const struct source *source, struct view word)
{
	return look_up(severities, COUNT(severities), source->name, word);
}

struct view
source_state(const struct source *source, struct view word)
{
	return look_up(states, COUNT(states), source->name, word);
}
