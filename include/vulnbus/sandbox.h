/* SPDX-License-Identifier: Apache-2.0
 *
 * What a daemon gives up for good before its first thread: files it was not
 * told of and ports it does not listen on (Landlock), system calls it never
 * makes (seccomp; the door to libseccomp), new privileges, and core dumps,
 * which would hold secrets. Children and threads inherit it. */
#ifndef VULNBUS_SANDBOX_H
#define VULNBUS_SANDBOX_H

#include "vulnbus/config.h"

#define SANDBOX_PORTS_MAX 4

struct sandbox {
	int ruleset;     /* Landlock's, or -1: the kernel has none */
	int abi;         /* Landlock's version, 0: none */
	bool is_bounded; /* ports are told apart */
};

/* Begins a list of what stays allowed: reading what the system's libraries
 * need, nothing else. */
void
sandbox_begin(struct sandbox *sandbox);

/* What is not there is passed over. A folder stands for all below it; a
 * file's folder is what is allowed, since files are replaced by renaming. */
void
sandbox_read(struct sandbox *sandbox, const char *path);

void
sandbox_write(struct sandbox *sandbox, const char *path);

/* `listen` as configured: "host:port". Port 0 may be any. */
void
sandbox_listen(struct sandbox *sandbox, const char *listen);

/* Takes the rest away. With SANDBOX_BEST_EFFORT what the kernel does not have
 * is passed over and logged; with SANDBOX_REQUIRED it is STATUS_UNAVAILABLE.
 * Either way the list is closed. */
enum status
sandbox_enter(struct sandbox *sandbox, enum config_sandbox mode,
    struct error *err) MUST_CHECK;

#endif
