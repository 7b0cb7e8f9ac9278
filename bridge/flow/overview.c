/* SPDX-License-Identifier: Apache-2.0 */
#include "vulnbus/overview.h"

#include <stdlib.h>
#include <string.h>

#include "vulnbus/json.h"
#include "vulnbus/recent.h"
#include "vulnbus/timestamp.h"
#include "vulnbus/version.h"

#define SECRET           "<hook.secret>"
#define FIXED_BYTES_MAX  16384
#define SOURCE_BYTES_MAX 256

struct overview_source {
	char name[SOURCE_BYTES_MAX];
	struct buffer fixed; /* members that only a reload changes */
};

void
overview_init(struct overview *overview, const char *service)
{
	*overview = (struct overview){ .service = service,
		.started_ms = clock_wall_ms() };
	pthread_mutex_init(&overview->lock, NULL);
}

static void
free_sources(struct overview_source *sources, size_t count)
{
	for (size_t i = 0; i < count; i++)
		buffer_clear(&sources[i].fixed);
	free(sources);
}

static void
print_text(struct buffer *out, const char *name, const char *text)
{
	if (text == NULL)
		return;
	buffer_print(out, ",\"%s\":", name);
	json_quote(view_of(text), out);
}

/* A path's template with the source's name in it, behind the public URL. */
static void
print_url(struct buffer *out, const char *name, const struct config *config,
    const char *source, const char *template)
{
	struct buffer url;

	buffer_init(&url, FIXED_BYTES_MAX);
	buffer_print(&url, "%s", config->ingress.public_url);
	while (*template != '\0') {
		const bool is_source = strncmp(template, "{source}", 8) == 0;
		const bool is_secret = strncmp(template, "{secret}", 8) == 0;

		if (is_source || is_secret)
			buffer_print(&url, "%s", is_source ? source : SECRET);
		else
			buffer_append(&url, template, 1);
		template += is_source || is_secret ? 8 : 1;
	}
	buffer_append(&url, "", 1);
	if (buffer_status(&url) == STATUS_OK)
		print_text(out, name, url.data);
	buffer_clear(&url);
}

static void
print_fixed(const struct config *config, const struct binding *binding,
    struct overview_source *out)
{
	const struct source_authentication *how =
	    &binding->contract->authentication;
	const char *name = binding->config->name;

	snprintf(out->name, sizeof(out->name), "%s", name);
	buffer_init(&out->fixed, FIXED_BYTES_MAX);
	buffer_print(&out->fixed, "\"name\":");
	json_quote(view_of(name), &out->fixed);
	print_text(&out->fixed, "vendor", binding->contract->name);
	print_text(&out->fixed, "base_url", binding->base_url);
	if (config->ingress.public_url == NULL)
		return;
	print_url(&out->fixed, "hook", config, name, BINDING_HOOK_PATH);
	if (how->proof == SOURCE_PROOF_JWS_ES512)
		print_url(&out->fixed, "connector", config, name,
		    config->ingress.connector_path);
	if (binding->config->hook.app_secret.value != NULL)
		print_text(&out->fixed, "secret_header", how->app_secret);
}

void
overview_use(struct overview *overview, const struct site *site)
{
	const struct bindings *bindings = &site->bindings;
	struct overview_source *fresh = calloc(
	    bindings->count + 1, sizeof(*fresh));
	struct overview_source *former;
	size_t former_count;

	if (fresh == NULL)
		return;
	for (size_t i = 0; i < bindings->count; i++)
		print_fixed(site->config, &bindings->items[i], &fresh[i]);
	pthread_mutex_lock(&overview->lock);
	former = overview->sources;
	former_count = overview->count;
	overview->sources = fresh;
	overview->count = bindings->count;
	pthread_mutex_unlock(&overview->lock);
	free_sources(former, former_count);
}

static void
print_source(const struct overview_source *source, struct buffer *out)
{
	struct recent recent;

	recent_of(source->name, &recent);
	buffer_append(out, "{", 1);
	buffer_append_view(out, buffer_view(&source->fixed));
	if (recent.accepted_ms > 0)
		buffer_print(out, ",\"accepted_ms\":%lld",
		    (long long)recent.accepted_ms);
	buffer_print(out, ",\"refused\":[");
	for (size_t i = 0; i < recent.refused_count; i++) {
		const struct recent_refusal *refusal = &recent.refused[i];

		buffer_print(out, "%s{\"at_ms\":%lld,\"code\":%u,\"reason\":",
		    i == 0 ? "" : ",", (long long)refusal->at_ms,
		    refusal->code);
		json_quote(view_of(refusal->why), out);
		buffer_append(out, "}", 1);
	}
	buffer_print(out, "]}");
}

void
overview_print(struct overview *overview, bool is_ready, struct buffer *out)
{
	buffer_print(out,
	    "{\"service\":\"%s\",\"version\":\"%s\",\"is_ready\":%s,"
	    "\"started_ms\":%lld,\"now_ms\":%lld,\"sources\":[",
	    overview->service, VULNBUS_VERSION, is_ready ? "true" : "false",
	    (long long)overview->started_ms, (long long)clock_wall_ms());
	pthread_mutex_lock(&overview->lock);
	for (size_t i = 0; i < overview->count; i++) {
		buffer_append(out, ",", i > 0);
		print_source(&overview->sources[i], out);
	}
	pthread_mutex_unlock(&overview->lock);
	buffer_print(out, "]}\n");
}

void
overview_clear(struct overview *overview)
{
	free_sources(overview->sources, overview->count);
	pthread_mutex_destroy(&overview->lock);
	*overview = (struct overview){ 0 };
}
