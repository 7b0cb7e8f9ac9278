/* SPDX-License-Identifier: Apache-2.0
 *
 * What a request holds, and what it is answered. */
#include "http_request.h"

#include <microhttpd.h>
#include <stdio.h>
#include <strings.h>

#include "vulnbus/trace.h"

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

/* "If the number of traceparent headers is not exactly one" it is as if there
 * was none (W3C Trace Context, section 4.3). */
void
http_request_trace(const struct http_request *request, struct trace *out)
{
	size_t count = 0;
	const struct view given = http_request_header(
	    request, "traceparent", &count);

	trace_continue(count == 1 ? given : VIEW(""), VIEW(""), out);
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

struct view
http_request_subject(const struct http_request *request)
{
	return request->subject;
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
