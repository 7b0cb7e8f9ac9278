/* SPDX-License-Identifier: Apache-2.0
 *
 * The command "export": asks a vendor for an export whose webhook comes here,
 * and notes that it was asked for, so that it is followed up when the webhook
 * does not come. Rules: "Using VDR Webhooks". */
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "vulnbus/encode.h"
#include "vulnbus/json.h"
#include "vulnbus/kafka_producer.h"
#include "vulnbus/tool_follow.h"
#include "vulnbus/tool_vendor.h"
#include "vulnbus/url.h"

#define PATH_NAME      "export-request"
#define DELIVER_MS     15000
#define POLL_MS        100
#define TEXT_BYTES_MAX 16384

struct export
{
	const struct tool *tool;
	const struct config *config;
	struct vendor vendor;
	const struct binding *binding; /* its */
	const char *query;             /* JSON */
	char id[EVENT_ID_BYTES_MAX + 1];
	bool is_left; /* to itself: not followed */
	bool is_reported;
	struct error why; /* of the report; empty: delivered */
};

static void
write_body(const struct export *export, struct buffer *out)
{
	buffer_print(out,
	    "{\"fileFormat\":\"csv\",\"kind\":\"export\",\"query\":%s",
	    export->query);
	/* Without it the organisation's own connector is called. */
	if (export->config->ingress.public_url != NULL) {
		buffer_print(out, ",\"webhook\":{\"url\":\"");
		binding_hook_url(export->config, export->binding, out);
		buffer_print(out, "\"}");
	}
	buffer_append(out, "}", 1);
}

static enum status
read_id(struct export *export, struct view reply, struct error *err)
{
	struct json_document *document = NULL;
	enum status status = json_parse(reply, &document, err);

	if (status != STATUS_OK)
		return error_add(err, status, "the vendor's reply");
	vendor_id(json_root(document), export->id, sizeof(export->id));
	json_free(document);
	return export->id[0] != '\0' ? STATUS_OK
				     : error_set(err, STATUS_INVALID,
					   "the vendor's reply names no id");
}

static enum status
ask_vendor(struct export *export, struct error *err)
{
	struct buffer url, body, reply;
	unsigned code = 0;
	enum status status;

	buffer_init(&url, VENDOR_URL_BYTES_MAX);
	buffer_init(&body, TEXT_BYTES_MAX);
	buffer_init(&reply, VENDOR_REPLY_BYTES_MAX);
	url_fill(view_of(export->binding->base_url),
	    view_of(binding_path(export->binding, PATH_NAME)), VIEW(""), 0,
	    VIEW(""), &url);
	buffer_append(&url, "", 1);
	write_body(export, &body);
	status = buffer_status(&body);
	if (status == STATUS_OK)
		status = vendor_call(&export->vendor, "POST", url.data,
		    buffer_view(&body), &reply, &code, err);
	if (status == STATUS_OK && code != 200 && code != 201 && code != 202)
		status = error_set(err, STATUS_UNAVAILABLE,
		    "the vendor answers HTTP %u", code);
	if (status == STATUS_OK)
		status = read_id(export, buffer_view(&reply), err);
	buffer_clear(&url);
	buffer_clear(&body);
	buffer_clear(&reply);
	return status;
}

static void
on_report(void *record_arg, const struct kafka_report *report, void *arg)
{
	struct export *export = arg;

	(void)record_arg;
	export->is_reported = true;
	if (report->status != STATUS_OK)
		error_set(&export->why, report->status, "%s", report->why);
}

static enum status
send(
    struct export *export, const struct kafka_record *record, struct error *err)
{
	const int64_t until_ms = clock_steady_ms() + DELIVER_MS;
	const struct kafka_producer_options options = {
		.config = export->config,
		.client = "vulnbus-export",
		.on_delivery = on_report,
		.arg = export,
	};
	struct kafka_producer *producer = NULL;
	enum status status = kafka_producer_open(&options, &producer, err);

	if (status == STATUS_OK)
		status = kafka_producer_send(producer, record, NULL, err);
	while (status == STATUS_OK && !export->is_reported &&
	       clock_steady_ms() < until_ms)
		kafka_producer_poll(producer, POLL_MS);
	kafka_producer_close(&producer, 0);
	if (status == STATUS_OK && export->why.text[0] != '\0') {
		status = STATUS_UNAVAILABLE;
		*err = export->why;
	}
	return status;
}

