/* SPDX-License-Identifier: Apache-2.0 */
#include "vulnbus/ring.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "vulnbus/crypto.h"
#include "vulnbus/key_file.h"
#include "vulnbus/log.h"
#include "vulnbus/metrics.h"
#include "vulnbus/timestamp.h"

#define DIGEST_CHARS 16

const char *
ring_name(const struct ring *ring)
{
	return ring->binding->config->name;
}

bool
ring_url(const struct ring *ring, char out[RING_URL_BYTES])
{
	const struct binding *binding = ring->binding;
	const char *path = binding->config->signature.key_path;
	int len;

	if (path == NULL)
		path = binding->contract->authentication.key_path;
	len = snprintf(out, RING_URL_BYTES, "%s%s", binding->base_url, path);
	return len > 0 && len < RING_URL_BYTES;
}

static bool
is_signing(const struct ring *ring)
{
	return ring->binding->contract->authentication.proof ==
	       SOURCE_PROOF_JWS_ES512;
}

void
ring_measure(const struct ring *ring)
{
	if (!is_signing(ring))
		return;
	metric_set(
	    METRIC_KEYS, ring_name(ring), NULL, (int64_t)ring->set.count);
	if (ring->set.count > 0)
		metric_set(METRIC_KEY_TIME, ring_name(ring), NULL,
		    ring->known_ms * 1000);
}

bool
ring_replace(struct ring *ring, const struct jws_keys *keys)
{
	return key_set_replace(&ring->set, keys,
	    ring->binding->config->signature.overlap_ms, clock_steady_ms());
}

/* The name says where the keys are from: those of another address are not
 * found under it. */
static bool
state_path(const struct ring *ring, char out[4096])
{
	const char *dir = ring->keyring->config->ingress.state_dir;
	unsigned char digest[SHA256_BYTES];
	char url[RING_URL_BYTES], hex[SHA256_BYTES * 2 + 1];

	if (dir == NULL || !ring_url(ring, url))
		return false;
	sha256_of(view_of(url), digest);
	sha256_hex(digest, hex);
	return snprintf(out, 4096, "%s/%s-%.*s.keys.pem", dir, ring_name(ring),
		   DIGEST_CHARS, hex) < 4096;
}

void
ring_save(const struct ring *ring, const struct jws_keys *keys)
{
	char path[4096];
	struct error err;

	if (!state_path(ring, path) ||
	    key_file_write(path, keys, &err) == STATUS_OK)
		return;
	LOG_WARN("key not kept on disk", LOG_TEXT("source", ring_name(ring)),
	    LOG_TEXT("error.message", err.text));
}

static int64_t
written_ms(const char *path)
{
	struct stat about;

	return stat(path, &about) == 0 ? (int64_t)about.st_mtime * 1000 : 0;
}

static enum status
load_files(struct ring *ring, struct error *err)
{
	const struct config_list *files =
	    &ring->binding->config->signature.key_files;
	struct jws_keys keys = { .count = 0 };
	enum status status = STATUS_OK;

	for (size_t i = 0; status == STATUS_OK && i < files->count; i++) {
		const int64_t at_ms = written_ms(files->items[i]);

		if (at_ms > ring->known_ms)
			ring->known_ms = at_ms;
		status = key_file_read(files->items[i], &keys, err);
	}
	if (status == STATUS_OK)
		ring_replace(ring, &keys);
	jws_keys_clear(&keys);
	if (status == STATUS_OK)
		return STATUS_OK;
	return error_add(
	    err, STATUS_INVALID, "source \"%s\": key_files", ring_name(ring));
}

static void
load_saved(struct ring *ring)
{
	struct jws_keys keys = { .count = 0 };
	struct error err;
	char path[4096];
	enum status status;

	if (!state_path(ring, path))
		return;
	status = key_file_read(path, &keys, &err);
	if (status == STATUS_OK) {
		ring_replace(ring, &keys);
		ring->known_ms = written_ms(path);
	} else if (status != STATUS_MISSING) {
		LOG_WARN("kept key not usable",
		    LOG_TEXT("source", ring_name(ring)),
		    LOG_TEXT("error.message", err.text));
	}
	jws_keys_clear(&keys);
}

static bool
is_same_place(const struct ring *a, const struct ring *b)
{
	char url_a[RING_URL_BYTES], url_b[RING_URL_BYTES];

	return strcmp(ring_name(a), ring_name(b)) == 0 &&
	       strcmp(a->binding->base_url, b->binding->base_url) == 0 &&
	       ring_url(a, url_a) && ring_url(b, url_b) &&
	       strcmp(url_a, url_b) == 0;
}

/* What the former keyring had fetched for the same source from the same
 * address; what it had from files is the operator's to take back. */
static void
adopt(struct ring *ring, struct keyring *former)
{
	struct ring *old = NULL;

	for (size_t i = 0; former != NULL && i < former->count; i++)
		if (former->rings[i].is_fetched &&
		    is_same_place(&former->rings[i], ring))
			old = &former->rings[i];
	if (old == NULL)
		return;
	pthread_rwlock_rdlock(&former->lock);
	key_set_copy(&old->set, &ring->set);
	ring->known_ms = old->known_ms;
	pthread_rwlock_unlock(&former->lock);
}

enum status
ring_open(struct ring *ring, struct keyring *former, struct error *err)
{
	ring->fetch_at_ms = RING_NEVER;
	ring->refetched_at_ms = INT64_MIN / 2;
	if (!is_signing(ring))
		return STATUS_OK;
	if (ring->binding->config->signature.key_files.count > 0)
		return load_files(ring, err);
	ring->is_fetched = true;
	ring->fetch_at_ms = 0;
	adopt(ring, former);
	if (ring->set.count == 0)
		load_saved(ring);
	return STATUS_OK;
}
