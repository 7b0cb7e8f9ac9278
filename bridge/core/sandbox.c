/* SPDX-License-Identifier: Apache-2.0
 *
 * Landlock as of "Landlock: unprivileged access control" (kernel
 * documentation, userspace-api), whose versions only ever add. */
#include "vulnbus/sandbox.h"

#include <fcntl.h>
#include <linux/landlock.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "vulnbus/log.h"

/* Of later versions than Debian 12's header knows. */
#define FS_TRUNCATE   (UINT64_C(1) << 14) /* 3 */
#define FS_IOCTL_DEV  (UINT64_C(1) << 15) /* 5 */
#define NET_BIND_TCP  (UINT64_C(1) << 0)  /* 4 */
#define SCOPE_SIGNAL  (UINT64_C(1) << 1)  /* 6 */
#define RULE_NET_PORT 2                   /* 4 */

#define ABI_PORTS  4
#define ABI_SCOPES 6

struct ruleset {
	uint64_t fs;
	uint64_t net;
	uint64_t scoped;
};

struct port_rule {
	uint64_t access;
	uint64_t port;
};

#define FS_READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define FS_WRITE                                   \
	(FS_READ | LANDLOCK_ACCESS_FS_WRITE_FILE | \
	    LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG)
#define FS_VERSION_1 ((UINT64_C(1) << 13) - 1)

/* Libraries, certificates, name resolution, time zones, and what the process
 * asks about itself and the machine. Whole folders: the files of a resolver are
 * replaced by renaming, and an inode below /proc may be another one later. */
static const char *const system_paths[] = { "/etc", "/usr", "/lib", "/lib64",
	"/proc", "/sys/devices/system/cpu", "/run", "/var/run" };
static const char *const device_paths[] = { "/dev/null", "/dev/urandom",
	"/dev/random", "/dev/stderr" };

static bool has_files;

static uint64_t
fs_of(int abi)
{
	uint64_t fs = FS_VERSION_1;

	if (abi >= 2)
		fs |= LANDLOCK_ACCESS_FS_REFER;
	if (abi >= 3)
		fs |= FS_TRUNCATE;
	if (abi >= 5)
		fs |= FS_IOCTL_DEV;
	return fs;
}

