/* SPDX-License-Identifier: Apache-2.0 */
#include "vulnbus/ring.h"

#include <pthread.h>
#include <stdlib.h>

#include "vulnbus/key_file.h"
#include "vulnbus/log.h"
#include "vulnbus/metrics.h"
#include "vulnbus/timestamp.h"

#define FETCH_TIMEOUT_MS 10000
#define RETRY_FROM_MS    1000
#define RETRY_TO_MS      60000
#define WAITERS_MAX      1024

static void
call_waiters(struct ring *ring)
{
	struct waiter *waiters;
	size_t count;

	pthread_rwlock_wrlock(&ring->keyring->lock);
	waiters = ring->waiters;
	count = ring->waiter_count;
	ring->waiters = NULL;
	ring->waiter_count = 0;
	ring->is_fetching = false;
	pthread_rwlock_unlock(&ring->keyring->lock);
	for (size_t i = 0; i < count; i++)
		waiters[i].on_ready(waiters[i].arg);
	free(waiters);
}

/* Backs off while the vendor does not answer and no key is known. With a key
 * the next fetch is one that a bad signature asks for. */
static void
note_failure(struct ring *ring, const char *why)
{
	const uint32_t shift = ring->failures < 6 ? ring->failures : 6;
	int64_t wait_ms = (int64_t)RETRY_FROM_MS << shift;

	if (wait_ms > RETRY_TO_MS)
		wait_ms = RETRY_TO_MS;
	pthread_rwlock_wrlock(&ring->keyring->lock);
	ring->failures++;
	ring->fetch_at_ms = ring->set.count > 0 ? RING_NEVER
						: clock_steady_ms() + wait_ms;
	pthread_rwlock_unlock(&ring->keyring->lock);
	metric_add(METRIC_KEY_FETCHES, ring_name(ring), "failed", 1);
	LOG_WARN("key not fetched", LOG_TEXT("source", ring_name(ring)),
	    LOG_TEXT("error.message", why));
}

static void
note_keys(struct ring *ring, const struct jws_keys *keys)
{
	bool is_new;

	pthread_rwlock_wrlock(&ring->keyring->lock);
	is_new = ring_replace(ring, keys);
	ring->known_ms = clock_wall_ms();
	ring_measure(ring);
	ring->failures = 0;
	ring->fetch_at_ms = RING_NEVER;
	pthread_rwlock_unlock(&ring->keyring->lock);
	metric_add(METRIC_KEY_FETCHES, ring_name(ring), "fetched", 1);
	if (!is_new)
		return;
	ring_save(ring, keys);
	LOG_INFO("key fetched", LOG_TEXT("source", ring_name(ring)),
	    LOG_INT("keys", (int64_t)keys->count));
}

static void
on_fetched(struct http_call *call, const struct http_reply *reply, void *arg)
{
	struct ring *ring = arg;
	struct jws_keys keys = { .count = 0 };
	struct error err;

	(void)call;
	ring->call = NULL;
	if (reply->error != NULL)
		note_failure(ring, reply->error);
	else if (reply->is_elsewhere)
		note_failure(ring, "redirected to another host");
	else if (reply->code != 200)
		note_failure(ring, "the vendor's answer is not 200");
	else if (jws_keys_read(reply->body, &keys, &err) != STATUS_OK)
		note_failure(ring, err.text);
	else
		note_keys(ring, &keys);
	jws_keys_clear(&keys);
	call_waiters(ring);
}

static void
start_fetch(struct ring *ring)
{
	const struct config_source *source = ring->binding->config;
	char url[RING_URL_BYTES];
	struct error err = { "the address is too long" };
	const struct http_call_options options = {
		.url = url,
		.ca_file = source->ca_file,
		.timeout_ms = FETCH_TIMEOUT_MS,
		.body_bytes_max = KEY_FILE_BYTES_MAX,
		.on_done = on_fetched,
		.arg = ring,
	};

	if (ring_url(ring, url) &&
	    http_client_start(ring->keyring->client, &options, &ring->call,
		&err) == STATUS_OK)
		return;
	note_failure(ring, err.text);
	call_waiters(ring);
}

/* Starts what is due; returns how long nothing else will be. */
static uint32_t
start_due(struct keyring *keyring)
{
	int64_t next_ms = clock_steady_ms() + 1000;

	for (size_t i = 0; i < keyring->count; i++) {
		struct ring *ring = &keyring->rings[i];
		const int64_t now_ms = clock_steady_ms();
		bool is_due = false;

		pthread_rwlock_wrlock(&keyring->lock);
		if (key_set_drop_expired(&ring->set, now_ms))
			ring_measure(ring);
		is_due = ring->call == NULL && ring->fetch_at_ms <= now_ms;
		if (is_due) {
			ring->fetch_at_ms = RING_NEVER;
			ring->is_fetching = true;
		} else if (ring->fetch_at_ms < next_ms) {
			next_ms = ring->fetch_at_ms;
		}
		pthread_rwlock_unlock(&keyring->lock);
		if (is_due)
			start_fetch(ring);
	}
	next_ms -= clock_steady_ms();
	return next_ms > 0 ? (uint32_t)next_ms : 0;
}

static bool
is_stopping(struct keyring *keyring)
{
	bool answer;

	pthread_rwlock_rdlock(&keyring->lock);
	answer = keyring->is_stopping;
	pthread_rwlock_unlock(&keyring->lock);
	return answer;
}

static void *
run(void *arg)
{
	struct keyring *keyring = arg;

	while (!is_stopping(keyring))
		http_client_poll(keyring->client, -1, start_due(keyring));
	for (size_t i = 0; i < keyring->count; i++)
		call_waiters(&keyring->rings[i]);
	return NULL;
}

