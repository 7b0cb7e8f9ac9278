/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as the document of each vendor's webhook, and as its API's
 * answers: refused, or an event that survives the topic and a record that can
 * be written. */
#include "fuzz.h"

#include "vulnbus/encode.h"
#include "vulnbus/json.h"
#include "vulnbus/msgpack.h"
#include "vulnbus/ocsf.h"
#include "vulnbus/prose.h"
#include "vulnbus/source.h"

#define NODES_MAX        2000
#define RECORD_BYTES_MAX 2048

static void
require_written(const struct tree *t)
{
	struct error err = { "" };
	struct buffer out;

	buffer_init(&out, 1 << 22);
	if (tree_status(t) == STATUS_OK) {
		REQUIRE(msgpack_write(t, &out, &err) == STATUS_OK);
		buffer_reset(&out);
		REQUIRE(
		    json_write(t, JSON_STYLE_COMPACT, &out, &err) == STATUS_OK);
	}
	buffer_clear(&out);
}

static void
require_round_trip(const struct event *event)
{
	struct error err = { "" };
	struct event back;
	struct tree t;

	tree_init(&t, NODES_MAX);
	event_to_tree(event, &t);
	require_written(&t);
	event_init(&back);
	REQUIRE(event_from_tree(&t, 0, &back, &err) == STATUS_OK);
	REQUIRE(view_equal(back.id, event->id));
	REQUIRE(view_equal(back.subject_id, event->subject_id));
	event_clear(&back);
	tree_clear(&t);
}

/* As the CloudEvent it becomes, cut to what fits: with a key, and headers that
 * are one line each. */
static void
require_encoded(const struct encoding *encoding,
    const struct encode_record *record, struct encoded *out)
{
	struct error err = { "" };

	REQUIRE(encode_record(encoding, record, out, &err) == STATUS_OK);
	for (size_t i = 0; i < out->record.header_count; i++)
		REQUIRE(view_is_printable(out->record.headers[i].value));
	REQUIRE(out->record.key.len > 0);
	require_written(&out->tree);
}

static void
require_record(
    const struct event *event, enum source_record kind, const struct tree *body)
{
	static const enum topic topics_of[] = {
		[SOURCE_RECORD_SCAN] = TOPIC_SCANS,
		[SOURCE_RECORD_EXPORT] = TOPIC_EXPORTS,
		[SOURCE_RECORD_FINDING] = TOPIC_FINDINGS,
		[SOURCE_RECORD_TARGET] = TOPIC_TARGETS,
		[SOURCE_RECORD_TARGET_DELETED] = TOPIC_TARGETS,
		[SOURCE_RECORD_SCORECARD] = TOPIC_SCORECARDS,
	};
	static struct topics topics;
	const struct encoding encoding = { .topics = &topics,
		.record_bytes_max = RECORD_BYTES_MAX };
	struct encode_record record = {
		.topic = topics_of[kind],
		.event = event,
		.id = event->id,
		.base_url = VIEW("https://acme.example"),
		.made_name = "fetched_ms",
		.body = body,
	};
	static struct encoded encoded;

	encoded_init(&encoded);
	require_encoded(&encoding, &record, &encoded);
	record.is_ocsf = ocsf_takes(record.topic);
	if (record.is_ocsf)
		require_encoded(&encoding, &record, &encoded);
	encoded_clear(&encoded);
}

/* The same code and document answer every question. */
static void
converse(const struct source *source, const struct event *event, unsigned code,
    const struct json_value *document)
{
	static struct prose prose;
	struct source_replies replies = { .count = 0 };
	enum source_record record = SOURCE_RECORD_NONE;
	struct source_request request;
	struct error err = { "" };
	struct tree body;

	for (;;) {
		if (source->locate(event, &replies, &request, &err) !=
			STATUS_OK ||
		    request.ask == SOURCE_ASK_LATER)
			return;
		if (request.ask == SOURCE_ASK_NOTHING)
			break;
		REQUIRE(replies.count < SOURCE_STEPS_MAX);
		REQUIRE(
		    memchr(request.other, '\0', sizeof(request.other)) != NULL);
		replies.items[replies.count++] = (struct source_reply){
			.code = code,
			.document = code == 200 ? document : NULL,
		};
	}
	tree_init(&body, NODES_MAX);
	body.prose = &prose;
	prose.len = 0;
	if (source->enrich(event, &replies, &body, &record, &err) ==
	    STATUS_OK) {
		/* Whatever the vendor sends, there is a ceiling. */
		REQUIRE(tree_status(&body) == STATUS_OK);
		require_written(&body);
		if (record != SOURCE_RECORD_NONE)
			require_record(event, record, &body);
	}
	tree_clear(&body);
}

static void
try(const struct source *source, const struct json_document *document)
{
	static const unsigned codes[] = { 200, 403, 404, 410 };
	enum status status = STATUS_OK;
	struct error err = { "" };

	for (size_t i = 0; i < 100 && status == STATUS_OK; i++) {
		struct event event;

		event_init(&event);
		event.source = VIEW("acme");
		event.vendor = view_of(source->name);
		event.proof = VIEW("secret-path");
		status = source->normalise(
		    json_root(document), i, &event, &err);
		if ((status == STATUS_OK || status == STATUS_UNKNOWN) &&
		    event_check(&event, &err) == STATUS_OK) {
			require_round_trip(&event);
			for (size_t k = 0; k < 4; k++)
				converse(source, &event, codes[k],
				    json_root(document));
		}
		event_clear(&event);
	}
}

/* The document as a page of each of the vendor's lists. */
static void
sweep(const struct source *source, const struct json_document *document)
{
	const struct source_reconciliation *how = &source->reconciliation;
	const struct source_reply reply = { .code = 200,
		.document = json_root(document) };
	struct source_sweep at = { .source = VIEW("acme"),
		.subject = VIEW("example.com"),
		.since_ms = 1597363200000,
		.until_ms = 1598539393000,
		.page = 1 };
	enum status status = STATUS_OK;
	struct source_request request;
	struct error err = { "" };

	for (int page = 0; page < 4 && status == STATUS_OK; page++) {
		how->ask(&at, &request);
		REQUIRE(
		    memchr(request.other, '\0', sizeof(request.other)) != NULL);
		for (size_t i = 0; i < 100 && status != STATUS_END; i++) {
			struct event event;

			event_init(&event);
			event.source = at.source;
			event.vendor = view_of(source->name);
			event.proof = VIEW("api");
			status = how->tell(&at, &reply, i, &event, &err);
			if (status == STATUS_OK &&
			    event_check(&event, &err) == STATUS_OK) {
				require_round_trip(&event);
				for (size_t k = 0; k < 4; k++)
					(void)how->alias(&event, k);
			}
			event_clear(&event);
		}
		status = how->turn(&at, &reply, &err);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const struct view text = { (const char *)data, len };
	struct json_document *document = NULL;
	struct error err = { "" };

	if (json_parse(text, &document, &err) != STATUS_OK)
		return 0;
	for (size_t i = 0; source_all[i] != NULL; i++)
		if (source_all[i]->like == NULL) {
			try(source_all[i], document);
			if (source_all[i]->reconciliation.swept !=
			    SOURCE_SWEPT_NOTHING)
				sweep(source_all[i], document);
		}
	json_free(document);
	return 0;
}
