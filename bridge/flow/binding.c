/* SPDX-License-Identifier: Apache-2.0 */
#include "vulnbus/binding.h"

#include <stdlib.h>
#include <string.h>

#include "vulnbus/kafka.h"

static const char *
contract_path(const struct source *contract, const char *name)
{
	for (size_t i = 0; i < SOURCE_PATHS_MAX; i++)
		if (contract->api.paths[i].name != NULL &&
		    strcmp(contract->api.paths[i].name, name) == 0)
			return contract->api.paths[i].template;
	return NULL;
}

static enum status
check_vendor(const struct config *config, const struct config_source *source,
    struct error *err)
{
	struct buffer names;
	enum status status;

	if (source_find(source->vendor) != NULL)
		return STATUS_OK;
	buffer_init(&names, 1024);
	source_names(&names);
	status = config_refuse(config, source->vendor_place, err,
	    "unknown vendor \"%s\" (one of %.*s)", source->vendor,
	    VIEW_ARGS(buffer_view(&names)));
	buffer_clear(&names);
	return status;
}

static enum status
check_paths(const struct config *config, const struct config_source *source,
    const struct source *contract, struct error *err)
{
	for (size_t i = 0; i < source->api.paths.count; i++) {
		const struct config_pair *pair = &source->api.paths.items[i];

		if (contract_path(contract, pair->key) == NULL)
			return config_refuse(config, pair->place, err,
			    "api.paths: %s has no path \"%s\"", source->vendor,
			    pair->key);
		if (pair->value[0] != '/' ||
		    (strstr(contract_path(contract, pair->key), "{id}") &&
			strstr(pair->value, "{id}") == NULL))
			return config_refuse(config, pair->place, err,
			    "api.paths.%s: must begin with / and hold {id}",
			    pair->key);
	}
	return STATUS_OK;
}

/* One way to be known to the API, and that one complete. */
static enum status
check_credentials(const struct config *config,
    const struct config_source *source, struct error *err)
{
	const bool has_token = source->api.token.raw != NULL;
	const bool has_key = source->api_jwt.key_file != NULL;
	const bool has_file = source->api_oauth2.refresh_token_file != NULL;
	const bool has_client = source->api_oauth2.client_id != NULL;

	if (has_token && has_key)
		return config_refuse(config, source->place, err,
		    "source \"%s\": api.token or api_jwt, not both",
		    source->name);
	if (has_file && (has_token || has_key))
		return config_refuse(config, source->place, err,
		    "source \"%s\": %s or api_oauth2, not both", source->name,
		    has_token ? "api.token" : "api_jwt");
	if (has_file != has_client ||
	    (source->api_oauth2.client_secret.raw != NULL && !has_file))
		return config_refuse(config, source->place, err,
		    "source \"%s\": api_oauth2 needs refresh_token_file and "
		    "client_id",
		    source->name);
	return STATUS_OK;
}

static enum status
bind_source(const struct config *config, const struct config_source *source,
    struct binding *out, struct error *err)
{
	enum status status = check_vendor(config, source, err);

	if (status != STATUS_OK)
		return status;
	out->config = source;
	out->contract = source_find(source->vendor);
	out->base_url = source->base_url != NULL
			    ? source->base_url
			    : out->contract->default_base_url;
	if (out->base_url == NULL)
		return config_refuse(config, source->place, err,
		    "source \"%s\": %s has no default base_url", source->name,
		    source->vendor);
	if (source->hook.app_secret.value != NULL &&
	    out->contract->authentication.app_secret == NULL)
		return config_refuse(config, source->place, err,
		    "source \"%s\": %s sends no hook.app_secret", source->name,
		    source->vendor);
	if (source->hook.client_subject != NULL &&
	    config->ingress.tls.client_ca.path == NULL)
		return config_refuse(config, source->subject_place, err,
		    "source \"%s\": hook.client_subject needs "
		    "ingress.tls.client_ca",
		    source->name);
	if (binding_swept(out) != SOURCE_SWEPT_NOTHING &&
	    config->enricher.dedup_window_ms / 1000 <
		out->contract->reconciliation.known_s)
		return config_refuse(config, source->place, err,
		    "source \"%s\": to be reconciled it needs an "
		    "enricher.dedup_window of %ud, or api.reconcile: false",
		    source->name,
		    out->contract->reconciliation.known_s / 86400);
	sha256_of(view_of(source->hook.secret.value), out->secret_digest);
	status = check_credentials(config, source, err);
	if (status != STATUS_OK)
		return status;
	return check_paths(config, source, out->contract, err);
}

enum status
bindings_open(const struct config *config, struct bindings *out_bindings,
    struct error *err)
{
	struct bindings made = { .count = config->source_count };
	enum status status = STATUS_OK;

	made.items = calloc(made.count + 1, sizeof(*made.items));
	if (made.items == NULL)
		return error_set(err, STATUS_NO_MEMORY, "no memory");
	for (size_t i = 0; status == STATUS_OK && i < made.count; i++)
		status = bind_source(
		    config, &config->sources[i], &made.items[i], err);
	if (status != STATUS_OK) {
		bindings_close(&made);
		return status;
	}
	*out_bindings = made;
	return STATUS_OK;
}

enum status
bindings_check(const struct config *config, struct error *err)
{
	struct bindings bindings = { .items = NULL };
	enum status status = kafka_check(config, err);

	if (status == STATUS_OK)
		status = bindings_open(config, &bindings, err);
	bindings_close(&bindings);
	return status;
}

void
bindings_close(struct bindings *bindings)
{
	free(bindings->items);
	*bindings = (struct bindings){ .items = NULL };
}

const struct binding *
bindings_find(const struct bindings *bindings, struct view name)
{
	for (size_t i = 0; i < bindings->count; i++)
		if (view_is(name, bindings->items[i].config->name))
			return &bindings->items[i];
	return NULL;
}

enum source_swept
binding_swept(const struct binding *binding)
{
	return binding == NULL || !binding->config->api.reconcile
		   ? SOURCE_SWEPT_NOTHING
		   : binding->contract->reconciliation.swept;
}

const char *
binding_path(const struct binding *binding, const char *name)
{
	const struct config_pairs *paths = &binding->config->api.paths;

	for (size_t i = 0; i < paths->count; i++)
		if (strcmp(paths->items[i].key, name) == 0)
			return paths->items[i].value;
	return contract_path(binding->contract, name);
}

void
binding_hook_url(const struct config *config, const struct binding *binding,
    struct buffer *out)
{
	buffer_print(out, "%s/hooks/%s/%s", config->ingress.public_url,
	    binding->config->name, binding->config->hook.secret.value);
}
