/* SPDX-License-Identifier: Apache-2.0
 *
 * The command "send": a webhook as the vendor sends it, to try an ingress. */
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "vulnbus/event.h"
#include "vulnbus/http_client.h"
#include "vulnbus/json.h"
#include "vulnbus/timestamp.h"
#include "vulnbus/tool_line.h"
#include "vulnbus/tool_send.h"

#define EX_REFUSED          1
#define MASK                "********"
#define TEXT_BYTES_MAX      16384
#define REPLY_BYTES_MAX     65536
#define CONCURRENCY_DEFAULT 8

/* What an ingress means by it (README, "The ingress answers"). */
static const struct {
	unsigned code;
	const char *text;
} meanings[] = {
	{ 202, "taken" },
	{ 400, "proved, but not what the vendor documents" },
	{ 401, "not proved: the public key is to be among the source's "
	       "signature.key_files, or hook.app_secret is another" },
	{ 404, "no such source there, another secret, or not from "
	       "hook.allow_from" },
	{ 413, "too large" },
	{ 429, "too many bad signatures from here" },
	{ 503, "Kafka is not there, or no key is loaded yet" },
};

/* What an ingress makes of it: "id (kind)". */
static void
name_event(
    const struct send *send, struct view document_text, struct buffer *out)
{
	struct json_document *document = NULL;
	struct event event;
	struct error err;

	if (json_parse(document_text, &document, &err) != STATUS_OK)
		return;
	event_init(&event);
	event.source = view_of(send->binding->config->name);
	event.vendor = view_of(send->binding->config->vendor);
	event.received_ms = clock_wall_ms();
	if (send->binding->contract->normalise(
		json_root(document), 0, &event, &err) == STATUS_OK) {
		buffer_print(out, ": ");
		line_text(out, event.id, TEXT_BYTES_MAX / 4);
		buffer_print(out, " (%.*s)", VIEW_ARGS(event.kind));
	}
	event_clear(&event);
	json_free(document);
}

static const char *
meaning_of(unsigned code)
{
	for (size_t i = 0; i < sizeof(meanings) / sizeof(*meanings); i++)
		if (meanings[i].code == code)
			return meanings[i].text;
	return "no answer of an ingress";
}

static void
print_url(const struct send *send)
{
	const size_t len = strlen(send->binding->config->hook.secret.value);

	if (send->is_shown)
		printf("%s\n", send->url.data);
	else
		printf("%.*s" MASK "\n", (int)(send->url.len - 1 - len),
		    send->url.data);
}

static struct view
document_of(const struct send_request *request)
{
	return buffer_view(
	    request->claims.len > 0 ? &request->claims : &request->body);
}

static int
post(const struct send *send, const struct send_request *request)
{
	struct buffer answer, what;
	struct error err;
	unsigned code = 0;
	int64_t began_us = clock_steady_us();
	enum status status;

	buffer_init(&answer, REPLY_BYTES_MAX);
	buffer_init(&what, TEXT_BYTES_MAX);
	status = http_fetch(
	    &(struct http_call_options){
		.url = send->url.data,
		.method = "POST",
		.authorization = request->authorization.data,
		.content_type = "application/json",
		.body = buffer_view(&request->body),
		.extra_header = send->header.data,
		.ca_file = send->ca_file,
		.timeout_ms = SEND_ANSWER_MS,
		.body_bytes_max = REPLY_BYTES_MAX,
	    },
	    &answer, &code, &err);
	began_us = clock_steady_us() - began_us;
	name_event(send, document_of(request), &what);
	/* What the answer says may hold the URL again: it is not printed. */
	if (code != 0)
		printf("%s: %u (%s) in %.1f ms%.*s\n",
		    send->binding->config->name, code, meaning_of(code),
		    (double)began_us / 1000.0, VIEW_ARGS(buffer_view(&what)));
	buffer_clear(&answer);
	buffer_clear(&what);
	if (code == 0)
		return tool_fail(send->tool, EX_UNAVAILABLE,
		    "%s: no answer after %.1f ms: %s",
		    send->binding->config->name, (double)began_us / 1000.0,
		    status == STATUS_OK ? "no HTTP" : err.text);
	return code == 202 ? EX_OK : EX_REFUSED;
}

static int
send_one(const struct send *send)
{
	struct send_request request;
	struct view document;
	struct error err;
	int exit_status = EX_OK;

	send_request_init(&request);
	if (send_request_make(send, 0, &request, &err) != STATUS_OK) {
		exit_status = tool_fail(send->tool, EX_DATAERR, "%s", err.text);
	} else if (send->is_dry) {
		document = document_of(&request);
		printf("%.*s%s", VIEW_ARGS(document),
		    document.len > 0 && document.data[document.len - 1] == '\n'
			? ""
			: "\n");
	} else {
		exit_status = post(send, &request);
	}
	send_request_clear(&request);
	return exit_status;
}

static int
print_list(const struct send *send)
{
	const struct source_webhook *webhook =
	    send->binding->contract->webhooks;

	for (; webhook->kind != NULL; webhook++)
		printf("%-26s %s\n", webhook->kind, webhook->body);
	return EX_OK;
}

