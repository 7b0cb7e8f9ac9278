/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "vulnbus/timestamp.h"
#include "vulnbus/tool_replay.h"

#define STEP_MS      100
#define SAY_EVERY_MS 10000
#define BAR_COLUMNS  30

void
progress_begin(struct progress *progress, const struct replay_plan *plan)
{
	*progress = (struct progress){
		.is_terminal = isatty(STDERR_FILENO),
		.began_ms = clock_steady_ms(),
		.told_ms = clock_steady_ms(),
		.passed_before = plan_passed(plan),
	};
}

static void
print_bar(int64_t passed, int64_t total)
{
	const int filled = (int)(passed * BAR_COLUMNS / total);
	char bar[BAR_COLUMNS + 1];

	memset(bar, '#', (size_t)filled);
	memset(bar + filled, '.', (size_t)(BAR_COLUMNS - filled));
	bar[BAR_COLUMNS] = '\0';
	fprintf(stderr, "\r\033[K[%s] ", bar);
}

void
progress_tell(
    struct progress *progress, const struct replay_plan *plan, int64_t sent)
{
	const int64_t now_ms = clock_steady_ms();
	const int64_t elapsed_ms = now_ms - progress->began_ms;
	int64_t total, passed, done;

	if (now_ms - progress->told_ms <
	    (progress->is_terminal ? STEP_MS : SAY_EVERY_MS))
		return;
	progress->told_ms = now_ms;
	total = plan_total(plan);
	passed = plan_passed(plan);
	done = passed - progress->passed_before;
	if (total == 0)
		return;
	if (progress->is_terminal)
		print_bar(passed, total);
	fprintf(stderr, "%lld %%, %lld records, %lld/s",
	    (long long)(passed * 100 / total), (long long)sent,
	    (long long)(sent * 1000 / elapsed_ms));
	if (done > 0)
		fprintf(stderr, ", %lld s left",
		    (long long)((total - passed) * elapsed_ms / done / 1000));
	fprintf(stderr, "%s", progress->is_terminal ? "" : "\n");
	fflush(stderr);
}

void
progress_end(const struct progress *progress)
{
	if (progress->is_terminal)
		fprintf(stderr, "\r\033[K");
}
