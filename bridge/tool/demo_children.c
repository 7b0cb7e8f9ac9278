/* SPDX-License-Identifier: Apache-2.0
 *
 * The daemons are the real ones, found beside this program or, installed, in
 * ../sbin: started with a configuration file, seen through their ports and
 * logs, stopped by signal. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vulnbus/expand.h"
#include "vulnbus/http_client.h"
#include "vulnbus/json.h"
#include "vulnbus/timestamp.h"
#include "vulnbus/tool_demo.h"

#define LOG_BYTES_MAX     (16u << 20)
#define METRICS_BYTES_MAX (4u << 20)
#define ANSWER_MS         2000
#define STEP_MS           20
#define STOP_MS           15000
#define LOG_LINES_SHOWN   15

static enum status
find_program(const char *name, char out[DEMO_PATH_BYTES], struct error *err)
{
	char self[DEMO_PATH_BYTES / 2];
	const ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;

	if (len <= 0)
		return error_set(
		    err, STATUS_UNAVAILABLE, "/proc/self/exe cannot be read");
	self[len] = '\0';
	slash = strrchr(self, '/');
	if (slash != NULL)
		*slash = '\0';
	snprintf(out, DEMO_PATH_BYTES, "%s/%s", self, name);
	if (access(out, X_OK) == 0)
		return STATUS_OK;
	snprintf(out, DEMO_PATH_BYTES, "%s/../sbin/%s", self, name);
	if (access(out, X_OK) != 0)
		return error_set(
		    err, STATUS_UNAVAILABLE, "%s: %s", out, strerror(errno));
	return STATUS_OK;
}

/* In the child, between fork and exec: system calls only, for the parent has
 * threads. A group of its own, so that Ctrl-C reaches the parent alone, which
 * then stops the children in order; and no child outlives the parent. */
static void
become(const char *path, const char *const *argv, int log_fd, pid_t parent)
{
	sigset_t none;

	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(1);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	dup2(log_fd, STDOUT_FILENO);
	dup2(log_fd, STDERR_FILENO);
	execv(path, (char *const *)(uintptr_t)argv);
	_exit(127);
}

