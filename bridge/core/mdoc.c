/* SPDX-License-Identifier: Apache-2.0 */
#include "vulnbus/mdoc.h"

#include <string.h>

#define WIDTH 78

static bool
is_space(char c)
{
	return c == ' ' || c == '\n' || c == '\t';
}

static struct view
cut_word(struct view *text)
{
	struct view word;

	while (text->len > 0 && is_space(text->data[0])) {
		text->data++;
		text->len--;
	}
	word = *text;
	for (word.len = 0; word.len < text->len; word.len++)
		if (is_space(text->data[word.len]))
			break;
	text->data += word.len;
	text->len -= word.len;
	return word;
}

/* A dot or an apostrophe that begins a line would make it a macro's. */
static void
print_word(FILE *out, struct view word, bool is_first, bool *is_bold)
{
	if (is_first && (word.data[0] == '.' || word.data[0] == '\''))
		fputs("\\&", out);
	for (size_t i = 0; i < word.len; i++) {
		const char c = word.data[i];

		if (c == '`') {
			*is_bold = !*is_bold;
			fputs(*is_bold ? "\\fB" : "\\fR", out);
		} else if (c == '\\') {
			fputs("\\e", out);
		} else if (c == '-' && *is_bold) {
			fputs("\\-", out);
		} else {
			fputc(c, out);
		}
	}
}

static void
print(FILE *out, struct view text, bool is_filled)
{
	size_t column = 0;
	bool is_end = false, is_bold = false;

	for (;;) {
		const struct view word = cut_word(&text);

		if (word.len == 0)
			break;
		if (is_filled && column > 0 &&
		    (is_end || column + word.len > WIDTH)) {
			fputc('\n', out);
			column = 0;
		} else if (column > 0) {
			fputc(' ', out);
		}
		print_word(out, word, column == 0, &is_bold);
		column += 1 + word.len;
		is_end = strchr(".!?", word.data[word.len - 1]) != NULL;
	}
}

void
mdoc_text(FILE *out, struct view text)
{
	print(out, text, true);
	fputc('\n', out);
}

void
mdoc_words(FILE *out, struct view text)
{
	print(out, text, false);
}
