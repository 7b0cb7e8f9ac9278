/* SPDX-License-Identifier: Apache-2.0
 *
 * What waits for one source's API, and whether it may be asked now: due time,
 * concurrency, hourly budget, authorisation. */
#ifndef VULNBUS_FEED_H
#define VULNBUS_FEED_H

#include "vulnbus/grant.h"
#include "vulnbus/site.h"
#include "vulnbus/work.h"

struct feed {
	struct feed *next;
	char *name;          /* owned */
	struct heap waiting; /* events */
	struct heap sweeps;
	uint32_t active;   /* conversations under way */
	uint32_t sweeping; /* of them, sweeps: a quarter of them at most */
	bool is_full;      /* of sweeps; it was said */
	/* After a 401 nothing is asked until the token is another one; once
	 * a minute one call tries. */
	bool is_unauthorised;
	unsigned char refused_token[SHA256_BYTES];
	int64_t probe_at_ms;      /* steady clock */
	int64_t token_read_at_ms; /* steady clock */
	struct grant *grant;      /* borrowed; NULL: not api_oauth2 */
	bool is_without_token;    /* its grant asks for one, or will */
	/* Token bucket: a minute's worth of calls. */
	double budget;
	int64_t budget_at_ms; /* steady clock; 0: never filled */
	int64_t ready_at_ms;  /* wall clock; not before: there is no budget, or
			       * the vendor asked for a pause */
};

struct feeds {
	struct feed *first; /* owned */
	size_t waiting;     /* events */
};

/* The feed of a source, made if there is none; NULL: no memory. */
struct feed *
feeds_find(struct feeds *feeds, struct view source);

void
feeds_clear(struct feeds *feeds);

/* `due_ms` is wall clock time. */
enum status
feed_add(struct feeds *feeds, struct feed *feed, struct work *work,
    int64_t due_ms, struct error *err) MUST_CHECK;

void
feed_remove(struct feeds *feeds, struct work *work);

/* True when there is work that feed_next would give out, given the budget. */
bool
feed_is_due(
    const struct feed *feed, const struct binding *binding, int64_t now_ms);

/* Takes the next work whose time has come and that may be asked about now, or
 * NULL. `binding` is NULL when the source is not configured: its work is given
 * out all the same, to fail. `share` is the part of the budget that is this
 * instance's, 0 to 1. */
struct work *
feed_next(struct feeds *feeds, struct feed *feed, const struct binding *binding,
    double share, int64_t now_ms);

/* The next `most` at most in the order in which they are due; they stay. */
size_t
feed_ahead(struct feed *feed, struct work **out_works, size_t most);

/* A work that was given out came to so many requests. */
void
feed_spent(struct feed *feed, uint32_t requests);

/* The vendor says when to come again (Retry-After): nothing is asked of it
 * before that. */
void
feed_pause(struct feed *feed, int64_t ms);

/* When feed_next may have something, wall clock; INT64_MAX: not by time. */
int64_t
feed_due_ms(const struct feed *feed, const struct binding *binding);

void
feed_unauthorised(struct feed *feed, const struct binding *binding);

void
feed_authorised(struct feed *feed);

/* Has the token changed since it was refused? Looks once a second. */
bool
feed_has_new_token(struct feed *feed, const struct binding *binding);

#endif
