/* SPDX-License-Identifier: Apache-2.0
 *
 * The commands that show the configuration, and what else is a table:
 * check-config, print-config, config-reference, config-example,
 * metrics-reference. */
#include <stdio.h>
#include <sysexits.h>

#include "vulnbus/daemon.h"
#include "vulnbus/http_tls.h"
#include "vulnbus/metrics.h"
#include "vulnbus/tool.h"

int
tool_check_config(struct tool *tool, int argc, char **argv)
{
	struct config *config = NULL;
	int exit_status = tool_no_options(tool, argc, argv);
	enum status status;
	struct error err;

	if (exit_status < 0)
		exit_status = tool_load_config(tool, &config);
	if (exit_status >= 0)
		return exit_status;
	status = http_tls_check(config, &err);
	if (status == STATUS_OK)
		printf("%s: ok\n", config->path);
	else
		fprintf(stderr, "%s\n", err.text);
	config_free(config);
	return status == STATUS_OK ? EX_OK : daemon_config_exit(status);
}

int
tool_print_config(struct tool *tool, int argc, char **argv)
{
	struct config *config = NULL;
	int exit_status = tool_no_options(tool, argc, argv);

	if (exit_status < 0)
		exit_status = tool_load_config(tool, &config);
	if (exit_status >= 0)
		return exit_status;
	config_print(config, stdout);
	config_free(config);
	return EX_OK;
}

int
tool_config_reference(struct tool *tool, int argc, char **argv)
{
	static const struct option options[] = {
		{ "mdoc", no_argument, NULL, 'm' },
		TOOL_LONG_OPTIONS,
	};
	bool is_mdoc = false;
	int option;

	while ((option = tool_option(tool, argc, argv, TOOL_SHORT_OPTIONS,
		    options)) != TOOL_OPTION_END) {
		if (option == TOOL_OPTION_STOP)
			return tool->exit_status;
		is_mdoc = true;
	}
	if (optind < argc)
		return tool_usage(tool, "takes no argument: %s", argv[optind]);
	if (is_mdoc)
		config_print_manual(stdout);
	else
		config_print_reference(stdout);
	return EX_OK;
}

int
tool_metrics_reference(struct tool *tool, int argc, char **argv)
{
	const int exit_status = tool_no_options(tool, argc, argv);

	if (exit_status >= 0)
		return exit_status;
	metrics_print_reference(stdout);
	return EX_OK;
}

int
tool_config_example(struct tool *tool, int argc, char **argv)
{
	const int exit_status = tool_no_options(tool, argc, argv);

	if (exit_status >= 0)
		return exit_status;
	config_print_example(stdout);
	return EX_OK;
}
