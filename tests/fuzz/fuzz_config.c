/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as a configuration file: refused or loaded, never a crash, a leak
 * or a hang; and what is loaded can be printed. */
#include <stdio.h>
#include <stdlib.h>

#include "vulnbus/config.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct view text = { (const char *)data, len };
	struct config *config = NULL;
	struct error err = { "" };
	char *printed = NULL;
	size_t printed_len = 0;

	if (config_parse("fuzz.yaml", text, &config, &err) != STATUS_OK)
		return 0;

	FILE *out = open_memstream(&printed, &printed_len);

	if (out) {
		config_print(config, out);
		(void)fclose(out);
	}
	free(printed);
	config_free(config);
	return 0;
}
