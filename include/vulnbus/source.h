/* SPDX-License-Identifier: Apache-2.0
 *
 * A vendor, as one constant: facts, and three pure functions. A vendor's file
 * includes this and the JSON reader, nothing else: it owns nothing, does no
 * input or output, and sees no clock, secret or broker. Adding a vendor is
 * adding a file under bridge/source/ (and <vendor>_records.c with <vendor>.h
 * when one is not enough); the build makes the list. */
#ifndef VULNBUS_SOURCE_H
#define VULNBUS_SOURCE_H

#include "vulnbus/event.h"
#include "vulnbus/prose.h"

struct json_value;

/* How a webhook proves where it comes from. Interpreted by one verifier. */
enum source_proof {
	SOURCE_PROOF_JWS_ES512,   /* a compact JWS in a header; its claims are
				   * the document, the body is ignored */
	SOURCE_PROOF_SECRET_PATH, /* the unguessable path alone */
};

struct source_authentication {
	enum source_proof proof;
	const char *header;   /* that carries the token */
	const char *prefix;   /* in front of the token, with its space */
	const char *stamp;    /* claim with the time of signing, seconds */
	const char *key_path; /* of the public key, under base_url */
	const char *hint;     /* header that names algorithm and key, or NULL */
	const char *app_secret; /* header that may prove more than the path
				 * (hook.app_secret), or NULL */
};

/* A path under base_url; "{id}" is replaced by an encoded vendor id, "{page}"
 * by the page of a list, any other "{name}" by the one other thing that this
 * path needs. */
struct source_path {
	const char *name;
	const char *template;
};

/* As the vendor writes them. */
struct source_product {
	const char *name;
	const char *vendor;
};

#define SOURCE_PATHS_MAX 8
#define SOURCE_STEPS_MAX 8

struct source_api {
	const char *authorization; /* word before the token */
	uint32_t calls_per_hour;   /* 0: no documented limit */
	struct source_path paths[SOURCE_PATHS_MAX];
};

#define SOURCE_OTHER_SIZE (EVENT_ID_BYTES_MAX + 1)

/* How the vendor is told of a webhook, as data. Among source_api.paths are
 * "hooks" (GET lists, POST adds, with an id behind it DELETE removes), the same
 * for one target "target-hooks", and "account" (GET). */
struct source_registration {
	const char *body;     /* JSON that adds one: {url}, {name} */
	const char *items;    /* member of the list's reply */
	const char *account;  /* member of the account's reply that the list is
			       * asked for by, or NULL */
	const char *by_hand;  /* what else to do: {url}, {body}; or NULL */
	bool is_undocumented; /* all this is known from elsewhere */
};

/* What the enricher asks the vendor next. */
enum source_ask {
	SOURCE_ASK_NOTHING, /* all is known: enrich */
	SOURCE_ASK_JSON,    /* one document */
	SOURCE_ASK_ROWS,    /* a CSV file, row by row */
	SOURCE_ASK_LATER,   /* the vendor is not ready: ask again from the
			     * first step after a while */
};

struct source_request {
	enum source_ask ask;
	const char *path;              /* name of a source_path, or NULL */
	struct view id;                /* for the path */
	uint32_t page;                 /* for the path */
	char other[SOURCE_OTHER_SIZE]; /* for the path, ended by a NUL */
	struct view location; /* where the vendor said, if path is NULL */
};

/* A file that was read to its end, or not at all. */
struct source_rows {
	uint64_t rows;
	uint64_t bytes;
	struct view sha256; /* lower case hexadecimal */
	const struct view *columns;
	size_t column_count;
	uint32_t generation; /* from 1; above when the file had changed */
};

/* 200 with a document or rows, or 403, 404 and 410, which are results too. */
struct source_reply {
	unsigned code;
	const struct json_value *document; /* NULL unless a 200 brought one */
	const struct source_rows *rows;
};

