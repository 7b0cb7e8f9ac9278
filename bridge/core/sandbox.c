/* SPDX-License-Identifier: Apache-2.0
 *
 * Landlock as of "Landlock: unprivileged access control" (kernel
 * documentation, userspace-api), whose versions only ever add. */
#include "vulnbus/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sched.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
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
#define FS_WRITE                                                             \
	(FS_READ | LANDLOCK_ACCESS_FS_WRITE_FILE |                           \
	    LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR | \
	    LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG)
#define FS_VERSION_1 ((UINT64_C(1) << 13) - 1)

/* Libraries, certificates, name resolution, time zones, and what the process
 * asks about itself and the machine. */
static const char *const system_paths[] = { "/etc", "/usr", "/lib", "/lib64",
	"/proc", "/sys/devices/system/cpu", "/run", "/var/run" };
static const char *const device_paths[] = { "/dev/null", "/dev/urandom",
	"/dev/random", "/dev/stderr" };

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

static uint64_t
writes_of(int abi)
{
	return FS_WRITE |
	       (fs_of(abi) & (LANDLOCK_ACCESS_FS_REFER | FS_TRUNCATE));
}

static void
allow(const struct sandbox *sandbox, const char *path, uint64_t access)
{
	struct landlock_path_beneath_attr rule = { .parent_fd = -1 };
	struct stat file;

	if (sandbox->ruleset < 0)
		return;
	rule.parent_fd = open(path, O_PATH | O_CLOEXEC);
	if (rule.parent_fd < 0)
		return;
	rule.allowed_access = access;
	if (fstat(rule.parent_fd, &file) == 0 && !S_ISDIR(file.st_mode))
		rule.allowed_access &= LANDLOCK_ACCESS_FS_READ_FILE |
				       LANDLOCK_ACCESS_FS_WRITE_FILE |
				       FS_TRUNCATE;
	syscall(SYS_landlock_add_rule, sandbox->ruleset,
	    LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
	close(rule.parent_fd);
}

void
sandbox_begin(struct sandbox *sandbox)
{
	struct ruleset rules = { 0 };
	size_t bytes = sizeof(rules.fs);
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0,
	    LANDLOCK_CREATE_RULESET_VERSION);

	*sandbox = (struct sandbox){ .ruleset = -1,
		.abi = abi > 0 ? (int)abi : 0 };
	if (sandbox->abi == 0)
		return;
	rules.fs = fs_of(sandbox->abi);
	sandbox->is_bounded = sandbox->abi >= 4;
	if (sandbox->abi >= 4) {
		rules.net = NET_BIND_TCP;
		bytes += sizeof(rules.net);
	}
	if (sandbox->abi >= 6) {
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

static void
allow_folder(const struct sandbox *sandbox, const char *path, uint64_t access)
{
	const char *slash = strrchr(path, '/');
	char *folder = slash == NULL   ? strdup(".")
		       : slash == path ? strdup("/")
				       : strndup(path, (size_t)(slash - path));

	if (folder != NULL)
		allow(sandbox, folder, access);
	free(folder);
}

/* A link's folder, for links that are replaced, and that of what it leads to.
 */
static void
allow_place(const struct sandbox *sandbox, const char *path, uint64_t access)
{
	char *real = realpath(path, NULL);
	struct stat file;

	if (stat(path, &file) == 0 && S_ISDIR(file.st_mode)) {
		allow(sandbox, path, access);
	} else {
		allow_folder(sandbox, path, access);
		if (real != NULL)
			allow_folder(sandbox, real, access);
	}
	free(real);
}

void
sandbox_read(struct sandbox *sandbox, const char *path)
{
	if (path != NULL)
		allow_place(sandbox, path, FS_READ);
}

void
sandbox_write(struct sandbox *sandbox, const char *path)
{
	if (path != NULL)
		allow_place(sandbox, path, writes_of(sandbox->abi));
}

void
sandbox_listen(struct sandbox *sandbox, const char *listen)
{
	const char *colon = strrchr(listen, ':');
	struct port_rule rule = { .access = NET_BIND_TCP };

	if (colon != NULL)
		rule.port = strtoul(colon + 1, NULL, 10);
	/* Port 0 in a rule is the kernel's choice of a port. */
	if (sandbox->is_bounded && sandbox->ruleset >= 0)
		syscall(SYS_landlock_add_rule, sandbox->ruleset, RULE_NET_PORT,
		    &rule, 0);
}

/* --- system calls ----------------------------------------------------------
 */

/* What the libraries make in all that the daemons do, and what they fall back
 * to. None of them starts a program, makes a process, or looks into another. */
static const char *const allowed[] = { "accept", "accept4", "access", "alarm",
	"arch_prctl", "bind", "brk", "clock_getres", "clock_gettime",
	"clock_nanosleep", "close", "close_range", "connect", "dup", "dup2",
	"dup3", "epoll_create", "epoll_create1", "epoll_ctl", "epoll_pwait",
	"epoll_pwait2", "epoll_wait", "eventfd", "eventfd2", "exit",
	"exit_group", "faccessat", "faccessat2", "fadvise64", "fallocate",
	"fchmod", "fchown", "fcntl", "fdatasync", "flock", "fstat", "fstatfs",
	"fsync", "ftruncate", "futex", "getcpu", "getcwd", "getdents64",
	"getegid", "geteuid", "getgid", "getgroups", "getpeername", "getpid",
	"getppid", "getrandom", "getresgid", "getresuid", "getrlimit",
	"getrusage", "getsockname", "getsockopt", "gettid", "gettimeofday",
	"getuid", "listen", "lseek", "lstat", "madvise", "membarrier", "mkdir",
	"mkdirat", "mremap", "msync", "munmap", "nanosleep", "newfstatat",
	"open", "openat", "pipe", "pipe2", "poll", "ppoll", "pread64", "preadv",
	"pselect6", "pwrite64", "pwritev", "read", "readlink", "readlinkat",
	"readv", "recvfrom", "recvmmsg", "recvmsg", "rename", "renameat",
	"renameat2", "restart_syscall", "rmdir", "rseq", "rt_sigaction",
	"rt_sigpending", "rt_sigprocmask", "rt_sigreturn", "rt_sigsuspend",
	"rt_sigtimedwait", "sched_getaffinity", "sched_getparam",
	"sched_getscheduler", "sched_yield", "select", "sendfile", "sendmmsg",
	"sendmsg", "sendto", "set_robust_list", "set_tid_address", "setitimer",
	"setsockopt", "shutdown", "sigaltstack", "socketpair", "stat", "statfs",
	"statx", "sysinfo", "tgkill", "timerfd_create", "timerfd_settime",
	"umask", "uname", "unlink", "unlinkat", "utimensat", "write",
	"writev" };

static const int families[] = { AF_UNIX, AF_INET, AF_INET6, AF_NETLINK };
static const unsigned long device_requests[] = { FIONREAD, FIONBIO, TCGETS,
	TIOCGWINSZ };

/* The kernel's number of the argument, from 0. */
static int
allow_if(scmp_filter_ctx filter, const char *name, unsigned argument,
    enum scmp_compare how, uint64_t a, uint64_t b)
{
	const int number = seccomp_syscall_resolve_name(name);
	const struct scmp_arg_cmp rule = {
		.arg = argument, .op = how, .datum_a = a, .datum_b = b
	};

	if (number == __NR_SCMP_ERROR)
		return 0;
	return seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, number, 1, &rule);
}

static int
allow_some(scmp_filter_ctx filter)
{
	const uint64_t both = PROT_WRITE | PROT_EXEC;
	int failed = 0;

	for (size_t i = 0; i < sizeof(families) / sizeof(*families); i++)
		failed |= allow_if(
		    filter, "socket", 0, SCMP_CMP_EQ, (uint64_t)families[i], 0);
	for (size_t i = 0;
	     i < sizeof(device_requests) / sizeof(*device_requests); i++)
		failed |= allow_if(
		    filter, "ioctl", 1, SCMP_CMP_EQ, device_requests[i], 0);
	/* Code may be loaded, never written. */
	failed |= allow_if(filter, "mmap", 2, SCMP_CMP_MASKED_EQ, both, 0);
	failed |= allow_if(
	    filter, "mmap", 2, SCMP_CMP_MASKED_EQ, both, PROT_WRITE);
	failed |= allow_if(
	    filter, "mmap", 2, SCMP_CMP_MASKED_EQ, both, PROT_EXEC);
	failed |= allow_if(
	    filter, "mprotect", 2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0);
	/* Threads, not processes. The flags of clone3 are out of a filter's
	 * sight: told that there is none, the C library takes clone. */
	failed |= allow_if(
	    filter, "clone", 0, SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD);
	failed |= seccomp_rule_add(
	    filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
	failed |= allow_if(filter, "prctl", 0, SCMP_CMP_EQ, PR_SET_NAME, 0);
	/* Asking for limits, of oneself. */
	failed |= allow_if(filter, "prlimit64", 2, SCMP_CMP_EQ, 0, 0);
	return failed;
}

static bool
filter_calls(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int failed = 0;

	if (filter == NULL)
		return false;
	for (size_t i = 0; i < sizeof(allowed) / sizeof(*allowed); i++) {
		const int number = seccomp_syscall_resolve_name(allowed[i]);

		if (number != __NR_SCMP_ERROR)
			failed |= seccomp_rule_add(
			    filter, SCMP_ACT_ALLOW, number, 0);
	}
	failed |= allow_some(filter);
	failed |= seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (failed == 0)
		failed = seccomp_load(filter);
	seccomp_release(filter);
	return failed == 0;
}

/* --- all of it -------------------------------------------------------------
 */

/* The sanitizers' runtimes need what is taken away here. */
static bool
is_sanitized(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	return true;
#else
	return false;
#endif
}

enum status
sandbox_enter(
    struct sandbox *sandbox, enum config_sandbox mode, struct error *err)
{
	const struct rlimit none = { 0, 0 };
	bool has_files = false, has_calls = false;

	if (mode != CONFIG_SANDBOX_OFF && !is_sanitized()) {
		prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
		setrlimit(RLIMIT_CORE, &none);
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		has_files = sandbox->ruleset >= 0 &&
			    syscall(SYS_landlock_restrict_self,
				sandbox->ruleset, 0) == 0;
		has_calls = filter_calls();
	}
	if (sandbox->ruleset >= 0)
		close(sandbox->ruleset);
	sandbox->ruleset = -1;
	LOG_INFO("sandbox", LOG_INT("landlock", has_files ? sandbox->abi : 0),
	    LOG_TEXT("seccomp", has_calls ? "on" : "off"));
	if (mode == CONFIG_SANDBOX_REQUIRED && !(has_files && has_calls))
		return error_set(err, STATUS_UNAVAILABLE,
		    "sandbox: required, but this kernel has no %s",
		    has_files ? "seccomp" : "Landlock");
	return STATUS_OK;
}
