/* SPDX-License-Identifier: Apache-2.0
 *
 * The public keys of all sources that sign: from files, from the vendor, from
 * the last good ones on disk. One thread of its own fetches; any thread may
 * ask. */
#ifndef VULNBUS_KEYS_H
#define VULNBUS_KEYS_H

#include "vulnbus/binding.h"
#include "vulnbus/jws.h"

struct keyring; /* of all sources */

/* Reads key files and the state directory, takes over what `former` (or NULL)
 * had fetched for sources that are still at the same place, starts the thread
 * and the first fetches. An unreadable key file is STATUS_INVALID. `bindings`
 * must outlive the keyring. */
enum status
keyring_open(const struct config *config, const struct bindings *bindings,
    struct keyring *former, struct keyring **out_keyring,
    struct error *err) MUST_CHECK;

/* Nobody waits any more when this returns: all were called. */
void
keyring_close(struct keyring **keyring);

/* Verifies with the keys that are valid now. STATUS_OK, STATUS_UNPROVED, or
 * STATUS_UNAVAILABLE when no key is loaded yet. */
enum status
keyring_verify(struct keyring *keyring, const struct binding *binding,
    const struct jws *jws) MUST_CHECK;

/* Called on the keyring's thread. */
typedef void
keyring_ready_f(void *arg);

/* After a failed verification: asks the vendor for its key, at most once per
 * signature.refetch_every, and calls `on_ready` when the answer is in. False,
 * and no call, when there is nothing to wait for. */
bool
keyring_wait(struct keyring *keyring, const struct binding *binding,
    keyring_ready_f *on_ready, void *arg);

/* Every source has a key. */
bool
keyring_is_ready(struct keyring *keyring);

#endif
