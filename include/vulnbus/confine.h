/* SPDX-License-Identifier: Apache-2.0
 *
 * What of the machine a daemon keeps, by its configuration (sandbox.h). */
#ifndef VULNBUS_CONFINE_H
#define VULNBUS_CONFINE_H

#include "vulnbus/sandbox.h"

enum confined { CONFINED_INGRESS, CONFINED_ENRICHER };

/* Before the first thread. From now on it reads the folders of the files that
 * `config` names and writes those that it must; what a later configuration
 * names elsewhere cannot be read. Statuses of sandbox_enter. */
enum status
confine(const struct config *config, enum confined daemon,
    struct error *err) MUST_CHECK;

#endif
