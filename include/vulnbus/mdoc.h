/* SPDX-License-Identifier: Apache-2.0
 *
 * Text for manual pages, in the language of mdoc(7). */
#ifndef VULNBUS_MDOC_H
#define VULNBUS_MDOC_H

#include <stdio.h>

#include "vulnbus/view.h"

/* `text` as lines of text: white space, of whatever kind, divides words, a
 * sentence begins a line, and what stands between two backticks is bold. */
void
mdoc_text(FILE *out, struct view text);

/* The same as one line, for the arguments of a macro. */
void
mdoc_words(FILE *out, struct view text);

#endif
