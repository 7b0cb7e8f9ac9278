/* SPDX-License-Identifier: Apache-2.0
 *
 * The door to GnuTLS. */
#include "vulnbus/http_tls.h"

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "vulnbus/crypto.h"
#include "vulnbus/key_file.h"

#define FILE_BYTES_MAX (1u << 20)

struct http_tls {
	gnutls_certificate_credentials_t credentials;
	gnutls_certificate_request_t request;
	atomic_int holders;
};

struct http_tls_connection {
	struct http_tls *tls;
	gnutls_session_t session;
	struct buffer subject; /* of the client's certificate, or empty */
	time_t verified;       /* when it was; 0: not yet */
};

/* One of the files, and what to call it. */
struct part {
	const struct config *config;
	const struct config_file *file;
	const char *name;
};

struct certificates {
	gnutls_x509_crt_t *items; /* owned */
	unsigned count;
};

static enum status
refuse(const struct part *part, int code, struct error *err)
{
	if (code == GNUTLS_E_MEMORY_ERROR)
		return error_set(err, STATUS_NO_MEMORY, "no memory");
	return config_refuse(part->config, part->file->place, err,
	    "ingress.tls.%s: %s: %s", part->name, part->file->path,
	    gnutls_strerror(code));
}

static enum status
read_part(const struct part *part, struct buffer *out, struct error *err)
{
	struct error why;

	buffer_init_secret(out, FILE_BYTES_MAX);
	if (key_file_text(part->file->path, out, &why) == STATUS_OK)
		return STATUS_OK;
	return config_refuse(part->config, part->file->place, err,
	    "ingress.tls.%s: %s", part->name, why.text);
}

static gnutls_datum_t
datum_of(const struct buffer *text)
{
	return (
	    gnutls_datum_t){ (unsigned char *)text->data, (unsigned)text->len };
}

static enum status
read_certificates(const struct part *part, unsigned flags,
    struct certificates *out, struct error *err)
{
	struct buffer text;
	enum status status = read_part(part, &text, err);
	gnutls_datum_t datum;
	int code;

	if (status != STATUS_OK)
		goto out;
	datum = datum_of(&text);
	code = gnutls_x509_crt_list_import2(
	    &out->items, &out->count, &datum, GNUTLS_X509_FMT_PEM, flags);
	if (code < 0)
		status = refuse(part, code, err);
out:
	buffer_clear(&text);
	return status;
}

static void
free_certificates(struct certificates *certificates)
{
	for (unsigned i = 0; i < certificates->count; i++)
		gnutls_x509_crt_deinit(certificates->items[i]);
	gnutls_free(certificates->items);
}

static enum status
read_key(const struct part *part, gnutls_x509_privkey_t *out, struct error *err)
{
	struct buffer text;
	enum status status = read_part(part, &text, err);
	gnutls_datum_t datum;
	int code;

	if (status != STATUS_OK)
		goto out;
	datum = datum_of(&text);
	code = gnutls_x509_privkey_init(out);
	if (code >= 0)
		code = gnutls_x509_privkey_import2(
		    *out, &datum, GNUTLS_X509_FMT_PEM, NULL, 0);
	if (code < 0)
		status = refuse(part, code, err);
out:
	buffer_clear(&text);
	return status;
}

static enum status
load_pair(const struct config *config, struct http_tls *tls, struct error *err)
{
	const struct part certificate = { config,
		&config->ingress.tls.certificate, "certificate" };
	const struct part key = { config, &config->ingress.tls.key, "key" };
	struct certificates chain = { .count = 0 };
	gnutls_x509_privkey_t private = NULL;
	enum status status = read_certificates(
	    &certificate, GNUTLS_X509_CRT_LIST_SORT, &chain, err);
	int code;

	if (status == STATUS_OK)
		status = read_key(&key, &private, err);
	if (status != STATUS_OK)
		goto out;
	code = gnutls_certificate_set_x509_key(
	    tls->credentials, chain.items, (int)chain.count, private);
	if (code < 0)
		status = refuse(&key, code, err);
out:
	gnutls_x509_privkey_deinit(private);
	free_certificates(&chain);
	return status;
}

static enum status
load_client_ca(
    const struct config *config, struct http_tls *tls, struct error *err)
{
	const struct part client_ca = { config, &config->ingress.tls.client_ca,
		"client_ca" };
	struct certificates authorities = { .count = 0 };
	enum status status;
	int code;

	if (client_ca.file->path == NULL)
		return STATUS_OK;
	status = read_certificates(&client_ca, 0, &authorities, err);
	if (status != STATUS_OK)
		return status;
	code = gnutls_certificate_set_x509_trust(
	    tls->credentials, authorities.items, (int)authorities.count);
	if (code < 0)
		status = refuse(&client_ca, code, err);
	tls->request = GNUTLS_CERT_REQUEST;
	free_certificates(&authorities);
	return status;
}

