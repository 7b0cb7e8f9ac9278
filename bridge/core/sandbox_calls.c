/* SPDX-License-Identifier: Apache-2.0
 *
 * The door to libseccomp: which system calls there are for a daemon. What is
 * not on the list is answered as by a kernel that is too old for it (ENOSYS),
 * which libraries have an answer to; what only somebody does who has broken in
 * ends the process. */
#include <errno.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vulnbus/sandbox.h"

#define COUNT(a) (sizeof(a) / sizeof(*(a)))

/* Linux 5.17; the C library names its mappings. */
#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#endif

/* What the libraries make in all that the daemons do, and what they fall back
 * to: none starts a program, makes a process, or looks into another. Names that
 * libseccomp or the machine does not have are passed over. */
static const char *const allowed[] = { "accept", "accept4", "access", "alarm",
	"arch_prctl", "bind", "brk", "clock_getres", "clock_gettime",
	"clock_nanosleep", "close", "close_range", "connect", "dup", "dup2",
	"dup3", "epoll_create", "epoll_create1", "epoll_ctl", "epoll_pwait",
	"epoll_pwait2", "epoll_wait", "eventfd", "eventfd2", "exit",
	"exit_group", "faccessat", "faccessat2", "fadvise64", "fallocate",
	"fchmod", "fchown", "fcntl", "fdatasync", "flock", "fstat", "fstatfs",
	"fsync", "ftruncate", "futex", "futex_wait", "futex_waitv",
	"futex_wake", "get_robust_list", "getcpu", "getcwd", "getdents64",
	"getegid", "geteuid", "getgid", "getgroups", "getitimer", "getpeername",
	"getpgid", "getpgrp", "getpid", "getppid", "getpriority", "getrandom",
	"getresgid", "getresuid", "getrlimit", "getrusage", "getsid",
	"getsockname", "getsockopt", "gettid", "gettimeofday", "getuid",
	"listen", "lseek", "lstat", "madvise", "membarrier", "mincore", "mlock",
	"mlock2", "mremap", "mseal", "msync", "munlock", "munmap", "nanosleep",
	"newfstatat", "open", "openat", "pause", "pipe", "pipe2", "poll",
	"ppoll", "pread64", "preadv", "preadv2", "pselect6", "pwrite64",
	"pwritev", "pwritev2", "read", "readahead", "readlink", "readlinkat",
	"readv", "recvfrom", "recvmmsg", "recvmsg", "rename", "renameat",
	"renameat2", "restart_syscall", "rseq", "rt_sigaction", "rt_sigpending",
	"rt_sigprocmask", "rt_sigreturn", "rt_sigsuspend", "rt_sigtimedwait",
	"sched_get_priority_max", "sched_get_priority_min", "sched_getaffinity",
	"sched_getparam", "sched_getscheduler", "sched_yield", "select",
	"sendfile", "sendmmsg", "sendmsg", "sendto", "set_robust_list",
	"set_tid_address", "setitimer", "setsockopt", "shutdown", "sigaltstack",
	"socketpair", "stat", "statfs", "statx", "sync_file_range", "sysinfo",
	"timer_create", "timer_delete", "timer_getoverrun", "timer_gettime",
	"timer_settime", "timerfd_create", "timerfd_gettime", "timerfd_settime",
	"times", "umask", "uname", "unlink", "unlinkat", "utimensat", "write",
	"writev" };

static const char *const deadly[] = { "add_key", "bpf", "chroot",
	"delete_module", "execve", "execveat", "finit_module", "fsconfig",
	"fsmount", "fsopen", "init_module", "kexec_file_load", "kexec_load",
	"mount", "mount_setattr", "move_mount", "open_by_handle_at",
	"open_tree", "perf_event_open", "pivot_root", "process_vm_readv",
	"process_vm_writev", "ptrace", "reboot", "setns", "swapoff", "swapon",
	"umount2", "unshare", "userfaultfd" };

