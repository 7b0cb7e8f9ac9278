/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VULNBUS_SOURCE_PROBELY_H
#define VULNBUS_SOURCE_PROBELY_H

#include "vulnbus/source.h"

extern const struct source source_probely;

extern const struct source_webhook probely_webhooks[];

enum status
probely_enrich(const struct event *event, const struct source_replies *replies,
    struct tree *body, enum source_record *out_record, struct error *err);

#endif
