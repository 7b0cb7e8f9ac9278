/* SPDX-License-Identifier: Apache-2.0
 *
 * The admin port of both daemons: /metrics, /healthz, /readyz, and the status
 * page / with what it reads, /overview.json. */
#ifndef VULNBUS_ADMIN_H
#define VULNBUS_ADMIN_H

#include "vulnbus/http_server.h"
#include "vulnbus/overview.h"

/* Whether the daemon can take work; any thread. */
typedef bool
admin_ready_f(void *arg);

struct admin {
	struct overview *overview; /* borrowed */
	admin_ready_f *is_ready;
	void *arg;
	struct http_server *server;
};

/* Opens the port. `admin` must outlive it. */
enum status
admin_open(
    struct admin *admin, const char *listen, struct error *err) MUST_CHECK;

void
admin_close(struct admin *admin);

#endif
