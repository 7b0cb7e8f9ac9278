/* SPDX-License-Identifier: Apache-2.0
 *
 * What is forbidden is tried, and what is needed, each in a process that has
 * gone into the sandbox alone. */
#include "check.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vulnbus/sandbox.h"

#define PORT             "127.0.0.1:0"
#define NOT_INSIDE       200
/* What a signal that ended the process is told as. */
#define ENDED_BY(signal) (1000 + (signal))

static char folder[] = "/tmp/vulnbus-sandbox-XXXXXX";

static char *
path_of(const char *place, const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/%s/%s", folder, place, name);
	return path;
}

static int
tell(int result)
{
	return result < 0 ? errno : 0;
}

static int
read_allowed(void)
{
	return tell(open(path_of("read", "file"), O_RDONLY));
}

static int
read_other(void)
{
	return tell(open(path_of("other", "file"), O_RDONLY));
}

static int
write_where_reading(void)
{
	return tell(open(path_of("read", "new"), O_WRONLY | O_CREAT, 0600));
}

static int
write_allowed(void)
{
	const int fd = open(path_of("write", "new"), O_RDWR | O_CREAT, 0600);
	char from[256];

	if (fd < 0 || write(fd, "x", 1) != 1 || fsync(fd) != 0 ||
	    ftruncate(fd, 0) != 0)
		return errno;
	snprintf(from, sizeof(from), "%s", path_of("write", "new"));
	if (rename(from, path_of("write", "newer")) != 0)
		return errno;
	return tell(unlink(path_of("write", "newer")));
}

static int
write_into_folder(void)
{
	const int fd = open(path_of("kept", "new"), O_RDWR | O_CREAT, 0600);

	return fd < 0 ? errno : tell(unlink(path_of("kept", "new")));
}

/* As the files of a mounted ConfigMap are. */
static int
read_linked(void)
{
	return tell(open(path_of("linked", "file"), O_RDONLY));
}

static int
run_a_program(void)
{
	char *const words[] = { (char *)(uintptr_t) "true", NULL };

	return tell(execv("/bin/true", words));
}

static int
make_a_process(void)
{
	const pid_t child = fork();

	if (child == 0)
		_exit(0);
	return tell(child);
}

static void *
nothing(void *arg)
{
	return arg;
}

static int
make_a_thread(void)
{
	pthread_t thread;
	const int failed = pthread_create(&thread, NULL, nothing, NULL);

	return failed != 0 ? failed : pthread_join(thread, NULL);
}

static int
look_into_another(void)
{
	return tell((int)ptrace(PTRACE_ATTACH, getppid(), NULL, NULL));
}

static int
end_another(void)
{
	return tell(kill(getppid(), 0));
}

static int
end_another_thread(void)
{
	return tell(tgkill(getppid(), getppid(), 0));
}

static int
end_itself(void)
{
	abort();
}

/* That nobody needs it is not known; that it is no end of the process is. */
static int
make_memory_file(void)
{
	return tell(memfd_create("x", 0));
}

static int
write_code(void)
{
	return tell(mmap(NULL, 4096, PROT_WRITE | PROT_EXEC,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED
			? -1
			: 0);
}

static int
run_what_was_written(void)
{
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return tell(mprotect(page, 4096, PROT_READ | PROT_EXEC));
}

static int
open_raw(void)
{
	return tell(socket(AF_PACKET, SOCK_RAW, 0));
}

static int
bind_to(uint16_t port)
{
	const struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr = { htonl(INADDR_LOOPBACK) } };
	const int fd = socket(AF_INET, SOCK_STREAM, 0);

	return tell(bind(fd, (const struct sockaddr *)(const void *)&address,
	    sizeof(address)));
}

static int
listen_elsewhere(void)
{
	return bind_to(47113);
}

static int
listen_here(void)
{
	return bind_to(0);
}

static int
connect_elsewhere(void)
{
	const struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_port = htons(1),
		.sin_addr = { htonl(INADDR_LOOPBACK) } };
	const int fd = socket(AF_INET, SOCK_STREAM, 0);

	return tell(connect(fd, (const struct sockaddr *)(const void *)&address,
	    sizeof(address)));
}

static int
raise_limits(void)
{
	const struct rlimit limit = { 1024, 1024 };

	return tell(setrlimit(RLIMIT_CORE, &limit));
}

static int
resolve_a_name(void)
{
	return tell(open("/etc/hosts", O_RDONLY));
}

static int
be_dumped(void)
{
	struct rlimit limit;

	return getrlimit(RLIMIT_CORE, &limit) == 0 && limit.rlim_max == 0 ? 0
									  : 1;
}

