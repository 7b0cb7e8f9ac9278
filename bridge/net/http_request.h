/* SPDX-License-Identifier: Apache-2.0
 *
 * A request as the server and its accessors share it. Not for others: the
 * contract is vulnbus/http_server.h. */
#ifndef VULNBUS_HTTP_REQUEST_H
#define VULNBUS_HTTP_REQUEST_H

#include "vulnbus/http_server.h"

struct MHD_Connection;
struct MHD_Response;

struct http_request {
	struct http_server *server;
	struct MHD_Connection *connection;
	const char *method;
	struct view path;
	struct buffer body;
	struct view subject; /* of the client's certificate; borrowed */
	uint64_t body_bytes;
	int64_t started_us;
	bool is_body_dropped;
	bool is_suspended;
	bool is_answered;
	struct MHD_Response *response; /* owned until queued */
	unsigned code;
};

#endif
