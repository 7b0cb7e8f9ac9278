/* SPDX-License-Identifier: Apache-2.0
 *
 * Which source a request is for, and who is asking. */
#include "check.h"

#include <arpa/inet.h>

#include "vulnbus/accept.h"
#include "vulnbus/json.h"

#define SECRET "0123456789abcdef"
#define OTHER  "fedcba9876543210"

static struct config *config;
static struct bindings bindings;

static void
load(const char *ingress)
{
	struct error err = { "" };
	struct buffer text;

	buffer_init(&text, 10000);
	buffer_print(&text,
	    "kafka: {bootstrap_servers: b:9092}\n"
	    "ingress:\n"
	    "  tls: {certificate: /c, key: /k, client_ca: /a}\n%s"
	    "sources:\n"
	    "  - {name: acme, vendor: taegis-vdr, base_url: https://a.example,"
	    " hook: {secret: " SECRET ", allow_from: [192.0.2.0/24,"
	    " 198.51.100.7, \"2001:db8::/33\"]}}\n"
	    "  - {name: other, vendor: delve, base_url: https://b.example,"
	    " hook: {secret: " OTHER "}}\n"
	    "  - {name: shown, vendor: delve, base_url: https://c.example,"
	    " hook: {secret: " OTHER ", client_subject: 'CN=v,O=A\\, B'}}\n"
	    "  - {name: both, vendor: delve, base_url: https://d.example,"
	    " hook: {secret: " OTHER ", client_subject: CN=v,"
	    " allow_from: [192.0.2.0/24]}}\n",
	    ingress);
	assert_ok(
	    config_parse("t.yaml", buffer_view(&text), &config, &err), &err);
	assert_ok(bindings_open(config, &bindings, &err), &err);
	buffer_clear(&text);
}

static void
unload(void)
{
	bindings_close(&bindings);
	config_free(config);
	config = NULL;
}

struct route_case {
	struct view path;
	enum accept_route route;
	const char *source;
};

static void
check_routes(const struct route_case *cases, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct binding *binding = NULL;
		const enum accept_route route = accept_route(
		    config, &bindings, cases[i].path, &binding);

		if (route != cases[i].route)
			print_error("%.*s\n", VIEW_ARGS(cases[i].path));
		assert_int_equal(route, cases[i].route);
		if (route == ACCEPT_NOTHING)
			assert_null(binding);
		else
			assert_string_equal(
			    binding->config->name, cases[i].source);
	}
}

static void
routes_need_the_source_and_its_secret(void **state)
{
	static const struct route_case cases[] = {
		{ VIEW("/hooks/acme/" SECRET), ACCEPT_HOOK, "acme" },
		{ VIEW("/hooks/other/" OTHER), ACCEPT_HOOK, "other" },
		{ VIEW("/connectors/acme/" SECRET "/delve.json"),
		    ACCEPT_CONNECTOR, "acme" },
		/* another's secret, a part of it, more than it */
		{ VIEW("/hooks/acme/" OTHER), ACCEPT_NOTHING, NULL },
		{ VIEW("/hooks/acme/0123456789abcde"), ACCEPT_NOTHING, NULL },
		{ VIEW("/hooks/acme/" SECRET "0"), ACCEPT_NOTHING, NULL },
		{ VIEW("/hooks/acme/" SECRET "\0"), ACCEPT_NOTHING, NULL },
		{ VIEW("/hooks/acme/0123456789ABCDEF"), ACCEPT_NOTHING, NULL },
		{ VIEW("/hooks/acme/%30123456789abcdef"), ACCEPT_NOTHING,
		    NULL },
		{ VIEW("/hooks/nobody/" SECRET), ACCEPT_NOTHING, NULL },
		{ VIEW("/hooks/ACME/" SECRET), ACCEPT_NOTHING, NULL },
		{ VIEW("/hooks/" SECRET "/acme"), ACCEPT_NOTHING, NULL },
		{ VIEW("/connectors/acme/" OTHER "/delve.json"), ACCEPT_NOTHING,
		    NULL },
	};

	(void)state;
	load("  listen: 127.0.0.1:0\n");
	check_routes(cases, COUNT(cases));
	unload();
}

