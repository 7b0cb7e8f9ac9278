/* SPDX-License-Identifier: Apache-2.0
 *
 * What the command "register" is asked to do, and its two halves: the words
 * (tool_register.c) and the vendor's list of webhooks (tool_hooks.c). */
#ifndef VULNBUS_TOOL_HOOKS_H
#define VULNBUS_TOOL_HOOKS_H

#include <stdio.h>

#include "vulnbus/tool.h"
#include "vulnbus/tool_vendor.h"

#define HOOK_ID_BYTES_MAX 200
#define HOOKS_OURS_MAX    16

enum registration_mode { REGISTER_ADD, REGISTER_LIST, REGISTER_REMOVE };

struct registration {
	const struct tool *tool;
	const struct config *config;
	struct vendor vendor;
	const struct binding *binding; /* its */
	const struct source_registration *how;
	enum registration_mode mode;
	const char *target; /* NULL: the account's webhooks */
	const char *body;   /* template of what adds one */
	bool is_allowed;    /* what is not documented */
	bool is_shown;      /* secrets */
	struct buffer url;  /* of the webhook */
	struct buffer list; /* where the API has them, ended by a NUL */
	char ours[HOOKS_OURS_MAX][HOOK_ID_BYTES_MAX + 1];
	size_t ours_count; /* may be more than there is place for */
	bool is_unnamed;   /* one of ours has no id */
	size_t seen;
	unsigned char page[SHA256_BYTES]; /* the last one's digest */
};

/* Says why; returns `exit_status`. */
int
register_fail(const struct registration *r, int exit_status, const char *why);

/* "{url}", "{name}" and "{body}" replaced; as JSON texts when is_quoted. */
void
register_fill(const struct registration *r, const char *template,
    struct view url, bool is_quoted, struct buffer *out);

/* A vendor's text, fit for a terminal; our secret in it is masked. */
void
register_print(const struct registration *r, FILE *out, struct view text);

/* The webhook's URL, or somebody else's, secrets masked. */
void
register_print_url(const struct registration *r, struct view url);

/* Where the list is; then its pages, noting which are ours and printing them
 * all with REGISTER_LIST; then what is done about it. Return exit statuses. */
int
hooks_find(struct registration *r);

int
hooks_read(struct registration *r);

int
hooks_add(struct registration *r);

int
hooks_remove(struct registration *r);

#endif
