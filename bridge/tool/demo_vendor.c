/* SPDX-License-Identifier: Apache-2.0
 *
 * A VDR instance as far as its documentation goes: the public key for all,
 * scans, assets and exports for who has the token. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vulnbus/http_server.h"
#include "vulnbus/tool_demo.h"

#define CALLS_MAX     64
#define CSV_BYTES_MAX (64u << 20)
#define EXPORT_FILE   "downloads/export-212.csv"

struct demo_vendor {
	struct http_server *server;
	char authorization[DEMO_TEXT_BYTES + 16];
	struct buffer pem;
	struct buffer csv;
	char sha256[SHA256_BYTES * 2 + 1];
	pthread_mutex_t lock; /* of what follows */
	unsigned export_asked;
	struct demo_vendor_call calls[CALLS_MAX]; /* a ring */
	size_t call_first, call_count;
};

struct document {
	const char *path;
	const char *body;
};

static const struct document documents[] = {
	{ "/api/v2/scans/39836",
	    "{\"id\":\"39836\",\"requestDate\":\"2026-01-15T08:00:00Z\","
	    "\"status\":\"DONE\"}" },
	{ "/api/v2/scans/39837",
	    "{\"id\":\"39837\",\"requestDate\":\"2026-01-15T08:05:00Z\","
	    "\"status\":\"DONE\"}" },
	{ "/api/v2/scans/39838",
	    "{\"id\":\"39838\",\"requestDate\":\"2026-01-15T08:10:00Z\","
	    "\"status\":\"FAILED\"}" },
	{ "/api/v2/websites/1",
	    "{\"id\":\"1\",\"url\":\"https://shop.example.com\","
	    "\"hostname\":\"shop.example.com\",\"ip\":\"192.0.2.10\","
	    "\"isActive\":true,\"highCvss\":9.8,\"highCps\":71.5,"
	    "\"lastSeenDate\":\"2026-01-15T07:58:00Z\"}" },
	{ "/api/v2/servers/7",
	    "{\"id\":\"7\",\"hostname\":\"db-7.example.com\","
	    "\"ip\":\"198.51.100.7\",\"osName\":\"Debian 12\","
	    "\"osFamily\":\"linux\",\"isActive\":true,\"highCvss\":6.5,"
	    "\"lastSeenDate\":\"2026-01-15T07:59:00Z\"}" },
};

void
demo_vendor_write_csv(int64_t rows, struct buffer *out)
{
	static const char *const severities[] = { "critical", "medium",
		"warning", "info" };
	static const char *const findings[] = { "TLS 1.0 is offered",
		"Outdated OpenSSH", "Missing Content-Security-Policy",
		"SQL injection in parameter q" };

	buffer_print(out,
	    "address,ip,location,severity,description,cve_number,score_cvss\r\n");
	for (int64_t i = 1; i <= rows; i++) {
		const size_t kind = (size_t)(i - 1) % 4;

		buffer_print(out,
		    "https://www%lld.example.com,192.0.2.%lld,dmz,%s,"
		    "\"%s, seen on port %lld\",CVE-2025-%05lld,%lld.%lld\r\n",
		    (long long)i, (long long)(i % 254 + 1), severities[kind],
		    findings[kind], (long long)(443 + i % 3), (long long)i,
		    (long long)(i % 10), (long long)(i / 10 % 10));
	}
}

static void
note_call(struct demo_vendor *vendor, struct view path, unsigned code)
{
	struct demo_vendor_call *call;

	pthread_mutex_lock(&vendor->lock);
	if (vendor->call_count < CALLS_MAX) {
		call =
		    &vendor->calls[(vendor->call_first + vendor->call_count++) %
				   CALLS_MAX];
		snprintf(
		    call->path, sizeof(call->path), "%.*s", VIEW_ARGS(path));
		call->code = code;
	}
	pthread_mutex_unlock(&vendor->lock);
}

static void
answer(struct demo_vendor *vendor, struct http_request *request, unsigned code,
    const char *type, struct view body)
{
	note_call(vendor, http_request_path(request), code);
	http_request_answer(
	    request, &(struct http_answer){
			 .code = code, .content_type = type, .body = body });
}

/* An export takes its time: the first look finds it pending. */
static void
answer_export(struct demo_vendor *vendor, struct http_request *request)
{
	unsigned asked;

	pthread_mutex_lock(&vendor->lock);
	asked = vendor->export_asked++;
	pthread_mutex_unlock(&vendor->lock);
	answer(vendor, request, 200, "application/json",
	    asked == 0 ? VIEW("{\"id\":\"212\",\"status\":\"pending\","
			      "\"fileLocation\":null}")
		       : VIEW("{\"id\":\"212\",\"status\":\"done\","
			      "\"fileLocation\":\"" EXPORT_FILE "\"}"));
}

