/* SPDX-License-Identifier: Apache-2.0
 *
 * Addresses to listen on and peers to know: text in, text out, and whether an
 * address lies in a network. */
#ifndef VULNBUS_ADDRESS_H
#define VULNBUS_ADDRESS_H

#include "vulnbus/config.h"

struct addrinfo;
struct sockaddr;

#define ADDRESS_TEXT_BYTES 64

/* "host:port" or "[v6]:port" looked up; the caller frees *out_address with
 * freeaddrinfo. */
enum status
address_resolve(const char *listen, struct addrinfo **out_address,
    struct error *err) MUST_CHECK;

/* The address without its port; empty when it is neither IPv4 nor IPv6. */
void
address_print(const struct sockaddr *address, char out[ADDRESS_TEXT_BYTES]);

#define ADDRESS_PORT_TEXT_BYTES (ADDRESS_TEXT_BYTES + 16)

/* As "host:port" or "[v6]:port". */
void
address_print_port(const struct sockaddr *address, uint16_t port,
    char out[ADDRESS_PORT_TEXT_BYTES]);

bool
address_is_valid(const char *text);

/* Does the address (as text) lie in one of the networks: addresses, or
 * prefixes as in "10.0.0.0/8"? */
bool
address_is_in(const struct config_list *networks, const char *text);

#endif
