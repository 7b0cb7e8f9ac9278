/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes sent to a listening port: refused or answered, and the next caller
 * is served. */
#include "fuzz.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "vulnbus/accept.h"
#include "vulnbus/http_server.h"
#include "vulnbus/log.h"
#include "vulnbus/trace.h"

#define HEADERS_BYTES_MAX 2048
#define BODY_BYTES_MAX    512

static const char good[] =
    "POST /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
    "Content-Length: 2\r\n\r\nhi";

static struct http_server *server;
static struct sockaddr_in address = { .sin_family = AF_INET };

/* Reads of the request what the ingress does. */
static void
on_request(struct http_request *request, void *arg)
{
	const struct view path = http_request_path(request);
	const struct view body = http_request_body(request);
	char *items[] = { (char *)(uintptr_t) "127.0.0.0/8" };
	const struct config_list trusted = { .items = items, .count = 1 };
	char peer[PEER_TEXT_BYTES];
	struct buffer list;
	struct trace trace;
	size_t count;

	(void)arg;
	REQUIRE(memchr(path.data, '?', path.len) == NULL);
	REQUIRE(path.len <= HEADERS_BYTES_MAX && body.len <= BODY_BYTES_MAX);
	REQUIRE(strlen(http_request_method(request)) > 0);
	buffer_init(&list, HEADERS_BYTES_MAX);
	http_request_list(request, "X-Forwarded-For", &list);
	REQUIRE(buffer_status(&list) == STATUS_OK);
	accept_peer(
	    &trusted, http_request_peer(request), buffer_view(&list), peer);
	REQUIRE(peer[0] != '\0');
	buffer_clear(&list);
	http_request_trace(request, &trace);
	REQUIRE(trace_id(&trace).len == TRACE_ID_BYTES);
	(void)http_request_header(request, "Content-Type", &count);
	http_request_answer(request, &(struct http_answer){ .code = 202 });
}

static void
start(void)
{
	const struct http_server_options options = {
		.name = "fuzz",
		.listen = "127.0.0.1:0",
		.threads = 1,
		.idle_timeout_ms = 30000,
		.connections_max = 64,
		.headers_bytes_max = HEADERS_BYTES_MAX,
		.body_bytes_max = BODY_BYTES_MAX,
		.on_request = on_request,
	};
	struct error err = { "" };
	const char *port;
	int64_t number = 0;

	if (server != NULL)
		return;
	REQUIRE(http_server_open(&options, &server, &err) == STATUS_OK);
	port = strrchr(http_server_address(server), ':') + 1;
	REQUIRE(view_to_int(view_of(port), &number) == STATUS_OK);
	address.sin_port = htons((uint16_t)number);
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
}

/* Sends all of it, no more after that, and reads until the server hangs up. */
static size_t
call(struct view bytes, char *out, size_t size)
{
	const int fd = socket(AF_INET, SOCK_STREAM, 0);
	size_t len = 0;
	ssize_t got;

	REQUIRE(fd >= 0);
	/* A fuzzer has alarms. */
	while (connect(fd, (const struct sockaddr *)(const void *)&address,
		   sizeof(address)) != 0)
		REQUIRE(errno == EINTR);
	/* It may have hung up already. */
	(void)send(fd, bytes.data, bytes.len, MSG_NOSIGNAL);
	(void)shutdown(fd, SHUT_WR);
	do {
		struct pollfd readable = { .fd = fd, .events = POLLIN };
		int count;

		while ((count = poll(&readable, 1, 10000)) < 0)
			REQUIRE(errno == EINTR);
		REQUIRE(count == 1);
		got = recv(fd, out + len, size - len, 0);
		len += got > 0 ? (size_t)got : 0;
	} while (got > 0 && len < size);
	close(fd);
	return len;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static char answer[1 << 16];
	size_t got;

	start();
	if (len > 8192)
		return 0;
	got = call(
	    (struct view){ (const char *)data, len }, answer, sizeof(answer));
	REQUIRE(got == 0 || memcmp(answer, "HTTP/1.", 7) == 0);
	got = call(VIEW(good), answer, sizeof(answer));
	REQUIRE(got > 12 && memcmp(answer, "HTTP/1.1 202", 12) == 0);
	return 0;
}
