/* SPDX-License-Identifier: Apache-2.0 */
#include "vulnbus/grant.h"

#include <stdlib.h>
#include <string.h>

#include "vulnbus/timestamp.h"

#define URL_BYTES_MAX   8192
#define AGAIN_WITHIN_MS 60000

void
grant_init(struct grant *grant)
{
	*grant = (struct grant){ .next = NULL };
	buffer_init_secret(&grant->access_token, OAUTH2_TOKEN_BYTES_MAX);
	buffer_init_secret(&grant->refresh_token, OAUTH2_TOKEN_BYTES_MAX);
	buffer_init_secret(&grant->client, OAUTH2_REQUEST_BYTES_MAX);
}

void
grant_clear(struct grant *grant)
{
	buffer_clear(&grant->access_token);
	buffer_clear(&grant->refresh_token);
	buffer_clear(&grant->client);
	free(grant->source);
	free(grant->file);
	free(grant->url);
	free(grant->ca_file);
	grant_init(grant);
}

struct grant *
grants_find(struct grant **grants, struct view source)
{
	struct grant *grant;

	for (grant = *grants; grant != NULL; grant = grant->next)
		if (view_is(source, grant->source))
			return grant;
	grant = malloc(sizeof(*grant));
	if (grant == NULL)
		return NULL;
	grant_init(grant);
	grant->source = strndup(source.data, source.len);
	if (grant->source == NULL) {
		free(grant);
		return NULL;
	}
	grant->next = *grants;
	*grants = grant;
	return grant;
}

void
grants_clear(struct grant **grants)
{
	while (*grants != NULL) {
		struct grant *grant = *grants;

		*grants = grant->next;
		grant_clear(grant);
		free(grant);
	}
}

/* --- whose it is --- */

static void
identify(const struct binding *binding, unsigned char out[SHA256_BYTES])
{
	const struct config_source *source = binding->config;
	struct buffer text;

	buffer_init(&text, 5 * (CONFIG_TEXT_MAX + 1));
	buffer_print(&text, "%s\n%s\n%s\n%s\n%s", binding->base_url,
	    source->api_oauth2.token_path,
	    source->api_oauth2.refresh_token_file, source->api_oauth2.client_id,
	    source->ca_file == NULL ? "" : source->ca_file);
	sha256_of(buffer_view(&text), out);
	buffer_clear(&text);
}

static bool
configure(struct grant *grant, const struct binding *binding)
{
	const struct config_source *source = binding->config;
	struct buffer url;

	buffer_init(&url, URL_BYTES_MAX);
	buffer_print(
	    &url, "%s%s", binding->base_url, source->api_oauth2.token_path);
	if (buffer_status(&url) == STATUS_OK)
		grant->url = strndup(url.data, url.len);
	buffer_clear(&url);
	grant->file = strdup(source->api_oauth2.refresh_token_file);
	if (source->ca_file != NULL)
		grant->ca_file = strdup(source->ca_file);
	return grant->url != NULL && grant->file != NULL &&
	       (source->ca_file == NULL || grant->ca_file != NULL);
}

enum status
grant_use(struct grant *grant, const struct binding *binding, struct error *err)
{
	unsigned char identity[SHA256_BYTES];
	struct grant former;

	if (grant_is_asking(grant))
		return STATUS_OK;
	identify(binding, identity);
	if (memcmp(identity, grant->identity, SHA256_BYTES) == 0)
		return STATUS_OK;
	former = *grant;
	grant_init(grant);
	grant->next = former.next;
	grant->source = former.source;
	/* A token is known by its number, also to who still holds a former
	 * one. */
	grant->number = former.number;
	former.source = NULL;
	grant_clear(&former);
	if (!configure(grant, binding))
		return error_set(err, STATUS_NO_MEMORY, "no memory");
	memcpy(grant->identity, identity, SHA256_BYTES);
	return STATUS_OK;
}

bool
grant_is_asking(const struct grant *grant)
{
	return grant->call != NULL;
}

/* --- the access token --- */

bool
grant_is_usable(const struct grant *grant, bool is_fresh)
{
	const int64_t until_ms = is_fresh ? grant->renew_at_ms
					  : grant->expires_at_ms;

	return grant->access_token.len > 0 && clock_steady_ms() < until_ms;
}

static bool
is_current(const struct grant *grant, uint64_t number)
{
	return grant->number == number && grant->access_token.len > 0;
}

bool
grant_accepted(struct grant *grant, uint64_t number)
{
	if (!is_current(grant, number))
		return false;
	grant->is_accepted = true;
	return true;
}

/* Tokens expire and are revoked. But what is refused as soon as it is given,
 * or again and again, is not mended by another. */
bool
grant_refused(struct grant *grant, uint64_t number)
{
	const int64_t now_ms = clock_steady_ms();
	const bool is_over = now_ms >= grant->renew_at_ms;
	bool is_again;

	if (!is_current(grant, number))
		return false;
	buffer_clear(&grant->access_token);
	if (grant->is_accepted && is_over)
		return false;
	is_again = grant->refused_at_ms != 0 &&
		   now_ms - grant->refused_at_ms < AGAIN_WITHIN_MS;
	grant->refused_at_ms = now_ms;
	return is_again || (!grant->is_accepted && !is_over);
}
