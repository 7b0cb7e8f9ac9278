/* SPDX-License-Identifier: Apache-2.0
 *
 * What the unit tests share: assertions that print both sides, and a random
 * sequence that can be repeated. */
#ifndef VULNBUS_TESTS_CHECK_H
#define VULNBUS_TESTS_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vulnbus/view.h"

#define COUNT(a) (sizeof(a) / sizeof(*(a)))

/* Under torture (tests/torture) a test is run over and over. `IS_TORTURED`: its
 * steps may be longer. And what it waits for need not come any more. */
#ifdef VULNBUS_TESTS_TORTURE_H
#define IS_TORTURED           true
#define PATIENCE_OF_MS(usual) torture_patience_ms(usual)
#else
#define IS_TORTURED           false
#define PATIENCE_OF_MS(usual) (usual)
#endif

#define assert_view(v, expected) \
	check_view((v), view_of(expected), __FILE__, __LINE__)
#define assert_bytes(v, ...) check_view((v), (__VA_ARGS__), __FILE__, __LINE__)
#define assert_status(status, expected) \
	check_status((status), (expected), "", __FILE__, __LINE__)
/* `what` says which row of a table it was. */
#define assert_status_of(what, status, expected) \
	check_status((status), (expected), (what), __FILE__, __LINE__)
#define assert_ok(status, err) check_ok((status), (err), __FILE__, __LINE__)
#define assert_contains(text, part) \
	check_contains((text), (part), __FILE__, __LINE__)

static inline void
check_view(struct view v, struct view expected, const char *file, int line)
{
	if (view_equal(v, expected))
		return;
	print_error("got      \"%.*s\" (%zu bytes)\n", VIEW_ARGS(v), v.len);
	print_error("expected \"%.*s\" (%zu bytes)\n", VIEW_ARGS(expected),
	    expected.len);
	_fail(file, line);
}

static inline void
check_status(enum status status, enum status expected, const char *what,
    const char *file, int line)
{
	if (status == expected)
		return;
	print_error("got %s, expected %s: %s\n", status_name(status),
	    status_name(expected), what);
	_fail(file, line);
}

static inline void
check_ok(
    enum status status, const struct error *err, const char *file, int line)
{
	if (status == STATUS_OK)
		return;
	print_error("got %s: %s\n", status_name(status), err->text);
	_fail(file, line);
}

static inline void
check_contains(const char *text, const char *part, const char *file, int line)
{
	if (strstr(text, part) != NULL)
		return;
	print_error("\"%s\" is not in \"%s\"\n", part, text);
	_fail(file, line);
}

/* Knuth's MMIX. The start value is printed; VULNBUS_SEED gives another. */
static inline uint64_t
check_seed(void)
{
	const char *given = getenv("VULNBUS_SEED");
	const uint64_t seed = given == NULL ? 20200827
					    : strtoull(given, NULL, 10);

	print_message("VULNBUS_SEED=%llu\n", (unsigned long long)seed);
	return seed;
}

static inline uint32_t
check_random(uint64_t *state, uint32_t below)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(*state >> 33) % below;
}

#endif
