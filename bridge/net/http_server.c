/* SPDX-License-Identifier: Apache-2.0
 *
 * The door to libmicrohttpd. */
#include "http_request.h"

#include <microhttpd.h>
#include <netdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "vulnbus/address.h"
#include "vulnbus/http_tls.h"
#include "vulnbus/log.h"
#include "vulnbus/timestamp.h"

/* What a client may still send beyond the ceiling, so as to read its 413. */
#define OVERRUN_BYTES (1u << 20)

struct http_server {
	struct MHD_Daemon *daemon;
	struct http_server_options options;
	struct http_tls *tls; /* of new connections; NULL: plain HTTP */
	pthread_mutex_t tls_lock;
	atomic_bool is_last; /* each answer is its connection's last */
	char address[ADDRESS_PORT_TEXT_BYTES];
};

/* A connection's context is its TLS; it is told to be closed when its session
 * is gone. */
static void
on_connection(void *arg, struct MHD_Connection *connection, void **context,
    enum MHD_ConnectionNotificationCode what)
{
	struct http_server *server = arg;
	const union MHD_ConnectionInfo *info;
	struct http_tls *tls;

	if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
		http_tls_end(*context);
		return;
	}
	pthread_mutex_lock(&server->tls_lock);
	tls = http_tls_hold(server->tls);
	pthread_mutex_unlock(&server->tls_lock);
	info = MHD_get_connection_info(
	    connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
	*context = http_tls_begin(tls, info->tls_session);
	http_tls_release(tls);
}

static struct view
client_subject(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(
	    connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	if (info == NULL || info->socket_context == NULL)
		return VIEW("");
	return http_tls_subject(info->socket_context);
}

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
	/* Whatever the path says: how long it takes must not tell. */
	request->subject = client_subject(connection);
	return request;
}

static enum MHD_Result
queue_answer(struct http_request *request)
{
	enum MHD_Result result;

	if (request->response != NULL && atomic_load(&request->server->is_last))
		MHD_add_response_header(
		    request->response, "Connection", "close");
	result = MHD_queue_response(
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
	const struct http_server_options *options = &request->server->options;

	http_request_answer(request, &(struct http_answer){ .code = code });
	if (options->on_refused != NULL)
		options->on_refused(code, options->arg);
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
	const bool is_tls = server->tls != NULL;
	const unsigned flags = MHD_ALLOW_SUSPEND_RESUME |
			       (is_tls ? MHD_USE_TLS : 0) |
			       (is_pool ? MHD_USE_EPOLL_INTERNAL_THREAD
					: MHD_USE_POLL_INTERNAL_THREAD) |
			       (is_v6 ? MHD_USE_IPv6 : 0);
	const struct MHD_OptionItem pool[] = {
		{ is_pool ? MHD_OPTION_THREAD_POOL_SIZE : MHD_OPTION_END,
		    (intptr_t)o->threads, NULL },
		{ MHD_OPTION_END, 0, NULL },
	};
	const struct MHD_OptionItem tls[] = {
		{ is_tls ? MHD_OPTION_NOTIFY_CONNECTION : MHD_OPTION_END,
		    (intptr_t)on_connection, server },
		{ MHD_OPTION_HTTPS_CERT_CALLBACK, 0,
		    http_tls_no_certificate() },
		{ MHD_OPTION_HTTPS_PRIORITIES, 0,
		    (void *)(uintptr_t)HTTP_TLS_PRIORITIES },
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
	    server, MHD_OPTION_ARRAY, pool, MHD_OPTION_ARRAY, tls,
	    MHD_OPTION_END);
}

static void
server_free(struct http_server *server)
{
	if (server == NULL)
		return;
	http_tls_release(server->tls);
	pthread_mutex_destroy(&server->tls_lock);
	free(server);
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
	server->tls = http_tls_hold(options->tls);
	pthread_mutex_init(&server->tls_lock, NULL);
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
	server_free(server);
	return status;
}

void
http_server_renew_tls(struct http_server *server, struct http_tls *tls)
{
	struct http_tls *former = server->tls;

	if (former == NULL || tls == NULL)
		return;
	pthread_mutex_lock(&server->tls_lock);
	server->tls = http_tls_hold(tls);
	pthread_mutex_unlock(&server->tls_lock);
	http_tls_release(former);
}

void
http_server_let_go(struct http_server *server)
{
	atomic_store(&server->is_last, true);
}

unsigned
http_server_connections(const struct http_server *server)
{
	const union MHD_DaemonInfo *info = MHD_get_daemon_info(
	    server->daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS);

	return info == NULL ? 0 : info->num_connections;
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
	server_free(*server);
	*server = NULL;
}
