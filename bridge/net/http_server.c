/* SPDX-License-Identifier: Apache-2.0
 *
 * The door to libmicrohttpd. */
#include "vulnbus/http_server.h"

#include <microhttpd.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "vulnbus/address.h"
#include "vulnbus/log.h"
#include "vulnbus/timestamp.h"

/* What a client may still send beyond the ceiling, so as to read its 413. */
#define OVERRUN_BYTES (1u << 20)

struct http_server {
	struct MHD_Daemon *daemon;
	struct http_server_options options;
	char address[ADDRESS_PORT_TEXT_BYTES];
};

struct http_request {
	struct http_server *server;
	struct MHD_Connection *connection;
	const char *method;
	struct view path;
	struct buffer body;
	uint64_t body_bytes;
	int64_t started_us;
	bool is_body_dropped;
	bool is_suspended;
	bool is_answered;
	struct MHD_Response *response; /* owned until queued */
	unsigned code;
};

static void
on_completed(void *arg, struct MHD_Connection *connection, void **con_cls,
    enum MHD_RequestTerminationCode why)
{
	struct http_request *request = *con_cls;

	(void)arg;
	(void)connection;
	(void)why;
	if (request == NULL)
		return;
	MHD_destroy_response(request->response);
	buffer_clear(&request->body);
	free(request);
	*con_cls = NULL;
}

static struct http_request *
request_new(struct http_server *server, struct MHD_Connection *connection,
    const char *method, const char *path)
{
	struct http_request *request = calloc(1, sizeof(*request));

	if (request == NULL)
		return NULL;
	request->server = server;
	request->connection = connection;
	request->method = method;
	request->path = view_of(path);
	request->started_us = clock_steady_us();
	buffer_init(&request->body, server->options.body_bytes_max);
	return request;
}

static enum MHD_Result
queue_answer(struct http_request *request)
{
	const enum MHD_Result result = MHD_queue_response(
	    request->connection, request->code, request->response);

	MHD_destroy_response(request->response);
	request->response = NULL;
	return result;
}

static bool
is_over_headers(const struct http_request *request)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(
	    request->connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);

	return info != NULL &&
	       info->header_size > request->server->options.headers_bytes_max;
}

static bool
is_over_body(const struct http_request *request)
{
	size_t count;
	int64_t length;
	const struct view text = http_request_header(
	    request, "Content-Length", &count);

	if (count == 0)
		return false;
	return view_to_int(text, &length) != STATUS_OK || length < 0 ||
	       (uint64_t)length > request->server->options.body_bytes_max;
}

static void
refuse(struct http_request *request, unsigned code)
{
	http_request_answer(request, &(struct http_answer){ .code = code });
}

/* The first call for a request: its headers are in, its body is not. */
static enum MHD_Result
take_headers(struct http_request *request)
{
	const struct http_server_options *options = &request->server->options;

	if (is_over_headers(request))
		refuse(request, 431);
	else if (options->on_headers != NULL)
		options->on_headers(request, options->arg);
	if (!request->is_answered && is_over_body(request))
		refuse(request, 413);
	return request->is_answered ? queue_answer(request) : MHD_YES;
}

static enum MHD_Result
take_body(struct http_request *request, const char *data, size_t *len)
{
	const uint64_t max = request->server->options.body_bytes_max;

	request->body_bytes += *len;
	if (!request->is_body_dropped && request->body_bytes <= max)
		buffer_append(&request->body, data, *len);
	*len = 0;
	return request->body_bytes > max + OVERRUN_BYTES ? MHD_NO : MHD_YES;
}

static enum MHD_Result
on_access(void *arg, struct MHD_Connection *connection, const char *path,
    const char *method, const char *version, const char *data, size_t *len,
    void **con_cls)
{
	struct http_server *server = arg;
	struct http_request *request = *con_cls;

	(void)version;
	if (request == NULL) {
		request = request_new(server, connection, method, path);
		*con_cls = request;
		return request == NULL ? MHD_NO : take_headers(request);
	}
	if (*len > 0)
		return take_body(request, data, len);
	/* A suspended request comes back here, on this thread, once another
	 * one has answered and resumed it. */
	if (request->is_suspended)
		return queue_answer(request);
	if (request->body_bytes > server->options.body_bytes_max)
		refuse(request, 413);
	else if (buffer_status(&request->body) != STATUS_OK)
		refuse(request, 503);
	else
		server->options.on_request(request, server->options.arg);
	return request->is_suspended ? MHD_YES : queue_answer(request);
}

/* The path's escapes are kept: "%2F" in a segment is not a separator. */
static size_t
keep_escapes(void *arg, struct MHD_Connection *connection, char *text)
{
	(void)arg;
	(void)connection;
	return strlen(text);
}

static void
note_address(struct http_server *server, const struct sockaddr *address)
{
	const union MHD_DaemonInfo *info = MHD_get_daemon_info(
	    server->daemon, MHD_DAEMON_INFO_BIND_PORT);

	address_print_port(
	    address, info == NULL ? 0 : info->port, server->address);
}

/* One internal epoll thread without a pool stalls in 0.9.75 once 256
 * connections are open; a pool of epoll threads, or one poll thread, does
 * not. */
