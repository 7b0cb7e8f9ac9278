/* SPDX-License-Identifier: Apache-2.0
 *
 * What the analysers, who look at one file at a time, cannot know: both give
 * back the status that they are given. */
#include "vulnbus/status.h"

#define error_set(err, status, ...) \
	((void)(error_set)(err, status, __VA_ARGS__), (status))
#define error_add(err, status, ...) \
	((void)(error_add)(err, status, __VA_ARGS__), (status))
