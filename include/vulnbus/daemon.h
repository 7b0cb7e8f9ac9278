/* SPDX-License-Identifier: Apache-2.0
 *
 * What both daemons share: options, signals, and word to the supervisor. */
#ifndef VULNBUS_DAEMON_H
#define VULNBUS_DAEMON_H

#include "vulnbus/config.h"

#define VULNBUS_CONFIG_PATH "/etc/vulnbus/vulnbus.yaml"

enum daemon_event { DAEMON_TICK, DAEMON_RELOAD, DAEMON_STOP };

/* A check that the configuration's loader cannot make. */
typedef enum status
daemon_check_f(const struct config *config, struct error *err);

/* Loads and checks: at start, and again at each reload. */
enum status
daemon_load(const char *path, daemon_check_f *check, struct config **out_config,
    struct error *err) MUST_CHECK;

/* Logs that `loaded` took the place of `in_force`, and which keys have to wait
 * for a restart; those that begin with `but` are another program's. */
void
daemon_say_reloaded(const struct config *in_force, const struct config *loaded,
    const char *but);

/* Logs that the former one stays, and why. */
void
daemon_say_not_reloaded(const struct error *why);

/* Reads -c FILE, --check-config, --version, --help, -v and the configuration.
 * Returns -1 to go on with *out_config, otherwise the exit status (sysexits):
 * 0, 64 usage, 66 no such file, 78 bad configuration. */
int
daemon_start(const char *service, int argc, char **argv, daemon_check_f *check,
    struct config **out_config);

/* Blocks the signals daemon_wait takes, ignores SIGPIPE. Call before the
 * first thread starts: threads inherit it. */
void
daemon_block_signals(void);

/* Waits up to `ms` for SIGHUP (reload) or SIGTERM and SIGINT (stop). */
enum daemon_event
daemon_wait(uint32_t ms);

/* From now on the process ends with status 0 in `ms`, whatever still hangs. */
void
daemon_end_within(uint32_t ms);

/* sd_notify(3): "READY=1", "STOPPING=1" and the like; without a supervisor
 * nothing happens. */
void
daemon_notify(const char *state);

/* The exit status for a configuration that failed to load. */
int
daemon_config_exit(enum status status);

#endif
