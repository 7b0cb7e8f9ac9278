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

/* What follows is for the door to libmicrohttpd; a session is its
 * MHD_CONNECTION_INFO_GNUTLS_SESSION. */

/* Before the handshake: gives the session `tls`, which must be held until the
 * session has ended. */
void
http_tls_begin(struct http_tls *tls, void *session);

/* Appends the subject (certificate_subject) of the client's certificate, or
 * nothing when there is none, or it is not one of ingress.tls.client_ca, not
 * valid now, or not for clients. */
void
http_tls_subject(void *session, struct buffer *out);

/* An MHD_OPTION_HTTPS_CERT_CALLBACK that has no certificate: libmicrohttpd
 * wants something to start with, and a session that http_tls_begin did not
 * reach must fail. */
void *
http_tls_no_certificate(void);

#endif
