/* SPDX-License-Identifier: Apache-2.0
 *
 * The configuration file: one YAML file for all three programs. One table
 * (config_keys) holds every key with its type, unit, default, ceiling and
 * prose; the loader, the reference and the example file are made from it.
 *
 * A configuration is read-only once loaded and may be shared by threads; its
 * strings live until config_free. */
#ifndef VULNBUS_CONFIG_H
#define VULNBUS_CONFIG_H

#include <stdio.h>

#include "vulnbus/buffer.h"
#include "vulnbus/file.h"

/* Where something stands in the file: lines and columns from 1, 0 when it
 * does not stand there (a default). */
struct config_place {
	unsigned line;
	unsigned column;
};

/* A value that may be read again: `${file:...}` in it is expanded anew by
 * secret_read, so a token that changes on disk takes effect at once. */
struct secret {
	char *raw;   /* owned; as it stands in the file, or NULL */
	char *value; /* owned; as expanded at load, or NULL */
};

struct config_list {
	char **items; /* owned */
	size_t count;
};

/* A mapping whose keys the file chooses (kafka.properties, api.paths). */
struct config_pair {
	char *key;
	char *value;
	struct config_place place;
	bool is_expanded; /* the value held a ${...}: print it masked */
};

struct config_pairs {
	struct config_pair *items; /* owned */
	size_t count;
};

/* A ceiling on the rows of config_keys, checked where the table stands. */
#define CONFIG_KEYS_MAX    128
#define CONFIG_SOURCES_MAX 1000
#define CONFIG_TEXT_MAX    4096

#define CONFIG_DIGEST_BYTES 32 /* SHA-256 */

/* A file that the configuration names. */
struct config_file {
	char *path;                /* or NULL */
	struct config_place place; /* of its key; or where that is missing */
};

/* A file that was read, or is about to be, for this configuration: as it was
 * just before. */
struct config_watched {
	char *path; /* owned */
	struct file_print print;
	/* A kafka.properties line names it: what it held, or zeros. */
	bool is_kafka;
	unsigned char digest[CONFIG_DIGEST_BYTES];
};

enum config_sandbox {
	CONFIG_SANDBOX_OFF,
	CONFIG_SANDBOX_BEST_EFFORT,
	CONFIG_SANDBOX_REQUIRED
};

enum config_format { CONFIG_FORMAT_MSGPACK, CONFIG_FORMAT_JSON };

struct config_kafka {
	char *bootstrap_servers;
	struct config_pairs properties;
	uint32_t queue_messages_max;
	uint64_t queue_bytes_max;
};

struct config_topics {
	char *prefix;
	enum config_format format;
	bool create;
	bool ocsf; /* is there a projection of records */
	int32_t partitions;
	int32_t replication_factor; /* -1: the cluster's default */
};

struct config_tls {
	struct config_file certificate; /* its path NULL: no TLS */
	struct config_file key;
	struct config_file client_ca;
};

struct config_ingress {
	char *listen; /* host:port */
	char *admin;
	char *public_url;
	char *connector_path; /* {source} and {secret} are filled in */
	char *state_dir;      /* NULL: keys are not kept on disk */
	uint32_t threads;
	uint32_t answer_within_ms;
	uint32_t drain_within_ms;
	uint32_t idle_timeout_ms;
	uint32_t retry_after_ms;
	uint64_t max_body_bytes;
	uint64_t max_headers_bytes;
	uint32_t max_connections;
	uint32_t bad_signatures_per_minute;
	struct config_list trusted_proxies; /* addresses or CIDR */
	struct config_tls tls;
	struct {
		char *path; /* NULL: no spool */
		uint64_t bytes_max;
	} spool;
};

struct config_enricher {
	char *admin;
	char *group_id;
	char *instance_id;
	uint32_t drain_within_ms;
	uint32_t give_up_after_ms;
	uint32_t dedup_window_ms;
	uint32_t reconcile_every_ms;
	uint32_t retry_from_ms;
	uint32_t retry_to_ms;
	uint32_t
	    poll_to_ms; /* the longest wait between two looks at an export */
	uint32_t transaction_timeout_ms;
	uint32_t session_timeout_ms;
	uint32_t max_in_memory;
	uint32_t max_waiting;
	uint32_t batch_rows;
	uint64_t batch_bytes;
	uint64_t max_reply_bytes;
	uint64_t max_row_bytes;
};

