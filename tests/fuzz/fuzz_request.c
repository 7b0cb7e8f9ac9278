/* SPDX-License-Identifier: Apache-2.0
 *
 * Any text as a request's target and headers, a line each, the target first:
 * refused, or let in by what really stands there. */
#include "fuzz.h"

#include <arpa/inet.h>
#include <strings.h>

#include "vulnbus/accept.h"
#include "vulnbus/address.h"
#include "vulnbus/authenticate.h"
#include "vulnbus/trace.h"

#define SECRET     "0123456789abcdef"
#define APP_SECRET "fedcba9876543210"
#define PROXY      "192.0.2.1"

static const char text[] =
    "kafka: {bootstrap_servers: b:9092}\n"
    "ingress: {trusted_proxies: [192.0.2.0/24, \"2001:db8::/33\"]}\n"
    "sources:\n"
    "  - {name: vdr, vendor: taegis-vdr, base_url: https://a.example,"
    " hook: {secret: " SECRET ", allow_from: [198.51.100.0/24]}}\n"
    "  - {name: cards, vendor: securityscorecard,"
    " hook: {secret: " SECRET ", app_secret: " APP_SECRET "}}\n";

static struct config *config;
static struct bindings bindings;

static void
load(void)
{
	struct error err = { "" };

	if (config != NULL)
		return;
	REQUIRE(config_parse("fuzz.yaml", view_of(text), &config, &err) ==
		STATUS_OK);
	REQUIRE(bindings_open(config, &bindings, &err) == STATUS_OK);
}

static void
check_target(struct view target)
{
	const struct binding *binding = NULL;
	struct view rest = target;

	switch (accept_route(config, &bindings, target, &binding)) {
	case ACCEPT_NOTHING:
		REQUIRE(binding == NULL);
		return;
	case ACCEPT_HOOK:
		REQUIRE(view_is(view_cut(&rest, '/'), ""));
		REQUIRE(view_is(view_cut(&rest, '/'), "hooks"));
		REQUIRE(view_is(view_cut(&rest, '/'), binding->config->name));
		REQUIRE(view_is(rest, SECRET));
		break;
	case ACCEPT_CONNECTOR:
		REQUIRE(
		    view_is(target, "/connectors/vdr/" SECRET "/delve.json"));
		break;
	}
}

/* Whoever it is said to be stands in the header, or holds the connection. */
static void
check_peer(struct view forwarded_for)
{
	const struct config_list *proxies = &config->ingress.trusted_proxies;
	struct sockaddr_in from = { .sin_family = AF_INET };
	char peer[PEER_TEXT_BYTES];

	inet_pton(AF_INET, PROXY, &from.sin_addr);
	accept_peer(proxies, (const struct sockaddr *)(const void *)&from,
	    forwarded_for, peer);
	REQUIRE(address_is_valid(peer));
	REQUIRE(strcmp(peer, PROXY) == 0 ||
		memmem(forwarded_for.data, forwarded_for.len, peer,
		    strlen(peer)) != NULL);
	(void)accept_is_expected(&bindings.items[0], peer, VIEW(""));

	inet_pton(AF_INET, "203.0.113.9", &from.sin_addr);
	accept_peer(proxies, (const struct sockaddr *)(const void *)&from,
	    forwarded_for, peer);
	REQUIRE(strcmp(peer, "203.0.113.9") == 0);
}

/* Any text as an address, and as a network: it holds itself. */
static void
check_address(struct view value)
{
	char address[64];
	char *items[] = { address };
	const struct config_list list = { .items = items, .count = 1 };

	if (value.len >= sizeof(address) ||
	    memchr(value.data, '\0', value.len) != NULL)
		return;
	snprintf(address, sizeof(address), "%.*s", VIEW_ARGS(value));
	(void)address_is_in(&list, "198.51.100.7");
	if (address_is_valid(address))
		REQUIRE(address_is_in(&list, address));
}

static bool
is_trace(const char *traceparent)
{
	return strlen(traceparent) == TRACEPARENT_BYTES &&
	       strspn(traceparent, "0123456789abcdef-") == TRACEPARENT_BYTES &&
	       memcmp(traceparent, "00-", 3) == 0;
}

static void
check_trace(struct view traceparent, struct view origin)
{
	char header[TRACE_HEADER_BYTES];
	struct trace trace, again;

	trace_continue(traceparent, origin, &trace);
	REQUIRE(is_trace(trace.hop) && is_trace(trace.origin));
	trace_restore(view_of(trace.hop), view_of(trace.origin), &again);
	REQUIRE(strcmp(again.hop, trace.hop) == 0);
	REQUIRE(strcmp(again.origin, trace.origin) == 0);
	trace_call(&trace, header);
	trace_continue(view_of(header + sizeof("traceparent:")),
	    view_of(trace.origin), &again);
	REQUIRE(view_equal(trace_id(&again), trace_id(&trace)));
}

static void
check_signature(const struct binding *binding, struct view header, size_t count)
{
	const struct source_authentication *how =
	    &binding->contract->authentication;
	struct view token = VIEW("");
	struct error err = { "" };

	if (authenticate_token(how, header, count, &token, &err) == STATUS_OK) {
		REQUIRE(count == 1 && token.len > 0 && token.len < header.len);
		REQUIRE(token.data + token.len == header.data + header.len);
	} else {
		REQUIRE(err.text[0] != '\0');
	}
	if (authenticate_hint_agrees(binding, header))
		REQUIRE(memmem(header.data, header.len, how->key_path,
			    strlen(how->key_path)) != NULL);
}

/* JSON may spell the secret with escapes, which cannot be looked for. */
static void
check_app_secret(struct view header, size_t count)
{
	struct error err = { "" };
	const bool is_there = memmem(header.data, header.len, APP_SECRET,
				  strlen(APP_SECRET)) != NULL ||
			      memchr(header.data, '\\', header.len) != NULL;

	if (authenticate_app_secret(&bindings.items[1], header, count, &err) ==
	    STATUS_OK)
		REQUIRE(count == 1 && is_there);
}

static bool
is_name(struct view name, const char *wanted)
{
	return name.len == strlen(wanted) &&
	       strncasecmp(name.data, wanted, name.len) == 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct view rest = { (const char *)data, len };
	struct view traceparent = VIEW(""), origin = VIEW("");
	size_t signatures = 0, secrets = 0;

	load();
	check_target(view_cut(&rest, '\n'));
	while (rest.len > 0) {
		struct view value = view_cut(&rest, '\n');
		const struct view name = view_cut(&value, ':');

		value = view_trim(value);
		if (is_name(name, "X-Forwarded-For"))
			check_peer(value);
		else if (is_name(name, "Forwarded"))
			check_address(value);
		else if (is_name(name, "traceparent"))
			traceparent = value;
		else if (is_name(name, "ce_traceparent"))
			origin = value;
		else if (is_name(name, "x-ssc-app-secrets"))
			check_app_secret(value, ++secrets);
		else
			check_signature(
			    &bindings.items[0], value, ++signatures);
	}
	check_trace(traceparent, origin);
	return 0;
}