static void
routes_have_one_spelling(void **state)
{
	static const struct route_case cases[] = {
		{ VIEW(""), ACCEPT_NOTHING, NULL },
		{ VIEW("/"), ACCEPT_NOTHING, NULL },
		{ VIEW("//"), ACCEPT_NOTHING, NULL },
		{ VIEW("/hooks"), ACCEPT_NOTHING, NULL },
		{ VIEW("/hooks/"), ACCEPT_NOTHING, NULL },
		{ VIEW("/hooks/acme"), ACCEPT_NOTHING, NULL },
		{ VIEW("/hooks/acme/"), ACCEPT_NOTHING, NULL },
		{ VIEW("/hooks//" SECRET), ACCEPT_NOTHING, NULL },
		{ VIEW("/hooks/acme/" SECRET "/"), ACCEPT_NOTHING, NULL },
		{ VIEW("/hooks/acme/" SECRET "//"), ACCEPT_NOTHING, NULL },
		{ VIEW("/hooks/acme/" SECRET "/x"), ACCEPT_NOTHING, NULL },
		{ VIEW("/hooks/acme/" SECRET "//x"), ACCEPT_NOTHING, NULL },
		{ VIEW("//hooks/acme/" SECRET), ACCEPT_NOTHING, NULL },
		{ VIEW("/hooks//acme/" SECRET), ACCEPT_NOTHING, NULL },
		{ VIEW("hooks/acme/" SECRET), ACCEPT_NOTHING, NULL },
		{ VIEW("/Hooks/acme/" SECRET), ACCEPT_NOTHING, NULL },
		{ VIEW("/./hooks/acme/" SECRET), ACCEPT_NOTHING, NULL },
		{ VIEW("/x/../hooks/acme/" SECRET), ACCEPT_NOTHING, NULL },
		{ VIEW("/hooks/acme/" SECRET "/delve.json"), ACCEPT_NOTHING,
		    NULL },
		{ VIEW("/connectors/acme/" SECRET), ACCEPT_NOTHING, NULL },
		{ VIEW("/connectors/acme/" SECRET "/"), ACCEPT_NOTHING, NULL },
		{ VIEW("/connectors/acme/" SECRET "/delve.json/"),
		    ACCEPT_NOTHING, NULL },
		{ VIEW("/connectors/acme/" SECRET "/delve.jso"), ACCEPT_NOTHING,
		    NULL },
	};

	(void)state;
	load("  listen: 127.0.0.1:0\n");
	check_routes(cases, COUNT(cases));
	unload();
}

static void
the_connector_path_is_configured(void **state)
{
	static const struct route_case cases[] = {
		{ VIEW("/x/" SECRET "/acme"), ACCEPT_CONNECTOR, "acme" },
		{ VIEW("/x/acme/" SECRET), ACCEPT_NOTHING, NULL },
		{ VIEW("/connectors/acme/" SECRET "/delve.json"),
		    ACCEPT_NOTHING, NULL },
		{ VIEW("/hooks/acme/" SECRET), ACCEPT_HOOK, "acme" },
	};

	(void)state;
	load("  connector_path: \"/x/{secret}/{source}\"\n");
	check_routes(cases, COUNT(cases));
	unload();
}

static void
the_connector_document_names_the_hook(void **state)
{
	struct json_document *document = NULL;
	struct error err = { "" };
	struct buffer out;

	(void)state;
	load("  public_url: https://hooks.example.com\n");
	buffer_init(&out, 4096);
	assert_ok(accept_connector(config,
		      bindings_find(&bindings, VIEW("acme")), &out, &err),
	    &err);
	assert_ok(json_parse(buffer_view(&out), &document, &err), &err);
	for (int i = 0; i < 3; i++) {
		static const char *const names[] = { "scanSuccessWebhook",
			"scanFailureWebhook", "exportCompleteWebhook" };

		assert_view(
		    json_text(json_member(
			json_member(json_root(document), names[i]), "url")),
		    "https://hooks.example.com/hooks/acme/" SECRET);
	}
	json_free(document);
	buffer_clear(&out);
	unload();
}

