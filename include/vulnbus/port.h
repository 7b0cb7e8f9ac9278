/* SPDX-License-Identifier: Apache-2.0
 *
 * The ingress' public port, as callbacks for the server. */
#ifndef VULNBUS_PORT_H
#define VULNBUS_PORT_H

#include "vulnbus/webhook.h"

/* The site in force, held for the caller. */
struct site *
webhooks_site(struct webhooks *webhooks);

/* http_request_f: refuses what needs no body, and takes what has one. The
 * argument is a struct webhooks. */
void
port_on_headers(struct http_request *request, void *webhooks);

void
port_on_request(struct http_request *request, void *webhooks);

/* http_refused_f */
void
port_on_refused(unsigned code, void *webhooks);

#endif
