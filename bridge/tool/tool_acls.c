/* SPDX-License-Identifier: Apache-2.0
 *
 * What each program may do on Kafka, as its own tools want it. Kafka's
 * documentation, "Operations and Resources on Protocols", says what a request
 * needs: Read and Write imply Describe; an idempotent producer needs no more
 * than Write on a topic (KIP-679); a transaction's offsets need Read on the
 * group. */
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sysexits.h>

#include "vulnbus/tool_topics.h"

enum program { INGRESS, ENRICHER, OPERATOR, PROGRAM_COUNT };

enum {
	READ = 1,
	WRITE = 2,
	CREATE = 4,
	DESCRIBE = 8,
	DESCRIBE_CONFIGS = 16,
};

static const struct {
	unsigned bit;
	const char *name;
} operations[] = {
	{ READ, "Read" },
	{ WRITE, "Write" },
	{ CREATE, "Create" },
	{ DESCRIBE, "Describe" },
	{ DESCRIBE_CONFIGS, "DescribeConfigs" },
};

#define OPERATION_COUNT (sizeof(operations) / sizeof(*operations))

enum resource { TOPIC, GROUP, TRANSACTIONAL_ID };

static const struct {
	const char *option; /* of kafka-acls.sh */
	const char *type;   /* of a KafkaUser */
} resources[] = {
	[TOPIC] = { "--topic", "topic" },
	[GROUP] = { "--group", "group" },
	[TRANSACTIONAL_ID] = { "--transactional-id", "transactionalId" },
};

struct acl {
	enum resource resource;
	char name[512];
	bool is_prefix;
	unsigned operations;
};

struct acls {
	struct acl items[TOPIC_COUNT + 3];
	size_t count;
};

static unsigned
topic_operations(
    enum program program, enum topic topic, const struct config *config)
{
	const unsigned create = config->topics.create ? CREATE : 0;

	switch (program) {
	case INGRESS:
		/* It starts when all topics are there, and writes two. */
		return create |
		       (topic == TOPIC_EVENTS || topic == TOPIC_DEAD_LETTERS
			       ? WRITE
			       : DESCRIBE);
	case ENRICHER:
		/* What it finds missing it writes to the events itself. */
		return create | WRITE |
		       (topic == TOPIC_EVENTS || topic == TOPIC_STATE ? READ
								      : 0);
	default:
		/* tail, topics; replay and export, which leave the enricher's
		 * memory alone. */
		return create | READ | DESCRIBE_CONFIGS |
		       (topic == TOPIC_STATE ? 0 : WRITE);
	}
}

static void
add(struct acls *acls, enum resource resource, const char *name, bool is_prefix,
    unsigned allowed)
{
	struct acl *acl = &acls->items[acls->count++];

	acl->resource = resource;
	acl->is_prefix = is_prefix;
	acl->operations = allowed;
	snprintf(acl->name, sizeof(acl->name), "%s", name);
}

static void
make_acls(enum program program, const struct config *config, struct acls *out)
{
	struct topics topics;
	char name[512];

	out->count = 0;
	topics_init(&topics, config);
	for (int i = 0; i < TOPIC_COUNT; i++)
		if (topics.is_used[i])
			add(out, TOPIC, topics.names[i], false,
			    topic_operations(program, (enum topic)i, config));
	if (program == ENRICHER) {
		/* Each instance's id is the group and its instance_id. */
		snprintf(name, sizeof(name), "%s-", config->enricher.group_id);
		add(out, GROUP, config->enricher.group_id, false, READ);
		add(out, TRANSACTIONAL_ID, name, true, WRITE);
	} else if (program == OPERATOR) {
		snprintf(
		    name, sizeof(name), "%s-replay-", config->topics.prefix);
		add(out, GROUP, name, true, READ);
		add(out, TRANSACTIONAL_ID, name, true, WRITE);
	}
}

/* --- kafka-acls.sh -------------------------------------------------------- */

/* One word of a shell. */
static void
print_word(const char *text)
{
	static const char plain[] =
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	    "_.,:=/@%+-";

	if (text[0] != '\0' && strspn(text, plain) == strlen(text)) {
		printf(" %s", text);
		return;
	}
	printf(" '");
	for (; *text != '\0'; text++)
		if (*text == '\'')
			printf("'\\''");
		else
			putchar(*text);
	printf("'");
}

static bool
is_alike(const struct acl *a, const struct acl *b)
{
	return a->resource == b->resource && a->is_prefix == b->is_prefix &&
	       a->operations == b->operations;
}

