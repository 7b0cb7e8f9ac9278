/* SPDX-License-Identifier: Apache-2.0
 *
 * What ES512 costs at the least: EVP_DigestVerify with a cached key, one
 * context per call, nothing around it. Prints CPU microseconds per call.
 *
 * usage: bench-verify KEY.pem TOKENS SECONDS */
#include <time.h>

#include "bare_signature.h"

#define TOKENS_MAX 4096

static double
cpu_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

int
main(int argc, char **argv)
{
	static struct bare_signature tokens[TOKENS_MAX];
	size_t count = 0;
	unsigned long done = 0;
	double began, used;
	char *line = NULL;
	size_t size = 0;
	EVP_PKEY *key;
	FILE *file;

	if (argc != 4)
		return 64;
	key = bare_key(argv[1]);
	if (key == NULL)
		return 66;
	file = fopen(argv[2], "r");
	while (file != NULL && count < TOKENS_MAX &&
	       getline(&line, &size, file) > 0) {
		line[strcspn(line, "\n")] = '\0';
		tokens[count++] = bare_signature_of(strdup(line));
	}
	if (count == 0)
		return 66;
	began = cpu_seconds();
	do {
		if (!bare_verify(key, &tokens[done++ % count]))
			return 1;
		used = cpu_seconds() - began;
	} while (used < strtod(argv[3], NULL));
	printf("%.3f\n", used * 1e6 / (double)done);
	return 0;
}
