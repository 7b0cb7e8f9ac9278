/* SPDX-License-Identifier: Apache-2.0
 *
 * Configuration files in; values where they belong, in their base units, out.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

/* A file with only the brokers gets every default. */
static void
defaults_fill_what_is_left_out(void **state)
{
	struct config *c = parse(K "ingress:\ntopics: ~\nsources: null\n");

	(void)state;
	assert_string_equal(c->path, "t.yaml");
	assert_string_equal(c->kafka.bootstrap_servers, "b:9092");
	assert_int_equal(c->kafka.properties.count, 0);
	assert_int_equal(c->kafka.queue_messages_max, 20000);
	assert_int_equal(c->kafka.queue_bytes_max, 64 << 20);
	assert_int_equal(c->kafka_place.line, 1);
	assert_string_equal(c->topics.prefix, "vulnbus");
	assert_int_equal(c->topics.format, CONFIG_FORMAT_MSGPACK);
	assert_true(c->topics.create);
	assert_int_equal(c->topics.partitions, 6);
	assert_int_equal(c->topics.replication_factor, -1);
	assert_string_equal(c->ingress.listen, "0.0.0.0:8080");
	assert_null(c->ingress.public_url);
	assert_null(c->ingress.state_dir);
	assert_null(c->ingress.tls.certificate.path);
	assert_int_equal(c->ingress.answer_within_ms, 3000);
	assert_int_equal(c->ingress.max_body_bytes, 1 << 20);
	assert_int_equal(c->enricher.give_up_after_ms, 86400000);
	assert_int_equal(c->enricher.dedup_window_ms, 604800000);
	assert_non_null(c->enricher.instance_id);
	assert_int_equal(c->source_count, 0);
	config_free(c);
}

/* Values land where they belong, in their base units. */
static void
values_land_in_their_members(void **state)
{
	struct config *c = parse(
	    "ingress: {threads: 8, max_headers: 5KB, answer_within: 4500ms,\n"
	    "  trusted_proxies: [10.0.0.0/8, '::1', 'fe80::/10'],\n"
	    "  public_url: 'http://h/base//', admin: '[::]:0'}\n"
	    "topics: {format: json, create: false, replication_factor: 3}\n"
	    "enricher: {dedup_window: 40d, give_up_after: 1s}\n" K
	    "sources:\n" S("one",
		"    base_url: http://127.8.9.1:80/\n"
		"    signature: {key_files: [/a.pem, /b.jwk], overlap: 0s}\n"
		"    api: {token: 'a$b$$c', paths: {exports: /x, $k: ''}}\n")
		S("two",
		    "    base_url: http://h\n    allow_plain_http: true\n"));
	const struct config_source *s = &c->sources[0];

	(void)state;
	assert_int_equal(c->ingress.threads, 8);
	assert_int_equal(c->ingress.max_headers_bytes, 5000);
	assert_int_equal(c->ingress.answer_within_ms, 4500);
	assert_int_equal(c->ingress.trusted_proxies.count, 3);
	assert_string_equal(c->ingress.trusted_proxies.items[2], "fe80::/10");
	assert_string_equal(c->ingress.public_url, "http://h/base");
	assert_int_equal(c->topics.format, CONFIG_FORMAT_JSON);
	assert_false(c->topics.create);
	assert_int_equal(c->topics.replication_factor, 3);
	assert_true(c->enricher.dedup_window_ms == 3456000000u);
	assert_int_equal(c->enricher.give_up_after_ms, 1000);
	assert_int_equal(c->kafka_place.line, 6);
	assert_int_equal(c->source_count, 2);
	assert_string_equal(s->name, "one");
	assert_string_equal(s->base_url, "http://127.8.9.1:80");
	assert_string_equal(s->hook.secret.value, "0123456789abcdef");
	assert_int_equal(s->signature.key_files.count, 2);
	assert_int_equal(s->signature.overlap_ms, 0);
	assert_string_equal(s->api.token.value, "a$b$c");
	assert_string_equal(s->api.token.raw, "a$b$$c");
	assert_string_equal(s->api.paths.items[1].key, "$k");
	assert_string_equal(s->api.paths.items[1].value, "");
	assert_int_equal(s->place.line, 8);
	assert_int_equal(s->name_place.column, 11);
	assert_int_equal(s->vendor_place.line, 9);
	assert_int_equal(s->base_url_place.line, 11);
	assert_int_equal(s->api.paths.items[0].place.line, 13);
	assert_true(c->sources[1].allow_plain_http);
	config_free(c);
}

