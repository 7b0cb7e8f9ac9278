/* SPDX-License-Identifier: Apache-2.0
 *
 * Stage: which source is a request for, and may it go on? The first three
 * checks (source and secret, method, content coding), and who is asking. */
#ifndef VULNBUS_ACCEPT_H
#define VULNBUS_ACCEPT_H

#include "vulnbus/binding.h"

struct sockaddr;

enum accept_route {
	ACCEPT_NOTHING,   /* 404 */
	ACCEPT_HOOK,      /* /hooks/<source>/<secret> */
	ACCEPT_CONNECTOR, /* ingress.connector_path */
};

/* An unknown source and a wrong secret give the same answer in the same time:
 * digests are compared, never texts. */
enum accept_route
accept_route(const struct config *config, const struct bindings *bindings,
    struct view path, const struct binding **out_binding);

/* Is `peer` (accept_peer) one of the source's hook.allow_from, and the verified
 * `subject` (http_request_subject) its hook.client_subject? Everybody is when
 * these are not configured; otherwise nobody whose address is not known, or
 * who shows no certificate. */
bool
accept_is_expected(
    const struct binding *binding, const char *peer, struct view subject);

/* A VDR or Delve connector document ("Using VDR Webhooks": the delve.json
 * format): one URL for each kind of notification. */
enum status
accept_connector(const struct config *config, const struct binding *binding,
    struct buffer *out, struct error *err) MUST_CHECK;

#define PEER_TEXT_BYTES 64 /* as ADDRESS_TEXT_BYTES */

/* Who is asking, as text: the address of the connection, or, when that is one
 * of ingress.trusted_proxies, the last X-Forwarded-For address that is not. */
void
accept_peer(const struct config_list *trusted_proxies,
    const struct sockaddr *address, struct view forwarded_for,
    char out[PEER_TEXT_BYTES]);

#endif
