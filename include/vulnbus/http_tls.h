/* SPDX-License-Identifier: Apache-2.0
 *
 * The door to GnuTLS, which libmicrohttpd speaks TLS with: the certificate, the
 * key and the client authorities of ingress.tls.
 *
 * One set of them is read-only once opened, and counted: each connection holds
 * the set it began with until it has ended, whatever a reload brings. Any
 * number of threads may use and release it. */
#ifndef VULNBUS_HTTP_TLS_H
#define VULNBUS_HTTP_TLS_H

#include "vulnbus/config.h"

struct http_tls;

/* What a session may settle on, for MHD_OPTION_HTTPS_PRIORITIES. */
#define HTTP_TLS_PRIORITIES "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"

/* Reads the files. *out_tls is NULL when ingress.tls is not configured.
 * STATUS_INVALID says "<path>:<line>:<column>: ..." of the key at fault. */
enum status
http_tls_open(const struct config *config, struct http_tls **out_tls,
    struct error *err) MUST_CHECK;

/* The same, with nothing kept. */
enum status
http_tls_check(const struct config *config, struct error *err) MUST_CHECK;

/* _hold adds a holder, _release drops one. NULL is fine. */
struct http_tls *
http_tls_hold(struct http_tls *tls);

void
http_tls_release(struct http_tls *tls);

/* What follows is for the door to libmicrohttpd, and for the one thread that a
 * connection belongs to. */

struct http_tls_connection;

/* Before the handshake: gives a session (MHD_CONNECTION_INFO_GNUTLS_SESSION)
 * all of `tls`, which is held until http_tls_end. NULL without memory: the
 * handshake is going to fail. */
struct http_tls_connection *
http_tls_begin(struct http_tls *tls, void *session);

/* The session has ended. NULL is fine. */
void
http_tls_end(struct http_tls_connection *connection);

/* The subject (certificate_subject) of the client's certificate; empty when
 * there is none, or it is not one of ingress.tls.client_ca, not valid now, or
 * not for clients. The view lives until the next call. */
struct view
http_tls_subject(struct http_tls_connection *connection);

/* An MHD_OPTION_HTTPS_CERT_CALLBACK that has no certificate: libmicrohttpd
 * wants something to start with, and a session that http_tls_begin did not
 * reach must fail. */
void *
http_tls_no_certificate(void);

#endif
