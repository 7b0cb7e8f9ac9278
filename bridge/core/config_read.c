/* SPDX-License-Identifier: Apache-2.0
 *
 * From the YAML tree to struct config: walks the file along the table of
 * keys, gives what is wrong a place, fills in defaults, and checks what
 * concerns several keys at once. */
#include "config_table.h"

#include <stdlib.h>
#include <string.h>

struct loader {
	const struct yaml_node *root;
	struct config *config;
	struct config_source *source; /* the one being read, or NULL */
	size_t source_index;
	bool is_set[CONFIG_KEYS_MAX]; /* by row */
	struct error *err;
};

enum child { CHILD_UNKNOWN, CHILD_VALUE, CHILD_SECTION, CHILD_SOURCES };

/* Puts place and path in front of what `err` says already. */
static enum status
refuse(struct loader *l, struct config_place place, struct view section,
    const char *key)
{
	const struct view sources = VIEW("sources[]");
	const char *name = l->config->path;

	if (section.len == 0 && key[0] == '\0')
		return error_add(l->err, STATUS_INVALID, "%s:%u:%u", name,
		    place.line, place.column);
	if (!view_starts(section, sources))
		return error_add(l->err, STATUS_INVALID, "%s:%u:%u: %.*s%s",
		    name, place.line, place.column, VIEW_ARGS(section), key);
	section.data += sources.len;
	section.len -= sources.len;
	return error_add(l->err, STATUS_INVALID, "%s:%u:%u: sources[%zu]%.*s%s",
	    name, place.line, place.column, l->source_index, VIEW_ARGS(section),
	    key);
}

static struct config_place
value_place(const struct yaml_node *node)
{
	if (!node)
		return (struct config_place){ 0 };
	return (struct config_place){ node->line, node->column };
}

/* Of the key, where there is one: a section is found by its name. */
static struct config_place
key_place(const struct yaml_node *node)
{
	if (!node->key)
		return value_place(node);
	return (struct config_place){ node->key_line, node->key_column };
}

static const struct yaml_node *
find_member(const struct yaml_node *node, struct view key)
{
	const struct yaml_node *n = node->first;

	while (n && !(n->key && view_is(key, n->key)))
		n = n->next;
	return n;
}

/* As far down the path as the file goes. */
static const struct yaml_node *
find_closest(const struct yaml_node *node, struct view path)
{
	while (path.len > 0) {
		struct view key = view_cut(&path, '.');
		const struct yaml_node *member = find_member(node, key);

		if (!member)
			break;
		node = member;
	}
	return node;
}

static struct config_place
place_of(const struct yaml_node *node, struct view path)
{
	return key_place(find_closest(node, path));
}

/* What `name` is in `section` ("", "ingress.", "sources[].api."). */
static enum child
find_child(struct view section, const char *name, size_t *out_row)
{
	size_t len = strlen(name);

	if (len == 0 || strpbrk(name, ".[]"))
		return CHILD_UNKNOWN;
	for (size_t i = 0; i < config_key_count; i++) {
		const char *rest = config_keys[i].path;

		if (!view_starts(view_of(rest), section))
			continue;
		rest += section.len;
		if (strncmp(rest, name, len) != 0)
			continue;
		*out_row = i;
		if (rest[len] == '\0')
			return CHILD_VALUE;
		if (rest[len] == '.')
			return CHILD_SECTION;
		if (rest[len] == '[')
			return CHILD_SOURCES;
	}
	return CHILD_UNKNOWN;
}

static enum status
refuse_unknown(
    struct loader *l, const struct yaml_node *node, struct view section)
{
	struct view name = view_of(node->key);
	struct view near = config_suggest(section, name);
	bool is_shown = name.len <= 64 && view_is_printable(name);

	if (near.len > 0)
		(void)error_set(l->err, STATUS_INVALID,
		    "unknown key (did you mean \"%.*s\"?)", VIEW_ARGS(near));
	else
		(void)error_set(l->err, STATUS_INVALID, "unknown key");
	return refuse(l, key_place(node), section, is_shown ? node->key : "?");
}

static enum status
refuse_missing(struct loader *l, const struct yaml_node *node,
    const struct config_key *key, struct view path)
{
	(void)error_set(l->err, STATUS_INVALID, "is missing");
	return refuse(l, place_of(node, path), view_of(key->path), "");
}

