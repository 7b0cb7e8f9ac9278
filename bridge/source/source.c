/* SPDX-License-Identifier: Apache-2.0
 *
 * What all vendors share: the lookup by name, and the reading of their tables.
 */
#include "vulnbus/source.h"

#include "vulnbus/json.h"

#include <string.h>
#include <strings.h>

const struct source *
source_find(const char *vendor)
{
	for (size_t i = 0; source_all[i] != NULL; i++)
		if (strcmp(source_all[i]->name, vendor) == 0)
			return source_all[i]->like == NULL
				   ? source_all[i]
				   : source_find(source_all[i]->like);
	return NULL;
}

const struct source_product *
source_product(struct view vendor)
{
	for (size_t i = 0; source_all[i] != NULL; i++)
		if (view_is(vendor, source_all[i]->name))
			return &source_all[i]->product;
	return NULL;
}

void
source_names(struct buffer *out)
{
	for (size_t i = 0; source_all[i] != NULL; i++)
		buffer_print(
		    out, "%s%s", i == 0 ? "" : ", ", source_all[i]->name);
}

static struct view
look_up(const struct source_word *words, struct view theirs)
{
	for (; words != NULL && words->theirs != NULL; words++)
		if (strlen(words->theirs) == theirs.len &&
		    strncasecmp(words->theirs, theirs.data, theirs.len) == 0)
			return view_of(words->ours);
	return VIEW("");
}

struct view
source_severity(const struct source *source, struct view word)
{
	return look_up(source->severities, word);
}

struct view
source_state(const struct source *source, struct view word)
{
	return look_up(source->states, word);
}

static struct view
text_of(const struct json_value *value, size_t bytes_max)
{
	const struct view text = json_text(value);

	return text.len <= bytes_max && view_is_printable(text) ? text
								: VIEW("");
}

struct view
source_word(const struct json_value *value)
{
	return text_of(value, SOURCE_WORD_BYTES_MAX);
}

static struct view
address_of(const struct json_value *value)
{
	struct view url = text_of(value, SOURCE_ADDRESS_BYTES_MAX);
	struct view rest = url;

	if (url.len == 0)
		return url;
	/* A password may hold any character but the slash that ends it. */
	if (memmem(url.data, url.len, "://", 3) != NULL)
		for (int i = 0; i < 2; i++)
			(void)view_cut(&rest, '/');
	rest = view_cut(&rest, '/');
	if (memchr(rest.data, '@', rest.len) != NULL)
		return VIEW("");
	for (size_t i = 0; i < url.len; i++)
		if (url.data[i] == '?' || url.data[i] == '#')
			url.len = i;
	return memchr(url.data, '@', url.len) != NULL ? VIEW("") : url;
}

static void
copy_prose(struct tree *t, struct view name, struct view theirs)
{
	const struct view text = t->prose == NULL ? VIEW("")
						  : prose_add(t->prose, theirs);

	if (text.len > 0)
		tree_long_text(t, name, text);
}

static void
copy_one(struct tree *t, const struct json_value *value,
    const struct source_field *field)
{
	const enum json_type type = json_type_of(value);
	const struct view name = view_of(field->ours);
	int64_t ms;

	switch (field->form) {
	case SOURCE_FORM_WORD:
		tree_text_if(t, name, source_word(value));
		break;
	case SOURCE_FORM_ADDRESS:
		tree_text_if(t, name, address_of(value));
		break;
	case SOURCE_FORM_PROSE:
		copy_prose(t, name, json_text(value));
		break;
	case SOURCE_FORM_TIME:
		if (timestamp_parse(json_text(value), &ms) == STATUS_OK)
			tree_int(t, name, ms);
		break;
	case SOURCE_FORM_FLAG:
		if (type == JSON_TYPE_BOOL)
			tree_bool(t, name, json_bool(value, false));
		break;
	case SOURCE_FORM_COUNT:
		if (type == JSON_TYPE_INT)
			tree_int(t, name, json_int(value, 0));
		break;
	case SOURCE_FORM_NUMBER:
	case SOURCE_FORM_SCORE:
		if ((type == JSON_TYPE_INT || type == JSON_TYPE_REAL) &&
		    (field->form == SOURCE_FORM_NUMBER ||
			json_number(value, 0) >= 0))
			tree_real(t, name, json_number(value, 0));
		break;
	}
}

void
source_copy(struct tree *t, const struct json_value *object,
    const struct source_field *fields)
{
	for (; fields->theirs != NULL; fields++)
		copy_one(t, json_member(object, fields->theirs), fields);
}

struct view
source_id(const struct json_value *value, struct event *event)
{
	const struct view word = source_word(value);

	if (json_type_of(value) == JSON_TYPE_INT)
		return event_print(
		    event, "%lld", (long long)json_int(value, 0));
	return word.len == 0 ? word
			     : event_print(event, "%.*s", VIEW_ARGS(word));
}

void
source_copy_severity(struct tree *t, const struct source *source,
    struct view name, struct view name_of_word, const struct json_value *value)
{
	static const char *const tens[] = { "0", "10", "20", "30", "40" };
	const int64_t number = json_int(value, -1);
	struct view word = source_word(value);

	if (number >= 0 && number <= 40 && number % 10 == 0)
		word = view_of(tens[number / 10]);
	tree_text_if(t, name, source_severity(source, word));
	tree_text_if(t, name_of_word, word);
}

void
source_detail(
    struct tree *t, struct view name, const struct source_reply *reply)
{
	if (reply->code == 403)
		tree_text(t, name, VIEW("forbidden"));
	else if (reply->code == 404 || reply->code == 410)
		tree_text(t, name, VIEW("gone"));
}
