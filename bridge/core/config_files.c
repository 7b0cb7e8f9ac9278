/* SPDX-License-Identifier: Apache-2.0
 *
 * Which files a configuration was made from, and what they were then: noted
 * before they are read, so that no change falls in between. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "config_table.h"
#include "vulnbus/crypto.h"
#include "vulnbus/expand.h"

#define FILE_BYTES_MAX (1u << 20)

static_assert(CONFIG_DIGEST_BYTES == SHA256_BYTES, "what sha256_of writes");

/* A folder, or what is too large for a certificate, has none. */
static void
take_digest(struct config_watched *file)
{
	struct buffer text;
	struct error ignored;

	buffer_init_secret(&text, FILE_BYTES_MAX);
	if (file_read(file->path, &text, &ignored) == STATUS_OK)
		sha256_of(buffer_view(&text), file->digest);
	buffer_clear(&text);
}

static enum status
add(struct config *config, struct view path, bool is_kafka)
{
	struct config_watched *grown = realloc(
	    config->files, (config->file_count + 1) * sizeof(*grown));
	struct config_watched *file;

	if (grown == NULL)
		return STATUS_NO_MEMORY;
	config->files = grown;
	file = &grown[config->file_count];
	*file = (struct config_watched){ .is_kafka = is_kafka,
		.path = strndup(path.data, path.len) };
	if (file->path == NULL)
		return STATUS_NO_MEMORY;
	file_look(file->path, &file->print);
	if (is_kafka)
		take_digest(file);
	config->file_count++;
	return STATUS_OK;
}

static enum status
add_expanded(struct view path, void *arg)
{
	return add(arg, path, false);
}

enum status
config_files_note(struct config *config, const struct config_key *key,
    const struct yaml_node *node, struct error *err)
{
	enum status status = STATUS_OK;

	if (key->is_live)
		return STATUS_OK;
	if (node->type == YAML_SCALAR)
		status = expand_files(
		    view_of(node->text), add_expanded, config);
	else
		for (const struct yaml_node *n = node->first;
		     n != NULL && status == STATUS_OK; n = n->next)
			status = config_files_note(config, key, n, err);
	return status == STATUS_OK ? STATUS_OK
				   : error_set(err, status, "out of memory");
}

bool
config_is_location(const char *property)
{
	static const char end[] = ".location";
	const size_t len = strlen(property);

	return len > sizeof(end) - 1 &&
	       strcasecmp(property + len - (sizeof(end) - 1), end) == 0;
}

static enum status
note_value(struct config *config, const struct config_key *key, const void *at)
{
	const struct config_list *list = at;
	const struct config_pairs *pairs = at;
	const char *text = key->type == CONFIG_TEXT ? *(char *const *)at : NULL;
	enum status status = STATUS_OK;

	if (text != NULL)
		return add(config, view_of(text), false);
	if (key->type == CONFIG_LIST)
		for (size_t i = 0; status == STATUS_OK && i < list->count; i++)
			status = add(config, view_of(list->items[i]), false);
	if (key->type == CONFIG_PAIRS)
		for (size_t i = 0; status == STATUS_OK && i < pairs->count; i++)
			if (config_is_location(pairs->items[i].key))
				status = add(config,
				    view_of(pairs->items[i].value), true);
	return status;
}

enum status
config_files_name(struct config *config, struct error *err)
{
	enum status status = STATUS_OK;

	for (size_t i = 0; i < config_key_count && status == STATUS_OK; i++) {
		const struct config_key *key = &config_keys[i];

		if (!key->is_file)
			continue;
		if (!config_key_is_source(key))
			status = note_value(
			    config, key, config_key_at(key, config));
		else
			for (size_t j = 0;
			     j < config->source_count && status == STATUS_OK;
			     j++)
				status = note_value(config, key,
				    config_key_at(key, &config->sources[j]));
	}
	return status == STATUS_OK ? STATUS_OK
				   : error_set(err, status, "out of memory");
}

enum status
config_files_begin(struct config *config, const char *path,
    const struct file_print *print, struct error *err)
{
	if (add(config, view_of(path), false) != STATUS_OK)
		return error_set(err, STATUS_NO_MEMORY, "out of memory");
	config->files[config->file_count - 1].print = *print;
	return STATUS_OK;
}

void
config_files_clear(struct config *config)
{
	for (size_t i = 0; i < config->file_count; i++)
		free(config->files[i].path);
	free(config->files);
}

static const struct config_watched *
find_kafka(const struct config *config, const char *path)
{
	for (size_t i = 0; i < config->file_count; i++)
		if (config->files[i].is_kafka &&
		    strcmp(config->files[i].path, path) == 0)
			return &config->files[i];
	return NULL;
}

/* Mounted folders are swapped whole: another file may hold the same. */
static bool
held_the_same(const struct config_watched *a, const struct config_watched *b)
{
	static const unsigned char none[CONFIG_DIGEST_BYTES];

	if (memcmp(a->digest, none, sizeof(none)) == 0)
		return file_is_same(&a->print, &b->print);
	return memcmp(a->digest, b->digest, sizeof(none)) == 0;
}

bool
config_is_same_kafka(const struct config *a, const struct config *b)
{
	const struct config_pairs *of_a = &a->kafka.properties;
	const struct config_pairs *of_b = &b->kafka.properties;

	if (of_a->count != of_b->count)
		return false;
	for (size_t i = 0; i < of_a->count; i++) {
		const struct config_pair *pair = &of_a->items[i];
		const struct config_watched *was, *is;

		if (strcmp(pair->key, of_b->items[i].key) != 0 ||
		    strcmp(pair->value, of_b->items[i].value) != 0)
			return false;
		was = find_kafka(a, pair->value);
		is = find_kafka(b, pair->value);
		if (was != NULL && is != NULL && !held_the_same(was, is))
			return false;
	}
	return true;
}

void
config_swap_kafka(struct config *to, struct config *from)
{
	const struct config_pairs properties = to->kafka.properties;
	struct config_watched *const files = to->files;
	const size_t file_count = to->file_count;

	to->kafka.properties = from->kafka.properties;
	to->files = from->files;
	to->file_count = from->file_count;
	from->kafka.properties = properties;
	from->files = files;
	from->file_count = file_count;
}
