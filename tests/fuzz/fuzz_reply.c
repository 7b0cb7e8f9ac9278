/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as what a vendor's API answers: told once, as it is or as no
 * answer, within the ceiling. */
#include "fuzz.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vulnbus/http_client.h"
#include "vulnbus/timestamp.h"

#define BODY_BYTES_MAX 256

static int listener = -1;
static char url[64];

static void
start(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t len = sizeof(address);

	if (listener >= 0)
		return;
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	REQUIRE(bind(listener, (const struct sockaddr *)(const void *)&address,
		    len) == 0);
	REQUIRE(listen(listener, 8) == 0);
	REQUIRE(getsockname(
		    listener, (struct sockaddr *)(void *)&address, &len) == 0);
	snprintf(
	    url, sizeof(url), "http://127.0.0.1:%d/x", ntohs(address.sin_port));
}

static void
on_done(struct http_call *call, const struct http_reply *reply, void *arg)
{
	int64_t wait_ms = 0;

	(void)call;
	++*(int *)arg;
	REQUIRE(reply->code != 0 || reply->error != NULL);
	REQUIRE(reply->body.len <= BODY_BYTES_MAX);
	REQUIRE(!reply->is_elsewhere);
	if (retry_after_parse(reply->retry_after, 0, &wait_ms) == STATUS_OK)
		REQUIRE(wait_ms >= 0);
}

/* Answers whoever calls, before it has asked; *fd is the last connection. */
static void
answer(struct view bytes, int *fd)
{
	const int accepted = accept(listener, NULL, NULL);

	if (accepted < 0)
		return;
	if (*fd >= 0)
		close(*fd);
	*fd = accepted;
	(void)send(*fd, bytes.data, bytes.len, MSG_NOSIGNAL);
	(void)shutdown(*fd, SHUT_WR);
}

/* Nobody else is to be called because of it. */
static bool
leads_away(struct view bytes)
{
	for (size_t i = 0; i + 8 <= bytes.len; i++)
		if (strncasecmp(bytes.data + i, "location", 8) == 0)
			return true;
	return false;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const struct view bytes = { (const char *)data, len };
	int done = 0, fd = -1;
	const struct http_call_options options = {
		.url = url,
		.timeout_ms = 10000,
		.body_bytes_max = BODY_BYTES_MAX,
		.on_done = on_done,
		.arg = &done,
	};
	struct http_client *client = NULL;
	struct http_call *call = NULL;
	struct error err = { "" };

	start();
	if (len > 8192 || leads_away(bytes))
		return 0;
	REQUIRE(http_client_open(&client, &err) == STATUS_OK);
	REQUIRE(http_client_start(client, &options, &call, &err) == STATUS_OK);
	while (done == 0) {
		http_client_poll(client, listener, 10000);
		answer(bytes, &fd);
	}
	REQUIRE(done == 1);
	http_client_close(&client);
	if (fd >= 0)
		close(fd);
	return 0;
}