/* The enricher takes it in like any event, and waits for the webhook. */
static enum status
note_request(struct export *export, struct error *err)
{
	const struct config_source *source = export->binding->config;
	struct encoding encoding = { .format = export->config->topics.format };
	struct topics topics;
	struct encoded encoded;
	struct event event;
	enum status status;

	topics_init(&topics, export->config);
	encoding.topics = &topics;
	event_init(&event);
	encoded_init(&encoded);
	event.source = view_of(source->name);
	event.vendor = view_of(source->vendor);
	event.kind = VIEW("export.requested");
	event.subject_type = VIEW("export");
	event.subject_id = view_of(export->id);
	event.proof = VIEW("api");
	event.received_ms = clock_wall_ms();
	event.id = event_print(
	    &event, "%s:export:%s:0:requested", source->name, export->id);
	tree_text(&event.attributes, VIEW("status"), VIEW("requested"));
	status = event_check(&event, err);
	if (status == STATUS_OK)
		status = encode_event(&encoding, &event,
		    view_of(export->binding->base_url), &export->vendor.trace,
		    &encoded, err);
	if (status == STATUS_OK)
		status = send(export, &encoded.record, err);
	encoded_clear(&encoded);
	event_clear(&event);
	return status;
}

static int
ask_and_note(struct export *export)
{
	const struct tool *tool = export->tool;
	const char *name = export->binding->config->name;
	const bool is_asked = export->id[0] == '\0';
	struct error err;
	enum status status = STATUS_OK;

	if (is_asked)
		status = ask_vendor(export, &err);
	if (status != STATUS_OK)
		return tool_fail(tool,
		    status == STATUS_INVALID ? EX_PROTOCOL : EX_UNAVAILABLE,
		    "%s: %s", name, err.text);
	status = note_request(export, &err);
	if (status == STATUS_OK) {
		printf("%s: export %s is %s\n", name, export->id,
		    is_asked ? "asked for" : "expected");
		fflush(stdout);
		return EX_OK;
	}
	if (is_asked)
		fprintf(stderr,
		    "export %s was asked for, but not noted; once Kafka is "
		    "there: %s --id %s %s\n",
		    export->id, "vulnbus export", export->id, name);
	return tool_fail_kafka(tool, export->config, status, &err);
}

/* The topics are opened first, so that nothing of it is missed; and nothing is
 * asked of the vendor while Kafka is away. */
static int
run(struct export *export)
{
	struct follow *follow = NULL;
	struct error err;
	enum status status = STATUS_OK;
	int exit_status;

	if (!export->is_left)
		status = follow_open(
		    export->config, export->id[0] == '\0', &follow, &err);
	if (status != STATUS_OK)
		return tool_fail_kafka(
		    export->tool, export->config, status, &err);
	exit_status = ask_and_note(export);
	if (exit_status == EX_OK && follow != NULL)
		exit_status = follow_run(follow, export->tool,
		    export->binding->config->name, export->id);
	follow_close(&follow);
	return exit_status;
}

static bool
is_json(const char *text)
{
	struct json_document *document = NULL;
	struct error err;
	const bool answer = json_parse(view_of(text), &document, &err) ==
				STATUS_OK &&
			    json_type_of(json_root(document)) == JSON_TYPE_MAP;

	json_free(document);
	return answer;
}

static int
run_for(struct export *export, const char *source)
{
	int exit_status = vendor_find(
	    export->tool, export->config, source, &export->vendor);

	if (exit_status >= 0)
		return exit_status;
	export->binding = export->vendor.binding;
	if (binding_path(export->binding, PATH_NAME) == NULL)
		exit_status = tool_fail(export->tool, EX_CONFIG,
		    "%s makes no exports", export->binding->config->vendor);
	else
		exit_status = run(export);
	vendor_close(&export->vendor);
	return exit_status;
}

int
tool_export(struct tool *tool, int argc, char **argv)
{
	static const struct option options[] = {
		{ "query", required_argument, NULL, 'q' },
		{ "id", required_argument, NULL, 'i' },
		{ "no-wait", no_argument, NULL, 'n' },
		TOOL_LONG_OPTIONS,
	};
	struct export export = { .tool = tool, .query = "{}" };
	struct config *config = NULL;
	int option, exit_status;

	while ((option = tool_option(tool, argc, argv, TOOL_SHORT_OPTIONS,
		    options)) != TOOL_OPTION_END) {
		if (option == TOOL_OPTION_STOP)
			return tool->exit_status;
		if (option == 'q')
			export.query = optarg;
		if (option == 'n')
			export.is_left = true;
		if (option == 'i' &&
		    (size_t)snprintf(export.id, sizeof(export.id), "%s",
			optarg) >= sizeof(export.id))
			return tool_usage(tool, "--id: too long");
	}
	if (argc - optind != 1)
		return tool_usage(tool, "one source is needed");
	if (!is_json(export.query))
		return tool_usage(tool, "--query: not a JSON object");
	exit_status = tool_load_config(tool, &config);
	if (exit_status >= 0)
		return exit_status;
	export.config = config;
	exit_status = run_for(&export, argv[optind]);
	config_free(config);
	return exit_status;
}