static void
without_a_public_url_there_is_no_document(void **state)
{
	struct error err = { "" };
	struct buffer out;

	(void)state;
	load("  listen: 127.0.0.1:0\n");
	buffer_init(&out, 4096);
	assert_status(accept_connector(config,
			  bindings_find(&bindings, VIEW("acme")), &out, &err),
	    STATUS_MISSING);
	assert_int_equal(out.len, 0);
	buffer_clear(&out);
	unload();
}

static void
peer_of(const char *from, const char *forwarded_for,
    const struct config_list *proxies, char out[PEER_TEXT_BYTES])
{
	struct sockaddr_in v4 = { .sin_family = AF_INET };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
	const void *address = NULL;

	if (inet_pton(AF_INET, from, &v4.sin_addr) == 1)
		address = &v4;
	else if (inet_pton(AF_INET6, from, &v6.sin6_addr) == 1)
		address = &v6;
	accept_peer(proxies, address, view_of(forwarded_for), out);
}

/* From the right, up to the first that is no proxy of ours: what stands left
 * of that may be made up. */
static void
the_peer_is_the_last_one_not_trusted(void **state)
{
	static const struct {
		const char *from, *forwarded_for, *expected;
	} cases[] = {
		{ "192.0.2.1", "", "192.0.2.1" },
		{ "192.0.2.1", "198.51.100.7", "192.0.2.1" },
		{ "10.0.0.1", "", "10.0.0.1" },
		{ "10.0.0.1", "198.51.100.7", "198.51.100.7" },
		{ "10.0.0.1", "  198.51.100.7\t", "198.51.100.7" },
		{ "10.0.0.1", "203.0.113.9, 198.51.100.7", "198.51.100.7" },
		{ "10.0.0.1", "203.0.113.9,198.51.100.7,10.9.9.9",
		    "198.51.100.7" },
		{ "10.0.0.1", "10.1.1.1, 10.2.2.2", "10.1.1.1" },
		{ "10.0.0.1", "10.0.0.1, 2001:db8::5", "2001:db8::5" },
		{ "10.255.255.255", "198.51.100.7", "198.51.100.7" },
		{ "11.0.0.0", "198.51.100.7", "11.0.0.0" },
		{ "9.255.255.255", "198.51.100.7", "9.255.255.255" },
		{ "172.16.0.1", "198.51.100.7", "198.51.100.7" },
		{ "172.16.0.2", "198.51.100.7", "172.16.0.2" },
		{ "::1", "198.51.100.7", "::1" },
		{ "fd00::1", "198.51.100.7", "198.51.100.7" },
		{ "253.0.0.1", "198.51.100.7", "253.0.0.1" },
		{ "fe00::1", "198.51.100.7", "fe00::1" },
		/* a socket for both families */
		{ "::ffff:10.0.0.1", "198.51.100.7", "198.51.100.7" },
		{ "::ffff:192.0.2.1", "198.51.100.7", "::ffff:192.0.2.1" },
		/* no address: the proxy that wrote it is to blame */
		{ "10.0.0.1", "unknown", "10.0.0.1" },
		{ "10.0.0.1", "198.51.100.7:443", "10.0.0.1" },
		{ "10.0.0.1", "[2001:db8::5]", "10.0.0.1" },
		{ "10.0.0.1", "198.51.100.7,", "10.0.0.1" },
		{ "10.0.0.1", "198.51.100.7, junk", "10.0.0.1" },
		{ "10.0.0.1", "junk, 198.51.100.7", "198.51.100.7" },
		{ "10.0.0.1", ",,,", "10.0.0.1" },
		{ "10.0.0.1", "198.51.100.7, junk, 10.5.5.5", "10.5.5.5" },
		{ "", "198.51.100.7", "" },
	};
	char text[PEER_TEXT_BYTES];

	(void)state;
	load("  trusted_proxies: [10.0.0.0/8, 172.16.0.1, \"fd00::/8\"]\n");
	for (size_t i = 0; i < COUNT(cases); i++) {
		peer_of(cases[i].from, cases[i].forwarded_for,
		    &config->ingress.trusted_proxies, text);
		assert_string_equal(text, cases[i].expected);
	}
	unload();
}

