/* SPDX-License-Identifier: Apache-2.0 */
#include "vulnbus/watch.h"

#include <stdlib.h>
#include <string.h>

#define SETTLE_MS 1000

struct watched {
	char *path; /* owned */
	struct file_print used;
	struct file_print seen; /* at the last look */
};

void
watch_clear(struct watch *watch)
{
	for (size_t i = 0; i < watch->count; i++)
		free(watch->files[i].path);
	free(watch->files);
	*watch = (struct watch){ .files = NULL };
}

void
watch_use(struct watch *watch, const struct config *config, int64_t now_ms)
{
	watch_clear(watch);
	watch->every_ms = config->reload_every_ms;
	watch->look_at_ms = now_ms + watch->every_ms;
	watch->files = calloc(config->file_count + 1, sizeof(*watch->files));
	for (size_t i = 0; watch->files != NULL && i < config->file_count;
	     i++) {
		const struct config_watched *from = &config->files[i];
		char *path = strdup(from->path);

		if (path == NULL)
			break;
		watch->files[watch->count++] = (struct watched){
			.path = path, .used = from->print, .seen = from->print
		};
	}
}

/* True when something is not as it was at the last look. */
static bool
look(struct watch *watch)
{
	bool has_changed = false;

	for (size_t i = 0; i < watch->count; i++) {
		const struct file_print before = watch->files[i].seen;

		file_look(watch->files[i].path, &watch->files[i].seen);
		has_changed |= !file_is_same(&before, &watch->files[i].seen);
	}
	return has_changed;
}

static bool
is_as_used(const struct watch *watch)
{
	for (size_t i = 0; i < watch->count; i++)
		if (!file_is_same(&watch->files[i].used, &watch->files[i].seen))
			return false;
	return true;
}

bool
watch_is_due(struct watch *watch, int64_t now_ms)
{
	const uint32_t settle_ms = watch->every_ms < SETTLE_MS ? watch->every_ms
							       : SETTLE_MS;
	bool is_moving;

	if (watch->every_ms == 0 || now_ms < watch->look_at_ms)
		return false;
	is_moving = look(watch);
	watch->look_at_ms = now_ms + (is_moving ? settle_ms : watch->every_ms);
	return !is_moving && (watch->has_failed || !is_as_used(watch));
}

bool
watch_failed(struct watch *watch, const struct error *why)
{
	bool is_news;

	/* Who was told to reload was told before it was seen. */
	look(watch);
	is_news = !watch->has_failed || !is_as_used(watch) ||
		  strcmp(watch->said.text, why->text) != 0;
	for (size_t i = 0; i < watch->count; i++)
		watch->files[i].used = watch->files[i].seen;
	watch->has_failed = true;
	watch->said = *why;
	return is_news;
}
