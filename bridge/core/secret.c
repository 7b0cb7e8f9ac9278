/* SPDX-License-Identifier: Apache-2.0
 *
 * A door to OpenSSL: its secure heap (OPENSSL_secure_malloc(3)), one mapping
 * between guard pages, with mlock2 and MADV_DONTDUMP. Once it is there OpenSSL
 * keeps private keys and the state of its random numbers in it, too. */
#include "vulnbus/secret.h"

#include <openssl/crypto.h>
#include <pthread.h>
#include <string.h>

#define HEAP_BYTES  (2u << 20)
#define LEAST_BYTES 64u

static pthread_once_t once = PTHREAD_ONCE_INIT;

/* What fails leaves us with ordinary memory. */
static void
make_heap(void)
{
	if (CRYPTO_secure_malloc_init(HEAP_BYTES, LEAST_BYTES) == 0)
		return;
}

void
secret_begin(void)
{
	pthread_once(&once, make_heap);
}

void *
secret_alloc(size_t bytes)
{
	void *memory = NULL;

	secret_begin();
	/* Half of it is OpenSSL's: without it handshakes would fail. */
	if (CRYPTO_secure_malloc_initialized() && bytes <= HEAP_BYTES / 2 &&
	    CRYPTO_secure_used() <= HEAP_BYTES / 2 - bytes)
		memory = OPENSSL_secure_malloc(bytes);
	return memory != NULL ? memory : OPENSSL_malloc(bytes > 0 ? bytes : 1);
}

char *
secret_copy(struct view text)
{
	char *copy = secret_alloc(text.len + 1);

	if (copy == NULL)
		return NULL;
	if (text.len > 0)
		memcpy(copy, text.data, text.len);
	copy[text.len] = '\0';
	return copy;
}

void
secret_free(void *memory, size_t bytes)
{
	OPENSSL_secure_clear_free(memory, bytes);
}

void
secret_drop(char **text)
{
	if (*text != NULL)
		secret_free(*text, strlen(*text) + 1);
	*text = NULL;
}
