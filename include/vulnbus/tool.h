/* SPDX-License-Identifier: Apache-2.0
 *
 * What the commands of `vulnbus` share: options, the configuration, colour,
 * signals. A command is one function; bridge/vulnbus.c has the table. */
#ifndef VULNBUS_TOOL_H
#define VULNBUS_TOOL_H

#include <getopt.h>

#include "vulnbus/config.h"
#include "vulnbus/daemon.h"

struct tool_command;

struct tool {
	const struct tool_command *commands; /* all; the last has no name */
	const struct tool_command *command;  /* that runs */
	const char *own_help;                /* options before any command */
	const char *config_path;
	bool is_verbose;
	bool is_colour;
	int exit_status; /* once tool_option says TOOL_OPTION_STOP */
};

/* Returns the exit status (sysexits). argv[0] is for messages. */
typedef int
tool_command_f(struct tool *tool, int argc, char **argv);

struct tool_command {
	const char *name;
	const char *arguments; /* of its usage line */
	const char *summary;
	const char *options; /* lines of its own options, or NULL */
	tool_command_f *run;
};

/* For every command's list of options; short ones stand in front. */
#define TOOL_NO_COLOUR     256
#define TOOL_SHORT_OPTIONS "c:vh"
#define TOOL_LONG_OPTIONS                                      \
	{ "config", required_argument, NULL, 'c' },            \
	    { "verbose", no_argument, NULL, 'v' },             \
	    { "no-color", no_argument, NULL, TOOL_NO_COLOUR }, \
	    { "help", no_argument, NULL, 'h' },                \
	{                                                      \
		NULL, 0, NULL, 0                               \
	}

/* Their help. */
#define TOOL_COMMON_HELP                                                   \
	"  -c, --config FILE  configuration (default " VULNBUS_CONFIG_PATH \
	")\n"                                                              \
	"  -v, --verbose      log what the libraries do\n"                 \
	"      --no-color     no colour, as with NO_COLOR set\n"           \
	"  -h, --help         print this, or what a command takes\n"

#define TOOL_OPTION_END  (-1)
#define TOOL_OPTION_STOP (-2)

/* As getopt_long; the options that all commands share are dealt with here.
 * TOOL_OPTION_STOP: leave with tool->exit_status, help or usage is printed. */
int
tool_option(struct tool *tool, int argc, char **argv, const char *short_options,
    const struct option *options);

/* A command without options of its own and without arguments: -1 to go on,
 * else the exit status. */
int
tool_no_options(struct tool *tool, int argc, char **argv);

/* Says what is wrong with the call; returns EX_USAGE. */
int
tool_usage(const struct tool *tool, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* NULL when there is none of that name. */
const struct tool_command *
tool_find_command(const struct tool *tool, struct view name);

/* All commands and options as part of a manual page, in mdoc(7). */
void
tool_print_manual(const struct tool *tool);

void
tool_print_help(const struct tool_command *command, FILE *out);

/* Says what went wrong; returns `exit_status`. */
int
tool_fail(const struct tool *tool, int exit_status, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

/* Reads and checks the configuration as the daemons do. -1 to go on, else the
 * exit status (66, 78) with the reason printed. */
int
tool_load_config(const struct tool *tool, struct config **out_config);

/* Says what a call to Kafka came to; returns the exit status for it. */
int
tool_fail_kafka(const struct tool *tool, const struct config *config,
    enum status status, const struct error *err);

/* SIGINT, SIGTERM and SIGHUP no longer end the process but set a mark. */
void
tool_catch_signals(void);

bool
tool_is_interrupted(void);

/* Standard output can no longer be written: its reader has gone, which is
 * known even while there is nothing to write. */
bool
tool_is_output_gone(void);

enum tool_paint {
	PAINT_PLAIN,
	PAINT_BOLD,
	PAINT_DIM,
	PAINT_RED,
	PAINT_GREEN,
	PAINT_YELLOW,
	PAINT_BLUE,
	PAINT_MAGENTA,
	PAINT_CYAN,
};

/* The terminal's sequence, or "" when there is to be no colour. */
const char *
tool_paint(bool is_colour, enum tool_paint paint);

/* The commands. */
tool_command_f tool_check_config;
tool_command_f tool_print_config;
tool_command_f tool_config_reference;
tool_command_f tool_config_example;
tool_command_f tool_metrics_reference;
tool_command_f tool_topics;
tool_command_f tool_tail;
tool_command_f tool_replay;
tool_command_f tool_export;
tool_command_f tool_register;
tool_command_f tool_send;
tool_command_f tool_demo;
tool_command_f tool_completion;

#endif