static void
allow(const struct sandbox *sandbox, const char *path, uint64_t access)
{
	struct landlock_path_beneath_attr rule = {
		.allowed_access = access & fs_of(sandbox->abi),
	};
	struct stat file;
	int fd;

	if (sandbox->ruleset < 0)
		return;
	fd = open(path, O_PATH | O_CLOEXEC);
	if (fd < 0)
		return;
	rule.parent_fd = fd;
	if (fstat(fd, &file) == 0 && !S_ISDIR(file.st_mode))
		rule.allowed_access &= LANDLOCK_ACCESS_FS_READ_FILE |
				       LANDLOCK_ACCESS_FS_WRITE_FILE |
				       FS_TRUNCATE;
	syscall(SYS_landlock_add_rule, sandbox->ruleset,
	    LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
	close(fd);
}

void
sandbox_begin(struct sandbox *sandbox)
{
	struct ruleset rules = { 0 };
	size_t bytes = sizeof(rules.fs);
	const long abi = syscall(SYS_landlock_create_ruleset, NULL, 0,
	    LANDLOCK_CREATE_RULESET_VERSION);

	*sandbox = (struct sandbox){ .ruleset = -1,
		.abi = abi > 0 ? (int)abi : 0 };
	if (sandbox->abi == 0)
		return;
	rules.fs = fs_of(sandbox->abi);
	/* Connecting is not bounded: brokers and vendors name their ports. */
	if (sandbox->abi >= ABI_PORTS) {
		rules.net = NET_BIND_TCP;
		bytes += sizeof(rules.net);
	}
	/* Not abstract sockets: the supervisor's may be one. */
	if (sandbox->abi >= ABI_SCOPES) {
		rules.scoped = SCOPE_SIGNAL;
		bytes += sizeof(rules.scoped);
	}
	sandbox->ruleset = (int)syscall(
	    SYS_landlock_create_ruleset, &rules, bytes, 0);
	for (size_t i = 0; i < sizeof(system_paths) / sizeof(*system_paths);
	     i++)
		allow(sandbox, system_paths[i], FS_READ);
	for (size_t i = 0; i < sizeof(device_paths) / sizeof(*device_paths);
	     i++)
		allow(sandbox, device_paths[i],
		    LANDLOCK_ACCESS_FS_READ_FILE |
			LANDLOCK_ACCESS_FS_WRITE_FILE);
}

/* Below the root folder is everything: of a file there, itself alone. */
static void
allow_folder_of(
    const struct sandbox *sandbox, const char *path, uint64_t access)
{
	const char *slash = strrchr(path, '/');
	char *folder = slash == NULL   ? strdup(".")
		       : slash == path ? strdup(path)
				       : strndup(path, (size_t)(slash - path));

	if (folder != NULL)
		allow(sandbox, folder, access);
	free(folder);
}

/* A link's folder, for links that are replaced, and that of what it leads to.
 */
static void
allow_file(const struct sandbox *sandbox, const char *path, uint64_t access)
{
	char *real = realpath(path, NULL);

	allow_folder_of(sandbox, path, access);
	if (real != NULL)
		allow_folder_of(sandbox, real, access);
	free(real);
}

void
sandbox_read(struct sandbox *sandbox, const char *path)
{
	struct stat file;

	if (path == NULL)
		return;
	if (stat(path, &file) == 0 && S_ISDIR(file.st_mode))
		allow(sandbox, path, FS_READ);
	else
		allow_file(sandbox, path, FS_READ);
}

void
sandbox_write(struct sandbox *sandbox, const char *path)
{
	if (path != NULL)
		allow_file(sandbox, path,
		    FS_WRITE | LANDLOCK_ACCESS_FS_REFER | FS_TRUNCATE);
}

void
sandbox_write_in(struct sandbox *sandbox, const char *folder)
{
	if (folder != NULL)
		allow(sandbox, folder,
		    FS_WRITE | LANDLOCK_ACCESS_FS_REFER | FS_TRUNCATE);
}

void
sandbox_listen(struct sandbox *sandbox, const char *listen)
{
	const char *colon = strrchr(listen, ':');
	struct port_rule rule = { .access = NET_BIND_TCP };

	if (colon != NULL)
		rule.port = strtoul(colon + 1, NULL, 10);
	if (sandbox->abi >= ABI_PORTS && sandbox->ruleset >= 0)
		syscall(SYS_landlock_add_rule, sandbox->ruleset, RULE_NET_PORT,
		    &rule, 0);
}

static void
leave_no_core(void)
{
	const struct rlimit none = { 0, 0 };

	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	setrlimit(RLIMIT_CORE, &none);
}

enum status
sandbox_enter(
    struct sandbox *sandbox, enum config_sandbox mode, struct error *err)
{
	bool has_calls = false, has_no_new = false;

	has_files = false;
	if (mode != CONFIG_SANDBOX_OFF && !IS_SANITIZED) {
		leave_no_core();
		has_no_new = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
		has_files = sandbox->ruleset >= 0 &&
			    syscall(SYS_landlock_restrict_self,
				sandbox->ruleset, 0) == 0;
		has_calls = sandbox_filter_calls();
	}
	if (sandbox->ruleset >= 0)
		close(sandbox->ruleset);
	sandbox->ruleset = -1;
	LOG_INFO("sandbox", LOG_INT("landlock", has_files ? sandbox->abi : 0),
	    LOG_TEXT(
		"ports", has_files && sandbox->abi >= ABI_PORTS ? "on" : "off"),
	    LOG_TEXT("seccomp", has_calls ? "on" : "off"),
	    LOG_TEXT("no_new_privs", has_no_new ? "on" : "off"));
	if (mode == CONFIG_SANDBOX_REQUIRED &&
	    !(has_files && has_calls && has_no_new))
		return error_set(err, STATUS_INVALID,
		    "sandbox: required, but there is no %s here",
		    has_files ? "seccomp" : "Landlock");
	return STATUS_OK;
}

bool
sandbox_has_files(void)
{
	return has_files;
}
