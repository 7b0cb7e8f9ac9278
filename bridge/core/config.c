/* SPDX-License-Identifier: Apache-2.0
 *
 * The configuration file: reading it, giving it back, and the two things
 * programs do with a loaded one (refusing a value, reading a secret anew). */
#include "vulnbus/config.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "config_table.h"
#include "vulnbus/expand.h"
#include "vulnbus/secret.h"

enum status
config_parse(const char *name, struct view text, struct config **out_config,
    struct error *err)
{
	struct yaml_node *root = NULL;
	struct config *config = NULL;
	enum status status = yaml_parse(name, text, &root, err);

	if (status != STATUS_OK)
		return status;
	config = calloc(1, sizeof(*config));
	if (config)
		config->path = strdup(name);
	if (!config || !config->path)
		status = error_set(err, STATUS_NO_MEMORY, "out of memory");
	else
		status = config_read(config, root, err);
	yaml_node_free(root);
	if (status != STATUS_OK) {
		config_free(config);
		return status;
	}
	*out_config = config;
	return STATUS_OK;
}

enum status
config_load(const char *path, struct config **out_config, struct error *err)
{
	struct config *config = NULL;
	struct file_print print;
	struct buffer text;

	file_look(path, &print);
	/* One byte more, so that the YAML reader names the ceiling. */
	buffer_init_secret(&text, YAML_BYTES_MAX + 1);

	enum status status = expand_read_file(path, &text, err);

	if (status == STATUS_OK)
		status = config_parse(path, buffer_view(&text), &config, err);
	else if (status != STATUS_MISSING && status != STATUS_NO_MEMORY)
		status = STATUS_INVALID;
	buffer_clear(&text);
	if (status == STATUS_OK)
		status = config_files_begin(config, path, &print, err);
	if (status == STATUS_OK)
		*out_config = config;
	else
		config_free(config);
	return status;
}

static void
clear_text(char **at)
{
	if (*at)
		explicit_bzero(*at, strlen(*at));
	free(*at);
	*at = NULL;
}

static void
clear_list(struct config_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		clear_text(&list->items[i]);
	free(list->items);
	*list = (struct config_list){ 0 };
}

static void
clear_pairs(struct config_pairs *pairs)
{
	for (size_t i = 0; i < pairs->count; i++) {
		clear_text(&pairs->items[i].key);
		secret_drop(&pairs->items[i].value);
	}
	free(pairs->items);
	*pairs = (struct config_pairs){ 0 };
}

static void
clear_value(const struct config_key *key, void *base)
{
	void *at = config_key_at(key, base);
	struct secret *secret = at;

	switch (key->type) {
	case CONFIG_TEXT:
	case CONFIG_ADDRESS:
	case CONFIG_URL:
		clear_text(at);
		break;
	case CONFIG_LIST:
		clear_list(at);
		break;
	case CONFIG_PAIRS:
		clear_pairs(at);
		break;
	case CONFIG_SECRET:
		secret_drop(&secret->raw);
		secret_drop(&secret->value);
		break;
	case CONFIG_BOOL:
	case CONFIG_COUNT:
	case CONFIG_DURATION:
	case CONFIG_SIZE:
	case CONFIG_ENUM:
		break;
	}
}

void
config_free(struct config *config)
{
	if (!config)
		return;
	for (size_t i = 0; i < config_key_count; i++) {
		const struct config_key *key = &config_keys[i];

		if (!config_key_is_source(key)) {
			clear_value(key, config);
			continue;
		}
		for (size_t j = 0; j < config->source_count; j++)
			clear_value(key, &config->sources[j]);
	}
	free(config->sources);
	config_files_clear(config);
	free(config->path);
	free(config);
}

enum status
config_refuse(const struct config *config, struct config_place place,
    struct error *err, const char *fmt, ...)
{
	struct error reason;
	va_list args;

	va_start(args, fmt);
	if (vsnprintf(reason.text, sizeof(reason.text), fmt, args) < 0)
		reason.text[0] = '\0';
	va_end(args);
	*err = reason;
	if (place.line == 0)
		return error_add(err, STATUS_INVALID, "%s", config->path);
	return error_add(err, STATUS_INVALID, "%s:%u:%u", config->path,
	    place.line, place.column);
}

enum status
secret_read(const struct secret *secret, struct buffer *out, struct error *err)
{
	bool is_expanded = false;

	buffer_reset(out);
	if (!secret->raw)
		return error_set(
		    err, STATUS_MISSING, "no secret is configured");

	enum status status = expand_text(
	    view_of(secret->raw), out, &is_expanded, err);

	if (status == STATUS_OK && out->len == 0)
		status = error_set(err, STATUS_MISSING, "the secret is empty");
	if (status == STATUS_OK && !view_is_printable(buffer_view(out)))
		status = error_set(err, STATUS_INVALID,
		    "the secret holds a control character");
	if (status != STATUS_OK)
		buffer_reset(out);
	return status;
}
