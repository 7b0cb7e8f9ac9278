/* SPDX-License-Identifier: Apache-2.0
 *
 * May a source's API be asked, as far as tokens go? With api_oauth2 its events
 * wait while an access token is asked for: they have not failed. */
#include <string.h>

#include "vulnbus/log.h"
#include "vulnbus/metrics.h"
#include "vulnbus/worker.h"

#define FILE_EVERY_MS    1000
#define SAID_EVERY_TRIES 60
#define FINISH_MS        5000
#define STEP_MS          100

static void
count(const struct feed *feed, const char *outcome)
{
	metric_add(METRIC_TOKEN_REQUESTS, feed->name, outcome, 1);
}

static void
say_unsaved(const struct feed *feed)
{
	if (feed->grant->is_unsaved)
		LOG_ERROR("the new refresh token is not written, a restart "
			  "would not know it",
		    LOG_TEXT("source", feed->name),
		    LOG_TEXT("error.message", feed->grant->unsaved_why.text));
}

/* The vendor's word counts, if it is longer than the next wait would be. */
static void
postpone(struct worker *w, struct feed *feed)
{
	const uint32_t most_ms = w->config->enricher.retry_to_ms;
	struct grant *grant = feed->grant;
	int64_t wait_ms = outcome_backoff_ms(w, ++grant->failures, most_ms);

	if (grant->retry_after_ms > wait_ms)
		wait_ms = grant->retry_after_ms < most_ms
			      ? grant->retry_after_ms
			      : most_ms;
	grant->ask_at_ms = clock_steady_ms() + wait_ms;
	LOG_WARN("no access token was given, the source's events wait",
	    LOG_TEXT("source", feed->name), LOG_TEXT("reason", grant->why.text),
	    LOG_INT("wait_ms", wait_ms));
}

/* While the API refuses what it gives, its own new refresh token in the file
 * is no news. */
static void
take_outcome(struct worker *w, struct feed *feed, const struct binding *binding)
{
	struct grant *grant = feed->grant;
	const enum grant_outcome outcome = grant->outcome;

	grant->outcome = GRANT_UNASKED;
	switch (outcome) {
	case GRANT_UNASKED:
		break;
	case GRANT_GIVEN:
		count(feed, "given");
		grant->failures = 0;
		memcpy(feed->refused_token, grant->file_digest, SHA256_BYTES);
		say_unsaved(feed);
		break;
	case GRANT_REFUSED:
		count(feed, "refused");
		if (!feed->is_unauthorised)
			LOG_WARN("the refresh token is refused",
			    LOG_TEXT("source", feed->name),
			    LOG_TEXT("reason", grant->why.text));
		grant->failures = 0;
		feed_unauthorised(feed, binding);
		memcpy(feed->refused_token, grant->file_digest, SHA256_BYTES);
		break;
	case GRANT_FAILED:
		count(feed, "failed");
		postpone(w, feed);
		break;
	}
}

static void
save_again(const struct feed *feed)
{
	struct grant *grant = feed->grant;

	if (grant->is_unsaved && clock_steady_ms() >= grant->save_at_ms &&
	    grant_save(grant, &grant->unsaved_why) == STATUS_OK)
		LOG_INFO("the new refresh token is written",
		    LOG_TEXT("source", feed->name));
}

static void
ask(struct worker *w, struct feed *feed, const struct binding *binding)
{
	struct grant *grant = feed->grant;
	struct error err;

	feed->is_without_token = true;
	if (grant_ask(grant, binding, w->client, &err) == STATUS_OK)
		return;
	/* What is wrong with a file is mended there. */
	grant->ask_at_ms = clock_steady_ms() + FILE_EVERY_MS;
	if (grant->failures++ % SAID_EVERY_TRIES == 0)
		LOG_WARN("no access token can be asked for, the source's "
			 "events wait",
		    LOG_TEXT("source", feed->name),
		    LOG_TEXT("error.message", err.text));
}

static bool
is_ready(struct worker *w, struct feed *feed, const struct binding *binding,
    int64_t now_ms)
{
	struct grant *grant = feed->grant;
	bool must_wait;

	feed->is_without_token = grant_is_asking(grant);
	if (feed->is_without_token)
		return false;
	save_again(feed);
	must_wait = clock_steady_ms() < grant->ask_at_ms;
	if (grant_is_usable(grant, !must_wait))
		return true;
	feed->is_without_token = must_wait;
	if (!must_wait && feed_is_due(feed, binding, now_ms))
		ask(w, feed, binding);
	return false;
}

bool
authorisation_is_ready(struct worker *w, struct feed *feed,
    const struct binding *binding, int64_t now_ms)
{
	struct error err;

	feed->grant = NULL;
	feed->is_without_token = false;
	if (binding == NULL)
		return true;
	if (binding->config->api_oauth2.refresh_token_file != NULL) {
		feed->grant = grants_find(&w->grants, view_of(feed->name));
		if (feed->grant == NULL ||
		    grant_use(feed->grant, binding, &err) != STATUS_OK)
			return false;
		take_outcome(w, feed, binding);
	}
	if (feed->is_unauthorised && feed_has_new_token(feed, binding))
		feed_authorised(feed);
	return feed->grant == NULL || is_ready(w, feed, binding, now_ms);
}

bool
authorisation_is_under_way(const struct worker *w)
{
	for (const struct grant *grant = w->grants; grant != NULL;
	     grant = grant->next)
		if (grant_is_asking(grant))
			return true;
	return false;
}

void
authorisation_accepted(const struct conversation *c)
{
	struct feed *feed = c->work->feed;

	if (c->token_number > 0 &&
	    (feed->grant == NULL ||
		!grant_accepted(feed->grant, c->token_number)))
		return;
	feed_authorised(feed);
}

void
authorisation_refused(const struct conversation *c)
{
	struct feed *feed = c->work->feed;

	if (c->token_number > 0 && feed->grant != NULL) {
		if (c->replies.count > 0)
			(void)grant_accepted(feed->grant, c->token_number);
		if (!grant_refused(feed->grant, c->token_number))
			return;
	}
	feed_unauthorised(feed, c->binding);
}

void
authorisation_finish(struct worker *w)
{
	const int64_t until_ms = clock_steady_ms() + FINISH_MS;
	struct error err;

	while (authorisation_is_under_way(w) && clock_steady_ms() < until_ms)
		http_client_poll(w->client, -1, STEP_MS);
	for (struct grant *grant = w->grants; grant != NULL;
	     grant = grant->next) {
		http_call_cancel(&grant->call);
		if (grant->is_unsaved && grant_save(grant, &err) != STATUS_OK)
			LOG_ERROR("the new refresh token is not written",
			    LOG_TEXT("source", grant->source),
			    LOG_TEXT("error.message", err.text));
	}
}
