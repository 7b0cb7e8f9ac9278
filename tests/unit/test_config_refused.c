/* SPDX-License-Identifier: Apache-2.0
 *
 * Configuration files in; the exact complaint with its place out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "vulnbus/config.h"

#define K "kafka: {bootstrap_servers: b:9092}\n"
/* A source in its own block; the first needs "sources:" before it. */
#define S(name, more)                         \
	"  - name: " name "\n    vendor: v\n" \
	"    hook: {secret: 0123456789abcdef}\n" more

static const struct {
	const char *text;
	const char *complaint;
} bad[] = {
	{ "", "t.yaml:1:1: kafka.bootstrap_servers: is missing" },
	{ "- a\n", "t.yaml:1:1: a mapping (key: value) is expected here" },
	{ "hello\n", "t.yaml:1:1: a mapping (key: value) is expected here" },
	{ "kafka: 1\n",
	    "t.yaml:1:8: kafka: a mapping (key: value) is expected here" },
	{ "kafka: {}\n", "t.yaml:1:1: kafka.bootstrap_servers: is missing" },
	{ "topics: {prefix: a}\nkafka:\n  properties: {}\n",
	    "t.yaml:2:1: kafka.bootstrap_servers: is missing" },
	{ "kafka: {bootstrap_servers: }\n",
	    "t.yaml:1:28: kafka.bootstrap_servers: has no value (leave the key out, or write null)" },
	{ "kafka: {bootstrap_servers: ''}\n",
	    "t.yaml:1:28: kafka.bootstrap_servers: is empty" },
	{ "kafka: {bootstrap_servers: null}\n",
	    "t.yaml:1:9: kafka.bootstrap_servers: is missing" },
	{ "kafka: {bootstrap_servers: [a, b]}\n",
	    "t.yaml:1:28: kafka.bootstrap_servers: is a list, where a single value is expected" },
	{ "kafka: {bootstrap_servers: b}\nkafka: {}\n",
	    "t.yaml:2:1: duplicate key \"kafka\"" },
	{ K "kafak: {}\n",
	    "t.yaml:2:1: kafak: unknown key (did you mean \"kafka\"?)" },
	{ K "ingress:\n  lissten: a:1\n",
	    "t.yaml:3:3: ingress.lissten: unknown key (did you mean \"listen\"?)" },
	{ K "ingress:\n  tls: {keys: /x}\n",
	    "t.yaml:3:9: ingress.tls.keys: unknown key (did you mean \"key\"?)" },
	{ K "ingress:\n  tls: {key: /x}\n",
	    "t.yaml:3:3: ingress.tls.certificate: is missing" },
	{ K "ingress:\n  tls: {client_ca: /x, certificate: null}\n",
	    "t.yaml:3:24: ingress.tls.certificate: is missing" },
	{ K "ingress:\n  tls: {certificate: /x}\n",
	    "t.yaml:3:3: ingress.tls.key: is missing" },
	{ K "ingress:\n  tls: {certificate: /x, key: null}\n",
	    "t.yaml:3:26: ingress.tls.key: is missing" },
	{ K "ingress:\n  spool: {path: /x, size: 1GiB}\n",
	    "t.yaml:3:21: ingress.spool.size: unknown key" },
	{ K "ingress:\n  spool: {path: /x, max_size: 10KiB}\n",
	    "t.yaml:3:31: ingress.spool.max_size: \"10KiB\" is not "
	    "between 1MiB and 64GiB" },
	{ K "ingress: {tls: /x}\n",
	    "t.yaml:2:16: ingress.tls: a mapping (key: value) is expected here" },
	{ K "enricher: {reconcile_every: 999ms}\n",
	    "t.yaml:2:29: enricher.reconcile_every: \"999ms\" is not between "
	    "1s and 1d" },
	{ K "ingress.listen: a:1\n",
	    "t.yaml:2:1: ingress.listen: unknown key" },
	{ K "\"a\\nb\": 1\n", "t.yaml:2:1: ?: unknown key" },
	{ K "sources: [{name: a, vendor: v, hook: {sercet: x}}]\n",
	    "t.yaml:2:39: sources[0].hook.sercet: unknown key (did you mean \"secret\"?)" },
	{ K "ingress: []\n",
	    "t.yaml:2:10: ingress: a mapping (key: value) is expected here" },
	{ K "ingress: {threads: 1}\n",
	    "t.yaml:2:20: ingress.threads: \"1\" is not between 2 and 256" },
	{ K "ingress: {threads: 257}\n",
	    "t.yaml:2:20: ingress.threads: \"257\" is not between 2 and 256" },
	{ K "ingress: {threads: two}\n",
	    "t.yaml:2:20: ingress.threads: \"two\" is not a whole number" },
	{ K "ingress: {threads: 2.5}\n",
	    "t.yaml:2:20: ingress.threads: \"2.5\" is not a whole number" },
	{ K "ingress: {threads: 4s}\n",
	    "t.yaml:2:20: ingress.threads: \"4s\" is not a whole number" },
	{ K "ingress: {threads: -3}\n",
	    "t.yaml:2:20: ingress.threads: \"-3\" is not between 2 and 256" },
	{ K "ingress: {threads: 99999999999999999999}\n",
	    "t.yaml:2:20: ingress.threads: \"99999999999999999999\" is not between 2 and 256" },
	{ K "ingress: {threads: [2]}\n",
	    "t.yaml:2:20: ingress.threads: is a list, where a single value is expected" },
	{ K "ingress:\n  answer_within: 3\n",
	    "t.yaml:3:18: ingress.answer_within: \"3\" is not a duration: a whole number and ms, s, m, h or d" },
	{ K "ingress:\n  answer_within: 1.5s\n",
	    "t.yaml:3:18: ingress.answer_within: \"1.5s\" is not a duration: a whole number and ms, s, m, h or d" },
	{ K "ingress:\n  answer_within: 3 s\n",
	    "t.yaml:3:18: ingress.answer_within: \"3 s\" is not a duration: a whole number and ms, s, m, h or d" },
	{ K "ingress:\n  answer_within: 99ms\n",
	    "t.yaml:3:18: ingress.answer_within: \"99ms\" is not between 100ms and 1m" },
	{ K "ingress:\n  answer_within: 61s\n",
	    "t.yaml:3:18: ingress.answer_within: \"61s\" is not between 100ms and 1m" },
	{ K "ingress:\n  answer_within: 99999999999999999d\n",
	    "t.yaml:3:18: ingress.answer_within: \"99999999999999999d\" is not between 100ms and 1m" },
	{ K "ingress:\n  max_body: 1024\n",
	    "t.yaml:3:13: ingress.max_body: \"1024\" is not a size: a whole number and B, KiB, MiB, GiB, KB, MB or GB" },
	{ K "ingress:\n  max_body: 1mb\n",
	    "t.yaml:3:13: ingress.max_body: \"1mb\" is not a size: a whole number and B, KiB, MiB, GiB, KB, MB or GB" },
	{ K "ingress:\n  max_body: 17MiB\n",
	    "t.yaml:3:13: ingress.max_body: \"17MiB\" is not between 1KiB and 16MiB" },
	{ K "ingress: {listen: 8080}\n",
	    "t.yaml:2:19: ingress.listen: \"8080\" is not an address host:port, like 0.0.0.0:8080 or [::]:8080" },
	{ K "ingress: {listen: 'h:99999'}\n",
	    "t.yaml:2:19: ingress.listen: \"h:99999\" is not an address host:port, like 0.0.0.0:8080 or [::]:8080" },
	{ K "ingress: {listen: '::1:80'}\n",
	    "t.yaml:2:19: ingress.listen: \"::1:80\" is not an address host:port, like 0.0.0.0:8080 or [::]:8080" },
	{ K "ingress: {listen: '[::g]:80'}\n",
	    "t.yaml:2:19: ingress.listen: \"[::g]:80\" is not an address host:port, like 0.0.0.0:8080 or [::]:8080" },
	{ K "ingress: {public_url: ftp://h}\n",
	    "t.yaml:2:23: ingress.public_url: the value is not a URL that begins with https:// or http://" },
	{ K "ingress: {public_url: 'https://u:hunter2@h/'}\n",
	    "t.yaml:2:23: ingress.public_url: the value is not a URL without user name and password" },
	{ K "ingress: {public_url: https://}\n",
	    "t.yaml:2:23: ingress.public_url: the value is not a URL of the form https://host[:port][/path]" },
	{ K "ingress: {public_url: 'https://h:0'}\n",
	    "t.yaml:2:23: ingress.public_url: the value is not a URL of the form https://host[:port][/path]" },
	{ K "ingress: {connector_path: /c/delve.json}\n",
	    "t.yaml:2:27: ingress.connector_path: \"/c/delve.json\" is not a path that begins with / and holds {source} and {secret} once each" },
	{ K "ingress: {connector_path: '/{source}/{source}/{secret}'}\n",
	    "t.yaml:2:27: ingress.connector_path: \"/{source}/{source}/{secret}\" is not a path that begins with / and holds {source} and {secret} once each" },
	{ K "ingress: {trusted_proxies: 10.0.0.1}\n",
	    "t.yaml:2:28: ingress.trusted_proxies: is a single value, where a list is expected" },
	{ K "ingress: {trusted_proxies: [10.0.0.0/8, 10.0.0.0/33]}\n",
	    "t.yaml:2:41: ingress.trusted_proxies: \"10.0.0.0/33\" is not an address or a network, like 10.0.0.0/8" },
	{ K "ingress:\n  trusted_proxies:\n    - 10.0.0.1\n    - proxy\n",
	    "t.yaml:5:7: ingress.trusted_proxies: \"proxy\" is not an address or a network, like 10.0.0.0/8" },
	{ K "ingress: {trusted_proxies: [[10.0.0.1]]}\n",
	    "t.yaml:2:29: ingress.trusted_proxies: is a list, where a single value is expected" },
	{ K "ingress: {state_dir: \"a\\nb\"}\n",
	    "t.yaml:2:22: ingress.state_dir: holds a control character" },
	{ K "topics: {prefix: Vulnbus}\n",
	    "t.yaml:2:18: topics.prefix: \"Vulnbus\" is not 1 to 200 characters of a-z, 0-9, ., _ and -, the first a letter or digit" },
	{ K "topics: {prefix: -a}\n",
	    "t.yaml:2:18: topics.prefix: \"-a\" is not 1 to 200 characters of a-z, 0-9, ., _ and -, the first a letter or digit" },
	{ K "topics: {format: avro}\n",
	    "t.yaml:2:18: topics.format: \"avro\" is not one of: msgpack, json" },
	{ K "topics: {create: yes}\n",
	    "t.yaml:2:18: topics.create: \"yes\" is not true or false" },
	{ K "topics: {partitions: 0}\n",
	    "t.yaml:2:22: topics.partitions: \"0\" is not between 1 and 10000" },
	{ K "topics: {replication_factor: 0}\n",
	    "t.yaml:2:30: topics.replication_factor: 0 is not -1 (the cluster's default) or 1 to 100" },
	{ K "topics: {replication_factor: -2}\n",
	    "t.yaml:2:30: topics.replication_factor: \"-2\" is not between -1 and 100" },
	{ K "enricher: {retry_from: 1h, retry_to: 1m}\n",
	    "t.yaml:2:24: enricher.retry_from: is longer than enricher.retry_to" },
	{ K "enricher: {retry_to: 1s}\n",
	    "t.yaml:2:22: enricher.retry_from: is longer than enricher.retry_to" },
	{ K "enricher: {dedup_window: 41d}\n",
	    "t.yaml:2:26: enricher.dedup_window: \"41d\" is not between 1m and 40d" },
	{ K "enricher: {session_timeout: 301s}\n",
	    "t.yaml:2:29: enricher.session_timeout: \"301s\" is not between 6s and 5m" },
	{ K "enricher: {instance_id: ''}\n",
	    "t.yaml:2:25: enricher.instance_id: is empty" },
	{ K "enricher: {group_id: ${env:VULNBUS_TEST_UNSET}}\n",
	    "t.yaml:2:23: did not find expected ',' or '}' while parsing a flow mapping" },
	{ K "enricher:\n  group_id: ${env:VULNBUS_TEST_UNSET}\n",
	    "t.yaml:3:13: enricher.group_id: the environment variable VULNBUS_TEST_UNSET is not set" },
	{ K "enricher:\n  group_id: ${env:A B}\n",
	    "t.yaml:3:13: enricher.group_id: ${env:} needs a variable's name" },
	{ K "enricher:\n  group_id: ${env:OPEN\n",
	    "t.yaml:3:13: enricher.group_id: unclosed ${ (a dollar sign is written $$)" },
	{ K "enricher:\n  group_id: ${vault:x}\n",
	    "t.yaml:3:13: enricher.group_id: ${...} is neither ${env:...} nor ${file:...} (a dollar sign is written $$)" },
	{ K "enricher:\n  group_id: ${}\n",
	    "t.yaml:3:13: enricher.group_id: ${...} is neither ${env:...} nor ${file:...} (a dollar sign is written $$)" },
	{ K "enricher:\n  group_id: ${env:A:-${env:B}}\n",
	    "t.yaml:3:13: enricher.group_id: ${ within ${...} is not supported" },
	{ K "enricher:\n  group_id: ${file:}\n",
	    "t.yaml:3:13: enricher.group_id: ${file:} needs a path" },
	{ K "enricher:\n  group_id: ${file:/nonexistent/x}\n",
	    "t.yaml:3:13: enricher.group_id: /nonexistent/x: No such file or directory" },
	{ K "enricher:\n  group_id: ${file:/dev/null}\n",
	    "t.yaml:3:13: enricher.group_id: /dev/null: not a regular file" },
	{ K "enricher:\n  batch_rows: ${env:VULNBUS_TEST_SECRET}\n",
	    "t.yaml:3:15: enricher.batch_rows: the value is not a whole number" },
	{ K "enricher:\n  drain_within: ${env:VULNBUS_TEST_SECRET}\n",
	    "t.yaml:3:17: enricher.drain_within: the value is not a duration: a whole number and ms, s, m, h or d" },
	{ K "enricher:\n  admin: ${env:VULNBUS_TEST_SECRET}\n",
	    "t.yaml:3:10: enricher.admin: the value is not an address host:port, like 0.0.0.0:8080 or [::]:8080" },
	{ "kafka:\n  bootstrap_servers: b\n  properties:\n    sasl.password: ${env:VULNBUS_TEST_UNSET}\n",
	    "t.yaml:4:20: kafka.properties: sasl.password: the environment variable VULNBUS_TEST_UNSET is not set" },
	{ "kafka:\n  bootstrap_servers: b\n  properties:\n    acks: [all]\n",
	    "t.yaml:4:11: kafka.properties: acks: is a list, where a single value is expected" },
	{ "kafka:\n  bootstrap_servers: b\n  properties:\n    acks:\n",
	    "t.yaml:4:10: kafka.properties: acks: has no value" },
	{ "kafka:\n  bootstrap_servers: b\n  properties: [acks]\n",
	    "t.yaml:3:15: kafka.properties: is a list, where a mapping is expected" },
	{ K "sources: {name: a}\n",
	    "t.yaml:2:10: sources: a list (- name: ...) is expected here" },
	{ K "sources:\n  - a\n",
	    "t.yaml:3:5: sources[0]: a mapping (key: value) is expected here" },
	{ K "sources:\n  -\n",
	    "t.yaml:3:4: sources[0]: a mapping (key: value) is expected here" },
	{ K "sources:\n  - vendor: v\n",
	    "t.yaml:3:5: sources[0].name: is missing" },
	{ K "sources:\n  - name: a\n    hook: {secret: 0123456789abcdef}\n",
	    "t.yaml:3:5: sources[0].vendor: is missing" },
	{ K "sources:\n  - name: a\n    vendor: v\n",
	    "t.yaml:3:5: sources[0].hook.secret: is missing" },
	{ K "sources:\n  - name: a\n    vendor: v\n    hook:\n      secret: null\n",
	    "t.yaml:6:7: sources[0].hook.secret: is missing" },
	{ K "sources:\n  - name: a\n    vendor: v\n    hook: {secret: tooshort}\n",
	    "t.yaml:5:20: sources[0].hook.secret: the value is not 16 to 200 characters of A-Z, a-z, 0-9 and ._~- (it stands in a path)" },
	{ K "sources:\n  - name: a\n    vendor: v\n    hook: {secret: 0123456789abcde/}\n",
	    "t.yaml:5:20: sources[0].hook.secret: the value is not 16 to 200 characters of A-Z, a-z, 0-9 and ._~- (it stands in a path)" },
	{ K "sources:\n  - name: Acme\n    vendor: v\n",
	    "t.yaml:3:11: sources[0].name: \"Acme\" is not 1 to 63 characters of a-z, 0-9 and -" },
	{ K "sources:\n  - name: a\n    vendor: ''\n",
	    "t.yaml:4:13: sources[0].vendor: is empty" },
	{ K "sources:\n" S("a", "") "  - name: b\n    vendor: v\n",
	    "t.yaml:6:5: sources[1].hook.secret: is missing" },
	{ K "sources:\n" S("a", "") S("b", "") S("a", ""),
	    "t.yaml:9:11: sources[2].name: \"a\" is the name of the source in line 3 already" },
	{ K "sources:\n" S("a", "    base_url: http://h.example\n"), "t.yaml:6:15: sources[0].base_url: http:// is for loopback addresses; use https://, or set allow_plain_http: true" },
	{ K "sources:\n" S("a", "    base_url: http://127.0.0.1.example/\n"),
	    "t.yaml:6:15: sources[0].base_url: http:// is for loopback addresses; use https://, or set allow_plain_http: true" },
	{ K "sources:\n" S("a", "    base_url: https://h/?q=1\n"),
	    "t.yaml:6:15: sources[0].base_url: the value is not a URL without query and fragment" },
	{ K "sources:\n" S("a", "    base_url: https://h/#f\n"),
	    "t.yaml:6:15: sources[0].base_url: the value is not a URL without query and fragment" },
	{ K "sources:\n" S("a", "    base_url: h.example\n"),
	    "t.yaml:6:15: sources[0].base_url: the value is not a URL that begins with https:// or http://" },
	{ K "sources:\n" S("a", "    base_url: 'https://h/a b'\n"),
	    "t.yaml:6:15: sources[0].base_url: the value is not a URL of the form https://host[:port][/path]" },
	{ K "sources:\n  - {name: a, vendor: v, hook: {client_subject: CN = x}}\n",
	    "t.yaml:3:49: sources[0].hook.client_subject: \"CN = x\" is not a subject like CN=hooks.example.com,O=Example (openssl x509 -noout -subject -nameopt RFC2253)" },
	{ K "sources:\n  - {name: a, vendor: v, hook: {client_subject: subject=CN=x}}\n",
	    "t.yaml:3:49: sources[0].hook.client_subject: \"subject=CN=x\" is not a subject like CN=hooks.example.com,O=Example (openssl x509 -noout -subject -nameopt RFC2253)" },
	{ K "sources:\n  - {name: a, vendor: v, hook: {client_subject: /CN=x}}\n",
	    "t.yaml:3:49: sources[0].hook.client_subject: \"/CN=x\" is not a subject like CN=hooks.example.com,O=Example (openssl x509 -noout -subject -nameopt RFC2253)" },
	{ K "sources:\n" S("a", "    signature: {key_path: x}\n"),
	    "t.yaml:6:27: sources[0].signature.key_path: \"x\" is not a path that begins with /" },
	{ K "sources:\n" S("a", "    signature: {max_age: 59s}\n"),
	    "t.yaml:6:26: sources[0].signature.max_age: \"59s\" is not between 1m and 30d" },
	{ K "sources:\n" S("a", "    api: {token: ''}\n"),
	    "t.yaml:6:18: sources[0].api.token: is empty" },
	{ K "sources:\n" S("a", "    api: {token: \"x\\r\\ny\"}\n"),
	    "t.yaml:6:18: sources[0].api.token: holds a control character" },
	{ K "sources:\n" S("a", "    api: {max_concurrent: 0}\n"),
	    "t.yaml:6:27: sources[0].api.max_concurrent: \"0\" is not between 1 and 256" },
	{ K "sources:\n" S("a", "    api: {forward: true}\n"),
	    "t.yaml:6:11: sources[0].api.forward: unknown key" },
	{ K "sources:\n" S("a", "    apy: {}\n"),
	    "t.yaml:6:5: sources[0].apy: unknown key (did you mean \"api\"?)" },
	{ K "a: &x 1\n", "t.yaml:2:4: anchors (&name) are not supported" },
};

/* Every text above is refused, with its place; nothing is handed out, and no
 * message quotes what came from the environment. */
static void
bad_texts_are_refused_with_their_place(void **state)
{
	unsigned failures = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct config *config = NULL;
		struct error err = { "" };
		enum status status = config_parse(
		    "t.yaml", view_of(bad[i].text), &config, &err);

		assert_null(config);
		assert_null(strstr(err.text, "hunter2"));
		if (status == STATUS_INVALID &&
		    strcmp(err.text, bad[i].complaint) == 0)
			continue;
		print_error("%s: %s: \"%s\", not \"%s\"\n", bad[i].text,
		    status_name(status), err.text, bad[i].complaint);
		failures++;
	}
	assert_int_equal(failures, 0);
}

static int
prepare(void **state)
{
	(void)state;
	return unsetenv("VULNBUS_TEST_UNSET") +
	       setenv("VULNBUS_TEST_SECRET", "hunter2", 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bad_texts_are_refused_with_their_place),
	};

	return cmocka_run_group_tests(tests, prepare, NULL);
}
