/* SPDX-License-Identifier: Apache-2.0
 *
 * Where a partition begins and ends, asked of its leader. Any thread. */
#ifndef VULNBUS_KAFKA_BOUNDS_H
#define VULNBUS_KAFKA_BOUNDS_H

#include <stddef.h>
#include <stdint.h>

#include "vulnbus/status.h"

struct rd_kafka_s;

/* First and next offset, the latter as the client's isolation.level sees it.
 * Each of up to three questions may take `ms`. STATUS_UNAVAILABLE: no answer;
 * the leader was looked up anew, so it is worth asking again. */
enum status
kafka_bounds(struct rd_kafka_s *client, const char *topic, int32_t partition,
    uint32_t ms, int64_t *out_first, int64_t *out_next,
    struct error *err) MUST_CHECK;

/* The next offset of each of the partitions, with one question to each leader.
 * STATUS_UNAVAILABLE: not all of them answered within `ms`. */
enum status
kafka_bounds_ends(struct rd_kafka_s *client, const char *topic,
    const int32_t *partitions, size_t count, uint32_t ms, int64_t *out_ends,
    struct error *err) MUST_CHECK;

/* The offset of the first record that is not older than `timestamp_ms`: all
 * before it are. Without such a record *out_offset stays as it is. */
enum status
kafka_bounds_since(struct rd_kafka_s *client, const char *topic,
    int32_t partition, int64_t timestamp_ms, uint32_t ms, int64_t *out_offset,
    struct error *err) MUST_CHECK;

#endif