enum status
http_tls_open(
    const struct config *config, struct http_tls **out_tls, struct error *err)
{
	struct http_tls *tls;
	enum status status;

	*out_tls = NULL;
	if (config->ingress.tls.certificate.path == NULL)
		return STATUS_OK;
	tls = calloc(1, sizeof(*tls));
	if (tls == NULL)
		return error_set(err, STATUS_NO_MEMORY, "no memory");
	atomic_init(&tls->holders, 1);
	tls->request = GNUTLS_CERT_IGNORE;
	if (gnutls_certificate_allocate_credentials(&tls->credentials) < 0) {
		free(tls);
		return error_set(err, STATUS_NO_MEMORY, "no memory");
	}
	status = load_pair(config, tls, err);
	if (status == STATUS_OK)
		status = load_client_ca(config, tls, err);
	if (status != STATUS_OK) {
		http_tls_release(tls);
		return status;
	}
	*out_tls = tls;
	return STATUS_OK;
}

enum status
http_tls_check(const struct config *config, struct error *err)
{
	struct http_tls *tls = NULL;
	const enum status status = http_tls_open(config, &tls, err);

	http_tls_release(tls);
	return status;
}

struct http_tls *
http_tls_hold(struct http_tls *tls)
{
	if (tls != NULL)
		atomic_fetch_add(&tls->holders, 1);
	return tls;
}

void
http_tls_release(struct http_tls *tls)
{
	if (tls == NULL || atomic_fetch_sub(&tls->holders, 1) != 1)
		return;
	gnutls_certificate_free_credentials(tls->credentials);
	free(tls);
}

struct http_tls_connection *
http_tls_begin(struct http_tls *tls, void *session)
{
	struct http_tls_connection *connection = calloc(1, sizeof(*connection));

	if (connection == NULL)
		return NULL;
	connection->tls = http_tls_hold(tls);
	connection->session = session;
	buffer_init(&connection->subject, CONFIG_TEXT_MAX);
	/* Should this fail, the session keeps what libmicrohttpd gave it, and
	 * that has no certificate. */
	(void)gnutls_credentials_set(
	    session, GNUTLS_CRD_CERTIFICATE, tls->credentials);
	gnutls_certificate_server_set_request(session, tls->request);
	return connection;
}

void
http_tls_end(struct http_tls_connection *connection)
{
	if (connection == NULL)
		return;
	buffer_clear(&connection->subject);
	http_tls_release(connection->tls);
	free(connection);
}

static void
verify(struct http_tls_connection *connection)
{
	gnutls_typed_vdata_st purpose = {
		.type = GNUTLS_DT_KEY_PURPOSE_OID,
		.data = (unsigned char *)(uintptr_t)GNUTLS_KP_TLS_WWW_CLIENT,
	};
	unsigned count = 0, problems = 0;
	const gnutls_datum_t *chain = gnutls_certificate_get_peers(
	    connection->session, &count);
	struct view certificate;

	if (chain == NULL || count == 0 ||
	    gnutls_certificate_verify_peers(
		connection->session, &purpose, 1, &problems) < 0 ||
	    problems != 0)
		return;
	certificate = (struct view){ (const char *)chain[0].data,
		chain[0].size };
	if (certificate_subject(certificate, &connection->subject) != STATUS_OK)
		buffer_reset(&connection->subject);
}

/* Validity is counted in seconds: within one of them nothing can change. */
struct view
http_tls_subject(struct http_tls_connection *connection)
{
	const time_t now = time(NULL);

	if (connection->verified != now) {
		buffer_reset(&connection->subject);
		verify(connection);
		connection->verified = now;
	}
	return buffer_view(&connection->subject);
}

static int
give_none(gnutls_session_t session, const gnutls_datum_t *authorities,
    int authority_count, const gnutls_pk_algorithm_t *algorithms,
    int algorithm_count, gnutls_pcert_st **certificates,
    unsigned *certificate_count, gnutls_privkey_t *key)
{
	(void)session;
	(void)authorities;
	(void)authority_count;
	(void)algorithms;
	(void)algorithm_count;
	(void)certificates;
	(void)certificate_count;
	(void)key;
	return -1;
}

void *
http_tls_no_certificate(void)
{
	gnutls_certificate_retrieve_function2 *const callback = give_none;

	return (void *)(intptr_t)callback;
}
