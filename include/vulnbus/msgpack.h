/* SPDX-License-Identifier: Apache-2.0
 *
 * The door to msgpack-c: writes a tree as msgpack and reads one back. */
#ifndef VULNBUS_MSGPACK_H
#define VULNBUS_MSGPACK_H

#include "vulnbus/buffer.h"
#include "vulnbus/tree.h"

enum status
msgpack_write(
    const struct tree *t, struct buffer *out, struct error *err) MUST_CHECK;

/* Texts of the tree are borrowed from `bytes`. The root must be a map, its
 * names texts; nothing may follow. Declared counts are held against the bytes
 * that are there before any memory is taken (msgpack-c allocates what a header
 * claims). bin is read as text, ext is refused, unsigned numbers over
 * INT64_MAX are refused. */
enum status
msgpack_read(
    struct view bytes, struct tree *out_tree, struct error *err) MUST_CHECK;

#endif
