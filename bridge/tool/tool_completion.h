/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VULNBUS_TOOL_COMPLETION_H
#define VULNBUS_TOOL_COMPLETION_H

/* The script of "bash", "zsh" or "fish"; NULL for any other. */
const char *
completion_script(const char *shell);

#endif
