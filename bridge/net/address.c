/* SPDX-License-Identifier: Apache-2.0 */
#include "vulnbus/address.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum status
address_resolve(
    const char *listen, struct addrinfo **out_address, struct error *err)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
		.ai_flags = AI_PASSIVE };
	const char *colon = strrchr(listen, ':');
	char host[256];
	size_t len;
	int failed;

	if (colon == NULL)
		return error_set(err, STATUS_INVALID, "%s: no port", listen);
	len = (size_t)(colon - listen);
	if (len >= 2 && listen[0] == '[' && listen[len - 1] == ']') {
		listen++;
		len -= 2;
	}
	if (len >= sizeof(host))
		return error_set(err, STATUS_INVALID, "%s: too long", listen);
	memcpy(host, listen, len);
	host[len] = '\0';
	failed = getaddrinfo(
	    len == 0 ? NULL : host, colon + 1, &hints, out_address);
	if (failed != 0)
		return error_set(err, STATUS_INVALID, "%s: %s", listen,
		    gai_strerror(failed));
	return STATUS_OK;
}

void
address_print(const struct sockaddr *address, char out[ADDRESS_TEXT_BYTES])
{
	const void *bytes = NULL;

	out[0] = '\0';
	if (address == NULL)
		return;
	if (address->sa_family == AF_INET)
		bytes = &((const struct sockaddr_in *)(const void *)address)
			     ->sin_addr;
	else if (address->sa_family == AF_INET6)
		bytes = &((const struct sockaddr_in6 *)(const void *)address)
			     ->sin6_addr;
	if (bytes != NULL)
		inet_ntop(address->sa_family, bytes, out, ADDRESS_TEXT_BYTES);
}

void
address_print_port(const struct sockaddr *address, uint16_t port,
    char out[ADDRESS_PORT_TEXT_BYTES])
{
	char host[ADDRESS_TEXT_BYTES];

	address_print(address, host);
	snprintf(out, ADDRESS_PORT_TEXT_BYTES,
	    address->sa_family == AF_INET6 ? "[%s]:%u" : "%s:%u", host,
	    (unsigned)port);
}

struct address {
	int family;
	unsigned char bytes[16];
};

static bool
address_parse(const char *text, struct address *out)
{
	static const unsigned char mapped[12] = { [10] = 0xff, 0xff };

	memset(out, 0, sizeof(*out));
	out->family = AF_INET;
	if (inet_pton(AF_INET, text, out->bytes) == 1)
		return true;
	out->family = AF_INET6;
	if (inet_pton(AF_INET6, text, out->bytes) != 1)
		return false;
	/* A socket for both shows IPv4 peers as ::ffff:192.0.2.1. */
	if (memcmp(out->bytes, mapped, sizeof(mapped)) == 0) {
		out->family = AF_INET;
		memmove(out->bytes, out->bytes + sizeof(mapped), 4);
		memset(out->bytes + 4, 0, sizeof(mapped));
	}
	return true;
}

static bool
lies_in(const struct address *address, const char *network)
{
	char text[INET6_ADDRSTRLEN + 8];
	struct address base;
	const char *slash = strchr(network, '/');
	const size_t len = slash == NULL ? strlen(network)
					 : (size_t)(slash - network);
	unsigned long bits;

	if (len >= sizeof(text))
		return false;
	memcpy(text, network, len);
	text[len] = '\0';
	if (!address_parse(text, &base) || base.family != address->family)
		return false;
	bits = base.family == AF_INET ? 32 : 128;
	if (slash != NULL && strtoul(slash + 1, NULL, 10) < bits)
		bits = strtoul(slash + 1, NULL, 10);
	for (unsigned i = 0; i < bits; i++) {
		const unsigned mask = 0x80u >> (i % 8);

		if (((address->bytes[i / 8] ^ base.bytes[i / 8]) & mask) != 0)
			return false;
	}
	return true;
}

bool
address_is_valid(const char *text)
{
	struct address address;

	return address_parse(text, &address);
}

bool
address_is_in(const struct config_list *networks, const char *text)
{
	struct address address;

	if (!address_parse(text, &address))
		return false;
	for (size_t i = 0; i < networks->count; i++)
		if (lies_in(&address, networks->items[i]))
			return true;
	return false;
}
