/* SPDX-License-Identifier: Apache-2.0
 *
 * What ES512 costs at the least: EVP_DigestVerify with a cached key, one
 * context per call, nothing around it. Prints CPU microseconds per call.
 *
 * usage: bench-verify KEY.pem TOKENS SECONDS */
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "vulnbus/base64url.h"

#define TOKENS_MAX 4096

struct prepared {
	char *message;
	size_t message_len;
	unsigned char *der;
	int der_len;
};

static double
cpu_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static struct prepared
prepare(char *token)
{
	char *dot = strrchr(token, '.');
	struct prepared p = { .message = token,
		.message_len = (size_t)(dot - token) };
	struct buffer raw;
	ECDSA_SIG *sig = ECDSA_SIG_new();

	buffer_init(&raw, 256);
	if (base64url_decode(view_of(dot + 1), &raw) != STATUS_OK ||
	    raw.len != 132)
		abort();
	ECDSA_SIG_set0(sig, BN_bin2bn((unsigned char *)raw.data, 66, NULL),
	    BN_bin2bn((unsigned char *)raw.data + 66, 66, NULL));
	p.der_len = i2d_ECDSA_SIG(sig, &p.der);
	ECDSA_SIG_free(sig);
	buffer_clear(&raw);
	return p;
}

int
main(int argc, char **argv)
{
	static struct prepared tokens[TOKENS_MAX];
	size_t count = 0;
	unsigned long done = 0;
	double began, used;
	char *line = NULL;
	size_t size = 0;
	EVP_PKEY *key;
	FILE *file;

	if (argc != 4)
		return 64;
	file = fopen(argv[1], "r");
	key = file == NULL ? NULL : PEM_read_PUBKEY(file, NULL, NULL, NULL);
	if (key == NULL)
		return 66;
	fclose(file);
	file = fopen(argv[2], "r");
	while (file != NULL && count < TOKENS_MAX &&
	       getline(&line, &size, file) > 0) {
		line[strcspn(line, "\n")] = '\0';
		tokens[count++] = prepare(strdup(line));
	}
	if (count == 0)
		return 66;
	began = cpu_seconds();
	do {
		const struct prepared *p = &tokens[done++ % count];
		EVP_MD_CTX *ctx = EVP_MD_CTX_new();

		if (EVP_DigestVerifyInit(ctx, NULL, EVP_sha512(), NULL, key) !=
			1 ||
		    EVP_DigestVerify(ctx, p->der, (size_t)p->der_len,
			(const unsigned char *)p->message, p->message_len) != 1)
			return 1;
		EVP_MD_CTX_free(ctx);
		used = cpu_seconds() - began;
	} while (used < strtod(argv[3], NULL));
	printf("%.3f\n", used * 1e6 / (double)done);
	return 0;
}
