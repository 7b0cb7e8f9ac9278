/* SPDX-License-Identifier: Apache-2.0
 *
 * Tells when the files of a configuration have changed, however they were
 * mounted or replaced: looks at them now and then. One thread. */
#ifndef VULNBUS_WATCH_H
#define VULNBUS_WATCH_H

#include "vulnbus/config.h"

struct watched;

struct watch {
	struct watched *files; /* owned */
	size_t count;
	uint32_t every_ms;  /* 0: never */
	int64_t look_at_ms; /* steady clock */
	bool has_failed;
	struct error said;
};

/* From now on the files of `config`, which was just loaded. Without memory
 * for that nothing is watched until the next time. */
void
watch_use(struct watch *watch, const struct config *config, int64_t now_ms);

/* True when all is to be loaded again: something has changed and two looks,
 * a second apart, agreed on it; or it failed the last time, since what was
 * missing then may have come. Answer with watch_use or watch_failed. */
bool
watch_is_due(struct watch *watch, int64_t now_ms);

/* It could not be used. True when that is news: another change, or another
 * reason. */
bool
watch_failed(struct watch *watch, const struct error *why);

void
watch_clear(struct watch *watch);

#endif
