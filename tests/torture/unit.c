/* SPDX-License-Identifier: Apache-2.0
 *
 * cmocka's part for unit tests under torture: a test is a case, and an
 * assertion that does not hold is how it notices. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "torture.h"

struct test {
	const struct CMUnitTest *test;
	CMFixtureFunction setup, teardown; /* of the group */
};

/* In place of cmocka's. */
void
_fail(const char *const file, const int line)
{
	fprintf(stderr, "%s:%d\n", file, line);
	torture_notice();
}

static void
run(void *arg)
{
	const struct test *t = arg;
	void *group = NULL;
	void *state;

	if (t->setup != NULL && t->setup(&group) != 0)
		torture_notice();
	state = t->test->initial_state != NULL ? t->test->initial_state : group;
	torture_begin();
	if (t->test->setup_func != NULL && t->test->setup_func(&state) != 0)
		torture_notice();
	t->test->test_func(&state);
	if (t->test->teardown_func != NULL &&
	    t->test->teardown_func(&state) != 0)
		torture_notice();
	torture_end();
	if (t->teardown != NULL)
		(void)t->teardown(&group);
}

int
_cmocka_run_group_tests(const char *group, const struct CMUnitTest *const tests,
    const size_t count, CMFixtureFunction setup, CMFixtureFunction teardown)
{
	(void)group;
	for (size_t i = 0; i < count; i++) {
		struct test test = { tests + i, setup, teardown };

		torture_case(tests[i].name, run, &test);
	}
	return torture_sum();
}
