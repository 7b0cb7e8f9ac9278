/* SPDX-License-Identifier: Apache-2.0 */
#include "vulnbus/tool.h"

#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "vulnbus/binding.h"
#include "vulnbus/daemon.h"
#include "vulnbus/log.h"

const struct tool_command *
tool_find_command(const struct tool *tool, struct view name)
{
	for (const struct tool_command *command = tool->commands;
	     command->name != NULL; command++)
		if (view_is(name, command->name))
			return command;
	return NULL;
}

void
tool_print_help(const struct tool_command *command, FILE *out)
{
	fprintf(out, "usage: vulnbus %s [-c FILE] [-v]%s%s\n\n%s\n\n",
	    command->name, command->arguments[0] == '\0' ? "" : " ",
	    command->arguments, command->summary);
	fputs(TOOL_COMMON_HELP, out);
	if (command->options != NULL)
		fprintf(out, "\n%s", command->options);
}

int
tool_option(struct tool *tool, int argc, char **argv, const char *short_options,
    const struct option *options)
{
	for (;;) {
		const int option = getopt_long(
		    argc, argv, short_options, options, NULL);

		switch (option) {
		case 'c':
			tool->config_path = optarg;
			break;
		case 'v':
			tool->is_verbose = true;
			log_open("vulnbus", LOG_LEVEL_DEBUG);
			break;
		case TOOL_NO_COLOUR:
			tool->is_colour = false;
			break;
		case 'h':
			tool_print_help(tool->command, stdout);
			tool->exit_status = EX_OK;
			return TOOL_OPTION_STOP;
		case '?':
			/* getopt has said what it does not know. */
			fprintf(stderr,
			    "usage: vulnbus %s [-c FILE] [-v]%s%s\n",
			    tool->command->name,
			    tool->command->arguments[0] == '\0' ? "" : " ",
			    tool->command->arguments);
			tool->exit_status = EX_USAGE;
			return TOOL_OPTION_STOP;
		default:
			return option;
		}
	}
}

int
tool_no_options(struct tool *tool, int argc, char **argv)
{
	static const struct option options[] = { TOOL_LONG_OPTIONS };

	if (tool_option(tool, argc, argv, TOOL_SHORT_OPTIONS, options) ==
	    TOOL_OPTION_STOP)
		return tool->exit_status;
	if (optind < argc)
		return tool_usage(tool, "takes no argument: %s", argv[optind]);
	return -1;
}

static void
say(const struct tool *tool, const char *fmt, va_list args)
{
	char text[1024];

	vsnprintf(text, sizeof(text), fmt, args);
	fprintf(stderr, "vulnbus %s: %s\n", tool->command->name, text);
}

int
tool_usage(const struct tool *tool, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	say(tool, fmt, args);
	va_end(args);
	fprintf(stderr, "usage: vulnbus %s [-c FILE] [-v]%s%s\n",
	    tool->command->name, tool->command->arguments[0] == '\0' ? "" : " ",
	    tool->command->arguments);
	return EX_USAGE;
}

int
tool_fail(const struct tool *tool, int exit_status, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	say(tool, fmt, args);
	va_end(args);
	return exit_status;
}

int
tool_load_config(const struct tool *tool, struct config **out_config)
{
	struct config *config = NULL;
	struct error err;
	enum status status = config_load(tool->config_path, &config, &err);

	if (status == STATUS_OK)
		status = bindings_check(config, &err);
	if (status != STATUS_OK) {
		/* Alone on its line, so that editors find the place. */
		fprintf(stderr, "%s\n", err.text);
		config_free(config);
		return daemon_config_exit(status);
	}
	*out_config = config;
	return -1;
}

int
tool_fail_kafka(const struct tool *tool, const struct config *config,
    enum status status, const struct error *err)
{
	switch (status) {
	case STATUS_INVALID:
		return tool_fail(tool, EX_CONFIG, "%s", err->text);
	case STATUS_MISSING:
		return tool_fail(tool, EX_NOINPUT, "%s", err->text);
	case STATUS_UNPROVED:
		return tool_fail(tool, EX_NOPERM,
		    "%s (`vulnbus topics --acls kafka-acls` prints what is "
		    "needed)",
		    err->text);
	case STATUS_NO_MEMORY:
		return tool_fail(tool, EX_OSERR, "%s", err->text);
	default:
		return tool_fail(tool, EX_UNAVAILABLE,
		    "no answer from Kafka at %s: %s",
		    config->kafka.bootstrap_servers, err->text);
	}
}

static volatile sig_atomic_t is_interrupted;

static void
on_signal(int signal_number)
{
	(void)signal_number;
	is_interrupted = 1;
}

void
tool_catch_signals(void)
{
	/* Without SA_RESTART: a wait ends at once. */
	const struct sigaction action = { .sa_handler = on_signal };

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
}

bool
tool_is_interrupted(void)
{
	return is_interrupted != 0;
}

/* A pipe tells that nobody reads it any more before anything is written. */
bool
tool_is_output_gone(void)
{
	struct pollfd out = { .fd = STDOUT_FILENO };

	return ferror(stdout) != 0 ||
	       (poll(&out, 1, 0) == 1 &&
		   (out.revents & (POLLERR | POLLHUP)) != 0);
}

const char *
tool_paint(bool is_colour, enum tool_paint paint)
{
	static const char *const sequences[] = {
		[PAINT_PLAIN] = "\033[0m",
		[PAINT_BOLD] = "\033[1m",
		[PAINT_DIM] = "\033[2m",
		[PAINT_RED] = "\033[31m",
		[PAINT_GREEN] = "\033[32m",
		[PAINT_YELLOW] = "\033[33m",
		[PAINT_BLUE] = "\033[34m",
		[PAINT_MAGENTA] = "\033[35m",
		[PAINT_CYAN] = "\033[36m",
	};

	return is_colour ? sequences[paint] : "";
}
