/* SPDX-License-Identifier: Apache-2.0
 *
 * The parts of the command "send": what is sent, and how it goes when it is
 * sent many times. One thread. */
#ifndef VULNBUS_TOOL_SEND_H
#define VULNBUS_TOOL_SEND_H

#include "vulnbus/tool_body.h"
#include "vulnbus/tool_vendor.h"

#define SEND_COUNT_MAX       10000000
#define SEND_CONCURRENCY_MAX 500
#define SEND_ANSWER_MS       10000

struct send {
	const struct tool *tool;
	const struct config *config;
	struct vendor vendor;
	const struct binding *binding; /* its */

	/* The options. */
	const char *kind;
	const char *body_path;
	const char *key_path;
	const char *public_path;
	const char *base_url;
	const char *ca_file;
	struct body_values values;
	int64_t count;
	int64_t rate; /* a second; 0: as fast as answers come */
	int64_t concurrency;
	bool is_list;
	bool is_shown;
	bool is_dry;

	struct buffer file; /* --body */
	struct view body;   /* with its places still open */
	struct buffer url;  /* ends in a NUL, as `header` does */
	struct buffer header;
	struct es512_key *key; /* owned; NULL: nothing is signed */
	uint64_t number;       /* of the first request */
};

/* One request, made from its number (from 0): ids differ. */
struct send_request {
	struct buffer body;
	struct buffer claims;        /* empty: not signed */
	struct buffer authorization; /* ends in a NUL; empty: not signed */
};

void
send_request_init(struct send_request *request);

void
send_request_clear(struct send_request *request);

enum status
send_request_make(const struct send *send, int64_t index,
    struct send_request *request, struct error *err) MUST_CHECK;

/* From the options to what can be sent; says the public key where it is to be
 * said. -1 to go on, else the exit status with the reason printed. */
int
send_prepare(struct send *send);

/* Sends send->count of them and says how it went; the exit status. */
int
send_many(const struct send *send);

#endif
