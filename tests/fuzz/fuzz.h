/* SPDX-License-Identifier: Apache-2.0
 *
 * What the fuzz targets share. A target needs no stub: it links with the
 * library as it is. A broken promise ends the process. */
#ifndef VULNBUS_TESTS_FUZZ_H
#define VULNBUS_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vulnbus/view.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* What a broken promise leads to; when memory runs out (tests/torture) some
 * cannot be kept. */
#ifndef FUZZ_GIVE_UP
#define FUZZ_GIVE_UP abort
#endif

#define REQUIRE(promise)                                                 \
	do {                                                             \
		if (!(promise)) {                                        \
			fprintf(stderr, "%s:%d: broken: %s\n", __FILE__, \
			    __LINE__, #promise);                         \
			FUZZ_GIVE_UP();                                  \
		}                                                        \
	} while (0)

#endif
