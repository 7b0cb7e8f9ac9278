/* SPDX-License-Identifier: Apache-2.0 */
#include "vulnbus/process.h"

#include <dirent.h>
#include <link.h>
#include <malloc.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "vulnbus/metrics.h"

static DIR *own_files; /* for as long as the process lives */

static int64_t
us_of(const struct timeval *time)
{
	return (int64_t)time->tv_sec * 1000000 + time->tv_usec;
}

/* proc(5), /proc/pid/statm: "size resident shared ...", in pages. */
static void
measure_memory(void)
{
	FILE *file = fopen("/proc/self/statm", "re");
	long long size, resident;

	if (file == NULL)
		return;
	if (fscanf(file, "%lld %lld", &size, &resident) == 2)
		metric_set(METRIC_PROCESS_MEMORY, NULL, NULL,
		    resident * sysconf(_SC_PAGESIZE));
	fclose(file);
}

static void
measure_files(void)
{
	int64_t count = 0;
	struct rlimit limit;

	if (own_files != NULL) {
		rewinddir(own_files);
		for (const struct dirent *entry = readdir(own_files);
		     entry != NULL; entry = readdir(own_files))
			count += entry->d_name[0] != '.';
		metric_set(METRIC_PROCESS_FILES, NULL, NULL, count);
	}
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 &&
	    limit.rlim_cur != RLIM_INFINITY)
		metric_set(METRIC_PROCESS_FILES_MAX, NULL, NULL,
		    (int64_t)limit.rlim_cur);
}

void
process_begin(void)
{
	own_files = opendir("/proc/self/fd");
}

void
process_measure(void)
{
	struct rusage usage;

	if (getrusage(RUSAGE_SELF, &usage) == 0)
		metric_set(METRIC_PROCESS_CPU, NULL, NULL,
		    us_of(&usage.ru_utime) + us_of(&usage.ru_stime));
	measure_memory();
	measure_files();
}

static int
let_go_of_code(struct dl_phdr_info *object, size_t size, void *arg)
{
	const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);

	(void)size;
	(void)arg;
	for (size_t i = 0; i < object->dlpi_phnum; i++) {
		const ElfW(Phdr) *segment = &object->dlpi_phdr[i];
		const uintptr_t at = object->dlpi_addr + segment->p_vaddr;
		const uintptr_t start = (at + page - 1) / page * page;
		const uintptr_t end = (at + segment->p_memsz) / page * page;

		/* What was written, as the loader does, would be lost. */
		if (segment->p_type == PT_LOAD &&
		    (segment->p_flags & PF_W) == 0 && end > start)
			madvise((void *)start, end - start, MADV_DONTNEED);
	}
	return 0;
}

void
process_let_go_of_start(void)
{
	dl_iterate_phdr(let_go_of_code, NULL);
	malloc_trim(0);
}
