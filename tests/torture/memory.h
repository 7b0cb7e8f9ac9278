/* SPDX-License-Identifier: Apache-2.0
 *
 * The allocations of one case, counted, and made to fail. */
#ifndef VULNBUS_TESTS_TORTURE_MEMORY_H
#define VULNBUS_TESTS_TORTURE_MEMORY_H

#include <stdbool.h>

/* Once, before the first case. */
void
memory_prepare(void);

/* In a child: the allocation of this number will fail, from 1, and say where it
 * is if it `tells`. With 0 none does, and they are noted for the parent. */
void
memory_fail(unsigned long number, bool tells);

/* Those noted of the last run in which none failed. */
unsigned long
memory_made(void);

/* Whether this one of them should fail; to be asked of each, from 1: of those
 * that are made at one place the first few, since a loop, or a library, would
 * do the same over and over. */
bool
memory_is_worth_it(unsigned long number);

#endif
