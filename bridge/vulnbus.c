/* SPDX-License-Identifier: Apache-2.0
 *
 * vulnbus: the operator's tool. This file is the table of its commands and
 * finds the one that is meant. */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "vulnbus/daemon.h"
#include "vulnbus/log.h"
#include "vulnbus/tool.h"
#include "vulnbus/version.h"

#define NAME     "vulnbus"
#define OWN_HELP "  -V, --version      print the version and exit\n"

static tool_command_f help;
static tool_command_f version;

static const struct tool_command commands[] = {
	{ "demo", "[--kafka HOST:PORT] [--rows N] [--keep]",
	    "show everything at work in this terminal",
	    "      --kafka HOST:PORT  use this Kafka, not the embedded broker\n"
	    "      --rows N           rows of the export (default 2000)\n"
	    "      --keep             leave everything running until Ctrl-C\n",
	    tool_demo },
	{ "check-config", "", "check the configuration and say what is wrong",
	    NULL, tool_check_config },
	{ "print-config", "",
	    "print the effective configuration, secrets masked", NULL,
	    tool_print_config },
	{ "config-reference", "[--mdoc]",
	    "print every key with its default and bounds (Markdown)",
	    "      --mdoc  as part of a manual page\n", tool_config_reference },
	{ "config-example", "", "print a commented example configuration", NULL,
	    tool_config_example },
	{ "metrics-reference", "",
	    "print every metric with its labels and unit (Markdown)", NULL,
	    tool_metrics_reference },
	{ "topics", "[--create | --diff | --acls FORMAT]",
	    "list the topics, create or compare them, or print their ACLs",
	    "      --create          create the topics that are missing\n"
	    "      --diff            explain what is not as configured, and "
	    "what mends it\n"
	    "      --acls FORMAT     print what each program may do on Kafka, "
	    "no more than it\n"
	    "                        needs: kafka-acls (commands) or strimzi "
	    "(KafkaUser)\n"
	    "      --ingress NAME    principal of vulnbus-ingress (default: "
	    "that name)\n"
	    "      --enricher NAME   of vulnbus-enricher\n"
	    "      --operator NAME   of who uses this tool (default "
	    "vulnbus-operator)\n"
	    "      --cluster NAME    of the Kafka resource, with strimzi "
	    "(default my-cluster)\n"
	    "      --command-config FILE  put into the commands that are "
	    "printed\n"
	    "\n"
	    "Compared are partitions, copies (when configured), retention, "
	    "cleanup.policy and\n"
	    "max.message.bytes. Exit status 0: as configured; 1: not so, or "
	    "missing; 77: the\n"
	    "brokers do not let us ask (DescribeConfigs). Programs may create "
	    "topics only\n"
	    "with topics.create.\n",
	    tool_topics },
	{ "tail", "[options] [TOPIC...]",
	    "read the records of topics, or follow them",
	    "  -f, --follow          wait for more; without --from-beginning or "
	    "--since\n"
	    "                        only what comes from now on\n"
	    "      --from-beginning  from the first record (default unless "
	    "following)\n"
	    "  -n, --count N         end after N records; waits for those to "
	    "come\n"
	    "      --source NAME     only of this source\n"
	    "      --kind KIND       only of this kind: scan.completed, or scan\n"
	    "      --id ID           only of this event or record\n"
	    "      --key KEY         only with this key\n"
	    "      --since TIME      only from this time on: RFC 3339, or -2h\n"
	    "      --until TIME      only up to this time\n"
	    "      --table           a table; what does not fit is cut\n"
	    "      --json            a JSON document a line\n"
	    "      --pretty          JSON on several lines\n"
	    "\n"
	    "TOPIC is a short name (scans) or a full one (vulnbus.scans.v1); "
	    "without any,\n"
	    "all topics but state. Records that cannot be decoded are named on "
	    "standard\n"
	    "error (as {\"error\": ...} with --json or --pretty) and passed "
	    "over. What would\n"
	    "steer a terminal is shown as \"?\", in JSON as an escape.\n",
	    tool_tail },
	{ "replay", "[options] TOPIC | --resume ID [--rate N]",
	    "send records of a topic again",
	    "      --from BOUND      from this on\n"
	    "      --to BOUND        up to before this: RFC 3339, -2h, or "
	    "@OFFSET (in every\n"
	    "                        partition)\n"
	    "      --source NAME     only of this source\n"
	    "      --kind KIND       only of this kind: scan.completed, or "
	    "scan\n"
	    "      --id ID           only of this event or record\n"
	    "      --key KEY         only with this key\n"
	    "      --to-topic TOPIC  to this topic (default: the same); dead "
	    "letters that go\n"
	    "                        to events become the events they hold\n"
	    "      --rate N          at most N records a second\n"
	    "      --dry-run         send nothing; count by source, kind and "
	    "day (UTC)\n"
	    "  -y, --yes             do not ask, however many records there "
	    "are\n"
	    "      --resume ID       go on with a replay that did not end\n"
	    "\n"
	    "Key, value, time and headers stay; the header vulnbus-replay "
	    "is added, with an\n"
	    "id of this replay, and vulnbus-origin-*, where the record was "
	    "first. The enricher\n"
	    "works on a replayed event again, once per replay.\n"
	    "\n"
	    "Exit status 75: a signal ended it; --resume goes on behind the "
	    "last record.\n",
	    tool_replay },
	{ "export", "[--query JSON] [--id ID] [--no-wait] SOURCE",
	    "ask a vendor for an export whose webhook comes here",
	    "      --query JSON  what to export, in the vendor's grammar "
	    "(default {}: all)\n"
	    "      --id ID       ask for nothing: expect the export of that "
	    "id, which was\n"
	    "                    asked for elsewhere\n"
	    "      --no-wait     do not follow it until its manifest is on the "
	    "topic\n"
	    "\n"
	    "Exit status 0: it is complete (or, with --no-wait, asked for); 1: "
	    "it failed or\n"
	    "was given up; 75: a signal ended the waiting.\n"
	    "\n"
	    "When no webhook has come after api.reconcile_every, the enricher "
	    "asks the vendor.\n",
	    tool_export },
	{ "register", "[--list | --remove] [options] SOURCE",
	    "tell a vendor where its webhooks go, or print how to",
	    "      --list          print the webhooks the vendor has\n"
	    "      --remove        remove this source's webhook\n"
	    "      --target ID     of one target (Probely), not of the account\n"
	    "      --undocumented  through the vendor's API though it is not "
	    "documented for\n"
	    "                      this (VDR, Delve, SecurityScorecard); else "
	    "the steps are printed\n"
	    "      --body JSON     what is sent, with {url} and {name} for the "
	    "webhook's\n"
	    "      --show-url      print URLs with their secrets\n"
	    "\n"
	    "Adding what is there already changes nothing.\n",
	    tool_register },
	{ "send", "[options] SOURCE",
	    "send a webhook to an ingress, as the vendor does",
	    "      --list            print the kinds this vendor sends, and "
	    "their bodies\n"
	    "      --kind KIND       scan.completed, ... (default: the first "
	    "of --list)\n"
	    "      --id ID           of what it is about (default: a new one, "
	    "or an example's)\n"
	    "      --status WORD     in the vendor's words\n"
	    "      --attempt N       the vendor's count of attempts\n"
	    "      --set NAME=VALUE  any other value that --list shows as "
	    "{NAME=...}\n"
	    "      --body FILE       this in place of a body of --list; - is "
	    "standard input\n"
	    "      --key FILE        sign with this private P-521 key, PEM or "
	    "JWK (default: with\n"
	    "                        a new one, whose public half is "
	    "printed)\n"
	    "      --public-key FILE  write the public half there, as PEM\n"
	    "      --url URL         of the ingress (default: "
	    "ingress.public_url)\n"
	    "      --ca-file FILE    authorities of the ingress' certificate\n"
	    "      --show-url        print the URL with its secret\n"
	    "      --dry-run         print what would be sent, send nothing\n"
	    "  -n, --count N         send N of them, all with other ids\n"
	    "      --rate R          at most R a second\n"
	    "      --concurrency C   at most C at once (default 8)\n"
	    "\n"
	    "An ingress takes what a key of this command signed when its "
	    "public half is one\n"
	    "of the source's signature.key_files. What is sent is an event "
	    "like any other: the\n"
	    "enricher asks the vendor about it.\n"
	    "\n"
	    "Exit status 0: all were answered 202; 1: some were not; 69: some "
	    "had no answer;\n"
	    "75: a signal ended it.\n",
	    tool_send },
	{ "completion", "bash|zsh|fish",
	    "print a script with which that shell completes this tool's words",
	    "For bash: . <(vulnbus completion bash); for zsh the same, behind "
	    "compinit; for\n"
	    "fish: vulnbus completion fish | source. The script asks vulnbus "
	    "what fits.\n",
	    tool_completion },
	{ "help", "[--mdoc | COMMAND]", "print this, or what a command takes",
	    "      --mdoc  all commands, as part of a manual page\n", help },
	{ "version", "", "print the version", NULL, version },
	{ 0 },
};