static void
keyring_free(struct keyring *keyring)
{
	http_client_close(&keyring->client);
	for (size_t i = 0; i < keyring->count; i++) {
		key_set_clear(&keyring->rings[i].set);
		free(keyring->rings[i].waiters);
	}
	pthread_rwlock_destroy(&keyring->lock);
	free(keyring->rings);
	free(keyring);
}

enum status
keyring_open(const struct config *config, const struct bindings *bindings,
    struct keyring *former, struct keyring **out_keyring, struct error *err)
{
	struct keyring *keyring = calloc(1, sizeof(*keyring));
	enum status status;

	if (keyring == NULL)
		return error_set(err, STATUS_NO_MEMORY, "no memory");
	pthread_rwlock_init(&keyring->lock, NULL);
	keyring->config = config;
	keyring->rings = calloc(bindings->count + 1, sizeof(struct ring));
	status = keyring->rings == NULL
		     ? error_set(err, STATUS_NO_MEMORY, "no memory")
		     : http_client_open(&keyring->client, err);
	for (size_t i = 0; status == STATUS_OK && i < bindings->count; i++) {
		keyring->rings[i].keyring = keyring;
		keyring->rings[i].binding = &bindings->items[i];
		keyring->count++;
		status = ring_open(&keyring->rings[i], former, err);
	}
	if (status == STATUS_OK &&
	    pthread_create(&keyring->thread, NULL, run, keyring) != 0)
		status = error_set(err, STATUS_NO_MEMORY, "no thread");
	if (status != STATUS_OK) {
		keyring_free(keyring);
		return status;
	}
	/* Not of one that was refused: the former's are still in use then. */
	pthread_rwlock_rdlock(&keyring->lock);
	for (size_t i = 0; i < keyring->count; i++)
		ring_measure(&keyring->rings[i]);
	pthread_rwlock_unlock(&keyring->lock);
	*out_keyring = keyring;
	return STATUS_OK;
}

void
keyring_close(struct keyring **keyring)
{
	if (*keyring == NULL)
		return;
	pthread_rwlock_wrlock(&(*keyring)->lock);
	(*keyring)->is_stopping = true;
	pthread_rwlock_unlock(&(*keyring)->lock);
	http_client_wake((*keyring)->client);
	pthread_join((*keyring)->thread, NULL);
	keyring_free(*keyring);
	*keyring = NULL;
}

static struct ring *
ring_of(struct keyring *keyring, const struct binding *binding)
{
	for (size_t i = 0; i < keyring->count; i++)
		if (keyring->rings[i].binding == binding)
			return &keyring->rings[i];
	return NULL;
}

enum status
keyring_verify(struct keyring *keyring, const struct binding *binding,
    const struct jws *jws)
{
	const struct ring *ring = ring_of(keyring, binding);
	const int64_t now_ms = clock_steady_ms();
	struct jws_keys keys;
	enum status status;

	/* A verification takes a third of a millisecond: the keys are held,
	 * not the lock. */
	pthread_rwlock_rdlock(&keyring->lock);
	key_set_hold(&ring->set, now_ms, &keys);
	pthread_rwlock_unlock(&keyring->lock);
	status = keys.count == 0 ? STATUS_UNAVAILABLE
				 : jws_verify(jws, keys.items, keys.count);
	jws_keys_clear(&keys);
	return status;
}

static bool
add_waiter(struct ring *ring, keyring_ready_f *on_ready, void *arg)
{
	struct waiter *waiters;

	if (ring->waiter_count == WAITERS_MAX)
		return false;
	waiters = realloc(
	    ring->waiters, (ring->waiter_count + 1) * sizeof(*waiters));
	if (waiters == NULL)
		return false;
	ring->waiters = waiters;
	ring->waiters[ring->waiter_count++] = (struct waiter){ on_ready, arg };
	return true;
}

bool
keyring_wait(struct keyring *keyring, const struct binding *binding,
    keyring_ready_f *on_ready, void *arg)
{
	struct ring *ring = ring_of(keyring, binding);
	const int64_t now_ms = clock_steady_ms();
	bool is_waiting = false, is_asking;

	pthread_rwlock_wrlock(&keyring->lock);
	/* A fetch under way began before this signature was seen to be bad,
	 * but its answer is as new as can be. */
	is_asking = ring->is_fetched && !keyring->is_stopping &&
		    !ring->is_fetching && ring->fetch_at_ms > now_ms &&
		    now_ms - ring->refetched_at_ms >=
			ring->binding->config->signature.refetch_every_ms;
	if (ring->is_fetched && !keyring->is_stopping &&
	    (is_asking || ring->is_fetching || ring->fetch_at_ms <= now_ms))
		is_waiting = add_waiter(ring, on_ready, arg);
	if (is_waiting && is_asking) {
		ring->refetched_at_ms = now_ms;
		ring->fetch_at_ms = now_ms;
	}
	pthread_rwlock_unlock(&keyring->lock);
	if (is_waiting)
		http_client_wake(keyring->client);
	return is_waiting;
}

bool
keyring_is_ready(struct keyring *keyring)
{
	bool is_ready = true;

	pthread_rwlock_rdlock(&keyring->lock);
	for (size_t i = 0; i < keyring->count; i++) {
		const struct ring *ring = &keyring->rings[i];

		if (ring->binding->contract->authentication.proof ==
			SOURCE_PROOF_JWS_ES512 &&
		    ring->set.count == 0)
			is_ready = false;
	}
	pthread_rwlock_unlock(&keyring->lock);
	return is_ready;
}