static void
a_header_of_any_length_is_harmless(void **state)
{
	char text[PEER_TEXT_BYTES], header[5001];

	(void)state;
	load("  trusted_proxies: [0.0.0.0/0]\n");
	memset(header, '1', sizeof(header) - 1);
	header[sizeof(header) - 1] = '\0';
	peer_of("10.0.0.1", header, &config->ingress.trusted_proxies, text);
	assert_string_equal(text, "10.0.0.1");
	memset(header, ',', sizeof(header) - 1);
	peer_of("10.0.0.1", header, &config->ingress.trusted_proxies, text);
	assert_string_equal(text, "10.0.0.1");
	unload();
}

static void
without_trusted_proxies_no_header_is_believed(void **state)
{
	char text[PEER_TEXT_BYTES];

	(void)state;
	load("  listen: 127.0.0.1:0\n");
	peer_of("127.0.0.1", "198.51.100.7", &config->ingress.trusted_proxies,
	    text);
	assert_string_equal(text, "127.0.0.1");
	unload();
}

static void
whom_a_source_expects_is_configured(void **state)
{
	static const struct {
		const char *peer;
		bool is_expected;
	} cases[] = {
		{ "192.0.2.0", true },
		{ "192.0.2.255", true },
		{ "192.0.3.0", false },
		{ "198.51.100.7", true },
		{ "198.51.100.8", false },
		{ "::ffff:192.0.2.9", true },
		{ "2001:db8:7fff::1", true },
		{ "2001:db8:8000::1", false },
		{ "127.0.0.1", false },
		{ "", false },
	};

	(void)state;
	load("  listen: 127.0.0.1:0\n");
	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_int_equal(
		    accept_is_expected(bindings_find(&bindings, VIEW("acme")),
			cases[i].peer, VIEW("")),
		    cases[i].is_expected);
		assert_true(
		    accept_is_expected(bindings_find(&bindings, VIEW("other")),
			cases[i].peer, VIEW("")));
	}
	unload();
}

static void
a_subject_is_expected_to_the_letter(void **state)
{
	static const struct {
		const char *source, *peer;
		struct view subject;
		bool is_expected;
	} cases[] = {
		{ "shown", "", VIEW("CN=v,O=A\\, B"), true },
		{ "shown", "", VIEW("CN=v,O=A\\, b"), false },
		{ "shown", "", VIEW("CN=v,O=A\\, B,C=DE"), false },
		{ "shown", "", VIEW("CN=v,O=A\\, "), false },
		{ "shown", "", VIEW("O=A\\, B,CN=v"), false },
		{ "shown", "", VIEW("CN=v,O=A\\, B\0"), false },
		{ "shown", "", VIEW(""), false },
		{ "both", "192.0.2.1", VIEW("CN=v"), true },
		{ "both", "192.0.2.1", VIEW("CN=w"), false },
		{ "both", "192.0.3.1", VIEW("CN=v"), false },
		{ "other", "", VIEW("CN=anyone"), true },
	};

	(void)state;
	load("");
	for (size_t i = 0; i < COUNT(cases); i++)
		assert_int_equal(
		    accept_is_expected(
			bindings_find(&bindings, view_of(cases[i].source)),
			cases[i].peer, cases[i].subject),
		    cases[i].is_expected);
	unload();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(routes_need_the_source_and_its_secret),
		cmocka_unit_test(routes_have_one_spelling),
		cmocka_unit_test(the_connector_path_is_configured),
		cmocka_unit_test(the_connector_document_names_the_hook),
		cmocka_unit_test(without_a_public_url_there_is_no_document),
		cmocka_unit_test(the_peer_is_the_last_one_not_trusted),
		cmocka_unit_test(a_header_of_any_length_is_harmless),
		cmocka_unit_test(without_trusted_proxies_no_header_is_believed),
		cmocka_unit_test(whom_a_source_expects_is_configured),
		cmocka_unit_test(a_subject_is_expected_to_the_letter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
