/* SPDX-License-Identifier: Apache-2.0
 *
 * One value of the configuration: expanded, checked against its row, and put
 * where the row says. Knows rows and nodes, not files and sections. */
#include "config_table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vulnbus/expand.h"
#include "vulnbus/secret.h"

/* The key of a pair is printed quoted, on one line, as a simple YAML key. */
#define PAIR_KEY_BYTES_MAX 200

/* A text as messages may quote it: short, printable, and not at all when it
 * may be secret. */
struct shown {
	char text[64];
};

static struct shown
show(struct view text, bool is_hidden)
{
	struct shown shown = { "the value" };

	if (is_hidden)
		return shown;
	if (text.len > 48 || !view_is_printable(text))
		(void)snprintf(shown.text, sizeof(shown.text), "this");
	else
		(void)snprintf(shown.text, sizeof(shown.text), "\"%.*s\"",
		    VIEW_ARGS(text));
	return shown;
}

static enum status
set_number(const struct config_key *key, void *at, struct view text,
    bool is_hidden, struct error *err)
{
	int64_t value = 0;
	struct shown shown = show(text, is_hidden);

	if (!config_number_parse(key->type, text, &value)) {
		const char *form = "a whole number";

		if (key->type == CONFIG_DURATION)
			form = "a duration: a whole number and ms, s, m, h "
			       "or d";
		else if (key->type == CONFIG_SIZE)
			form = "a size: a whole number and B, KiB, MiB, GiB, "
			       "KB, MB or GB";
		return error_set(
		    err, STATUS_INVALID, "%s is not %s", shown.text, form);
	}
	if (value < key->minimum || value > key->maximum) {
		struct config_number low = config_number_text(
		    key->type, key->minimum);
		struct config_number high = config_number_text(
		    key->type, key->maximum);

		return error_set(err, STATUS_INVALID,
		    "%s is not between %s and %s", shown.text, low.text,
		    high.text);
	}
	if (key->type == CONFIG_SIZE) {
		*(uint64_t *)at = (uint64_t)value;
	} else if (key->minimum < 0) {
		*(int32_t *)at = (int32_t)value;
	} else {
		/* An int32_t may be written through its unsigned twin. */
		*(uint32_t *)at = (uint32_t)value;
	}
	return STATUS_OK;
}

static enum status
set_bool(bool *at, struct view text, bool is_hidden, struct error *err)
{
	if (!view_is(text, "true") && !view_is(text, "false"))
		return error_set(err, STATUS_INVALID, "%s is not true or false",
		    show(text, is_hidden).text);
	*at = view_is(text, "true");
	return STATUS_OK;
}

static enum status
set_enum(const struct config_key *key, void *at, struct view text,
    bool is_hidden, struct error *err)
{
	unsigned i = 0;
	size_t len = 0;
	char choices[128] = "";

	for (; key->choices[i] && !view_is(text, key->choices[i]); i++) {
		(void)snprintf(choices + len, sizeof(choices) - len, "%s%s",
		    i > 0 ? ", " : "", key->choices[i]);
		len = strlen(choices);
	}
	if (!key->choices[i])
		return error_set(err, STATUS_INVALID, "%s is not one of: %s",
		    show(text, is_hidden).text, choices);
	memcpy(
	    at, &i, sizeof(i)); /* the size of any enumeration of the table */
	return STATUS_OK;
}

static enum status
copy_text(struct view text, char **at, struct error *err)
{
	char *copy = strndup(text.data, text.len);

	if (!copy)
		return error_set(err, STATUS_NO_MEMORY, "out of memory");
	free(*at);
	*at = copy;
	return STATUS_OK;
}

static enum status
copy_secret(struct view text, char **at, struct error *err)
{
	char *copy = secret_copy(text);

	if (!copy)
		return error_set(err, STATUS_NO_MEMORY, "out of memory");
	secret_drop(at);
	*at = copy;
	return STATUS_OK;
}

static enum status
check_text(const struct config_key *key, struct view text, bool is_hidden,
    struct error *err)
{
	size_t max = key->maximum ? (size_t)key->maximum : CONFIG_TEXT_MAX;
	config_check_f *check = key->check;