/* A temporary file with `text`; the caller unlinks it. */
static void
write_file(char *path, const void *text, size_t len)
{
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, len), (ssize_t)len);
	assert_int_equal(close(fd), 0);
}

/* ${env:}, its default, ${file:} and $$ are substituted in any value. */
static void
values_are_substituted(void **state)
{
	char path[] = "/tmp/vulnbus-test-XXXXXX";
	char text[1024];
	struct config *c = NULL;

	(void)state;
	write_file(path, "from-file\r\n\n", 12);
	assert_int_equal(setenv("VULNBUS_TEST", "12", 1), 0);
	assert_int_equal(setenv("VULNBUS_TEST_EMPTY", "", 1), 0);
	(void)snprintf(text, sizeof(text),
	    K "topics: {partitions: \"1${env:VULNBUS_TEST}\"}\n"
	      "enricher:\n"
	      "  group_id: <${file:%s}>\n"
	      "  instance_id: ${env:VULNBUS_TEST_EMPTY:-a$$b:-c}\n"
	      "ingress:\n"
	      "  state_dir: ${env:VULNBUS_TEST_EMPTY}\n"
	      "  trusted_proxies: [\"${env:VULNBUS_TEST_UNSET:-::1}\"]\n",
	    path);
	c = parse(text);
	assert_int_equal(c->topics.partitions, 112);
	assert_string_equal(c->enricher.group_id, "<from-file>");
	assert_string_equal(c->enricher.instance_id, "a$b:-c");
	assert_null(c->ingress.state_dir);
	assert_string_equal(c->ingress.trusted_proxies.items[0], "::1");
	config_free(c);
	assert_int_equal(unlink(path), 0);
}

/* A file larger than 64 KiB, or with a NUL byte, is no value. */
static void
files_are_bounded(void **state)
{
	static char bytes[(64 << 10) + 1];
	char large[] = "/tmp/vulnbus-test-XXXXXX";
	char nul[] = "/tmp/vulnbus-test-XXXXXX";
	char text[256], complaint[256];
	struct config *config = NULL;
	struct error err = { "" };

	(void)state;
	memset(bytes, 'x', sizeof(bytes));
	write_file(large, bytes, sizeof(bytes));
	write_file(nul, "a\0b", 3);
	(void)snprintf(text, sizeof(text),
	    "kafka:\n  bootstrap_servers: ${file:%s}\n", large);
	(void)snprintf(complaint, sizeof(complaint),
	    "t.yaml:2:22: kafka.bootstrap_servers: %s: larger than 65536 "
	    "bytes",
	    large);
	assert_int_equal(config_parse("t.yaml", view_of(text), &config, &err),
	    STATUS_INVALID);
	assert_string_equal(err.text, complaint);
	(void)snprintf(text, sizeof(text),
	    "kafka:\n  bootstrap_servers: ${file:%s}\n", nul);
	(void)snprintf(complaint, sizeof(complaint),
	    "t.yaml:2:22: kafka.bootstrap_servers: %s: holds a NUL byte", nul);
	assert_int_equal(config_parse("t.yaml", view_of(text), &config, &err),
	    STATUS_INVALID);
	assert_string_equal(err.text, complaint);
	assert_int_equal(unlink(large), 0);
	assert_int_equal(unlink(nul), 0);
}

