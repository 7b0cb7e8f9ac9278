/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VULNBUS_SOURCE_SECURITYSCORECARD_H
#define VULNBUS_SOURCE_SECURITYSCORECARD_H

#include "vulnbus/source.h"

extern const struct source source_securityscorecard;

/* "entries" of a page, or the list itself. */
const struct json_value *
securityscorecard_entries(const struct source_reply *reply);

enum status
securityscorecard_enrich(const struct event *event,
    const struct source_replies *replies, struct tree *body,
    enum source_record *out_record, struct error *err);

#endif
