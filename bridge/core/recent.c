/* SPDX-License-Identifier: Apache-2.0 */
#include "vulnbus/recent.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vulnbus/config.h"

struct entry {
	char *name;
	struct recent recent;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct entry *entries[CONFIG_SOURCES_MAX];
static size_t count;

static struct recent *
find(const char *source)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(entries[i]->name, source) == 0)
			return &entries[i]->recent;
	return NULL;
}

static struct recent *
find_or_add(const char *source)
{
	struct recent *found = find(source);
	struct entry *entry;

	if (found != NULL || count == CONFIG_SOURCES_MAX)
		return found;
	entry = calloc(1, sizeof(*entry));
	if (entry == NULL)
		return NULL;
	entry->name = strdup(source);
	if (entry->name == NULL) {
		free(entry);
		return NULL;
	}
	entries[count++] = entry;
	return &entry->recent;
}

void
recent_accepted(const char *source, int64_t now_ms)
{
	struct recent *recent;

	pthread_mutex_lock(&lock);
	recent = find_or_add(source);
	if (recent != NULL)
		recent->accepted_ms = now_ms;
	pthread_mutex_unlock(&lock);
}

void
recent_refused(
    const char *source, int64_t now_ms, unsigned code, const char *why)
{
	struct recent_refusal refusal = { .at_ms = now_ms, .code = code };
	struct recent *recent;

	snprintf(refusal.why, sizeof(refusal.why), "%s", why);
	pthread_mutex_lock(&lock);
	recent = find_or_add(source);
	if (recent != NULL) {
		memmove(recent->refused + 1, recent->refused,
		    sizeof(refusal) * (RECENT_REFUSED_MAX - 1));
		recent->refused[0] = refusal;
		if (recent->refused_count < RECENT_REFUSED_MAX)
			recent->refused_count++;
	}
	pthread_mutex_unlock(&lock);
}

void
recent_of(const char *source, struct recent *out)
{
	const struct recent *found;

	memset(out, 0, sizeof(*out));
	pthread_mutex_lock(&lock);
	found = find(source);
	if (found != NULL)
		*out = *found;
	pthread_mutex_unlock(&lock);
}