static struct MHD_Daemon *
start_daemon(struct http_server *server, const struct addrinfo *address)
{
	const struct http_server_options *o = &server->options;
	const bool is_pool = o->threads > 1;
	const bool is_v6 = address->ai_family == AF_INET6;
	const unsigned flags = MHD_ALLOW_SUSPEND_RESUME |
			       (is_pool ? MHD_USE_EPOLL_INTERNAL_THREAD
					: MHD_USE_POLL_INTERNAL_THREAD) |
			       (is_v6 ? MHD_USE_IPv6 : 0);
	const struct MHD_OptionItem pool[] = {
		{ is_pool ? MHD_OPTION_THREAD_POOL_SIZE : MHD_OPTION_END,
		    (intptr_t)o->threads, NULL },
		{ MHD_OPTION_END, 0, NULL },
	};

	return MHD_start_daemon(flags, 0, NULL, NULL, on_access, server,
	    MHD_OPTION_SOCK_ADDR, address->ai_addr,
	    MHD_OPTION_LISTEN_BACKLOG_SIZE, 1024u, MHD_OPTION_CONNECTION_LIMIT,
	    (unsigned)o->connections_max, MHD_OPTION_CONNECTION_TIMEOUT,
	    (unsigned)((o->idle_timeout_ms + 999) / 1000),
	    /* Headers are held while they are parsed and copied. */
	    MHD_OPTION_CONNECTION_MEMORY_LIMIT,
	    (size_t)o->headers_bytes_max * 2 + 4096,
	    MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_UNESCAPE_CALLBACK,
	    keep_escapes, NULL, MHD_OPTION_NOTIFY_COMPLETED, on_completed,
	    server, MHD_OPTION_ARRAY, pool, MHD_OPTION_END);
}

enum status
http_server_open(const struct http_server_options *options,
    struct http_server **out_server, struct error *err)
{
	struct http_server *server = calloc(1, sizeof(*server));
	struct addrinfo *address = NULL;
	enum status status;

	if (server == NULL)
		return error_set(err, STATUS_NO_MEMORY, "no memory");
	server->options = *options;
	status = address_resolve(options->listen, &address, err);
	if (status != STATUS_OK)
		goto out;
	server->daemon = start_daemon(server, address);
	if (server->daemon == NULL) {
		status = error_set(err, STATUS_UNAVAILABLE,
		    "cannot listen on %s", options->listen);
		goto out;
	}
	note_address(server, address->ai_addr);
	LOG_INFO("listening", LOG_TEXT("port", options->name),
	    LOG_TEXT("address", server->address));
	*out_server = server;
	server = NULL;
out:
	if (address != NULL)
		freeaddrinfo(address);
	free(server);
	return status;
}

const char *
http_server_address(const struct http_server *server)
{
	return server->address;
}

void
http_server_close(struct http_server **server)
{
	if (*server == NULL)
		return;
	MHD_stop_daemon((*server)->daemon);
	free(*server);
	*server = NULL;
}

const char *
http_request_method(const struct http_request *request)
{
	return request->method;
}

struct view
http_request_path(const struct http_request *request)
{
	return request->path;
}

struct header_search {
	const char *name;
	struct view value;
	size_t count;
	struct buffer *joined; /* or NULL */
};

/* With lengths: a NUL within a value must not cut it short. */
static enum MHD_Result
match_header(void *arg, enum MHD_ValueKind kind, const char *name,
    size_t name_len, const char *value, size_t value_len)
{
	struct header_search *search = arg;

	(void)name_len;
	if (kind != MHD_HEADER_KIND || strcasecmp(name, search->name) != 0)
		return MHD_YES;
	search->value = (struct view){ value == NULL ? "" : value, value_len };
	if (search->count++ > 0 && search->joined != NULL)
		buffer_append(search->joined, ",", 1);
	if (search->joined != NULL)
		buffer_append_view(search->joined, search->value);
	return MHD_YES;
}

struct view
http_request_header(
    const struct http_request *request, const char *name, size_t *out_count)
{
	struct header_search search = { .name = name, .value = VIEW("") };

	if (name != NULL)
		MHD_get_connection_values_n(request->connection,
		    MHD_HEADER_KIND, match_header, &search);
	*out_count = search.count;
	return search.value;
}

void
http_request_list(
    const struct http_request *request, const char *name, struct buffer *out)
{
	struct header_search search = { .name = name, .joined = out };

	MHD_get_connection_values_n(
	    request->connection, MHD_HEADER_KIND, match_header, &search);
}

struct view
http_request_body(const struct http_request *request)
{
	return buffer_view(&request->body);
}

void
http_request_discard_body(struct http_request *request)
{
	request->is_body_dropped = true;
}

const struct sockaddr *
http_request_peer(const struct http_request *request)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(
	    request->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);

	return info == NULL ? NULL : info->client_addr;
}

int64_t
http_request_started_us(const struct http_request *request)
{
	return request->started_us;
}

void
http_request_suspend(struct http_request *request)
{
	request->is_suspended = true;
	MHD_suspend_connection(request->connection);
}

static struct MHD_Response *
make_response(const struct http_answer *answer)
{
	struct MHD_Response *response = MHD_create_response_from_buffer(
	    answer->body.len, (void *)(uintptr_t)answer->body.data,
	    MHD_RESPMEM_MUST_COPY);
	char seconds[16];

	if (response == NULL)
		return NULL;
	if (answer->content_type != NULL)
		MHD_add_response_header(
		    response, "Content-Type", answer->content_type);
	if (answer->allow != NULL)
		MHD_add_response_header(response, "Allow", answer->allow);
	if (answer->retry_after_s > 0) {
		snprintf(seconds, sizeof(seconds), "%u", answer->retry_after_s);
		MHD_add_response_header(response, "Retry-After", seconds);
	}
	return response;
}

/* Without memory for a response the connection is closed unanswered: the
 * vendor sees a failure, which is the truth. */
void
http_request_answer(
    struct http_request *request, const struct http_answer *answer)
{
	struct MHD_Connection *connection = request->connection;
	const bool is_suspended = request->is_suspended;

	request->is_answered = true;
	request->code = answer->code;
	request->response = make_response(answer);
	if (is_suspended)
		MHD_resume_connection(connection);
}
