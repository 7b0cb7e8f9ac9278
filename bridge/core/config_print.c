/* SPDX-License-Identifier: Apache-2.0
 *
 * The effective configuration as YAML that the loader takes back, apart from
 * what is masked. */
#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "config_table.h"

#define MASK "\"********\""

struct printer {
	FILE *out;
	struct view section; /* whose heading was printed last */
	unsigned indent;
	bool is_item; /* the next line opens a list's item */
};

static void
begin_line(struct printer *p, unsigned depth)
{
	unsigned width = p->indent + 2 * depth;

	if (p->is_item)
		fprintf(p->out, "%*s- ", (int)width - 2, "");
	else
		fprintf(p->out, "%*s", (int)width, "");
	p->is_item = false;
}

/* Texts that no YAML reader takes for anything but text. */
static bool
is_plain(const char *text)
{
	static const char *const words[] = { "true", "false", "null", "yes",
		"no", "on", "off", "y", "n" };

	if (!isalpha((unsigned char)text[0]) && text[0] != '/')
		return false;
	for (const char *c = text; *c; c++)
		if ((unsigned char)*c >= 0x80 ||
		    (!isalnum((unsigned char)*c) && !strchr("/._-", *c)))
			return false;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcasecmp(text, words[i]) == 0)
			return false;
	return true;
}

/* Prints one character beyond ASCII escaped: among them are YAML's line breaks
 * and characters that YAML refuses. Returns its bytes. */
static size_t
print_wide(FILE *out, const unsigned char *c)
{
	size_t len = *c >= 0xf0 ? 4 : *c >= 0xe0 ? 3 : 2;
	uint32_t code = *c & (0xffu >> (len + 1));

	for (size_t i = 1; i < len; i++) {
		/* Not UTF-8: the YAML reader hands on nothing of the kind. */
		if ((c[i] & 0xc0) != 0x80) {
			fputc('?', out);
			return i;
		}
		code = code << 6 | (c[i] & 0x3f);
	}
	fprintf(out, "\\U%08" PRIX32, code);
	return len;
}

/* `is_value`: dollar signs are doubled, the loader halves them again. */
static void
print_text(FILE *out, const char *text, bool is_value)
{
	const unsigned char *c = (const unsigned char *)text;

	if (is_plain(text)) {
		fputs(text, out);
		return;
	}
	fputc('"', out);
	while (*c) {
		if (*c >= 0x80) {
			c += print_wide(out, c);
			continue;
		}
		if (*c == '"' || *c == '\\')
			fprintf(out, "\\%c", *c);
		else if (*c == '$' && is_value)
			fputs("$$", out);
		else if (*c < 0x20 || *c == 0x7f)
			fprintf(out, "\\x%02X", *c);
		else
			fputc(*c, out);
		c++;
	}
	fputc('"', out);
}

static void
print_list(struct printer *p, const struct config_list *list, unsigned depth)
{
	if (list->count == 0)
		fputs(" []\n", p->out);
	else
		fputc('\n', p->out);
	for (size_t i = 0; i < list->count; i++) {
		begin_line(p, depth + 1);
		fputs("- ", p->out);
		print_text(p->out, list->items[i], true);
		fputc('\n', p->out);
	}
}

/* librdkafka has no list of what is secret; its names tell. */
static bool
is_secret_property(const char *key)
{
	static const char *const words[] = { "password", "passphrase", "secret",
		"token", "credential", "key.pem", "jaas", ".key" };

	if (config_is_location(key))
		return false;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcasestr(key, words[i]))
			return true;
	return false;
}

static void
print_pairs(struct printer *p, const struct config_pairs *pairs, unsigned depth)
{
	if (pairs->count == 0)
		fputs(" {}\n", p->out);
	else
		fputc('\n', p->out);
	for (size_t i = 0; i < pairs->count; i++) {
		const struct config_pair *pair = &pairs->items[i];

		begin_line(p, depth + 1);
		print_text(p->out, pair->key, false);
		fputs(": ", p->out);
		if (pair->is_expanded || is_secret_property(pair->key))
			fputs(MASK, p->out);
		else
			print_text(p->out, pair->value, true);
		fputc('\n', p->out);
	}
}

static int64_t
number_at(const struct config_key *key, const void *at)
{
	const uint64_t *size = at;
	const int32_t *negative = at;
	const uint32_t *number = at;

	if (key->type == CONFIG_SIZE)
		return (int64_t)*size;
	if (key->minimum < 0)
		return *negative;
	return *number;
}