static const int families[] = { AF_UNIX, AF_INET, AF_INET6, AF_NETLINK };
static const unsigned long device_requests[] = { FIONREAD, FIONBIO, TCGETS,
	TIOCGWINSZ };
static const int processes[] = { PR_SET_NAME, PR_GET_NAME, PR_SET_VMA };

static int
add_if(scmp_filter_ctx filter, uint32_t action, int number,
    struct scmp_arg_cmp condition)
{
	return seccomp_rule_add_array(filter, action, number, 1, &condition);
}

static int
add_all(scmp_filter_ctx filter, uint32_t action, const char *const *names,
    size_t count)
{
	int failed = 0;

	for (size_t i = 0; i < count; i++) {
		const int number = seccomp_syscall_resolve_name(names[i]);

		if (number != __NR_SCMP_ERROR)
			failed |= seccomp_rule_add(filter, action, number, 0);
	}
	return failed;
}

/* Code may be loaded, never written. */
static int
add_memory(scmp_filter_ctx filter)
{
	const uint32_t refuse = SCMP_ACT_ERRNO(EPERM);
	const scmp_datum_t both = PROT_WRITE | PROT_EXEC;
	int failed = 0;

	failed |= add_if(filter, refuse, SCMP_SYS(mmap),
	    SCMP_A2(SCMP_CMP_MASKED_EQ, both, both));
	for (scmp_datum_t one = 0; one < both; one++)
		if ((one & both) == one)
			failed |= add_if(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap),
			    SCMP_A2(SCMP_CMP_MASKED_EQ, both, one));
	failed |= add_if(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect),
	    SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	failed |= add_if(filter, refuse, SCMP_SYS(mprotect),
	    SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, PROT_EXEC));
	return failed;
}

/* Threads, not processes. The flags of clone3 are out of a filter's sight:
 * told that there is none, the C library takes clone. */
static int
add_threads(scmp_filter_ctx filter)
{
	int failed = 0;

	failed |= add_if(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone),
	    SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));
	failed |= add_if(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone),
	    SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0));
	/* Signals to itself, and questions about its own limits. */
	failed |= add_if(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill),
	    SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid()));
	failed |= add_if(filter, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64),
	    SCMP_A2(SCMP_CMP_EQ, 0));
	for (size_t i = 0; i < COUNT(processes); i++)
		failed |= add_if(filter, SCMP_ACT_ALLOW, SCMP_SYS(prctl),
		    SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)processes[i]));
	return failed;
}

static int
add_devices(scmp_filter_ctx filter)
{
	int failed = 0;

	for (size_t i = 0; i < COUNT(families); i++)
		failed |= add_if(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket),
		    SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)families[i]));
	for (size_t i = 0; i < COUNT(device_requests); i++)
		failed |= add_if(filter, SCMP_ACT_ALLOW, SCMP_SYS(ioctl),
		    SCMP_A1(SCMP_CMP_EQ, device_requests[i]));
	return failed;
}

/* The list was made for these; 32-bit machines have other calls. */
static bool
is_known_machine(void)
{
#if defined(__x86_64__) || defined(__aarch64__)
	return true;
#else
	return false;
#endif
}

bool
sandbox_filter_calls(void)
{
	scmp_filter_ctx filter = is_known_machine()
				     ? seccomp_init(SCMP_ACT_ERRNO(ENOSYS))
				     : NULL;
	int failed = 0;

	if (filter == NULL)
		return false;
	failed |= add_all(filter, SCMP_ACT_ALLOW, allowed, COUNT(allowed));
	failed |= add_all(filter, SCMP_ACT_KILL_PROCESS, deadly, COUNT(deadly));
	failed |= add_memory(filter);
	failed |= add_threads(filter);
	failed |= add_devices(filter);
	failed |= seccomp_attr_set(
	    filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	/* A tree: the list is long. */
	failed |= seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (failed == 0)
		failed = seccomp_load(filter);
	seccomp_release(filter);
	return failed == 0;
}