/* A secret is read anew from its file, so a change takes effect at once. */
static void
secrets_are_read_anew(void **state)
{
	char path[] = "/tmp/vulnbus-test-XXXXXX";
	char text[512];
	struct config *c = NULL;
	struct buffer out;
	struct error err = { "" };
	FILE *file = NULL;

	(void)state;
	write_file(path, "first\n", 6);
	(void)snprintf(text, sizeof(text),
	    K "sources:\n" S("a", "    api: {token: \"${file:%s}\"}\n"), path);
	c = parse(text);
	buffer_init(&out, 100);
	assert_string_equal(c->sources[0].api.token.value, "first");

	file = fopen(path, "w");
	assert_non_null(file);
	fputs("second\n\n", file);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(
	    secret_read(&c->sources[0].api.token, &out, &err), STATUS_OK);
	assert_true(view_is(buffer_view(&out), "second"));

	file = fopen(path, "w");
	assert_non_null(file);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(
	    secret_read(&c->sources[0].api.token, &out, &err), STATUS_MISSING);
	assert_int_equal(out.len, 0);

	assert_int_equal(unlink(path), 0);
	assert_int_equal(secret_read(&c->sources[0].api.token, &out, &err),
	    STATUS_UNAVAILABLE);
	assert_int_equal(
	    secret_read(&(struct secret){ 0 }, &out, &err), STATUS_MISSING);
	buffer_clear(&out);
	config_free(c);
}

static void
files_that_cannot_be_read_are_told_apart(void **state)
{
	struct config *config = NULL;
	struct error err = { "" };

	(void)state;
	assert_int_equal(
	    config_load("/nonexistent/v.yaml", &config, &err), STATUS_MISSING);
	assert_string_equal(
	    err.text, "/nonexistent/v.yaml: No such file or directory");
	assert_int_equal(config_load("/", &config, &err), STATUS_INVALID);
	assert_string_equal(err.text, "/: Is a directory");
	assert_null(config);
	config_free(NULL);
}

/* Programs refuse values in the loader's own form. */
static void
programs_refuse_with_a_place(void **state)
{
	struct config *c = parse(K);
	struct error err = { "" };

	(void)state;
	assert_int_equal(config_refuse(c, (struct config_place){ 3, 7 }, &err,
			     "%s: no such vendor", "x"),
	    STATUS_INVALID);
	assert_string_equal(err.text, "t.yaml:3:7: x: no such vendor");
	(void)config_refuse(c, (struct config_place){ 0 }, &err, "bad");
	assert_string_equal(err.text, "t.yaml: bad");
	config_free(c);
}

/* Every value ends where its duration, size or count does: at the limits. */
static void
limits_belong_to_the_range(void **state)
{
	struct config *c = parse(K
	    "ingress: {answer_within: 60s, threads: 256, max_body: 16MiB}\n"
	    "enricher: {give_up_after: 30d, retry_from: 10ms, retry_to: 10ms,\n"
	    "  max_row: 900KiB}\n");

	(void)state;
	assert_int_equal(c->ingress.answer_within_ms, 60000);
	assert_true(c->enricher.give_up_after_ms == 2592000000u);
	assert_int_equal(c->enricher.max_row_bytes, 921600);
	config_free(c);
}

static int
prepare(void **state)
{
	(void)state;
	return unsetenv("VULNBUS_TEST_UNSET");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_fill_what_is_left_out),
		cmocka_unit_test(values_land_in_their_members),
		cmocka_unit_test(values_are_substituted),
		cmocka_unit_test(files_are_bounded),
		cmocka_unit_test(secrets_are_read_anew),
		cmocka_unit_test(files_that_cannot_be_read_are_told_apart),
		cmocka_unit_test(programs_refuse_with_a_place),
		cmocka_unit_test(limits_belong_to_the_range),
	};

	return cmocka_run_group_tests(tests, prepare, NULL);
}
