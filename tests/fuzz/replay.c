/* SPDX-License-Identifier: Apache-2.0
 *
 * Runs a fuzz target over files and folders, so that any compiler can replay
 * a corpus: what was found once is tested for good. */
#include "fuzz.h"

#include <dirent.h>

static size_t count;

static void
run_file(const char *path)
{
	FILE *file = fopen(path, "rb");
	uint8_t *data = NULL;
	size_t len = 0;
	long end;

	if (file == NULL || fseek(file, 0, SEEK_END) != 0 ||
	    (end = ftell(file)) < 0 || fseek(file, 0, SEEK_SET) != 0) {
		perror(path);
		exit(1);
	}
	/* Of that very size: a byte read past the end is seen. */
	data = malloc(end > 0 ? (size_t)end : 1);
	if (data != NULL)
		len = fread(data, 1, (size_t)end, file);
	fclose(file);
	if (len != (size_t)end) {
		perror(path);
		exit(1);
	}
	(void)LLVMFuzzerTestOneInput(data, len);
	free(data);
	count++;
}

static int
is_file(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static void
run_path(const char *path)
{
	struct dirent **entries = NULL;
	const int found = scandir(path, &entries, is_file, alphasort);
	char name[4096];

	if (found < 0) {
		run_file(path);
		return;
	}
	for (int i = 0; i < found; i++) {
		snprintf(name, sizeof(name), "%s/%s", path, entries[i]->d_name);
		run_file(name);
		free(entries[i]);
	}
	free(entries);
}

int
main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		run_path(argv[i]);
	printf("%zu inputs\n", count);
	return count > 0 ? 0 : 1;
}
