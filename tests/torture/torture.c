/* SPDX-License-Identifier: Apache-2.0 */
#include "torture.h"

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "memory.h"

#define AT_ONCE_MAX  4
#define PATIENCE_S   60 /* for one run */
#define EXIT_NOTICED 40
#define EXIT_ENDED   41
#define EXIT_LEAK    42

int
__lsan_do_recoverable_leak_check(void);

struct subject {
	const char *name;
	void (*run)(void *arg);
	void *arg;
};

/* Several at once: what runs out of memory often waits for something. */
static struct {
	pid_t child; /* 0: none */
	unsigned long number;
	int out;
} slots[AT_ONCE_MAX];
static size_t running_count;
static bool does_tell; /* where an allocation fails */

static struct {
	unsigned long cases, allocations, runs, noticed, ended, findings;
} sum;

/* Without exit(): what others do there is not on trial. */
static _Noreturn void
end_run(int status)
{
	/* LeakSanitizer looks at this frame and those above: what a test has in
	 * registers alone has to be here, too. */
	__builtin_unwind_init();
	torture_end();
	fflush(NULL);
	if (__lsan_do_recoverable_leak_check() != 0)
		_exit(EXIT_LEAK);
	_exit(status);
}

void
torture_notice(void)
{
	end_run(EXIT_NOTICED);
}

_Noreturn void
__wrap_abort(void);

/* Only crypto.c calls it by that name, when no digest or no random number can
 * be had; an assertion does not. */
void
__wrap_abort(void)
{
	end_run(EXIT_ENDED);
}

static void
prepare(void)
{
	static bool is_done;

	if (is_done)
		return;
	is_done = true;
	memory_prepare();
	for (size_t i = 0; i < AT_ONCE_MAX; i++)
		slots[i].out = memfd_create("output", MFD_CLOEXEC);
}

static _Noreturn void
be_child(const struct subject *subject, unsigned long number, int out)
{
	const struct itimerval patience = { .it_value.tv_sec = PATIENCE_S };

	if (dup2(out, STDOUT_FILENO) < 0 || dup2(out, STDERR_FILENO) < 0 ||
	    setitimer(ITIMER_REAL, &patience, NULL) != 0)
		_exit(1);
	memory_fail(number, does_tell);
	subject->run(subject->arg);
	end_run(0);
}

/* A run in a child, whose output goes to `out`. */
static pid_t
start(const struct subject *subject, unsigned long number, int out)
{
	pid_t child;

	fflush(NULL);
	if (ftruncate(out, 0) != 0 || lseek(out, 0, SEEK_SET) != 0) {
		perror("output");
		exit(1);
	}
	child = fork();
	if (child == 0)
		be_child(subject, number, out);
	if (child < 0) {
		perror("fork");
		exit(1);
	}
	return child;
}

/* Of the child that ended, which is put into *child; -1: of any. */
static int
wait_for(pid_t *child)
{
	int status;

	*child = waitpid(*child, &status, 0);
	if (*child < 0) {
		perror("waitpid");
		exit(1);
	}
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status)
				   : WEXITSTATUS(status);
}

static int
run_once(const struct subject *subject, unsigned long number, int out)
{
	pid_t child = start(subject, number, out);

	return wait_for(&child);
}

static const char *
word_for(int status)
{
	switch (status) {
	case EXIT_NOTICED:
		return "an assertion";
	case EXIT_LEAK:
		return "a leak";
	case 128 + SIGALRM:
		return "a hang";
	default:
		return "a crash";
	}
}

static void
show(int out)
{
	char bytes[4096];
	ssize_t got;

	fflush(stdout);
	(void)lseek(out, 0, SEEK_SET);
	while ((got = read(out, bytes, sizeof(bytes))) > 0)
		if (write(STDOUT_FILENO, bytes, (size_t)got) != got)
			return;
}

static void
tell(const char *name, int status, unsigned long number, int out)
{
	sum.findings++;
	printf("%s: %s (%d) ", name, word_for(status), status);
	if (number > 0)
		printf("when allocation %lu fails\n", number);
	else
		printf("when none fails\n");
	show(out);
}

static void
judge(const struct subject *subject, unsigned long number, int status, int out)
{
	sum.runs++;
	sum.noticed += status == EXIT_NOTICED;
	sum.ended += status == EXIT_ENDED;
	if (status == 0 || status == EXIT_NOTICED || status == EXIT_ENDED)
		return;
	tell(subject->name, status, number, out);
	/* Once more, with the words for where it fails, which take their time.
	 */
	does_tell = true;
	(void)run_once(subject, number, out);
	does_tell = false;
	show(out);
}

static void
end_one(const struct subject *subject)
{
	pid_t child = -1;
	const int status = wait_for(&child);
	size_t i = 0;

	while (slots[i].child != child)
		i++;
	slots[i].child = 0;
	running_count--;
	judge(subject, slots[i].number, status, slots[i].out);
}

static void
run_failing(const struct subject *subject, unsigned long number)
{
	size_t i = 0;

	if (running_count == AT_ONCE_MAX)
		end_one(subject);
	while (slots[i].child != 0)
		i++;
	slots[i].number = number;
	slots[i].child = start(subject, number, slots[i].out);
	running_count++;
}

void
torture_case(const char *name, void (*run)(void *arg), void *arg)
{
	const struct subject subject = { name, run, arg };
	unsigned long count;
	int status;

	prepare();
	status = run_once(&subject, 0, slots[0].out);
	count = memory_made();
	sum.cases++;
	sum.allocations += count;
	if (status != 0)
		tell(name, status, 0, slots[0].out);
	for (unsigned long i = 1; i <= count && status == 0; i++)
		if (memory_is_worth_it(i))
			run_failing(&subject, i);
	while (running_count > 0)
		end_one(&subject);
}

int
torture_sum(void)
{
	printf("%lu cases, %lu allocations, %lu made to fail: "
	       "%lu noticed, %lu ended, %lu findings\n",
	    sum.cases, sum.allocations, sum.runs, sum.noticed, sum.ended,
	    sum.findings);
	return sum.findings == 0 ? 0 : 1;
}
