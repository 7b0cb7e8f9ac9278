/* SPDX-License-Identifier: Apache-2.0
 *
 * What it costs to turn down a token that is none, before any signature is
 * looked at. Each of TOKENS in turn: cut off, with a letter that is not
 * base64url, with another alg, without its dots. Prints CPU microseconds per
 * token of the dearest kind.
 *
 * usage: bench-malformed TOKENS SECONDS */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "vulnbus/jws.h"

#define TOKENS_MAX 1024
#define KINDS      4

static struct view tokens[KINDS][TOKENS_MAX];
static size_t count;

static double
cpu_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void
add(const char *line)
{
	static const char none[] = "eyJhbGciOiJub25lIn0"; /* {"alg":"none"} */
	const char *dot = strchr(line, '.');
	const size_t len = strlen(line);
	char *kinds[KINDS] = { strndup(line, len - 40), strdup(line), NULL,
		strdup(line) };

	kinds[1][len - 1] = '+';
	if (asprintf(&kinds[2], "%s%s", none, dot) < 0)
		abort();
	for (char *at = kinds[3]; (at = strchr(at, '.')) != NULL;)
		*at = '_';
	for (size_t i = 0; i < KINDS; i++)
		tokens[i][count] = view_of(kinds[i]);
	count++;
}

/* CPU microseconds each. */
static double
refuse(const struct view *kind, double seconds)
{
	const double began = cpu_seconds();
	unsigned long done = 0;
	double used;

	do {
		struct error err;
		struct jws jws;

		jws_init(&jws);
		if (jws_parse(kind[done++ % count], &jws, &err) !=
		    STATUS_UNPROVED)
			abort();
		jws_clear(&jws);
		used = cpu_seconds() - began;
	} while (used < seconds);
	return used * 1e6 / (double)done;
}

int
main(int argc, char **argv)
{
	double dearest = 0;
	char *line = NULL;
	size_t size = 0;
	FILE *file;

	if (argc != 3)
		return 64;
	file = fopen(argv[1], "r");
	while (file != NULL && count < TOKENS_MAX &&
	       getline(&line, &size, file) > 0) {
		line[strcspn(line, "\n")] = '\0';
		add(line);
	}
	if (count == 0)
		return 66;
	for (size_t i = 0; i < KINDS; i++) {
		const double us = refuse(
		    tokens[i], strtod(argv[2], NULL) / KINDS);

		if (us > dearest)
			dearest = us;
	}
	printf("%.3f\n", dearest);
	return 0;
}