static enum status
start_child(struct demo *demo, struct demo_child *child, struct error *err)
{
	char path[DEMO_PATH_BYTES];
	const char *const argv[] = { child->program, "-c", demo->config_path,
		demo->tool->is_verbose ? "-v" : NULL, NULL };
	const pid_t parent = getpid();
	int log_fd;
	enum status status = find_program(child->program, path, err);

	if (status != STATUS_OK)
		return status;
	snprintf(child->log, sizeof(child->log), "%.*s/%s.log",
	    DEMO_PATH_BYTES / 2, demo->folder, child->program);
	log_fd = open(
	    child->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (log_fd < 0)
		return error_set(err, STATUS_UNAVAILABLE, "%s: %s", child->log,
		    strerror(errno));
	child->pid = fork();
	if (child->pid == 0)
		become(path, argv, log_fd, parent);
	close(log_fd);
	if (child->pid < 0) {
		child->pid = 0;
		return error_set(err, STATUS_UNAVAILABLE, "%s: %s",
		    child->program, strerror(errno));
	}
	return STATUS_OK;
}

static void
note_address(struct demo_child *child, struct view line)
{
	struct json_document *document = NULL;
	const struct json_value *root;
	struct error err;
	struct view port, address;

	if (json_parse(line, &document, &err) != STATUS_OK)
		return;
	root = json_root(document);
	port = json_text(json_member(root, "port"));
	address = json_text(json_member(root, "address"));
	if (view_is(json_text(json_member(root, "message")), "listening"))
		snprintf(view_is(port, "admin") ? child->admin : child->public,
		    DEMO_TEXT_BYTES, "%.*s", VIEW_ARGS(address));
	json_free(document);
}

/* Ports are the system's choice; the log says which. */
static void
find_addresses(struct demo_child *child)
{
	struct buffer text;
	struct error err;
	struct view left;

	buffer_init(&text, LOG_BYTES_MAX);
	if (expand_read_file(child->log, &text, &err) == STATUS_OK) {
		left = buffer_view(&text);
		while (left.len > 0)
			note_address(child, view_cut(&left, '\n'));
	}
	buffer_clear(&text);
}

static unsigned
get(const struct demo_child *child, const char *path, struct buffer *out_body)
{
	char url[2 * DEMO_TEXT_BYTES];
	struct error err;
	unsigned code = 0;

	snprintf(url, sizeof(url), "http://%s%s", child->admin, path);
	if (http_fetch(&(struct http_call_options){ .url = url,
			   .timeout_ms = ANSWER_MS,
			   .body_bytes_max = METRICS_BYTES_MAX },
		out_body, &code, &err) != STATUS_OK)
		return 0;
	return code;
}

static bool
is_ready(struct demo_child *child)
{
	struct buffer body;
	bool answer;

	if (child->admin[0] == '\0')
		find_addresses(child);
	if (child->admin[0] == '\0')
		return false;
	buffer_init(&body, METRICS_BYTES_MAX);
	answer = get(child, "/readyz", &body) == 200;
	buffer_clear(&body);
	return answer;
}

int64_t
demo_child_metric(const struct demo_child *child, const char *series)
{
	struct buffer body;
	struct view left;
	int64_t value = -1;

	buffer_init(&body, METRICS_BYTES_MAX);
	left = get(child, "/metrics", &body) == 200 ? buffer_view(&body)
						    : VIEW("");
	while (left.len > 0) {
		struct view line = view_cut(&left, '\n');

		if (!view_starts(line, view_of(series)))
			continue;
		line.data += strlen(series);
		line.len -= strlen(series);
		if (view_to_int(view_trim(line), &value) == STATUS_OK)
			break;
	}
	buffer_clear(&body);
	return value;
}

static enum status
check(struct demo_child *child, struct error *err)
{
	int how = 0;

	if (child->pid == 0 || waitpid(child->pid, &how, WNOHANG) == 0)
		return STATUS_OK;
	child->pid = 0;
	if (WIFSIGNALED(how))
		return error_set(err, STATUS_FATAL, "%s was ended by signal %d",
		    child->program, WTERMSIG(how));
	return error_set(err, STATUS_FATAL, "%s ended by itself, status %d",
	    child->program, WEXITSTATUS(how));
}

enum status
demo_children_check(struct demo *demo, struct error *err)
{
	const enum status status = check(&demo->ingress, err);

	return status == STATUS_OK ? check(&demo->enricher, err) : status;
}

enum status
demo_child_await(struct demo *demo, struct demo_child *child, struct error *err)
{
	enum status status = STATUS_OK;

	while (!is_ready(child)) {
		status = demo_children_check(demo, err);
		if (status != STATUS_OK)
			return status;
		if (tool_is_interrupted())
			return error_set(err, STATUS_END, "interrupted");
		if (clock_steady_ms() >= demo->until_ms)
			return error_set(err, STATUS_FATAL,
			    "%s does not become ready", child->program);
		poll(NULL, 0, STEP_MS);
	}
	return STATUS_OK;
}

enum status
demo_children_start(struct demo *demo, struct error *err)
{
	enum status status = start_child(demo, &demo->ingress, err);

	if (status == STATUS_OK)
		status = start_child(demo, &demo->enricher, err);
	return status;
}

/* True when it ended as it should: with 0, after what it had in hand. */
static bool
stop(struct demo_child *child, int64_t until_ms)
{
	int how = 0;

	if (child->pid == 0)
		return true;
	while (waitpid(child->pid, &how, WNOHANG) == 0) {
		if (clock_steady_ms() >= until_ms)
			kill(child->pid, SIGKILL);
		poll(NULL, 0, STEP_MS);
	}
	child->pid = 0;
	return WIFEXITED(how) && WEXITSTATUS(how) == 0;
}

bool
demo_children_stop(struct demo *demo)
{
	const int64_t until_ms = clock_steady_ms() + STOP_MS;
	bool is_clean;

	if (demo->ingress.pid > 0)
		kill(demo->ingress.pid, SIGTERM);
	if (demo->enricher.pid > 0)
		kill(demo->enricher.pid, SIGTERM);
	is_clean = stop(&demo->ingress, until_ms);
	return stop(&demo->enricher, until_ms) && is_clean;
}

static void
show_log(const struct demo_child *child)
{
	struct buffer text;
	struct error err;
	size_t start, lines = 0;

	buffer_init(&text, LOG_BYTES_MAX);
	if (child->log[0] != '\0' &&
	    expand_read_file(child->log, &text, &err) == STATUS_OK) {
		for (start = text.len; start > 0; start--)
			if (text.data[start - 1] == '\n' && start < text.len &&
			    ++lines == LOG_LINES_SHOWN)
				break;
		fprintf(stderr, "\nthe end of the log of %s:\n%.*s",
		    child->program, (int)(text.len - start), text.data + start);
	}
	buffer_clear(&text);
}

void
demo_children_show_logs(const struct demo *demo)
{
	show_log(&demo->ingress);
	show_log(&demo->enricher);
}