static void *
base_of(struct loader *l, bool **out_expanded)
{
	if (l->source) {
		*out_expanded = l->source->expanded;
		return l->source;
	}
	*out_expanded = l->config->expanded;
	return l->config;
}

static enum status
read_value(struct loader *l, const struct yaml_node *node, size_t row,
    struct view section)
{
	const struct yaml_node *at = node;
	bool *expanded = NULL;
	void *base = base_of(l, &expanded);

	/* A key with nothing behind it is a slip, a written null is a wish. */
	if (config_value_is_null(node) && node->text[0] != '\0')
		return STATUS_OK;
	l->is_set[row] = true;

	enum status status = config_files_note(
	    l->config, &config_keys[row], node, l->err);

	if (status == STATUS_OK)
		status = config_value_read(
		    &config_keys[row], base, node, &expanded[row], &at, l->err);
	if (status == STATUS_INVALID)
		return refuse(l, value_place(at), section, node->key);
	return status;
}

static enum status
refuse_form(struct loader *l, const struct yaml_node *node, struct view section,
    const char *key, const char *wanted)
{
	/* "ingress." is shown as "ingress". */
	if (key[0] == '\0' && section.len > 0)
		section.len--;
	(void)error_set(l->err, STATUS_INVALID, "%s is expected here", wanted);
	return refuse(l, value_place(node), section, key);
}

static enum status
read_sources(struct loader *l, const struct yaml_node *node);

/* Recursion is as deep as the table's paths. */
static enum status
read_section(
    struct loader *l, const struct yaml_node *node, struct view section)
{
	enum status status = STATUS_OK;

	if (config_value_is_null(node))
		return STATUS_OK;
	if (node->type != YAML_MAP)
		return refuse_form(
		    l, node, section, "", "a mapping (key: value)");
	for (const struct yaml_node *n = node->first; n && status == STATUS_OK;
	     n = n->next) {
		size_t row = 0;
		struct view deeper;

		switch (find_child(section, n->key, &row)) {
		case CHILD_UNKNOWN:
			return refuse_unknown(l, n, section);
		case CHILD_VALUE:
			status = read_value(l, n, row, section);
			break;
		case CHILD_SECTION:
			deeper = (struct view){ config_keys[row].path,
				section.len + strlen(n->key) + 1 };
			status = read_section(l, n, deeper);
			break;
		case CHILD_SOURCES:
			status = read_sources(l, n);
			break;
		}
	}
	return status;
}

/* Defaults for what the file leaves out: of the source being read, or of
 * everything but the sources. */
static enum status
fill_in(struct loader *l, const struct yaml_node *node)
{
	bool *expanded = NULL;
	void *base = base_of(l, &expanded);

	for (size_t i = 0; i < config_key_count; i++) {
		const struct config_key *key = &config_keys[i];
		struct view path = view_of(key->path);

		if (l->is_set[i] ||
		    config_key_is_source(key) != (l->source != NULL))
			continue;
		if (l->source)
			(void)view_cut(&path, '.');
		if (key->is_required)
			return refuse_missing(l, node, key, path);
		if (!key->fallback)
			continue;

		enum status status = config_value_set(
		    key, base, key->fallback, &expanded[i], l->err);

		/* A default may name an environment variable. */
		if (status == STATUS_INVALID)
			return refuse(
			    l, place_of(node, path), view_of(key->path), "");
		if (status != STATUS_OK)
			return status;
	}
	return STATUS_OK;
}

static enum status
check_source(struct loader *l)
{
	const struct config_source *s = l->source;
	const struct view section = VIEW("sources[].");

	for (size_t i = 0; i < l->source_index; i++) {
		const struct config_source *other = &l->config->sources[i];

		if (strcmp(other->name, s->name) != 0)
			continue;
		(void)error_set(l->err, STATUS_INVALID,
		    "\"%s\" is the name of the source in line %u already",
		    s->name, other->name_place.line);
		return refuse(l, s->name_place, section, "name");
	}
	if (s->base_url && !s->allow_plain_http &&
	    config_check_is_exposed(s->base_url)) {
		(void)error_set(l->err, STATUS_INVALID,
		    "http:// is for loopback addresses; use https://, or set "
		    "allow_plain_http: true");
		return refuse(l, s->base_url_place, section, "base_url");
	}
	return STATUS_OK;
}

