/* SPDX-License-Identifier: Apache-2.0
 *
 * What of the machine a daemon keeps, by its configuration (sandbox.h). */
#ifndef VULNBUS_CONFINE_H
#define VULNBUS_CONFINE_H

#include "vulnbus/sandbox.h"

enum confined { CONFINED_INGRESS, CONFINED_ENRICHER };

/* Before the first thread, and once. From now on it reads the folders of the
 * files that `config` names and writes those that it must. Statuses of
 * sandbox_enter. */
enum status
confine(const struct config *config, enum confined daemon,
    struct error *err) MUST_CHECK;

/* Whether `loaded`, which could be read, can also be used by an enricher that
 * was confined with `config`: STATUS_UNAVAILABLE when a file that is read or
 * written later is out of reach. */
enum status
confine_check(const struct config *config, const struct config *loaded,
    struct error *err) MUST_CHECK;

/* Whether `why` may be the sandbox: it speaks of a file that may not be read.
 */
bool
confine_is_why(const struct error *why);

#endif
