/* SPDX-License-Identifier: Apache-2.0
 *
 * Borrowed bytes: a pointer and a length, not NUL-terminated. A view is
 * valid as long as what it looks into; whoever hands it out says how long. */
#ifndef VULNBUS_VIEW_H
#define VULNBUS_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vulnbus/status.h"

struct view {
	const char *data;
	size_t len;
};

#define VIEW(literal) ((struct view){ (literal), sizeof(literal) - 1 })
/* For printf's "%.*s". */
#define VIEW_ARGS(v)  (int)(v).len, (v).data

/* Of a string; NULL gives an empty view. */
struct view
view_of(const char *text);

bool
view_equal(struct view a, struct view b);

bool
view_is(struct view v, const char *text);

bool
view_starts(struct view v, struct view prefix);

/* Cuts `v` at the first `separator`: the part before it is returned, `v`
 * keeps what follows. Without a separator all is returned and `v` emptied. */
struct view
view_cut(struct view *v, char separator);

/* At most the first `most` bytes; a UTF-8 character is not divided. */
struct view
view_head(struct view v, size_t most);

struct view
view_trim(struct view v);

/* Decimal digits only, no sign but an optional '-', the whole view. */
enum status
view_to_int(struct view v, int64_t *out_value) MUST_CHECK;

/* How many bytes the UTF-8 character (RFC 3629) at the start takes; 0 when
 * there is none: nothing is there, or bytes that are no UTF-8. */
size_t
view_character(struct view v);

/* True when every byte is printable: no control character of U+0000-1F, 7F. */
bool
view_is_printable(struct view v);

#endif
