/* SPDX-License-Identifier: Apache-2.0
 *
 * What is printed of a configuration is masked, and is read back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vulnbus/config.h"

#define K "kafka: {bootstrap_servers: b:9092}\n"
/* A source in its own block; the first needs "sources:" before it. */
#define S(name, more)                         \
	"  - name: " name "\n    vendor: v\n" \
	"    hook: {secret: 0123456789abcdef}\n" more

static struct config *
parse(const char *text)
{
	struct config *config = NULL;
	struct error err = { "" };

	if (config_parse("t.yaml", view_of(text), &config, &err) != STATUS_OK)
		fail_msg("%s", err.text);
	return config;
}

/* What a printer writes, as text; the caller frees it. */
static char *
printed(const struct config *config, void (*document)(FILE *))
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	assert_non_null(out);
	if (config)
		config_print(config, out);
	else
		document(out);
	assert_int_equal(fclose(out), 0);
	assert_non_null(text);
	return text;
}

/* Printing, reading back and printing again changes nothing. */
static void
what_is_printed_is_read_back(void **state)
{
	struct config *first = parse(
	    "kafka:\n  bootstrap_servers: a:1,b:2\n  properties:\n"
	    "    security.protocol: sasl_ssl\n    ssl.key.location: /k\n"
	    "    ssl.certificate.pem: \"one\\ntwo\"\n    'a: b': \"\\\"\\\\\"\n"
	    "    y: 'no'\n    empty: ''\n    \"caf\\xe9\": \"\\N\\L\\U0001F600\"\n"
	    "topics: {prefix: t.-_, partitions: 7, replication_factor: -1}\n"
	    "ingress: {trusted_proxies: [10.0.0.1], state_dir: 'a$$b$c'}\n"
	    "enricher: {instance_id: here, retry_from: 90s, max_row: 5KB}\n");
	char *text = printed(first, NULL);
	struct config *second = parse(text);
	char *again = printed(second, NULL);
	const struct config_pairs *pairs = &second->kafka.properties;

	(void)state;
	assert_string_equal(text, again);
	assert_string_equal(second->ingress.state_dir, "a$b$c");
	assert_int_equal(second->enricher.retry_from_ms, 90000);
	assert_int_equal(pairs->count, 7);
	for (size_t i = 0; i < pairs->count; i++) {
		assert_string_equal(
		    pairs->items[i].key, first->kafka.properties.items[i].key);
		assert_string_equal(pairs->items[i].value,
		    first->kafka.properties.items[i].value);
	}
	free(text);
	free(again);
	config_free(first);
	config_free(second);
}

/* Nothing secret and nothing substituted is printed. */
static void
secrets_are_printed_masked(void **state)
{
	static const char *const masked[] = {
		"    sasl.password: \"********\"\n",
		"    sasl.username: \"********\"\n",
		"    ssl.key.pem: \"********\"\n",
		"    ssl.key.location: /k\n",
		"  partitions: \"********\"\n",
		"  trusted_proxies: [\"********\"]\n",
		"      secret: \"********\"\n",
		"      token: \"********\"\n",
	};
	struct config *c = NULL;
	char *text = NULL;

	(void)state;
	assert_int_equal(setenv("VULNBUS_TEST", "31337", 1), 0);
	assert_int_equal(setenv("VULNBUS_TEST_IP", "10.31.33.7", 1), 0);
	c = parse("kafka:\n  bootstrap_servers: b\n  properties:\n"
		  "    sasl.password: hunter2\n"
		  "    sasl.username: ${env:VULNBUS_TEST}\n"
		  "    ssl.key.pem: hunter2\n    ssl.key.location: /k\n"
		  "topics:\n  partitions: ${env:VULNBUS_TEST_FEW:-9}\n"
		  "ingress: {trusted_proxies: [\"${env:VULNBUS_TEST_IP}\"]}\n"
		  "sources:\n" S("a", "    api: {token: hunter2}\n"));
	text = printed(c, NULL);
	assert_null(strstr(text, "hunter2"));
	assert_null(strstr(text, "31337"));
	assert_null(strstr(text, "10.31.33.7"));
	assert_null(strstr(text, "0123456789abcdef"));
	for (size_t i = 0; i < sizeof(masked) / sizeof(masked[0]); i++)
		if (!strstr(text, masked[i]))
			fail_msg("%s is not in %s", masked[i], text);
	free(text);
	config_free(c);
}

static void
set_variables(void)
{
	assert_int_equal(setenv("ACME_VDR_HOOK", "0123456789abcdef", 1), 0);
	assert_int_equal(setenv("ACME_VDR_TOKEN", "token", 1), 0);
}

/* The example is a file that works, once its variables are set. */
static void
the_example_is_read_back(void **state)
{
	char *text = printed(NULL, config_print_example);
	char *reference = printed(NULL, config_print_reference);
	struct config *c = NULL;

	(void)state;
	set_variables();
	c = parse(text);
	assert_int_equal(c->source_count, 1);
	assert_string_equal(c->sources[0].vendor, "taegis-vdr");
	assert_non_null(strstr(reference, "| `ingress.answer_within` | "));
	free(text);
	free(reference);
	config_free(c);
}

/* The example with every key uncommented is as good. */
static void
the_whole_example_is_read_back(void **state)
{
	char *text = printed(NULL, config_print_example);
	struct config *c = NULL;

	(void)state;
	set_variables();
	/* A comment has a space behind its "#", a key has none. */
	for (char *at = text; (at = strstr(at, " #")); at += 2)
		if (at[2] != ' ')
			memmove(at + 1, at + 2, strlen(at + 2) + 1);
	c = parse(text);
	assert_string_equal(c->topics.prefix, "vulnbus");
	assert_null(c->ingress.state_dir);
	free(text);
	config_free(c);
}

static void
what_waits_for_a_restart_is_named(void **state)
{
	struct config *was = parse(K "ingress: {listen: a:1}\n");
	struct config *is = parse(
	    "kafka: {bootstrap_servers: c:9092, properties: {a: b}}\n"
	    "topics: {ocsf: true, format: json, partitions: 9}\n"
	    "reload: {every: 1m}\n"
	    "ingress: {listen: a:2, retry_after: 9s, state_dir: /s,"
	    " spool: {path: /f}}\n"
	    "enricher: {drain_within: 1m, max_row: 9KiB}\n"
	    "sources:\n" S("one", ""));
	struct buffer names;

	(void)state;
	buffer_init(&names, 1000);
	config_name_fixed(was, is, "enricher.", &names);
	buffer_append(&names, "", 1);
	assert_int_equal(buffer_status(&names), STATUS_OK);
	assert_string_equal(names.data,
	    "kafka.bootstrap_servers, topics.format, topics.ocsf, "
	    "topics.partitions, ingress.listen, ingress.state_dir, "
	    "ingress.spool.path");
	buffer_reset(&names);
	config_name_fixed(is, was, "ingress.", &names);
	buffer_append(&names, "", 1);
	assert_string_equal(names.data,
	    "kafka.bootstrap_servers, topics.format, topics.ocsf, "
	    "topics.partitions, enricher.drain_within");
	buffer_reset(&names);
	config_name_fixed(was, was, "", &names);
	assert_int_equal(names.len, 0);
	buffer_clear(&names);
	config_free(was);
	config_free(is);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_printed_is_read_back),
		cmocka_unit_test(what_waits_for_a_restart_is_named),
		cmocka_unit_test(secrets_are_printed_masked),
		cmocka_unit_test(the_example_is_read_back),
		cmocka_unit_test(the_whole_example_is_read_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