static void
answer_document(struct demo_vendor *vendor, struct http_request *request)
{
	const struct view path = http_request_path(request);

	for (size_t i = 0; i < sizeof(documents) / sizeof(*documents); i++)
		if (view_is(path, documents[i].path)) {
			answer(vendor, request, 200, "application/json",
			    view_of(documents[i].body));
			return;
		}
	answer(vendor, request, 404, NULL, VIEW(""));
}

static void
on_request(struct http_request *request, void *arg)
{
	struct demo_vendor *vendor = arg;
	const struct view path = http_request_path(request);
	size_t count;
	const struct view token = http_request_header(
	    request, "Authorization", &count);

	if (strcmp(http_request_method(request), "GET") != 0)
		http_request_answer(request,
		    &(struct http_answer){ .code = 405, .allow = "GET" });
	else if (view_is(path, "/api/webhook.key"))
		answer(vendor, request, 200, "application/x-pem-file",
		    buffer_view(&vendor->pem));
	else if (count != 1 || !view_is(token, vendor->authorization))
		answer(vendor, request, 401, NULL, VIEW(""));
	else if (view_is(path, "/api/v2/exports/212"))
		answer_export(vendor, request);
	else if (view_is(path, "/" EXPORT_FILE))
		answer(vendor, request, 200, "text/csv",
		    buffer_view(&vendor->csv));
	else
		answer_document(vendor, request);
}

static enum status
make_files(struct demo_vendor *vendor,
    const struct demo_vendor_options *options, struct error *err)
{
	unsigned char digest[SHA256_BYTES];
	enum status status = es512_key_to_pem(options->key, &vendor->pem, err);

	if (status != STATUS_OK)
		return status;
	demo_vendor_write_csv(options->rows, &vendor->csv);
	status = buffer_status(&vendor->csv);
	if (status != STATUS_OK)
		return error_set(
		    err, status, "the export: %s", status_name(status));
	sha256_of(buffer_view(&vendor->csv), digest);
	sha256_hex(digest, vendor->sha256);
	return STATUS_OK;
}

enum status
demo_vendor_open(const struct demo_vendor_options *options,
    struct demo_vendor **out_vendor, struct error *err)
{
	struct demo_vendor *vendor = calloc(1, sizeof(*vendor));
	enum status status;

	if (vendor == NULL)
		return error_set(err, STATUS_NO_MEMORY, "no memory");
	pthread_mutex_init(&vendor->lock, NULL);
	buffer_init(&vendor->pem, 4096);
	buffer_init(&vendor->csv, CSV_BYTES_MAX);
	snprintf(vendor->authorization, sizeof(vendor->authorization),
	    "Bearer %s", options->token);
	status = make_files(vendor, options, err);
	if (status == STATUS_OK)
		status = http_server_open(
		    &(struct http_server_options){
			.name = "vendor",
			.listen = "127.0.0.1:0",
			.threads = 2,
			.idle_timeout_ms = 30000,
			.connections_max = 64,
			.headers_bytes_max = 16384,
			.body_bytes_max = 4096,
			.on_request = on_request,
			.arg = vendor,
		    },
		    &vendor->server, err);
	if (status != STATUS_OK) {
		demo_vendor_close(&vendor);
		return status;
	}
	*out_vendor = vendor;
	return STATUS_OK;
}

void
demo_vendor_close(struct demo_vendor **vendor)
{
	if (*vendor == NULL)
		return;
	if ((*vendor)->server != NULL)
		http_server_close(&(*vendor)->server);
	buffer_clear(&(*vendor)->pem);
	buffer_clear(&(*vendor)->csv);
	pthread_mutex_destroy(&(*vendor)->lock);
	free(*vendor);
	*vendor = NULL;
}

const char *
demo_vendor_address(const struct demo_vendor *vendor)
{
	return http_server_address(vendor->server);
}

const char *
demo_vendor_sha256(const struct demo_vendor *vendor)
{
	return vendor->sha256;
}

bool
demo_vendor_take_call(
    struct demo_vendor *vendor, struct demo_vendor_call *out_call)
{
	bool is_there;

	pthread_mutex_lock(&vendor->lock);
	is_there = vendor->call_count > 0;
	if (is_there) {
		*out_call = vendor->calls[vendor->call_first];
		vendor->call_first = (vendor->call_first + 1) % CALLS_MAX;
		vendor->call_count--;
	}
	pthread_mutex_unlock(&vendor->lock);
	return is_there;
}
