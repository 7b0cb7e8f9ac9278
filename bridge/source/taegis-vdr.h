/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VULNBUS_SOURCE_TAEGIS_VDR_H
#define VULNBUS_SOURCE_TAEGIS_VDR_H

#include "vulnbus/source.h"

extern const struct source source_taegis_vdr;

/* The normalised word of an export's status; empty when it is not known. */
struct view
taegis_vdr_export_state(const struct source_reply *reply);

enum status
taegis_vdr_enrich(const struct event *event,
    const struct source_replies *replies, struct tree *body,
    enum source_record *out_record, struct error *err);

#endif
