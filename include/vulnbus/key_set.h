/* SPDX-License-Identifier: Apache-2.0
 *
 * The public keys of one source over time: those that are current, and those
 * that were, for as long as what they signed may still arrive. */
#ifndef VULNBUS_KEY_SET_H
#define VULNBUS_KEY_SET_H

#include "vulnbus/jws.h"

struct key_set {
	struct es512_key *keys[JWS_KEYS_MAX]; /* owned */
	int64_t valid_until_ms[JWS_KEYS_MAX]; /* steady clock */
	size_t count;
};

void
key_set_clear(struct key_set *set);

/* `keys` are the current ones now; those that were and are not among them
 * stay valid for `overlap_ms`, the first to expire making room. Returns
 * whether any is new. */
bool
key_set_replace(struct key_set *set, const struct jws_keys *keys,
    int64_t overlap_ms, int64_t now_ms);

/* Whether there were any. */
bool
key_set_drop_expired(struct key_set *set, int64_t now_ms);

/* The keys valid at `now_ms`, each held for the caller, who frees them with
 * jws_keys_clear. */
void
key_set_hold(
    const struct key_set *set, int64_t now_ms, struct jws_keys *out_keys);

/* `to` must be empty. */
void
key_set_copy(const struct key_set *from, struct key_set *to);

#endif