	if (key->type == CONFIG_ADDRESS)
		check = config_check_address;
	else if (key->type == CONFIG_URL)
		check = config_check_url;
	if (text.len == 0)
		return error_set(err, STATUS_INVALID, "is empty");
	if (!view_is_printable(text))
		return error_set(
		    err, STATUS_INVALID, "holds a control character");

	const char *complaint = check ? check(text) : NULL;

	/* A refused URL may hold a password or a token. */
	if (key->type == CONFIG_URL)
		is_hidden = true;
	if (complaint)
		return error_set(err, STATUS_INVALID, "%s is %s",
		    show(text, is_hidden).text, complaint);
	if (text.len > max)
		return error_set(
		    err, STATUS_INVALID, "is longer than %zu bytes", max);
	return STATUS_OK;
}

static enum status
set_text(const struct config_key *key, char **at, struct view text,
    bool is_hidden, struct error *err)
{
	bool is_optional = !key->fallback && !key->is_required &&
			   key->type != CONFIG_LIST;

	/* `${env:NAME:-}` leaves out what need not be there. */
	if (text.len == 0 && is_optional) {
		free(*at);
		*at = NULL;
		return STATUS_OK;
	}

	enum status status = check_text(key, text, is_hidden, err);

	if (status != STATUS_OK)
		return status;
	while (key->type == CONFIG_URL && text.data[text.len - 1] == '/')
		text.len--;
	return copy_text(text, at, err);
}

static enum status
set_secret(const struct config_key *key, struct secret *at, const char *raw,
    struct view text, struct error *err)
{
	enum status status = check_text(key, text, true, err);

	if (status == STATUS_OK)
		status = copy_secret(text, &at->value, err);
	if (status == STATUS_OK)
		status = copy_secret(view_of(raw), &at->raw, err);
	return status;
}

static enum status
set_expanded(const struct config_key *key, void *at, const char *raw,
    struct view text, bool is_hidden, struct error *err)
{
	switch (key->type) {
	case CONFIG_TEXT:
	case CONFIG_ADDRESS:
	case CONFIG_URL:
		return set_text(key, at, text, is_hidden, err);
	case CONFIG_BOOL:
		return set_bool(at, text, is_hidden, err);
	case CONFIG_COUNT:
	case CONFIG_DURATION:
	case CONFIG_SIZE:
		return set_number(key, at, text, is_hidden, err);
	case CONFIG_ENUM:
		return set_enum(key, at, text, is_hidden, err);
	case CONFIG_LIST:
		/* `at` is the place of one item. */
		return set_text(key, at, text, is_hidden, err);
	case CONFIG_PAIRS:
		/* Likewise; a certificate may have lines. Some are secret, and
		 * librdkafka has no list of them. */
		return copy_secret(text, at, err);
	case CONFIG_SECRET:
		return set_secret(key, at, raw, text, err);
	}
	return error_set(err, STATUS_FATAL, "a row without a type");
}

static enum status
set_at(const struct config_key *key, void *at, const char *raw,
    bool *out_is_expanded, struct error *err)
{
	struct buffer text;

	buffer_init_secret(&text, EXPAND_BYTES_MAX);

	enum status status = expand_text(
	    view_of(raw), &text, out_is_expanded, err);

	if (status == STATUS_OK)
		status = set_expanded(
		    key, at, raw, buffer_view(&text), *out_is_expanded, err);
	buffer_clear(&text);
	if (status == STATUS_OK || status == STATUS_NO_MEMORY)
		return status;
	return STATUS_INVALID;
}

enum status
config_value_set(const struct config_key *key, void *base, const char *raw,
    bool *out_is_expanded, struct error *err)
{
	return set_at(key, config_key_at(key, base), raw, out_is_expanded, err);
}

bool
config_value_is_null(const struct yaml_node *node)
{
	return node->type == YAML_SCALAR && node->is_plain &&
	       (node->text[0] == '\0' || strcmp(node->text, "~") == 0 ||
		   strcmp(node->text, "null") == 0);
}