static void
print_usage(FILE *out)
{
	fprintf(out, "usage: %s [-c FILE] [-v] COMMAND [options]\n\n%s%s\n",
	    NAME, TOOL_COMMON_HELP, OWN_HELP);
	for (const struct tool_command *command = commands;
	     command->name != NULL; command++)
		fprintf(out, "  %-17s %s\n", command->name, command->summary);
}

static int
help(struct tool *tool, int argc, char **argv)
{
	static const struct option options[] = {
		{ "mdoc", no_argument, NULL, 'm' },
		TOOL_LONG_OPTIONS,
	};
	const struct tool_command *command;

	switch (tool_option(tool, argc, argv, TOOL_SHORT_OPTIONS, options)) {
	case TOOL_OPTION_STOP:
		return tool->exit_status;
	case 'm':
		tool_print_manual(tool);
		return EX_OK;
	default:
		break;
	}
	if (optind == argc) {
		print_usage(stdout);
		return EX_OK;
	}
	command = tool_find_command(tool, view_of(argv[optind]));
	if (command == NULL)
		return tool_usage(tool, "no such command: %s", argv[optind]);
	tool_print_help(command, stdout);
	return EX_OK;
}

static int
version(struct tool *tool, int argc, char **argv)
{
	const int exit_status = tool_no_options(tool, argc, argv);

	if (exit_status >= 0)
		return exit_status;
	printf("%s %s\n", NAME, VULNBUS_VERSION);
	return EX_OK;
}

