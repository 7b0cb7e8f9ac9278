/* SPDX-License-Identifier: Apache-2.0
 *
 * One configuration in force, with all that was made from it. A reload makes
 * a new site and swaps it in whole; requests under way keep theirs. */
#ifndef VULNBUS_SITE_H
#define VULNBUS_SITE_H

#include <stdatomic.h>

#include "vulnbus/authenticate.h"
#include "vulnbus/http_tls.h"

struct site {
	struct config *config;
	bool is_config_lent; /* not the site's to free */
	struct bindings bindings;
	struct keyring *keyring;     /* NULL in the enricher */
	struct offenders *offenders; /* NULL in the enricher */
	struct http_tls *tls;        /* NULL in the enricher, and without */
	atomic_int holders;
};

/* Takes `config`, also when it fails. With `is_verifying` keys and ingress.tls
 * are loaded; keys that `former` (or NULL) had fetched are taken over. */
enum status
site_open(struct config *config, bool is_verifying, struct site *former,
    struct site **out_site, struct error *err) MUST_CHECK;

/* Hands the configuration over: the caller frees it, after the site. */
struct config *
site_take_config(struct site *site);

/* The site is freed when its last holder releases it. */
struct site *
site_hold(struct site *site);

void
site_release(struct site *site);

/* The last release, when all other holders are answered but may still wait
 * for a key: they are called first. Not on a thread of the site. */
void
site_close(struct site **site);

#endif
