/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of configuration keys, and what the files of the loader share.
 * Not for others: the contract is vulnbus/config.h. */
#ifndef VULNBUS_CONFIG_TABLE_H
#define VULNBUS_CONFIG_TABLE_H

#include "vulnbus/config.h"
#include "vulnbus/yaml.h"

enum config_type {
	CONFIG_TEXT,     /* char * */
	CONFIG_ADDRESS,  /* char *, host:port */
	CONFIG_URL,      /* char *, without a slash at the end */
	CONFIG_BOOL,     /* bool */
	CONFIG_COUNT,    /* uint32_t, or int32_t */
	CONFIG_DURATION, /* uint32_t, milliseconds */
	CONFIG_SIZE,     /* uint64_t, bytes */
	CONFIG_ENUM,     /* an enumeration in the order of `choices` */
	CONFIG_LIST,     /* struct config_list */
	CONFIG_PAIRS,    /* struct config_pairs */
	CONFIG_SECRET,   /* struct secret */
};

/* What a text is not ("not a path that begins with /"), or NULL when it is
 * well formed. */
typedef const char *
config_check_f(struct view text);

struct config_key {
	const char *path; /* "ingress.listen"; "sources[].name" */
	enum config_type type;
	size_t offset;        /* in struct config, or in struct config_source */
	const char *unit;     /* of a count; the other types have their own */
	const char *fallback; /* as it would stand in the file; NULL: none */
	bool is_required;
	bool is_file; /* it names files, which are read after the loading */
	bool is_live; /* what it names is read again whenever it is needed */
	bool is_reloaded; /* a reload changes it, as all of a source */
	int64_t minimum;  /* of a number; of a text: its bytes */
	int64_t maximum;  /* 0 on a text: CONFIG_TEXT_MAX */
	const char *const *choices; /* CONFIG_ENUM: NULL-terminated */
	config_check_f *check;      /* of texts, and of a list's items */
	const char *example;        /* what the example file sets */
	const char *prose;          /* one sentence */
};

extern const struct config_key config_keys[];
extern const size_t config_key_count;

/* True for the rows that land in a struct config_source. */
bool
config_key_is_source(const struct config_key *key);

/* Where the row's value lands; `base` is the struct it stands in. */
void *
config_key_at(const struct config_key *key, const void *base);

/* "90s", "1MiB", "6": in the largest unit that divides `value`. */
struct config_number {
	char text[32];
};

struct config_number
config_number_text(enum config_type type, int64_t value);

/* The reverse, in any unit of `type`; beyond int64_t it is INT64_MAX. False
 * when `text` is not of that form. */
bool
config_number_parse(
    enum config_type type, struct view text, int64_t *out_value) MUST_CHECK;

/* Plain `null`, `~` and nothing at all: as if the key were not there. */
bool
config_value_is_null(const struct yaml_node *node);

/* Expands and checks `raw` and stores it at the row's place in `base`. `err`
 * says what is wrong, without place and path; it quotes nothing secret. */
enum status
config_value_set(const struct config_key *key, void *base, const char *raw,
    bool *out_is_expanded, struct error *err) MUST_CHECK;

/* The same for a node of any type. On failure *out_at is the node at fault. */
enum status
config_value_read(const struct config_key *key, void *base,
    const struct yaml_node *node, bool *out_is_expanded,
    const struct yaml_node **out_at, struct error *err) MUST_CHECK;

/* Fills `config` from the tree; what it holds on failure is the caller's. */
enum status
config_read(struct config *config, const struct yaml_node *root,
    struct error *err) MUST_CHECK;

/* Which files `config` is made from (config.files): the configuration's own, as
 * it was before it was read; those in the ${file:} of a value, before they are
 * read; at last those that the rows name. STATUS_NO_MEMORY. */
enum status
config_files_begin(struct config *config, const char *path,
    const struct file_print *print, struct error *err) MUST_CHECK;

enum status
config_files_note(struct config *config, const struct config_key *key,
    const struct yaml_node *node, struct error *err) MUST_CHECK;

enum status
config_files_name(struct config *config, struct error *err) MUST_CHECK;

void
config_files_clear(struct config *config);

/* The key of `section` ("ingress.") that `name` was probably meant to be, or an
 * empty view. */
struct view
config_suggest(struct view section, struct view name);

config_check_f config_check_name;
config_check_f config_check_prefix;
config_check_f config_check_address;
config_check_f config_check_network;
config_check_f config_check_url;
config_check_f config_check_path;
config_check_f config_check_connector;
config_check_f config_check_hook_secret;
config_check_f config_check_subject;

/* True when `url`, which is well formed, would carry secrets in the clear to
 * another machine. */
bool
config_check_is_exposed(const char *url);

#endif
