/* SPDX-License-Identifier: Apache-2.0
 *
 * A load of webhooks over keep-alive connections: each connection sends its
 * next request when the answer to the last one is in. A line of WEBHOOKS is a
 * token, or the body of an unsigned webhook. Prints one line: answers, other
 * answers than 202, seconds, p50, p99 and the longest in microseconds.
 *
 * usage: bench-load PORT PATH WEBHOOKS CONNECTIONS SECONDS */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define WEBHOOKS_MAX    4096
#define CONNECTIONS_MAX 1024
#define SAMPLES_MAX     4000000

struct connection {
	int fd;
	double sent_at;
	char answer[2048];
	size_t len;
};

static char *requests[WEBHOOKS_MAX];
static size_t request_lens[WEBHOOKS_MAX];
static size_t request_count;
static size_t next_request;
static float samples[SAMPLES_MAX];
static size_t sample_count, other_count;

static double
now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void
die(const char *what)
{
	perror(what);
	exit(1);
}

/* The request of one line. */
static char *
request_of(const char *line, const char *target)
{
	static const char shown[] =
	    "{\"id\":\"1\",\"kind\":\"scan\",\"status\":\"done\"}";
	const bool is_signed = line[0] != '{';
	const char *body = is_signed ? shown : line;
	char *text = NULL;

	if (asprintf(&text,
		"POST %s HTTP/1.1\r\nHost: localhost\r\n"
		"Content-Type: application/json\r\n"
		"%s%s%sContent-Length: %zu\r\n\r\n%s",
		target,
		is_signed ? "X-Signature: 'ES512 /api/webhook.key\r\n"
			    "Authorization: Signed "
			  : "",
		is_signed ? line : "", is_signed ? "\r\n" : "", strlen(body),
		body) < 0)
		die("asprintf");
	return text;
}

static void
read_webhooks(const char *path, const char *target)
{
	FILE *file = fopen(path, "r");
	char *line = NULL;
	size_t size = 0;

	if (file == NULL)
		die(path);
	while (
	    request_count < WEBHOOKS_MAX && getline(&line, &size, file) > 0) {
		line[strcspn(line, "\n")] = '\0';
		requests[request_count] = request_of(line, target);
		request_lens[request_count] = strlen(requests[request_count]);
		request_count++;
	}
	fclose(file);
	free(line);
}

static void
send_next(struct connection *c)
{
	const size_t i = next_request++ % request_count;

	c->len = 0;
	c->sent_at = now();
	if (write(c->fd, requests[i], request_lens[i]) !=
	    (ssize_t)request_lens[i])
		die("write");
}

static void
open_connection(struct connection *c, int port, int poll_fd)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr = { htonl(INADDR_LOOPBACK) } };
	struct epoll_event event = { .events = EPOLLIN, .data = { .ptr = c } };
	const int one = 1;

	c->fd = socket(AF_INET, SOCK_STREAM, 0);
	if (c->fd < 0 ||
	    connect(c->fd, (struct sockaddr *)&address, sizeof(address)) != 0)
		die("connect");
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	epoll_ctl(poll_fd, EPOLL_CTL_ADD, c->fd, &event);
}

/* All answers are without a body: the blank line ends one. */
static void
take_answer(struct connection *c)
{
	const ssize_t got = read(
	    c->fd, c->answer + c->len, sizeof(c->answer) - 1 - c->len);

	if (got <= 0)
		die("connection lost");
	c->len += (size_t)got;
	c->answer[c->len] = '\0';
	if (strstr(c->answer, "\r\n\r\n") == NULL)
		return;
	if (strncmp(c->answer, "HTTP/1.1 202 ", 13) != 0)
		other_count++;
	if (sample_count < SAMPLES_MAX)
		samples[sample_count++] = (float)((now() - c->sent_at) * 1e6);
	send_next(c);
}

static int
compare(const void *a, const void *b)
{
	const float x = *(const float *)a, y = *(const float *)b;

	return (x > y) - (x < y);
}

int
main(int argc, char **argv)
{
	static struct connection connections[CONNECTIONS_MAX];
	struct epoll_event events[64];
	double began, seconds;
	long count;
	int poll_fd;

	if (argc != 6)
		return 64;
	read_webhooks(argv[3], argv[2]);
	count = strtol(argv[4], NULL, 10);
	seconds = strtod(argv[5], NULL);
	if (count < 1 || count > CONNECTIONS_MAX || request_count == 0)
		return 64;
	poll_fd = epoll_create1(0);
	for (long i = 0; i < count; i++)
		open_connection(
		    &connections[i], (int)strtol(argv[1], NULL, 10), poll_fd);
	began = now();
	for (long i = 0; i < count; i++)
		send_next(&connections[i]);
	while (now() - began < seconds) {
		const int ready = epoll_wait(poll_fd, events, 64, 100);

		for (int i = 0; i < ready; i++)
			take_answer(events[i].data.ptr);
	}
	seconds = now() - began;
	qsort(samples, sample_count, sizeof(*samples), compare);
	printf("%zu %zu %.3f %.1f %.1f %.1f\n", sample_count, other_count,
	    seconds, (double)samples[sample_count / 2],
	    (double)samples[sample_count * 99 / 100],
	    (double)samples[sample_count - 1]);
	return 0;
}