struct source_replies {
	struct source_reply items[SOURCE_STEPS_MAX];
	size_t count;
};

/* The records an event becomes; each is one topic and one schema. */
enum source_record {
	SOURCE_RECORD_NONE, /* nothing to tell: the event just ends */
	SOURCE_RECORD_SCAN,
	SOURCE_RECORD_EXPORT,
	SOURCE_RECORD_FINDING,
	SOURCE_RECORD_TARGET,
	SOURCE_RECORD_TARGET_DELETED, /* its key, without a value */
	SOURCE_RECORD_SCORECARD,
};

/* A reading of what a vendor's API lists, for what its webhooks did not tell:
 * list after list, page after page. */
struct source_sweep {
	struct view source;
	struct view subject; /* id of what is asked about, or empty */
	int64_t since_ms;
	int64_t until_ms;
	uint32_t list; /* from 0 */
	uint32_t page; /* from 1 */
};

/* What is swept for itself. */
enum source_swept {
	SOURCE_SWEPT_NOTHING,
	SOURCE_SWEPT_ACCOUNT, /* lists of everything */
	SOURCE_SWEPT_SUBJECT, /* a list each, from its first webhook on */
};

/* What can be asked of a vendor's API beside what a webhook announces. */
struct source_reconciliation {
	enum source_swept swept;
	uint32_t every_s; /* not more often, unless it is configured; or 0 */
	uint32_t grace_s; /* at most so long its webhook has the first word */
	uint32_t known_s; /* so long what is done must be remembered; or 0 */

	void (*ask)(const struct source_sweep *sweep,
	    struct source_request *out_request);

	/* Item `index` (from 0) of the page, as the event that its webhook
	 * would have become. As normalise; STATUS_MISSING: this one tells of
	 * nothing. */
	enum status (*tell)(const struct source_sweep *sweep,
	    const struct source_reply *reply, size_t index, struct event *event,
	    struct error *err);

	/* On to the next page or list. STATUS_END: that was the last.
	 * STATUS_UNAVAILABLE: this page may be shown another time.
	 * STATUS_INVALID: the lists are not what they must be. */
	enum status (*turn)(struct source_sweep *sweep,
	    const struct source_reply *reply, struct error *err);

	/* Other ids that `tell` may give: number 0 is the event's own, those
	 * above are of what its webhook stands for beside it. In the event's
	 * memory; empty: no more. */
	struct view (*alias)(struct event *event, size_t index);
};

/* A webhook as the vendor documents it, to try an ingress with. In its body,
 * which is JSON, "{uuid}" and "{now}" (RFC 3339) stand for texts, and any other
 * "{name}" for a text of digits, that are new each time; "{name=VALUE}" for
 * VALUE, a text, an integer or a boolean, unless another one is given. */
struct source_webhook {
	const char *kind; /* as normalise has it; NULL ends the list */
	const char *body;
};

/* A vendor's word, in any case, and ours. */
struct source_word {
	const char *theirs; /* NULL ends the list */
	const char *ours;
};

struct source {
	const char *name; /* also its file, symbol, schema and test folder */
	struct source_product product;
	const char *like; /* the contract of another source in place of all
			   * that follows; NULL: its own */
	const char *default_base_url; /* NULL: must be configured */
	struct source_authentication authentication;
	struct source_api api;
	struct source_registration registration;

	struct source_reconciliation reconciliation;

	/* What makes vendors comparable. Severities become critical, high,
	 * medium, low or info; the status of a scan or export started,
	 * completed, failed or canceled. NULL: it has none. */
	const struct source_word *severities;
	const struct source_word *states;

	/* All that it documents, the most usual first. A signed one's body is
	 * the claims without the stamp. */
	const struct source_webhook *webhooks;

	/* Which column of a CSV file names the severity; NULL for none. */
	const char *severity_column;

