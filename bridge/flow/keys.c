/* SPDX-License-Identifier: Apache-2.0 */
#include "vulnbus/keys.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vulnbus/http_client.h"
#include "vulnbus/key_file.h"
#include "vulnbus/log.h"
#include "vulnbus/metrics.h"
#include "vulnbus/timestamp.h"

#define FETCH_TIMEOUT_MS 10000
#define RETRY_FROM_MS    1000
#define RETRY_TO_MS      60000
#define WAITERS_MAX      1024
#define NEVER            INT64_MAX

struct waiter {
	keyring_ready_f *on_ready;
	void *arg;
};

/* One source's keys. All but the constants are under the keyring's lock. */
struct ring {
	struct keyring *keyring;
	const struct binding *binding;
	bool is_fetched; /* from the vendor; otherwise from files */
	struct es512_key *keys[JWS_KEYS_MAX];
	int64_t valid_until_ms[JWS_KEYS_MAX]; /* steady clock */
	size_t count;
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

static const char *
name_of(const struct ring *ring)
{
	return ring->binding->config->name;
}

static void
forget(struct ring *ring, size_t index)
{
	es512_key_free(ring->keys[index]);
	ring->count--;
	memmove(&ring->keys[index], &ring->keys[index + 1],
	    (ring->count - index) * sizeof(*ring->keys));
	memmove(&ring->valid_until_ms[index], &ring->valid_until_ms[index + 1],
	    (ring->count - index) * sizeof(*ring->valid_until_ms));
}

static void
drop_expired(struct ring *ring, int64_t now_ms)
{
	for (size_t i = ring->count; i-- > 0;)
		if (ring->valid_until_ms[i] <= now_ms)
			forget(ring, i);
}

static bool
renew(struct ring *ring, const struct es512_key *key)
{
	for (size_t i = 0; i < ring->count; i++)
		if (es512_key_equal(ring->keys[i], key)) {
			ring->valid_until_ms[i] = NEVER;
			return true;
		}
	return false;
}

/* The keys that count now. Those that were current and are no longer named
 * stay valid for the overlap, so that what was signed before a rotation and
 * arrives after it still gets in. Returns whether anything is new. */
static bool
replace(struct ring *ring, const struct jws_keys *keys, int64_t now_ms)
{
	const int64_t overlap_end_ms =
	    now_ms + ring->binding->config->signature.overlap_ms;
	bool is_new = false;

	for (size_t i = 0; i < ring->count; i++)
		if (ring->valid_until_ms[i] == NEVER)
			ring->valid_until_ms[i] = overlap_end_ms;
	for (size_t i = 0; i < keys->count; i++) {
		if (renew(ring, keys->items[i]))
			continue;
		is_new = true;
		if (ring->count == JWS_KEYS_MAX)
			forget(ring, 0); /* the oldest */
		ring->keys[ring->count] = es512_key_hold(keys->items[i]);
		ring->valid_until_ms[ring->count++] = NEVER;
	}
	drop_expired(ring, now_ms);
	metric_set(METRIC_KEYS, name_of(ring), NULL, (int64_t)ring->count);
	return is_new;
}

static bool
state_path(const struct ring *ring, char out[4096])
{
	const char *dir = ring->keyring->config->ingress.state_dir;

	return dir != NULL &&
	       snprintf(out, 4096, "%s/%s.keys.pem", dir, name_of(ring)) < 4096;
}

/* The last good keys, so that a restart needs no vendor. */
static void
save(const struct ring *ring, const struct jws_keys *keys)
{
	char path[4096];
	struct error err;

	if (!state_path(ring, path) ||
	    key_file_write(path, keys, &err) == STATUS_OK)
		return;
	LOG_WARN("key not kept on disk", LOG_TEXT("source", name_of(ring)),
	    LOG_TEXT("error.message", err.text));
}

static enum status
load_files(struct ring *ring, struct error *err)
{
	const struct config_list *files =
	    &ring->binding->config->signature.key_files;
	struct jws_keys keys = { .count = 0 };
	enum status status = STATUS_OK;

	for (size_t i = 0; status == STATUS_OK && i < files->count; i++)
		status = key_file_read(files->items[i], &keys, err);
	if (status == STATUS_OK)
		replace(ring, &keys, clock_steady_ms());
	jws_keys_clear(&keys);
	if (status == STATUS_OK)
		return STATUS_OK;
	return error_add(
	    err, STATUS_INVALID, "source \"%s\": key_files", name_of(ring));
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
	if (status == STATUS_OK)
		replace(ring, &keys, clock_steady_ms());
	else if (status != STATUS_MISSING)
		LOG_WARN("kept key not usable",
		    LOG_TEXT("source", name_of(ring)),
		    LOG_TEXT("error.message", err.text));
	jws_keys_clear(&keys);
}

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

/* Backs off while the vendor does not answer and no key is known. */
static void
note_failure(struct ring *ring, const char *why)
{
	const uint32_t shift = ring->failures < 6 ? ring->failures : 6;
	int64_t wait_ms = (int64_t)RETRY_FROM_MS << shift;

	if (wait_ms > RETRY_TO_MS)
		wait_ms = RETRY_TO_MS;
	pthread_rwlock_wrlock(&ring->keyring->lock);
	ring->failures++;
	ring->fetch_at_ms = clock_steady_ms() + wait_ms;
	pthread_rwlock_unlock(&ring->keyring->lock);
	metric_add(METRIC_KEY_FETCHES, name_of(ring), "failed", 1);
	LOG_WARN("key not fetched", LOG_TEXT("source", name_of(ring)),
	    LOG_TEXT("error.message", why));
}

static void
note_keys(struct ring *ring, const struct jws_keys *keys)
{
	bool is_new;

	pthread_rwlock_wrlock(&ring->keyring->lock);
	is_new = replace(ring, keys, clock_steady_ms());
	ring->failures = 0;
	ring->fetch_at_ms = NEVER;
	pthread_rwlock_unlock(&ring->keyring->lock);
	metric_add(METRIC_KEY_FETCHES, name_of(ring), "fetched", 1);
	if (!is_new)
		return;
	save(ring, keys);
	LOG_INFO("key fetched", LOG_TEXT("source", name_of(ring)),
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
	const char *path =
	    source->signature.key_path != NULL
		? source->signature.key_path
		: ring->binding->contract->authentication.key_path;
	char url[2048];
	struct error err = { "the address is too long" };
	const int len = snprintf(
	    url, sizeof(url), "%s%s", ring->binding->base_url, path);
	const struct http_call_options options = {
		.url = url,
		.ca_file = source->ca_file,
		.timeout_ms = FETCH_TIMEOUT_MS,
		.body_bytes_max = KEY_FILE_BYTES_MAX,
		.on_done = on_fetched,
		.arg = ring,
	};

	if (len > 0 && (size_t)len < sizeof(url) &&
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
		drop_expired(ring, now_ms);
		is_due = ring->call == NULL && ring->fetch_at_ms <= now_ms;
		if (is_due) {
			ring->fetch_at_ms = NEVER;
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

/* What the former keyring had fetched for the same source. */
static void
adopt(struct ring *ring, struct keyring *former)
{
	struct ring *old = NULL;

	for (size_t i = 0; former != NULL && i < former->count; i++)
		if (strcmp(name_of(&former->rings[i]), name_of(ring)) == 0 &&
		    strcmp(former->rings[i].binding->base_url,
			ring->binding->base_url) == 0)
			old = &former->rings[i];
	if (old == NULL)
		return;
	pthread_rwlock_rdlock(&former->lock);
	ring->count = old->count;
	for (size_t i = 0; i < old->count; i++) {
		ring->keys[i] = es512_key_hold(old->keys[i]);
		ring->valid_until_ms[i] = old->valid_until_ms[i];
	}
	pthread_rwlock_unlock(&former->lock);
}

static enum status
open_ring(struct ring *ring, struct keyring *former, struct error *err)
{
	ring->fetch_at_ms = NEVER;
	ring->refetched_at_ms = INT64_MIN / 2;
	if (ring->binding->contract->authentication.proof !=
	    SOURCE_PROOF_JWS_ES512)
		return STATUS_OK;
	if (ring->binding->config->signature.key_files.count > 0)
		return load_files(ring, err);
	ring->is_fetched = true;
	ring->fetch_at_ms = 0;
	adopt(ring, former);
	if (ring->count == 0)
		load_saved(ring);
	return STATUS_OK;
}

static void
keyring_free(struct keyring *keyring)
{
	http_client_close(&keyring->client);
	for (size_t i = 0; i < keyring->count; i++) {
		while (keyring->rings[i].count > 0)
			forget(&keyring->rings[i], 0);
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
		status = open_ring(&keyring->rings[i], former, err);
	}
	if (status == STATUS_OK &&
	    pthread_create(&keyring->thread, NULL, run, keyring) != 0)
		status = error_set(err, STATUS_NO_MEMORY, "no thread");
	if (status != STATUS_OK) {
		keyring_free(keyring);
		return status;
	}
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
	struct es512_key *keys[JWS_KEYS_MAX];
	size_t count = 0;
	enum status status;

	/* A verification takes a third of a millisecond: the keys are held,
	 * not the lock. */
	pthread_rwlock_rdlock(&keyring->lock);
	for (size_t i = 0; i < ring->count; i++)
		if (ring->valid_until_ms[i] > now_ms)
			keys[count++] = es512_key_hold(ring->keys[i]);
	pthread_rwlock_unlock(&keyring->lock);
	status = count == 0 ? STATUS_UNAVAILABLE : jws_verify(jws, keys, count);
	for (size_t i = 0; i < count; i++)
		es512_key_free(keys[i]);
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
		    ring->count == 0)
			is_ready = false;
	}
	pthread_rwlock_unlock(&keyring->lock);
	return is_ready;
}
