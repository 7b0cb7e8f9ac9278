/* SPDX-License-Identifier: Apache-2.0
 *
 * The operator's tool: times as people type them, records as lines and JSON.
 * The library does not hold the tool, so its files are taken in whole. */
#include "check.h"

#include "../../bridge/tool/tool.c"
#include "../../bridge/tool/tool_line.c"
#include "../../bridge/tool/tool_time.c"
