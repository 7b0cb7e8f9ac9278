/* SPDX-License-Identifier: Apache-2.0
 *
 * Memory that runs out on command. A case is run in a process of its own with
 * its 1st, 2nd, 3rd ... allocation failing, until none is left to fail. It may
 * notice (a test's assertion does) or not; it may not crash, hang, leak, or
 * break a rule of the sanitizers. */
#ifndef VULNBUS_TESTS_TORTURE_H
#define VULNBUS_TESTS_TORTURE_H

#include <stdint.h>

/* Runs the case and adds what is found to the sum. */
void
torture_case(const char *name, void (*run)(void *arg), void *arg);

/* Within a case: allocations from here on fail, or do not any more. */
void
torture_begin(void);

void
torture_end(void);

/* Within a case: it noticed. What its functions still hold is on the stack
 * and no leak; what nothing leads to any more is one. */
_Noreturn void
torture_notice(void);

/* Within a case: how long to wait for what takes at most `usual` when no
 * allocation fails. */
int64_t
torture_patience_ms(int64_t usual);

/* Prints the sum; the program's exit status. */
int
torture_sum(void);

#endif
