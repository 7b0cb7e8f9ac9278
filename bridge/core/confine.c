/* SPDX-License-Identifier: Apache-2.0 */
#include "vulnbus/confine.h"

#include <stdlib.h>
#include <string.h>

#include "vulnbus/expand.h"

static enum status
read_one(struct view path, void *arg)
{
	char *text = strndup(path.data, path.len);

	sandbox_read(arg, text);
	free(text);
	return STATUS_OK;
}

static void
read_of_secret(struct sandbox *sandbox, const struct secret *secret)
{
	if (secret->raw != NULL &&
	    expand_files(view_of(secret->raw), read_one, sandbox) != STATUS_OK)
		return;
}

/* Read again at each use, so they are not among the configuration's files. */
static void
read_live(struct sandbox *sandbox, const struct config_source *source)
{
	read_of_secret(sandbox, &source->api.token);
	read_of_secret(sandbox, &source->api_oauth2.client_secret);
	sandbox_read(sandbox, source->api_jwt.key_file);
	sandbox_write(sandbox, source->api_oauth2.refresh_token_file);
}

enum status
confine(const struct config *config, enum confined daemon, struct error *err)
{
	const bool is_ingress = daemon == CONFINED_INGRESS;
	struct sandbox sandbox;

	sandbox_begin(&sandbox);
	for (size_t i = 0; i < config->file_count; i++)
		sandbox_read(&sandbox, config->files[i].path);
	if (is_ingress) {
		sandbox_write(&sandbox, config->ingress.state_dir);
		sandbox_write(&sandbox, config->ingress.spool.path);
		sandbox_listen(&sandbox, config->ingress.listen);
	} else {
		for (size_t i = 0; i < config->source_count; i++)
			read_live(&sandbox, &config->sources[i]);
	}
	sandbox_listen(&sandbox,
	    is_ingress ? config->ingress.admin : config->enricher.admin);
	return sandbox_enter(&sandbox, config->sandbox, err);
}