/* What stands behind "key:", up to the end of the line. */
static void
print_scalar(FILE *out, const struct config_key *key, const void *at)
{
	const struct secret *secret = at;
	const char *text = NULL;

	fputc(' ', out);
	switch (key->type) {
	case CONFIG_TEXT:
	case CONFIG_ADDRESS:
	case CONFIG_URL:
		text = *(char *const *)at;
		if (text)
			print_text(out, text, true);
		else
			fputs("null", out);
		break;
	case CONFIG_BOOL:
		fputs(*(const bool *)at ? "true" : "false", out);
		break;
	case CONFIG_COUNT:
	case CONFIG_DURATION:
	case CONFIG_SIZE:
		fputs(config_number_text(key->type, number_at(key, at)).text,
		    out);
		break;
	case CONFIG_ENUM:
		fputs(key->choices[*(const unsigned *)at], out);
		break;
	case CONFIG_SECRET:
		fputs(secret->value ? MASK : "null", out);
		break;
	case CONFIG_LIST:
	case CONFIG_PAIRS:
		break;
	}
	fputc('\n', out);
}

/* As it would be printed. */
static char *
scalar_text(const struct config_key *key, const struct config *config)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	if (out == NULL)
		return NULL;
	print_scalar(out, key, config_key_at(key, config));
	return fclose(out) == 0 ? text : NULL;
}

void
config_name_fixed(const struct config *in_force, const struct config *loaded,
    const char *but, struct buffer *out)
{
	for (size_t i = 0; i < config_key_count; i++) {
		const struct config_key *key = &config_keys[i];
		char *was, *is;

		if (key->is_reloaded || config_key_is_source(key) ||
		    strncmp(key->path, but, strlen(but)) == 0)
			continue;
		was = scalar_text(key, in_force);
		is = scalar_text(key, loaded);
		if (was != NULL && is != NULL && strcmp(was, is) != 0)
			buffer_print(
			    out, "%s%s", out->len > 0 ? ", " : "", key->path);
		free(was);
		free(is);
	}
}

/* The headings between the last row's section and `path`'s; returns how deep
 * the row stands. `path` is left with the row's own name. */
static unsigned
print_headings(struct printer *p, struct view *path)
{
	const char *start = path->data;
	unsigned depth = 0;

	while (memchr(path->data, '.', path->len)) {
		struct view name = view_cut(path, '.');
		struct view section = { start,
			(size_t)(name.data + name.len - start) };
		struct view known = p->section;

		if (known.len > section.len)
			known.len = section.len;
		if (!view_equal(known, section)) {
			begin_line(p, depth);
			fprintf(p->out, "%.*s:\n", VIEW_ARGS(name));
		}
		depth++;
	}
	p->section = (struct view){ start,
		depth > 0 ? (size_t)(path->data - start) - 1 : 0 };
	return depth;
}

static void
print_row(struct printer *p, const struct config_key *key, const void *base,
    bool is_expanded, struct view path)
{
	const void *at = config_key_at(key, base);
	unsigned depth = print_headings(p, &path);

	begin_line(p, depth);
	fprintf(p->out, "%.*s:", VIEW_ARGS(path));
	if (is_expanded && key->type != CONFIG_LIST)
		fputs(" " MASK "\n", p->out);
	else if (is_expanded)
		fputs(" [" MASK "]\n", p->out);
	else if (key->type == CONFIG_LIST)
		print_list(p, at, depth);
	else if (key->type == CONFIG_PAIRS)
		print_pairs(p, at, depth);
	else
		print_scalar(p->out, key, at);
}

static void
print_source(const struct config_source *source, FILE *out)
{
	struct printer p = { .out = out, .indent = 4, .is_item = true };

	for (size_t i = 0; i < config_key_count; i++) {
		const struct config_key *key = &config_keys[i];
		struct view path = view_of(key->path);

		if (!config_key_is_source(key))
			continue;
		(void)view_cut(&path, '.');
		print_row(&p, key, source, source->expanded[i], path);
	}
}

void
config_print(const struct config *config, FILE *out)
{
	struct printer p = { .out = out };

	for (size_t i = 0; i < config_key_count; i++) {
		const struct config_key *key = &config_keys[i];

		if (!config_key_is_source(key))
			print_row(&p, key, config, config->expanded[i],
			    view_of(key->path));
	}
	fprintf(out, "sources:%s\n", config->source_count == 0 ? " []" : "");
	for (size_t i = 0; i < config->source_count; i++)
		print_source(&config->sources[i], out);
}