static enum status
refuse_type(const struct yaml_node *node, const char *wanted,
    const struct yaml_node **out_at, struct error *err)
{
	static const char *const found[] = {
		[YAML_SCALAR] = "a single value",
		[YAML_LIST] = "a list",
		[YAML_MAP] = "a mapping",
	};

	*out_at = node;
	return error_set(err, STATUS_INVALID, "is %s, where %s is expected",
	    found[node->type], wanted);
}

static size_t
count_children(const struct yaml_node *node)
{
	size_t count = 0;

	for (const struct yaml_node *n = node->first; n; n = n->next)
		count++;
	return count;
}

static enum status
read_list(const struct config_key *key, struct config_list *list,
    const struct yaml_node *node, bool *out_is_expanded,
    const struct yaml_node **out_at, struct error *err)
{
	size_t count = count_children(node);
	bool is_any_expanded = false;

	if (node->type != YAML_LIST)
		return refuse_type(node, "a list", out_at, err);
	/* No bytes at all may come back as NULL. */
	list->items = calloc(count + 1, sizeof(char *));
	if (!list->items)
		return error_set(err, STATUS_NO_MEMORY, "out of memory");
	for (const struct yaml_node *n = node->first; n; n = n->next) {
		bool is_expanded = false;

		*out_at = n;
		if (n->type != YAML_SCALAR)
			return refuse_type(n, "a single value", out_at, err);

		enum status status = set_at(
		    key, &list->items[list->count], n->text, &is_expanded, err);

		if (status != STATUS_OK)
			return status;
		list->count++;
		is_any_expanded = is_any_expanded || is_expanded;
	}
	*out_is_expanded = is_any_expanded;
	return STATUS_OK;
}

static enum status
read_pair(const struct config_key *key, struct config_pair *pair,
    const struct yaml_node *node, const struct yaml_node **out_at,
    struct error *err)
{
	*out_at = node;
	if (node->type != YAML_SCALAR)
		return refuse_type(node, "a single value", out_at, err);
	if (strlen(node->key) > PAIR_KEY_BYTES_MAX)
		return error_set(err, STATUS_INVALID,
		    "a key is longer than %d bytes", PAIR_KEY_BYTES_MAX);
	if (node->is_plain && node->text[0] == '\0')
		return error_set(err, STATUS_INVALID, "has no value");
	pair->place = (struct config_place){ node->line, node->column };

	enum status status = copy_text(view_of(node->key), &pair->key, err);

	if (status == STATUS_OK)
		status = set_at(
		    key, &pair->value, node->text, &pair->is_expanded, err);
	return status;
}

static enum status
read_pairs(const struct config_key *key, struct config_pairs *pairs,
    const struct yaml_node *node, const struct yaml_node **out_at,
    struct error *err)
{
	size_t count = count_children(node);

	if (node->type != YAML_MAP)
		return refuse_type(node, "a mapping", out_at, err);
	pairs->items = calloc(count + 1, sizeof(struct config_pair));
	if (!pairs->items)
		return error_set(err, STATUS_NO_MEMORY, "out of memory");
	for (const struct yaml_node *n = node->first; n; n = n->next) {
		/* Counted first, so that half a pair is freed too. */
		struct config_pair *pair = &pairs->items[pairs->count++];
		enum status status = read_pair(key, pair, n, out_at, err);

		if (status == STATUS_NO_MEMORY)
			return status;
		if (status != STATUS_OK)
			return error_add(err, status, "%.64s",
			    view_is_printable(view_of(n->key)) ? n->key : "?");
	}
	return STATUS_OK;
}

enum status
config_value_read(const struct config_key *key, void *base,
    const struct yaml_node *node, bool *out_is_expanded,
    const struct yaml_node **out_at, struct error *err)
{
	void *at = config_key_at(key, base);

	*out_at = node;
	*out_is_expanded = false;
	if (key->type == CONFIG_LIST)
		return read_list(key, at, node, out_is_expanded, out_at, err);
	if (key->type == CONFIG_PAIRS)
		return read_pairs(key, at, node, out_at, err);
	if (node->type != YAML_SCALAR)
		return refuse_type(node, "a single value", out_at, err);
	if (node->text[0] == '\0' && node->is_plain)
		return error_set(err, STATUS_INVALID,
		    "has no value (leave the key out, or write null)");
	return set_at(key, at, node->text, out_is_expanded, err);
}
