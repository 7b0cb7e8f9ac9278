/* SPDX-License-Identifier: Apache-2.0
 *
 * What acking truthfully costs at the least: libmicrohttpd and librdkafka with
 * nothing between them. Each body goes to TOPIC as it is (acks=all, idempotent,
 * no linger), and its request is answered 202 by the thread that read the
 * broker's answer. With a key, the token that comes with it is verified first.
 * Prints its port, ends when its standard input does.
 *
 * usage: bench-bare BROKERS TOPIC THREADS [KEY.pem] */
#include <microhttpd.h>
#include <unistd.h>

#include "bare_producer.h"
#include "bare_signature.h"

#define BODY_BYTES_MAX 8192

struct request {
	struct MHD_Connection *connection;
	bool is_safe;
	size_t len;
	char body[BODY_BYTES_MAX];
};

static rd_kafka_t *client;
static const char *topic;
static EVP_PKEY *key;

static rd_kafka_resp_err_t
on_acknowledgement(rd_kafka_t *rk, rd_kafka_message_t *message, void *arg)
{
	struct request *request = message->_private;

	(void)rk;
	(void)arg;
	request->is_safe = message->err == RD_KAFKA_RESP_ERR_NO_ERROR;
	MHD_resume_connection(request->connection);
	return RD_KAFKA_RESP_ERR_NO_ERROR;
}

static enum MHD_Result
answer(struct MHD_Connection *connection, unsigned code)
{
	struct MHD_Response *response = MHD_create_response_from_buffer(
	    0, NULL, MHD_RESPMEM_PERSISTENT);
	const enum MHD_Result result = MHD_queue_response(
	    connection, code, response);

	MHD_destroy_response(response);
	return result;
}

static bool
is_signed(const struct request *request)
{
	const char *token = MHD_lookup_connection_value(
	    request->connection, MHD_HEADER_KIND, "Authorization");
	struct bare_signature signature;
	bool is_good;

	if (token == NULL)
		return false;
	signature = bare_signature_of(token + strlen("Signed "));
	is_good = bare_verify(key, &signature);
	OPENSSL_free(signature.der);
	return is_good;
}

static enum MHD_Result
produce(struct request *request)
{
	static _Atomic unsigned next;
	const unsigned number = next++;

	if (key != NULL && !is_signed(request))
		return answer(request->connection, 401);
	MHD_suspend_connection(request->connection);
	if (rd_kafka_producev(client, RD_KAFKA_V_TOPIC(topic),
		RD_KAFKA_V_KEY(&number, sizeof(number)),
		RD_KAFKA_V_VALUE(request->body, request->len),
		RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
		RD_KAFKA_V_OPAQUE(request),
		RD_KAFKA_V_END) != RD_KAFKA_RESP_ERR_NO_ERROR)
		die("not produced");
	return MHD_YES;
}

static enum MHD_Result
on_access(void *arg, struct MHD_Connection *connection, const char *path,
    const char *method, const char *version, const char *data, size_t *len,
    void **context)
{
	struct request *request = *context;

	(void)arg;
	(void)path;
	(void)method;
	(void)version;
	if (request == NULL) {
		request = calloc(1, sizeof(*request));
		if (request == NULL)
			return MHD_NO;
		request->connection = connection;
		*context = request;
		return MHD_YES;
	}
	if (*len > 0 && request->len + *len <= BODY_BYTES_MAX) {
		memcpy(request->body + request->len, data, *len);
		request->len += *len;
		*len = 0;
		return MHD_YES;
	}
	if (*len > 0)
		return MHD_NO;
	return request->is_safe ? answer(connection, 202) : produce(request);
}

static void
on_completed(void *arg, struct MHD_Connection *connection, void **context,
    enum MHD_RequestTerminationCode why)
{
	(void)arg;
	(void)connection;
	(void)why;
	free(*context);
}

static acknowledged_f *on_acknowledged = on_acknowledgement;

int
main(int argc, char **argv)
{
	struct MHD_Daemon *daemon;
	char nothing;

	if (argc != 4 && argc != 5)
		return 64;
	topic = argv[2];
	if (argc == 5 && (key = bare_key(argv[4])) == NULL)
		return 66;
	client = bare_producer(argv[1], &on_acknowledged);
	daemon = MHD_start_daemon(
	    MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME, 0, NULL,
	    NULL, on_access, NULL, MHD_OPTION_THREAD_POOL_SIZE,
	    (unsigned)strtoul(argv[3], NULL, 10), MHD_OPTION_NOTIFY_COMPLETED,
	    on_completed, NULL, MHD_OPTION_END);
	if (daemon == NULL)
		die("no port");
	printf("%u\n",
	    MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT)->port);
	fflush(stdout);
	while (read(STDIN_FILENO, &nothing, 1) > 0)
		;
	_exit(0);
}