static int
run(struct send *send)
{
	int exit_status;

	if (send->is_list)
		return print_list(send);
	exit_status = send_prepare(send);
	if (exit_status >= 0)
		return exit_status;
	if (send->is_shown || send->is_dry)
		print_url(send);
	fflush(stdout);
	return send->count > 1 && !send->is_dry ? send_many(send)
						: send_one(send);
}

static int
run_for(struct send *send, const char *source)
{
	int exit_status = vendor_find(
	    send->tool, send->config, source, &send->vendor);

	if (exit_status >= 0)
		return exit_status;
	send->binding = send->vendor.binding;
	buffer_init(&send->file, BODY_BYTES_MAX);
	buffer_init(&send->url, VENDOR_URL_BYTES_MAX);
	buffer_init(&send->header, TEXT_BYTES_MAX);
	exit_status = run(send);
	es512_key_free(send->key);
	buffer_clear(&send->file);
	buffer_clear(&send->url);
	buffer_clear(&send->header);
	vendor_close(&send->vendor);
	return exit_status;
}

static int
take_number(
    const struct send *send, const char *name, int64_t most, int64_t *out)
{
	if (view_to_int(view_of(optarg), out) == STATUS_OK && *out >= 1 &&
	    *out <= most)
		return -1;
	return tool_usage(
	    send->tool, "--%s: a number from 1 to %lld", name, (long long)most);
}

static int
take_value(struct send *send, struct view name, struct view value)
{
	if (name.len == 0 || value.data == NULL)
		return tool_usage(send->tool, "--set: NAME=VALUE");
	if (!body_set(&send->values, name, value))
		return tool_usage(
		    send->tool, "at most %d values", BODY_VALUES_MAX);
	return -1;
}

static int
take_set(struct send *send)
{
	struct view value = view_of(optarg);
	const struct view name = view_cut(&value, '=');

	if (name.len == strlen(optarg))
		value.data = NULL;
	return take_value(send, name, value);
}

static int
take_option(struct send *send, int option)
{
	switch (option) {
	case 'k':
		send->kind = optarg;
		return -1;
	case 'i':
		return take_value(send, VIEW("id"), view_of(optarg));
	case 's':
		return take_value(send, VIEW("status"), view_of(optarg));
	case 'a':
		return take_value(send, VIEW("attempt"), view_of(optarg));
	case 'S':
		return take_set(send);
	case 'b':
		send->body_path = optarg;
		return -1;
	case 'K':
		send->key_path = optarg;
		return -1;
	case 'P':
		send->public_path = optarg;
		return -1;
	case 'u':
		send->base_url = optarg;
		return -1;
	case 'A':
		send->ca_file = optarg;
		return -1;
	case 'n':
		return take_number(send, "count", SEND_COUNT_MAX, &send->count);
	case 'r':
		return take_number(send, "rate", 1000000, &send->rate);
	case 'C':
		return take_number(send, "concurrency", SEND_CONCURRENCY_MAX,
		    &send->concurrency);
	case 'l':
		send->is_list = true;
		return -1;
	case 'U':
		send->is_shown = true;
		return -1;
	default:
		send->is_dry = true;
		return -1;
	}
}

/* The options into `send`; -1 to go on, else the exit status. */
static int
read_options(struct tool *tool, int argc, char **argv, struct send *send)
{
	static const struct option options[] = {
		{ "kind", required_argument, NULL, 'k' },
		{ "id", required_argument, NULL, 'i' },
		{ "status", required_argument, NULL, 's' },
		{ "attempt", required_argument, NULL, 'a' },
		{ "set", required_argument, NULL, 'S' },
		{ "body", required_argument, NULL, 'b' },
		{ "key", required_argument, NULL, 'K' },
		{ "public-key", required_argument, NULL, 'P' },
		{ "url", required_argument, NULL, 'u' },
		{ "ca-file", required_argument, NULL, 'A' },
		{ "count", required_argument, NULL, 'n' },
		{ "rate", required_argument, NULL, 'r' },
		{ "concurrency", required_argument, NULL, 'C' },
		{ "list", no_argument, NULL, 'l' },
		{ "show-url", no_argument, NULL, 'U' },
		{ "dry-run", no_argument, NULL, 'D' },
		TOOL_LONG_OPTIONS,
	};
	int option, exit_status = -1;

	while ((option = tool_option(tool, argc, argv,
		    TOOL_SHORT_OPTIONS "n:", options)) != TOOL_OPTION_END) {
		if (option == TOOL_OPTION_STOP)
			return tool->exit_status;
		exit_status = take_option(send, option);
		if (exit_status >= 0)
			return exit_status;
	}
	if (argc - optind != 1)
		return tool_usage(tool, "one source is needed");
	if (send->kind != NULL && send->body_path != NULL)
		return tool_usage(tool, "--kind or --body, not both");
	if (send->concurrency > send->count)
		send->concurrency = send->count;
	return -1;
}

int
tool_send(struct tool *tool, int argc, char **argv)
{
	struct send send = {
		.tool = tool, .count = 1, .concurrency = CONCURRENCY_DEFAULT
	};
	struct config *config = NULL;
	int exit_status = read_options(tool, argc, argv, &send);

	if (exit_status < 0)
		exit_status = tool_load_config(tool, &config);
	if (exit_status >= 0)
		return exit_status;
	send.config = config;
	exit_status = run_for(&send, argv[optind]);
	config_free(config);
	return exit_status;
}
