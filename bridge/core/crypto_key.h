/* SPDX-License-Identifier: Apache-2.0
 *
 * What the two doors to OpenSSL ask of a key. */
#ifndef CRYPTO_KEY_H
#define CRYPTO_KEY_H

#include <stdbool.h>

struct evp_pkey_st;

/* One key, one algorithm (RFC 8725 section 3.1): only P-521 gets in. */
bool
crypto_is_p521(const struct evp_pkey_st *pkey);

/* In place of OpenSSL's own pem_password_cb, which asks on the terminal. */
int
crypto_no_passphrase(char *out, int size, int is_writing, void *arg);

#endif
