/* SPDX-License-Identifier: Apache-2.0
 *
 * Stage: one event's conversation with its vendor's API, request by request,
 * as the source's locate says. */
#ifndef VULNBUS_FETCH_H
#define VULNBUS_FETCH_H

#include "vulnbus/grant.h"
#include "vulnbus/http_client.h"
#include "vulnbus/rows.h"
#include "vulnbus/site.h"

enum fetch_outcome {
	FETCH_UNDER_WAY,
	FETCH_COMPLETE, /* the replies are in */
	FETCH_LATER,    /* the vendor is not ready */
	FETCH_RETRY,    /* a passing failure */
	FETCH_REFUSED,  /* 401: the token is not taken */
	FETCH_CHANGED,  /* the file is another one: begin a new generation */
	FETCH_HOPELESS, /* trying again will not help: dead letter */
};

struct conversation {
	struct conversation *next; /* the caller's list */
	struct work *work;         /* borrowed */
	struct site *site;         /* held */
	const struct binding *binding;
	struct buffer access_token; /* a grant's, or empty */
	uint64_t token_number;      /* of it; 0: none */
	struct http_client *client;
	void *owner; /* on_row's, by way of its argument */
	struct decoded decoded;
	struct source_sweep sweep; /* of a work that is one */
	struct source_replies replies;
	struct json_document *documents[SOURCE_STEPS_MAX]; /* owned */
	struct http_call *call;
	struct rows *rows; /* owned; NULL unless a file was asked for */
	struct source_rows summary;
	char sha256[SHA256_BYTES * 2 + 1];
	bool is_paused; /* the file's transfer waits for fetch_resume */
	rows_row_f *on_row;
	size_t row_bytes_max;
	size_t reply_bytes_max;
	enum fetch_outcome outcome;
	uint32_t requests;      /* sent so far */
	unsigned http_status;   /* of the last answer; 0: none */
	int64_t retry_after_ms; /* 0: the vendor said nothing */
	struct error why;
};

/* Decodes the event and sends the first request. With `grant`, which is usable
 * then, its access token is shown to the API; else it is NULL. `on_row` gets
 * the conversation as its argument. The outcome is in `outcome`, at once or
 * after some http_client_poll; a failure to start is an outcome too. NULL: no
 * memory. */
struct conversation *
fetch_open(struct work *work, struct site *site, const struct binding *binding,
    const struct grant *grant, struct http_client *client, rows_row_f *on_row,
    void *owner);

/* Is the source still what this sweep was begun for? */
bool
fetch_is_swept(const struct conversation *conversation);

/* Cancels what is under way. */
void
fetch_close(struct conversation *conversation);

void
fetch_resume(struct conversation *conversation);

#endif
