/* SPDX-License-Identifier: Apache-2.0
 *
 * The inside of the keyring: one source's keys, where they come from at start
 * and where the last good ones are kept. For keys.c and ring.c alone. */
#ifndef VULNBUS_RING_H
#define VULNBUS_RING_H

#include <pthread.h>

#include "vulnbus/http_client.h"
#include "vulnbus/key_set.h"
#include "vulnbus/keys.h"

#define RING_NEVER     INT64_MAX
#define RING_URL_BYTES 2048

struct waiter {
	keyring_ready_f *on_ready;
	void *arg;
};

/* One source's keys. All but the constants are under the keyring's lock. */
struct ring {
	struct keyring *keyring;
	const struct binding *binding;
	bool is_fetched; /* from the vendor; otherwise from files */
	struct key_set set;
	int64_t known_ms; /* wall clock: when they were fetched or written */
	struct waiter *waiters;
	size_t waiter_count;
	struct http_call *call; /* the keyring's thread only */
	bool is_fetching;
	int64_t fetch_at_ms;     /* when to begin the next fetch */
	int64_t refetched_at_ms; /* last one a bad signature asked for */
	uint32_t failures;
};

struct keyring {
	const struct config *config;
	struct ring *rings;
	size_t count;
	struct http_client *client;
	pthread_t thread;
	pthread_rwlock_t lock;
	bool is_stopping;
};

const char *
ring_name(const struct ring *ring);

/* Where its keys are fetched from; false when that is too long. */
bool
ring_url(const struct ring *ring, char out[RING_URL_BYTES]) MUST_CHECK;

/* Keys from the configured files, or what `former` (or NULL) had fetched, or
 * the last good ones on disk. */
enum status
ring_open(
    struct ring *ring, struct keyring *former, struct error *err) MUST_CHECK;

/* `keys` are the current ones now; under the keyring's lock. Returns whether
 * any is new. */
bool
ring_replace(struct ring *ring, const struct jws_keys *keys);

/* The metrics of its keys, also when there are none; under the keyring's lock.
 */
void
ring_measure(const struct ring *ring);

/* The last good keys, so that a restart needs no vendor; under a name that
 * holds a digest of ring_url. */
void
ring_save(const struct ring *ring, const struct jws_keys *keys);

#endif