struct config_source {
	char *name;
	char *vendor;
	char *base_url; /* NULL: the vendor's default */
	bool allow_plain_http;
	char *ca_file; /* NULL: the system's certificate authorities */
	struct {
		struct secret secret;
		struct config_list allow_from; /* addresses or CIDR */
		struct secret app_secret;
		char *client_subject; /* RFC 4514, or NULL */
	} hook;
	struct {
		struct config_list key_files;
		char *key_path; /* NULL: the vendor's default */
		uint32_t max_age_ms;
		uint32_t overlap_ms; /* an old key stays valid this long */
		uint32_t refetch_every_ms;
	} signature;
	struct {
		struct secret token;
		uint32_t max_concurrent;
		uint32_t calls_per_hour; /* 0: the vendor's default */
		bool reconcile;
		uint32_t reconcile_every_ms; /* 0: the enricher's */
		uint32_t timeout_ms;
		bool forward_free_text;
		struct config_pairs paths; /* overrides of the vendor's */
	} api;
	struct {
		char *key_file;             /* PEM, private, P-521; or NULL */
		struct config_pairs claims; /* beside iat and exp */
		uint32_t lifetime_ms;
	} api_jwt; /* in place of api.token */
	struct {
		char *refresh_token_file; /* or NULL; it is written, too */
		char *client_id;
		struct secret client_secret;
		char *token_path;
	} api_oauth2;                       /* in place of api.token */
	struct config_place place;          /* of the source's first key */
	struct config_place name_place;     /* of the value of `name` */
	struct config_place vendor_place;   /* of the value of `vendor` */
	struct config_place base_url_place; /* of the value of `base_url` */
	struct config_place subject_place;  /* of hook.client_subject */
	/* Private: by row of config_keys, the value held a ${...}. */
	bool expanded[CONFIG_KEYS_MAX];
};

struct config {
	char *path;               /* of the file */
	uint32_t reload_every_ms; /* 0: only when told to */
	enum config_sandbox sandbox;
	struct config_kafka kafka;
	struct config_topics topics;
	struct config_ingress ingress;
	struct config_enricher enricher;
	struct config_source *sources; /* owned */
	size_t source_count;
	struct config_place kafka_place; /* of `kafka:`, or the file's start */
	bool expanded[CONFIG_KEYS_MAX];  /* private, as in a source */
	/* All that a reload would read anew, but for what is read again
	 * whenever it is needed (API tokens, their keys): owned. */
	struct config_watched *files;
	size_t file_count;
};

/* Reads and checks `path`. On failure *out_config is untouched and `err` reads
 * "<path>:<line>:<column>: <what is wrong>".
 * STATUS_MISSING: no such file. STATUS_INVALID: anything wrong with it. */
enum status
config_load(
    const char *path, struct config **out_config, struct error *err) MUST_CHECK;

/* The same on text in memory; `name` stands for the path in messages. */
enum status
config_parse(const char *name, struct view text, struct config **out_config,
    struct error *err) MUST_CHECK;

void
config_free(struct config *config);

/* Sets `err` to "<path>:<line>:<column>: ..." and returns STATUS_INVALID: for
 * checks that only the programs can make (vendors, librdkafka's properties). */
enum status
config_refuse(const struct config *config, struct config_place place,
    struct error *err, const char *fmt, ...) PRINTF_LIKE(4, 5);

/* The effective configuration as YAML: every key with its value or default,
 * secrets masked as "********", and so is what any ${env:} or ${file:} gave. */
void
config_print(const struct config *config, FILE *out);

/* The table, as a Markdown reference, as part of a manual page (mdoc), and as
 * a commented example file. */
void
config_print_reference(FILE *out);

void
config_print_manual(FILE *out);

void
config_print_example(FILE *out);

/* A kafka.properties line whose value is the path of a file or folder:
 * librdkafka calls them ssl.ca.location and so on. */
bool
config_is_location(const char *property);

/* Appends the names of the keys that differ and that a reload does not change,
 * "ingress.listen, kafka.queue_size"; but none that begins with `but`, which
 * are another program's. */
void
config_name_fixed(const struct config *in_force, const struct config *loaded,
    const char *but, struct buffer *out);

/* Whether clients made from either would be the same: kafka.properties and
 * what the files they name held. */
bool
config_is_same_kafka(const struct config *a, const struct config *b);

/* Gives `to` the kafka.properties of `from`, which gets the former ones. The
 * one write to a configuration in use: the caller keeps readers away. */
void
config_swap_kafka(struct config *to, struct config *from);

/* Expands `secret->raw` again (reads its files). Trailing newlines of a file
 * are dropped. `out` is reset first; an empty or missing secret is
 * STATUS_MISSING, an unreadable file STATUS_UNAVAILABLE, a control character
 * in it STATUS_INVALID. */
enum status
secret_read(const struct secret *secret, struct buffer *out,
    struct error *err) MUST_CHECK;

#endif