static void
print_command(const struct config *config, const char *principal,
    const struct acls *acls, size_t first, const char *command_config)
{
	const struct acl *acl = &acls->items[first];
	char user[600];

	/* "CN=..." of a certificate is a User too. */
	snprintf(user, sizeof(user), "%s%s",
	    strncmp(principal, "User:", 5) == 0 ? "" : "User:", principal);
	printf("kafka-acls.sh --bootstrap-server");
	print_word(config->kafka.bootstrap_servers);
	if (command_config != NULL) {
		printf(" --command-config");
		print_word(command_config);
	}
	printf(" --add --allow-principal");
	print_word(user);
	for (size_t i = 0; i < OPERATION_COUNT; i++)
		if ((acl->operations & operations[i].bit) != 0)
			printf(" --operation %s", operations[i].name);
	if (acl->is_prefix)
		printf(" --resource-pattern-type prefixed");
	for (size_t i = first; i < acls->count; i++)
		if (is_alike(&acls->items[i], acl)) {
			printf(" %s", resources[acl->resource].option);
			print_word(acls->items[i].name);
		}
	printf("\n");
}

static void
print_commands(const struct config *config, const char *principal,
    const struct acls *acls, const char *command_config)
{
	for (size_t i = 0; i < acls->count; i++) {
		bool is_told = false;

		for (size_t k = 0; k < i; k++)
			is_told = is_told ||
				  is_alike(&acls->items[k], &acls->items[i]);
		if (!is_told)
			print_command(
			    config, principal, acls, i, command_config);
	}
}

/* --- Strimzi -------------------------------------------------------------- */

static const char *
property(const struct config *config, const char *name)
{
	const struct config_pairs *properties = &config->kafka.properties;

	for (size_t i = 0; i < properties->count; i++)
		if (strcmp(properties->items[i].key, name) == 0)
			return properties->items[i].value;
	return "";
}

/* Strimzi documentation, "KafkaUser schema reference": what it can make a
 * user's credentials for. */
static void
print_authentication(const struct config *config)
{
	const char *protocol = property(config, "security.protocol");
	const char *mechanism = property(config, "sasl.mechanism");

	if (mechanism[0] == '\0')
		mechanism = property(config, "sasl.mechanisms");
	if (strcasecmp(protocol, "ssl") == 0)
		printf("  authentication:\n    type: tls\n");
	else if (strcasecmp(mechanism, "SCRAM-SHA-512") == 0)
		printf("  authentication:\n    type: scram-sha-512\n");
}

static void
print_user(const struct config *config, const char *name, const char *cluster,
    const struct acls *acls)
{
	printf("---\n"
	       "apiVersion: kafka.strimzi.io/v1\n"
	       "kind: KafkaUser\n"
	       "metadata:\n"
	       "  name: %s\n"
	       "  labels:\n"
	       "    strimzi.io/cluster: %s\n"
	       "spec:\n",
	    name, cluster);
	print_authentication(config);
	printf("  authorization:\n"
	       "    type: simple\n"
	       "    acls:\n");
	for (size_t i = 0; i < acls->count; i++) {
		const struct acl *acl = &acls->items[i];
		const char *separator = "";

		printf("      - resource:\n"
		       "          type: %s\n"
		       "          name: \"%s\"\n"
		       "          patternType: %s\n"
		       "        operations: [",
		    resources[acl->resource].type, acl->name,
		    acl->is_prefix ? "prefix" : "literal");
		for (size_t k = 0; k < OPERATION_COUNT; k++)
			if ((acl->operations & operations[k].bit) != 0) {
				printf("%s%s", separator, operations[k].name);
				separator = ", ";
			}
		printf("]\n");
	}
}

/* RFC 1123, section 2.1: what a Kubernetes resource may be called. */
static bool
is_resource_name(const char *name)
{
	const size_t len = strlen(name);

	return len > 0 && len <= 253 &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789.-") == len &&
	       strchr(".-", name[0]) == NULL &&
	       strchr(".-", name[len - 1]) == NULL;
}

int
acls_print(const struct tool *tool, const struct config *config,
    enum acls_form form, const struct acls_options *options)
{
	const char *principals[PROGRAM_COUNT] = { [INGRESS] = options->ingress,
		[ENRICHER] = options->enricher,
		[OPERATOR] = options->operator, };
	static const char *const names[PROGRAM_COUNT] = {
		[INGRESS] = "vulnbus-ingress",
		[ENRICHER] = "vulnbus-enricher",
		[OPERATOR] = "vulnbus-operator",
	};
	const char *cluster = options->cluster != NULL ? options->cluster
						       : "my-cluster";

	for (int i = 0; i < PROGRAM_COUNT; i++) {
		if (principals[i] == NULL)
			principals[i] = names[i];
		if (!view_is_printable(view_of(principals[i])) ||
		    strlen(principals[i]) > 500)
			return tool_usage(tool, "a principal: at most 500 "
						"characters of one line");
		if (form == ACLS_STRIMZI && (!is_resource_name(principals[i]) ||
						!is_resource_name(cluster)))
			return tool_usage(tool,
			    "%s, %s: Kubernetes takes lower case letters, "
			    "digits, \".\" and \"-\"",
			    principals[i], cluster);
	}
	for (int i = 0; i < PROGRAM_COUNT; i++) {
		struct acls acls;

		make_acls((enum program)i, config, &acls);
		if (form == ACLS_KAFKA)
			print_commands(config, principals[i], &acls,
			    options->command_config);
		else
			print_user(config, principals[i], cluster, &acls);
	}
	return EX_OK;
}