static enum status
read_source(struct loader *l, const struct yaml_node *node)
{
	struct config_source *s = l->source;

	for (size_t i = 0; i < config_key_count; i++)
		if (config_key_is_source(&config_keys[i]))
			l->is_set[i] = false;
	s->place = value_place(node);
	if (node->type != YAML_MAP)
		return refuse_form(
		    l, node, VIEW("sources[]."), "", "a mapping (key: value)");
	s->name_place = value_place(find_member(node, VIEW("name")));
	s->vendor_place = value_place(find_member(node, VIEW("vendor")));
	s->base_url_place = value_place(find_member(node, VIEW("base_url")));
	s->subject_place = place_of(node, VIEW("hook.client_subject"));

	enum status status = read_section(l, node, VIEW("sources[]."));

	if (status == STATUS_OK)
		status = fill_in(l, node);
	return status == STATUS_OK ? check_source(l) : status;
}

static enum status
read_sources(struct loader *l, const struct yaml_node *node)
{
	size_t count = 0;
	enum status status = STATUS_OK;

	if (config_value_is_null(node))
		return STATUS_OK;
	if (node->type != YAML_LIST)
		return refuse_form(
		    l, node, VIEW(""), node->key, "a list (- name: ...)");
	for (const struct yaml_node *n = node->first; n; n = n->next)
		count++;
	if (count > CONFIG_SOURCES_MAX) {
		(void)error_set(l->err, STATUS_INVALID, "more than %d sources",
		    CONFIG_SOURCES_MAX);
		return refuse(l, key_place(node), VIEW(""), node->key);
	}
	l->config->sources = calloc(count + 1, sizeof(*l->config->sources));
	if (!l->config->sources)
		return error_set(l->err, STATUS_NO_MEMORY, "out of memory");
	for (const struct yaml_node *n = node->first; n && status == STATUS_OK;
	     n = n->next) {
		l->source_index = l->config->source_count++;
		l->source = &l->config->sources[l->source_index];
		status = read_source(l, n);
	}
	l->source = NULL;
	return status;
}

static enum status
check_tls(const struct config *config, struct error *err)
{
	const struct config_tls *tls = &config->ingress.tls;

	if (!tls->certificate.path && (tls->key.path || tls->client_ca.path))
		return config_refuse(config, tls->certificate.place, err,
		    "ingress.tls.certificate: is missing");
	if (tls->certificate.path && !tls->key.path)
		return config_refuse(
		    config, tls->key.place, err, "ingress.tls.key: is missing");
	return STATUS_OK;
}

static enum status
check_together(struct loader *l)
{
	const struct config *c = l->config;
	const struct yaml_node *at = NULL;

	if (c->topics.replication_factor == 0) {
		at = find_closest(l->root, VIEW("topics.replication_factor"));
		(void)error_set(l->err, STATUS_INVALID,
		    "0 is not -1 (the cluster's default) or 1 to 100");
		return refuse(
		    l, value_place(at), VIEW("topics.replication_factor"), "");
	}
	if (c->enricher.retry_from_ms > c->enricher.retry_to_ms) {
		at = find_closest(l->root, VIEW("enricher.retry_from"));
		if (!view_is(VIEW("retry_from"), at->key))
			at = find_closest(l->root, VIEW("enricher.retry_to"));
		(void)error_set(
		    l->err, STATUS_INVALID, "is longer than enricher.retry_to");
		return refuse(
		    l, value_place(at), VIEW("enricher.retry_from"), "");
	}
	return check_tls(c, l->err);
}

enum status
config_read(
    struct config *config, const struct yaml_node *root, struct error *err)
{
	struct loader l = { .root = root, .config = config, .err = err };
	struct config_tls *tls = &config->ingress.tls;
	enum status status = read_section(&l, root, VIEW(""));

	config->kafka_place = place_of(root, VIEW("kafka"));
	tls->certificate.place = place_of(
	    root, VIEW("ingress.tls.certificate"));
	tls->key.place = place_of(root, VIEW("ingress.tls.key"));
	tls->client_ca.place = place_of(root, VIEW("ingress.tls.client_ca"));
	if (status == STATUS_OK)
		status = fill_in(&l, root);
	if (status == STATUS_OK)
		status = check_together(&l);
	return status == STATUS_OK ? config_files_name(config, err) : status;
}
