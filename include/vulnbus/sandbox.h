/* SPDX-License-Identifier: Apache-2.0
 *
 * What a daemon gives up for good before its first thread: files it was not
 * told of and ports it does not listen on (Landlock), system calls it never
 * makes (seccomp), new privileges, and core dumps. Children and threads inherit
 * it. Not with a sanitizer, whose runtime needs what is given up. */
#ifndef VULNBUS_SANDBOX_H
#define VULNBUS_SANDBOX_H

#include "vulnbus/config.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define IS_SANITIZED true
#else
#define IS_SANITIZED false
#endif

/* A list of what stays allowed; it is closed by entering. */
struct sandbox {
	int ruleset; /* Landlock's, or -1: the kernel has none */
	int abi;     /* Landlock's version, 0: none */
};

/* Begins it: reading what the system's libraries need, nothing else. */
void
sandbox_begin(struct sandbox *sandbox);

/* Reading `path`: a folder with all below it; of a file its folder, and that
 * of what a link leads to, since files are replaced by renaming. What is not
 * there, and NULL, is passed over. */
void
sandbox_read(struct sandbox *sandbox, const char *path);

/* Reading and replacing a file that may not be there yet, and what stands
 * beside it. NULL is passed over. */
void
sandbox_write(struct sandbox *sandbox, const char *path);

/* The same of the files in a folder. */
void
sandbox_write_in(struct sandbox *sandbox, const char *folder);

/* `listen` as configured: "host:port". Port 0 is any that the kernel picks. */
void
sandbox_listen(struct sandbox *sandbox, const char *listen);

/* Takes the rest away and logs what is in force. What the kernel does not have
 * is passed over, but with SANDBOX_REQUIRED it is STATUS_INVALID (Landlock's
 * ports are not asked for: Debian 12's kernel has none). The process must have
 * one thread. */
enum status
sandbox_enter(struct sandbox *sandbox, enum config_sandbox mode,
    struct error *err) MUST_CHECK;

/* Whether files are out of reach since then. */
bool
sandbox_has_files(void);

/* --- sandbox_calls.c: the door to libseccomp ------------------------------ */

/* From now on there are only the system calls that the daemons make; false:
 * not on this kernel or machine. */
bool
sandbox_filter_calls(void);

#endif
