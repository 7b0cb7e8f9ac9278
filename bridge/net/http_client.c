/* SPDX-License-Identifier: Apache-2.0
 *
 * The door to libcurl. */
#include "vulnbus/http_client.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "vulnbus/url.h"
#include "vulnbus/version.h"

#define REDIRECTS_MAX      5L
#define CONNECT_TIMEOUT_MS 10000L

struct http_client {
	CURLM *multi;
	struct http_call *calls; /* a list of those that run */
	bool has_paused;         /* since the last poll began */
};

struct http_call {
	struct http_client *client;
	struct http_call *next;
	CURL *easy;
	struct curl_slist *headers;
	struct buffer body;
	char *url; /* owned */
	char retry_after[64];
	char error[CURL_ERROR_SIZE];
	bool is_truncated;
	http_data_f *on_data;
	http_done_f *on_done;
	void *arg;
};

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;

static void
curl_start(void)
{
	curl_global_init(CURL_GLOBAL_DEFAULT);
}

enum status
http_client_open(struct http_client **out_client, struct error *err)
{
	struct http_client *client = calloc(1, sizeof(*client));

	pthread_once(&curl_once, curl_start);
	if (client != NULL)
		client->multi = curl_multi_init();
	if (client == NULL || client->multi == NULL) {
		free(client);
		return error_set(err, STATUS_NO_MEMORY, "HTTP client");
	}
	*out_client = client;
	return STATUS_OK;
}

static void
unlink_call(struct http_call *call)
{
	struct http_call **at = &call->client->calls;

	while (*at != NULL && *at != call)
		at = &(*at)->next;
	if (*at == call)
		*at = call->next;
}

static void
call_free(struct http_call *call)
{
	unlink_call(call);
	if (call->easy != NULL) {
		curl_multi_remove_handle(call->client->multi, call->easy);
		curl_easy_cleanup(call->easy);
	}
	for (struct curl_slist *h = call->headers; h != NULL; h = h->next)
		explicit_bzero(h->data, strlen(h->data));
	curl_slist_free_all(call->headers);
	buffer_clear(&call->body);
	free(call->url);
	free(call);
}

void
http_call_cancel(struct http_call **call)
{
	if (*call != NULL)
		call_free(*call);
	*call = NULL;
}

void
http_client_close(struct http_client **client)
{
	if (*client == NULL)
		return;
	while ((*client)->calls != NULL)
		call_free((*client)->calls);
	curl_multi_cleanup((*client)->multi);
	free(*client);
	*client = NULL;
}

static size_t
on_write(char *data, size_t size, size_t count, void *arg)
{
	struct http_call *call = arg;
	const struct view piece = { data, size * count };
	long code = 0;

	curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &code);
	if (call->on_data != NULL && code == 200) {
		if (call->on_data(call, piece, call->arg))
			return piece.len;
		call->client->has_paused = true;
		return CURL_WRITEFUNC_PAUSE;
	}
	if (call->body.len + piece.len > call->body.max_bytes) {
		call->is_truncated = true;
		/* An error page may be as long as it likes; what matters is
		 * its status. */
		return code == 200 ? 0 : piece.len;
	}
	buffer_append_view(&call->body, piece);
	return buffer_status(&call->body) == STATUS_OK ? piece.len : 0;
}

static size_t
on_header(char *data, size_t size, size_t count, void *arg)
{
	struct http_call *call = arg;
	struct view line = { data, size * count };
	const struct view name = view_cut(&line, ':');
	const struct view value = view_trim(line);

	if (name.len == strlen("Retry-After") &&
	    curl_strnequal(name.data, "Retry-After", name.len) &&
	    value.len < sizeof(call->retry_after)) {
		memcpy(call->retry_after, value.data, value.len);
		call->retry_after[value.len] = '\0';
	}
	return size * count;
}

static bool
add_header(struct http_call *call, const char *name, const char *value)
{
	struct buffer text;
	struct curl_slist *headers = NULL;

	if (value == NULL)
		return true;
	buffer_init_secret(&text, 16384);
	buffer_print(&text, "%s%s", name, value);
	buffer_append(&text, "", 1);
	if (buffer_status(&text) == STATUS_OK)
		headers = curl_slist_append(call->headers, text.data);
	buffer_clear(&text);
	if (headers != NULL)
		call->headers = headers;
	return headers != NULL;
}

static void
set_timeouts(CURL *easy, const struct http_call_options *o)
{
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_TIMEOUT_MS);
	if (o->on_data == NULL) {
		curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)o->timeout_ms);
		return;
	}
	/* HTTP/2 would buffer megabytes of a paused stream. */
	curl_easy_setopt(
	    easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	/* A file takes as long as it takes; a stalled one does not. */
	curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
	curl_easy_setopt(
	    easy, CURLOPT_LOW_SPEED_TIME, (long)(o->timeout_ms + 999) / 1000);
}

/* curl drops an Authorization header by itself when a redirect leads to
 * another host, port or scheme (CURLOPT_UNRESTRICTED_AUTH is off). */
static void
set_options(struct http_call *call, const struct http_call_options *o)
{
	const bool is_get = o->method == NULL || strcmp(o->method, "GET") == 0;
	CURL *easy = call->easy;

	curl_easy_setopt(easy, CURLOPT_URL, o->url);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR,
	    strncmp(o->url, "https:", 6) == 0 ? "https" : "http,https");
	/* What is sent is meant for one host. */
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, is_get ? 1L : 0L);
	curl_easy_setopt(easy, CURLOPT_MAXREDIRS, REDIRECTS_MAX);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	/* Cancelling must not wait for a name server. */
	curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
	curl_easy_setopt(easy, CURLOPT_USERAGENT, "vulnbus/" VULNBUS_VERSION);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, call->headers);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_write);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, call);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, call);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, call->error);
	curl_easy_setopt(easy, CURLOPT_PRIVATE, call);
	if (o->ca_file != NULL)
		curl_easy_setopt(easy, CURLOPT_CAINFO, o->ca_file);
	if (o->method != NULL)
		curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, o->method);
	if (o->body.len > 0) {
		curl_easy_setopt(
		    easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)o->body.len);
		curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, o->body.data);
	}
	set_timeouts(easy, o);
}

