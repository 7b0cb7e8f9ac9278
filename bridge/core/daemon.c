/* SPDX-License-Identifier: Apache-2.0 */
#include "vulnbus/daemon.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "vulnbus/confine.h"
#include "vulnbus/log.h"
#include "vulnbus/secret.h"
#include "vulnbus/version.h"

#define KEYS_BYTES_MAX 8192

static void
print_usage(const char *service, FILE *out)
{
	fprintf(out,
	    "usage: %s [-c FILE] [-v] [--check-config] [--version]\n"
	    "  -c, --config FILE   configuration (default %s)\n"
	    "      --check-config  check the configuration and exit\n"
	    "  -v, --verbose       log every request too\n"
	    "  -V, --version       print the version and exit\n",
	    service, VULNBUS_CONFIG_PATH);
}

/* ${env:HOSTNAME} is in the defaults, and who starts a daemon may not say it:
 * shells do, supervisors do not. No thread runs yet. */
static void
know_host(void)
{
	const char *known = getenv("HOSTNAME");
	char name[256] = "";

	if (known != NULL && known[0] != '\0')
		return;
	if (gethostname(name, sizeof(name) - 1) == 0 && name[0] != '\0')
		setenv("HOSTNAME", name, 1);
}

int
daemon_config_exit(enum status status)
{
	return status == STATUS_MISSING ? EX_NOINPUT : EX_CONFIG;
}

enum status
daemon_load(const char *path, daemon_check_f *check, struct config **out_config,
    struct error *err)
{
	struct config *config = NULL;
	enum status status = config_load(path, &config, err);

	if (status == STATUS_OK)
		status = check(config, err);
	if (status != STATUS_OK) {
		config_free(config);
		return status;
	}
	*out_config = config;
	return STATUS_OK;
}

int
daemon_start(const char *service, int argc, char **argv, daemon_check_f *check,
    struct config **out_config)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "check-config", no_argument, NULL, 'k' },
		{ "verbose", no_argument, NULL, 'v' },
		{ "version", no_argument, NULL, 'V' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	const char *path = VULNBUS_CONFIG_PATH;
	enum log_level least = LOG_LEVEL_INFO;
	bool is_check = false;
	enum status status;
	struct error err;
	int option;

	while (
	    (option = getopt_long(argc, argv, "c:vVh", options, NULL)) != -1) {
		switch (option) {
		case 'c':
			path = optarg;
			break;
		case 'k':
			is_check = true;
			break;
		case 'v':
			least = LOG_LEVEL_DEBUG;
			break;
		case 'V':
			printf("%s %s\n", service, VULNBUS_VERSION);
			return 0;
		case 'h':
			print_usage(service, stdout);
			return 0;
		default:
			print_usage(service, stderr);
			return EX_USAGE;
		}
	}
	if (optind != argc) {
		print_usage(service, stderr);
		return EX_USAGE;
	}
	log_open(service, least);
	know_host();
	secret_begin();
	status = daemon_load(path, check, out_config, &err);
	if (status != STATUS_OK) {
		fprintf(stderr, "%s\n", err.text);
		return daemon_config_exit(status);
	}
	if (!is_check)
		return -1;
	config_free(*out_config);
	*out_config = NULL;
	return EX_OK;
}

static void
signals_of_interest(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGHUP);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGINT);
}

void
daemon_block_signals(void)
{
	sigset_t set;

	signals_of_interest(&set);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
}

enum daemon_event
daemon_wait(uint32_t ms)
{
	const struct timespec timeout = { .tv_sec = ms / 1000,
		.tv_nsec = (long)(ms % 1000) * 1000000 };
	sigset_t set;

	signals_of_interest(&set);
	switch (sigtimedwait(&set, NULL, &timeout)) {
	case SIGHUP:
		return DAEMON_RELOAD;
	case SIGTERM:
	case SIGINT:
		return DAEMON_STOP;
	default:
		return DAEMON_TICK;
	}
}

static void
end_now(int signal_number)
{
	(void)signal_number;
	_exit(EX_OK);
}

void
daemon_end_within(uint32_t ms)
{
	signal(SIGALRM, end_now);
	alarm((ms + 999) / 1000);
}

void
daemon_say_reloaded(
    const struct config *in_force, const struct config *loaded, const char *but)
{
	struct buffer keys;

	LOG_INFO("configuration reloaded",
	    LOG_INT("sources", (int64_t)loaded->source_count));
	buffer_init(&keys, KEYS_BYTES_MAX);
	config_name_fixed(in_force, loaded, but, &keys);
	if (keys.len > 0)
		LOG_WARN("some keys will change at a restart",
		    LOG_VIEW("keys", buffer_view(&keys)));
	buffer_clear(&keys);
}

void
daemon_say_not_reloaded(const struct error *why)
{
	static const char message[] =
	    "configuration not reloaded, the old one stays";

	if (confine_is_why(why))
		LOG_WARN(message, LOG_TEXT("error.message", why->text),
		    LOG_TEXT("hint",
			"in the sandbox, files outside the folders that were "
			"named at the start are there after a restart"));
	else
		LOG_WARN(message, LOG_TEXT("error.message", why->text));
}

void
daemon_notify(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	size_t len;
	int fd;

	if (path == NULL || (path[0] != '/' && path[0] != '@'))
		return;
	len = strlen(path);
	if (len >= sizeof(address.sun_path))
		return;
	memcpy(address.sun_path, path, len);
	if (path[0] == '@')
		address.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	if (sendto(fd, state, strlen(state), MSG_NOSIGNAL,
		(struct sockaddr *)&address,
		(socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) < 0)
		LOG_WARN("supervisor not told",
		    LOG_TEXT("error.message", strerror(errno)));
	close(fd);
}
