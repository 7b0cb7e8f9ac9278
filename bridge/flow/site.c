/* SPDX-License-Identifier: Apache-2.0 */
#include "vulnbus/site.h"

#include <stdlib.h>

#include "vulnbus/metrics.h"

enum status
site_open(struct config *config, bool is_verifying, struct site *former,
    struct site **out_site, struct error *err)
{
	struct site *site = calloc(1, sizeof(*site));
	enum status status;

	if (site == NULL) {
		config_free(config);
		return error_set(err, STATUS_NO_MEMORY, "no memory");
	}
	site->config = config;
	metrics_know_sources(config);
	atomic_init(&site->holders, 1);
	status = bindings_open(config, &site->bindings, err);
	if (status == STATUS_OK && is_verifying)
		status = http_tls_open(config, &site->tls, err);
	if (status == STATUS_OK && is_verifying)
		status = keyring_open(config, &site->bindings,
		    former == NULL ? NULL : former->keyring, &site->keyring,
		    err);
	if (status == STATUS_OK && is_verifying)
		status = offenders_open(
		    config->ingress.bad_signatures_per_minute, &site->offenders,
		    err);
	if (status != STATUS_OK) {
		site_release(site);
		return status;
	}
	*out_site = site;
	return STATUS_OK;
}

struct config *
site_take_config(struct site *site)
{
	site->is_config_lent = true;
	return site->config;
}

struct site *
site_hold(struct site *site)
{
	atomic_fetch_add(&site->holders, 1);
	return site;
}

void
site_release(struct site *site)
{
	if (site == NULL || atomic_fetch_sub(&site->holders, 1) != 1)
		return;
	keyring_close(&site->keyring);
	offenders_close(&site->offenders);
	http_tls_release(site->tls);
	bindings_close(&site->bindings);
	if (!site->is_config_lent)
		config_free(site->config);
	free(site);
}

void
site_close(struct site **site)
{
	if (*site == NULL)
		return;
	keyring_close(&(*site)->keyring);
	site_release(*site);
	*site = NULL;
}
