/* SPDX-License-Identifier: Apache-2.0
 *
 * A configured source and the contract of its vendor, bound together. */
#ifndef VULNBUS_BINDING_H
#define VULNBUS_BINDING_H

#include "vulnbus/config.h"
#include "vulnbus/crypto.h"
#include "vulnbus/source.h"

/* Where a webhook goes, in the manner of ingress.connector_path. */
#define BINDING_HOOK_PATH "/hooks/{source}/{secret}"

struct binding {
	const struct config_source *config; /* borrowed */
	const struct source *contract;
	const char *base_url;
	unsigned char secret_digest[SHA256_BYTES];
};

struct bindings {
	struct binding *items; /* owned */
	size_t count;
};

/* Known vendors, a base URL for each, known names under api.paths: what
 * config_load cannot see. STATUS_INVALID says
 * "<path>:<line>:<column>: ...". `config` must outlive *out_bindings. */
enum status
bindings_open(const struct config *config, struct bindings *out_bindings,
    struct error *err) MUST_CHECK;

/* The same, with nothing kept, and kafka_check: all that a loaded
 * configuration must pass before it is used (daemon_load). */
enum status
bindings_check(const struct config *config, struct error *err) MUST_CHECK;

void
bindings_close(struct bindings *bindings);

/* NULL when no source has that name. */
const struct binding *
bindings_find(const struct bindings *bindings, struct view name);

/* Appends the webhook's URL, which is secret; public_url is configured. */
void
binding_hook_url(const struct config *config, const struct binding *binding,
    struct buffer *out);

/* What of the source is asked about without a webhook: as the vendor has it,
 * unless the configuration says no. NULL: nothing. */
enum source_swept
binding_swept(const struct binding *binding);

/* The template of a path: the configuration's, or the contract's. */
const char *
binding_path(const struct binding *binding, const char *name);

#endif