enum status
http_client_start(struct http_client *client,
    const struct http_call_options *options, struct http_call **out_call,
    struct error *err)
{
	struct http_call *call = calloc(1, sizeof(*call));

	if (call == NULL)
		return error_set(err, STATUS_NO_MEMORY, "HTTP call");
	call->client = client;
	call->on_data = options->on_data;
	call->on_done = options->on_done;
	call->arg = options->arg;
	if (options->is_reply_secret)
		buffer_init_secret(&call->body, options->body_bytes_max);
	else
		buffer_init(&call->body, options->body_bytes_max);
	call->url = strdup(options->url);
	call->easy = curl_easy_init();
	if (call->url == NULL || call->easy == NULL ||
	    !add_header(call, "Authorization: ", options->authorization) ||
	    !add_header(call, "Content-Type: ", options->content_type) ||
	    !add_header(call, "", options->extra_header) ||
	    !add_header(call, "Accept: ",
		options->accept != NULL ? options->accept : "*/*")) {
		call_free(call);
		return error_set(err, STATUS_NO_MEMORY, "HTTP call");
	}
	set_options(call, options);
	if (curl_multi_add_handle(client->multi, call->easy) != CURLM_OK) {
		call_free(call);
		return error_set(err, STATUS_NO_MEMORY, "HTTP call");
	}
	call->next = client->calls;
	client->calls = call;
	*out_call = call;
	return STATUS_OK;
}

void
http_call_resume(struct http_call *call)
{
	curl_easy_pause(call->easy, CURLPAUSE_CONT);
}

struct view
http_call_content_type(const struct http_call *call)
{
	char *content_type = NULL;

	curl_easy_getinfo(call->easy, CURLINFO_CONTENT_TYPE, &content_type);
	return view_of(content_type);
}

static void
finish(struct http_call *call, CURLcode result)
{
	struct http_reply reply = { .body = buffer_view(&call->body) };
	char *answered = NULL;
	long code = 0;

	curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &code);
	curl_easy_getinfo(call->easy, CURLINFO_EFFECTIVE_URL, &answered);
	reply.content_type = http_call_content_type(call);
	reply.is_elsewhere = !url_is_same_origin(
	    view_of(call->url), view_of(answered));
	reply.retry_after = view_of(call->retry_after);
	reply.is_truncated = call->is_truncated;
	if (result != CURLE_OK)
		reply.error = call->error[0] != '\0'
				  ? call->error
				  : curl_easy_strerror(result);
	else if (code == 0)
		reply.error = "an answer with a status of 0";
	/* A body that broke off is no answer, whatever its status said. */
	reply.code = result == CURLE_OK || call->is_truncated ? (unsigned)code
							      : 0;
	call->on_done(call, &reply, call->arg);
	call_free(call);
}

void
http_client_poll(struct http_client *client, int extra_fd, uint32_t timeout_ms)
{
	struct curl_waitfd extra = { .fd = extra_fd,
		.events = CURL_WAIT_POLLIN };
	int running = 0, left = 0;
	CURLMsg *message;

	client->has_paused = false;
	curl_multi_perform(client->multi, &running);
	while ((message = curl_multi_info_read(client->multi, &left)) != NULL) {
		const CURLcode result = message->data.result;
		struct http_call *call = NULL;

		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(
		    message->easy_handle, CURLINFO_PRIVATE, (char **)&call);
		finish(call, result);
		timeout_ms = 0; /* what it led to should not wait */
	}
	/* A transfer that was paused has something for the caller to do. */
	curl_multi_poll(client->multi, &extra, extra_fd < 0 ? 0 : 1,
	    client->has_paused ? 0 : (int)timeout_ms, NULL);
}

void
http_client_wake(struct http_client *client)
{
	curl_multi_wakeup(client->multi);
}

struct fetch {
	struct buffer *out_body;
	unsigned *out_code;
	struct error *err;
	enum status status;
	bool is_done;
};

static void
on_fetched(struct http_call *call, const struct http_reply *reply, void *arg)
{
	struct fetch *fetch = arg;

	fetch->is_done = true;
	*fetch->out_code = reply->code;
	if (reply->is_truncated)
		fetch->status = error_set(
		    fetch->err, STATUS_TOO_LARGE, "the answer is too long");
	else if (reply->error != NULL)
		fetch->status = error_set(
		    fetch->err, STATUS_UNAVAILABLE, "%s", reply->error);
	else
		buffer_take(&call->body, fetch->out_body);
}

enum status
http_fetch(const struct http_call_options *options, struct buffer *out_body,
    unsigned *out_code, struct error *err)
{
	struct fetch fetch = { .out_body = out_body,
		.out_code = out_code,
		.err = err,
		.status = STATUS_OK };
	struct http_call_options mine = *options;
	struct http_client *client = NULL;
	struct http_call *call = NULL;
	enum status status;

	mine.on_data = NULL;
	mine.on_done = on_fetched;
	mine.arg = &fetch;
	*out_code = 0;
	status = http_client_open(&client, err);
	if (status != STATUS_OK)
		return status;
	status = http_client_start(client, &mine, &call, err);
	if (status == STATUS_OK) {
		while (!fetch.is_done)
			http_client_poll(client, -1, 100);
		status = fetch.status;
	}
	http_client_close(&client);
	return status;
}
