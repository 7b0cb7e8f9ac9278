/* SPDX-License-Identifier: Apache-2.0 */
#include "vulnbus/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "vulnbus/expand.h"
#include "vulnbus/log.h"

/* OpenSSL's own certificates, where they are not in /etc (openssl-env(7)). */
static const char *const named_by_environment[] = { "SSL_CERT_FILE",
	"SSL_CERT_DIR", "OPENSSL_CONF" };

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

/* Read again at each use, so they are not among the configuration's files; but
 * whoever loads the configuration reads them, too. */
static void
read_live(struct sandbox *sandbox, const struct config_source *source)
{
	read_of_secret(sandbox, &source->api.token);
	read_of_secret(sandbox, &source->api_oauth2.client_secret);
}

static void
read_later(struct sandbox *sandbox, const struct config_source *source)
{
	sandbox_read(sandbox, source->api_jwt.key_file);
	sandbox_write(sandbox, source->api_oauth2.refresh_token_file);
}

/* Kerberos' tickets are renewed by kinit, which librdkafka would start. */
static void
read_of_kafka(struct sandbox *sandbox, const struct config *config)
{
	const struct config_pairs *properties = &config->kafka.properties;

	for (size_t i = 0; i < properties->count; i++) {
		const struct config_pair *pair = &properties->items[i];

		if (pair->value[0] == '/')
			sandbox_read(sandbox, pair->value);
		if (config->sandbox != CONFIG_SANDBOX_OFF &&
		    strncmp(pair->key, "sasl.mechanism", 14) == 0 &&
		    strcasecmp(pair->value, "GSSAPI") == 0)
			LOG_WARN("kinit cannot be run in the sandbox, Kerberos "
				 "needs a ticket from elsewhere");
	}
}

enum status
confine(const struct config *config, enum confined daemon, struct error *err)
{
	const bool is_ingress = daemon == CONFINED_INGRESS;
	struct sandbox sandbox;

	sandbox_begin(&sandbox);
	for (size_t i = 0; i < config->file_count; i++)
		sandbox_read(&sandbox, config->files[i].path);
	read_of_kafka(&sandbox, config);
	for (size_t i = 0;
	     i < sizeof(named_by_environment) / sizeof(*named_by_environment);
	     i++)
		sandbox_read(&sandbox, getenv(named_by_environment[i]));
	for (size_t i = 0; i < config->source_count; i++) {
		read_live(&sandbox, &config->sources[i]);
		if (!is_ingress)
			read_later(&sandbox, &config->sources[i]);
	}
	if (is_ingress) {
		sandbox_write_in(&sandbox, config->ingress.state_dir);
		sandbox_write(&sandbox, config->ingress.spool.path);
		sandbox_listen(&sandbox, config->ingress.listen);
	}
	sandbox_listen(&sandbox,
	    is_ingress ? config->ingress.admin : config->enricher.admin);
	return sandbox_enter(&sandbox, config->sandbox, err);
}

/* --- a later configuration -------------------------------------------------
 */

static size_t
folder_len(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash == NULL ? 0 : (size_t)(slash - path);
}

/* Trying it would write a file. */
static bool
may_write_beside(const struct config *config, const char *path)
{
	for (size_t i = 0; i < config->source_count; i++) {
		const char *known =
		    config->sources[i].api_oauth2.refresh_token_file;

		if (known != NULL && folder_len(known) == folder_len(path) &&
		    strncmp(known, path, folder_len(path)) == 0)
			return true;
	}
	return false;
}

static bool
may_read(const char *path)
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	const bool may = fd >= 0 || errno != EACCES;

	if (fd >= 0)
		close(fd);
	return may;
}

enum status
confine_check(
    const struct config *config, const struct config *loaded, struct error *err)
{
	if (!sandbox_has_files())
		return STATUS_OK;
	for (size_t i = 0; i < loaded->source_count; i++) {
		const struct config_source *source = &loaded->sources[i];
		const char *key = source->api_jwt.key_file;
		const char *token = source->api_oauth2.refresh_token_file;

		if (key != NULL && !may_read(key))
			return error_set(err, STATUS_UNAVAILABLE,
			    "source \"%s\": %s: %s", source->name, key,
			    strerror(EACCES));
		if (token != NULL && !may_write_beside(config, token))
			return error_set(err, STATUS_UNAVAILABLE,
			    "source \"%s\": %s: %s", source->name, token,
			    strerror(EACCES));
	}
	return STATUS_OK;
}

bool
confine_is_why(const struct error *why)
{
	return sandbox_has_files() &&
	       strstr(why->text, strerror(EACCES)) != NULL;
}