	/* Notification `index` (from 0) of a proved document. The caller has
	 * set source, vendor, received_ms and proof; the rest is filled in
	 * here, from an allow-list. STATUS_END: there are no more.
	 * STATUS_INVALID: less than the documented minimum. STATUS_UNKNOWN:
	 * proved but new; id, subject and attributes are set all the same. */
	enum status (*normalise)(const struct json_value *document,
	    size_t index, struct event *event, struct error *err);

	/* The next request, given the replies so far. */
	enum status (*locate)(const struct event *event,
	    const struct source_replies *replies,
	    struct source_request *out_request, struct error *err);

	/* The record's own fields, from an allow-list, into `body`; the
	 * common ones are there already. Free text where `body->prose` is. */
	enum status (*enrich)(const struct event *event,
	    const struct source_replies *replies, struct tree *body,
	    enum source_record *out_record, struct error *err);

	/* Of a request (event_is_request), once its replies are in: event
	 * `index` (from 0) that the webhooks may not have told. As normalise:
	 * the caller has set source, vendor, received_ms and proof; equal to
	 * what the webhook would have become, so that it counts once.
	 * STATUS_END: there are no more. NULL: nothing can be asked for. */
	enum status (*reconcile)(const struct event *request,
	    const struct source_replies *replies, size_t index,
	    struct event *event, struct error *err);
};

#define SOURCE_WORD_BYTES_MAX    128
#define SOURCE_ADDRESS_BYTES_MAX 2048

/* What a member of a vendor's document may be, and becomes. */
enum source_form {
	SOURCE_FORM_WORD,    /* a short text of one line */
	SOURCE_FORM_TIME,    /* RFC 3339 as milliseconds */
	SOURCE_FORM_FLAG,    /* true or false */
	SOURCE_FORM_COUNT,   /* an integer */
	SOURCE_FORM_NUMBER,  /* integer or real, as a real */
	SOURCE_FORM_SCORE,   /* the same, not below zero */
	SOURCE_FORM_ADDRESS, /* a URL up to its query; none that holds a user
			      * name and password */
	SOURCE_FORM_PROSE,   /* free text, as prose_add makes it; only into a
			      * tree that has a place for it */
};

/* One line of an allow-list: what no line names goes nowhere. */
struct source_field {
	const char *theirs; /* NULL ends the list */
	const char *ours;
	enum source_form form;
};

/* The members of `object` that `fields` names and that have the form it
 * says; the others are left out. */
void
source_copy(struct tree *t, const struct json_value *object,
    const struct source_field *fields);

/* A text as SOURCE_FORM_WORD has it; empty when the value is none. */
struct view
source_word(const struct json_value *value);

/* A vendor's id, whether it is written as a text or as an integer, in the
 * event's own memory; empty when the value is none. */
struct view
source_id(const struct json_value *value, struct event *event);

/* A severity, whether a word or one of the numbers 0, 10, ... 40: normalised
 * as `name`, and as the vendor has it as `name_of_word`. */
void
source_copy_severity(struct tree *t, const struct source *source,
    struct view name, struct view name_of_word, const struct json_value *value);

/* What an answer of 403, 404 or 410 says: "forbidden" or "gone". Nothing for
 * any other. */
void
source_detail(
    struct tree *t, struct view name, const struct source_reply *reply);

/* All vendors, in name order, ended by NULL (made by the build). */
extern const struct source *const source_all[];

/* The contract of a vendor, NULL when there is no such vendor. Where several
 * vendors share one (`like`), all get that one. */
const struct source *
source_find(const char *vendor);

/* What a vendor calls itself and what it sells; its own where the contract is
 * shared. NULL when there is no such vendor. */
const struct source_product *
source_product(struct view vendor);

/* The names of all vendors, for messages: "a, b, c". */
void
source_names(struct buffer *out);

/* A vendor's severity in our words; empty when it is not known. */
struct view
source_severity(const struct source *source, struct view word);

/* The same of a scan's or export's status. */
struct view
source_state(const struct source *source, struct view word);

#endif