/* -1 to go on with the command at optind, else the exit status. */
static int
read_options(struct tool *tool, int argc, char **argv)
{
	static const struct option options[] = {
		{ "version", no_argument, NULL, 'V' },
		TOOL_LONG_OPTIONS,
	};
	int option;

	/* "+": what stands after the command is the command's. */
	while ((option = getopt_long(argc, argv, "+" TOOL_SHORT_OPTIONS "V",
		    options, NULL)) != -1) {
		switch (option) {
		case 'c':
			tool->config_path = optarg;
			break;
		case 'v':
			tool->is_verbose = true;
			break;
		case TOOL_NO_COLOUR:
			tool->is_colour = false;
			break;
		case 'V':
			printf("%s %s\n", NAME, VULNBUS_VERSION);
			return EX_OK;
		case 'h':
			print_usage(stdout);
			return EX_OK;
		default:
			print_usage(stderr);
			return EX_USAGE;
		}
	}
	return -1;
}

static bool
wants_colour(void)
{
	const char *no_colour = getenv("NO_COLOR");
	const char *terminal = getenv("TERM");

	/* no-color.org: "when present and not an empty string". */
	return (no_colour == NULL || no_colour[0] == '\0') &&
	       (terminal == NULL || strcmp(terminal, "dumb") != 0) &&
	       isatty(STDOUT_FILENO);
}

/* A reader that has seen enough (head, less) is no failure. What errno said
 * at the first failed write is long gone; the pipe itself still knows. */
static int
end_output(int exit_status)
{
	struct pollfd out = { .fd = STDOUT_FILENO };

	if (fflush(stdout) == 0 && !ferror(stdout))
		return exit_status;
	if (poll(&out, 1, 0) == 1 && (out.revents & POLLERR) != 0)
		return exit_status;
	fprintf(stderr, "%s: standard output cannot be written\n", NAME);
	return exit_status == EX_OK ? EX_IOERR : exit_status;
}

int
main(int argc, char **argv)
{
	struct tool tool = {
		.commands = commands,
		.own_help = OWN_HELP,
		.config_path = VULNBUS_CONFIG_PATH,
	};
	static char name[64];
	int exit_status;

	signal(SIGPIPE, SIG_IGN);
	tool.is_colour = wants_colour();
	exit_status = read_options(&tool, argc, argv);
	if (exit_status >= 0)
		return end_output(exit_status);
	if (optind == argc) {
		print_usage(stderr);
		return EX_USAGE;
	}
	tool.command = tool_find_command(&tool, view_of(argv[optind]));
	if (tool.command == NULL) {
		fprintf(
		    stderr, "%s: no such command: %s\n\n", NAME, argv[optind]);
		print_usage(stderr);
		return EX_USAGE;
	}
	argc -= optind;
	argv += optind;
	snprintf(name, sizeof(name), "%s %s", NAME, tool.command->name);
	argv[0] = name; /* getopt puts it in front of its messages */
	optind = 0;     /* glibc: begin again, with other rules */
	/* The libraries' warnings are about what the commands report too. */
	log_open(NAME, tool.is_verbose ? LOG_LEVEL_DEBUG : LOG_LEVEL_ERROR);
	return end_output(tool.command->run(&tool, argc, argv));
}