static const struct {
	const char *name;
	int (*try)(void);
	int expected;
} tries[] = {
	{ "read what is allowed", read_allowed, 0 },
	{ "read another file", read_other, EACCES },
	{ "write where only reading is", write_where_reading, EACCES },
	{ "write where it is allowed", write_allowed, 0 },
	{ "write into another folder", write_into_folder, 0 },
	{ "read through a link", read_linked, 0 },
	{ "listen on another port", listen_elsewhere, EACCES },
	{ "listen on its port", listen_here, 0 },
	{ "connect to any port", connect_elsewhere, ECONNREFUSED },
	{ "what the resolver reads", resolve_a_name, 0 },
	{ "run a program", run_a_program, ENDED_BY(SIGSYS) },
	{ "make a process", make_a_process, EPERM },
	{ "make a thread", make_a_thread, 0 },
	{ "look into another process", look_into_another, ENDED_BY(SIGSYS) },
	{ "signal another process", end_another, ENOSYS },
	{ "signal another's thread", end_another_thread, ENOSYS },
	{ "signal itself", end_itself, ENDED_BY(SIGABRT) },
	{ "write code", write_code, EPERM },
	{ "run what was written", run_what_was_written, EPERM },
	{ "open a raw socket", open_raw, ENOSYS },
	{ "raise limits", raise_limits, ENOSYS },
	{ "make a file in memory", make_memory_file, ENOSYS },
	{ "leave no core", be_dumped, 0 },
};

static const char *const places[] = { "read", "write", "other", "kept",
	"linked", "target" };

static int
make_folders(void **state)
{
	int fd;

	(void)state;
	if (mkdtemp(folder) == NULL)
		return -1;
	for (size_t i = 0; i < COUNT(places); i++) {
		char path[256];

		snprintf(path, sizeof(path), "%s/%s", folder, places[i]);
		if (mkdir(path, 0700) != 0)
			return -1;
		fd = open(path_of(places[i], "file"), O_WRONLY | O_CREAT, 0600);
		if (fd < 0 || close(fd) != 0)
			return -1;
	}
	if (unlink(path_of("linked", "file")) != 0)
		return -1;
	return symlink("../target/file", path_of("linked", "file"));
}

static int
remove_folders(void **state)
{
	int failed = 0;

	(void)state;
	for (size_t i = 0; i < COUNT(places); i++) {
		char path[256];

		snprintf(path, sizeof(path), "%s/%s", folder, places[i]);
		failed |= unlink(path_of(places[i], "file"));
		failed |= rmdir(path);
	}
	return failed | rmdir(folder);
}

static enum status
enter(enum config_sandbox mode, int *out_abi, struct error *err)
{
	struct sandbox sandbox;

	sandbox_begin(&sandbox);
	*out_abi = sandbox.abi;
	sandbox_read(&sandbox, path_of("read", "file"));
	sandbox_write(&sandbox, path_of("write", "not-there-yet"));
	sandbox_read(&sandbox, path_of("linked", "file"));
	sandbox_write_in(&sandbox, path_of("kept", ""));
	sandbox_write_in(&sandbox, path_of("missing", ""));
	sandbox_listen(&sandbox, PORT);
	return sandbox_enter(&sandbox, mode, err);
}

static int
outcome_of(int (*try)(void), enum config_sandbox mode)
{
	const pid_t child = fork();
	struct error err;
	int status, abi;

	if (child == 0)
		_exit(
		    enter(mode, &abi, &err) == STATUS_OK ? try() : NOT_INSIDE);
	assert_true(child > 0 && waitpid(child, &status, 0) == child);
	return WIFSIGNALED(status) ? ENDED_BY(WTERMSIG(status))
				   : WEXITSTATUS(status);
}

static long
landlock_abi(void)
{
	return syscall(SYS_landlock_create_ruleset, NULL, 0,
	    LANDLOCK_CREATE_RULESET_VERSION);
}

/* Asked of the machine, not of what is tested. */
static bool
can_be_required(void)
{
#if defined(__x86_64__) || defined(__aarch64__)
	return !IS_SANITIZED && landlock_abi() > 0 &&
	       prctl(PR_GET_SECCOMP, 0, 0, 0, 0) >= 0;
#else
	return false;
#endif
}

static void
what_is_forbidden_fails_and_what_is_needed_works(void **state)
{
	const bool can = can_be_required();

	(void)state;
	for (size_t i = 0; i < COUNT(tries); i++) {
		const int outcome = outcome_of(
		    tries[i].try, CONFIG_SANDBOX_REQUIRED);
		int expected = can ? tries[i].expected : NOT_INSIDE;

		/* Ports are bounded from version 4 on. */
		if (can && tries[i].try == listen_elsewhere &&
		    landlock_abi() < 4)
			expected = 0;
		print_message("%s: %d\n", tries[i].name, outcome);
		assert_int_equal(outcome, expected);
	}
}

static void
off_is_off(void **state)
{
	(void)state;
	assert_int_equal(outcome_of(read_other, CONFIG_SANDBOX_OFF), 0);
	assert_int_equal(outcome_of(make_a_process, CONFIG_SANDBOX_OFF), 0);
}

static void
best_effort_never_fails(void **state)
{
	(void)state;
	assert_int_equal(
	    outcome_of(make_a_thread, CONFIG_SANDBOX_BEST_EFFORT), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    what_is_forbidden_fails_and_what_is_needed_works),
		cmocka_unit_test(off_is_off),
		cmocka_unit_test(best_effort_never_fails),
	};

	return cmocka_run_group_tests(tests, make_folders, remove_folders);
}
