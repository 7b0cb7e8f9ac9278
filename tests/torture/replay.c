/* SPDX-License-Identifier: Apache-2.0
 *
 * A corpus under torture: an input is a case. tests/fuzz/replay.c reads the
 * files, and the linker wraps the fuzz target with this. */
#include "torture.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct input {
	const uint8_t *data;
	size_t len;
};

int
__real_LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int
__wrap_LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void
run(void *arg)
{
	const struct input *input = arg;

	torture_begin();
	(void)__real_LLVMFuzzerTestOneInput(input->data, input->len);
	torture_end();
}

static void
end(void)
{
	const int status = torture_sum();

	fflush(stdout);
	if (status != 0)
		_exit(status);
}

int
__wrap_LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static unsigned count;
	struct input input = { data, len };
	char name[32];

	if (count == 0)
		atexit(end);
	snprintf(name, sizeof(name), "input %u", ++count);
	torture_case(name, run, &input);
	return 0;
}
