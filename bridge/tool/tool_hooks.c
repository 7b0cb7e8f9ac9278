/* SPDX-License-Identifier: Apache-2.0
 *
 * A vendor's list of webhooks: read, added to, removed from. */
#include "vulnbus/tool_hooks.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "vulnbus/json.h"
#include "vulnbus/url.h"

#define TEXT_BYTES_MAX 16384
#define PAGES_MAX      1000
#define DEPTH_MAX      16

/* {"<field>": ["...", ...], "detail": "..."}: as given. */
static void
print_errors(const struct registration *r, struct view reply)
{
	struct json_document *document = NULL;
	struct json_each each = { .value = NULL };
	struct error ignored;

	if (json_parse(reply, &document, &ignored) != STATUS_OK)
		return;
	while (json_each(json_root(document), &each)) {
		const struct json_value *value = each.value;
		const bool is_list = json_type_of(value) == JSON_TYPE_LIST;

		for (size_t i = 0; i == 0 || is_list; i++) {
			const struct json_value *why =
			    is_list ? json_element(each.value, i) : value;

			if (json_text(why).len == 0)
				break;
			fprintf(stderr, "  ");
			register_print(r, stderr, each.name);
			fprintf(stderr, ": ");
			register_print(r, stderr, json_text(why));
			fprintf(stderr, "\n");
		}
	}
	json_free(document);
}

/* Says why not; EX_OK for an answer that is a success. */
static int
call(struct registration *r, const char *method, const char *url,
    struct view body, struct buffer *reply)
{
	struct error err;
	unsigned code = 0;
	char why[64];

	if (vendor_call(&r->vendor, method, url, body, reply, &code, &err) !=
	    STATUS_OK)
		return register_fail(r, EX_UNAVAILABLE, err.text);
	if (code >= 200 && code < 300)
		return EX_OK;
	snprintf(why, sizeof(why), "the vendor answers HTTP %u", code);
	register_fail(r, EX_UNAVAILABLE, why);
	print_errors(r, buffer_view(reply));
	if (code == 401 || code == 403)
		return EX_NOPERM;
	return code == 400 || code == 422 ? EX_DATAERR : EX_UNAVAILABLE;
}

static int
get_document(struct registration *r, const char *url, struct buffer *reply,
    struct json_document **out_document)
{
	struct error err;
	const int result = call(r, "GET", url, VIEW(""), reply);

	if (result != EX_OK ||
	    json_parse(buffer_view(reply), out_document, &err) == STATUS_OK)
		return result;
	return register_fail(r, EX_PROTOCOL, "the vendor's reply is not JSON");
}

/* Some lists are asked for by a name of the account. */
static int
read_account(struct registration *r, struct buffer *out)
{
	struct json_document *document = NULL;
	struct buffer url, reply;
	struct view name;
	int result;

	buffer_init(&url, VENDOR_URL_BYTES_MAX);
	buffer_init(&reply, VENDOR_REPLY_BYTES_MAX);
	url_fill(view_of(r->binding->base_url),
	    view_of(binding_path(r->binding, "account")), VIEW(""), 0, VIEW(""),
	    &url);
	buffer_append(&url, "", 1);
	result = get_document(r, url.data, &reply, &document);
	name = json_text(json_member(json_root(document), r->how->account));
	if (result == EX_OK && name.len == 0)
		result = register_fail(
		    r, EX_PROTOCOL, "the vendor does not name the account");
	buffer_append_view(out, name);
	json_free(document);
	buffer_clear(&url);
	buffer_clear(&reply);
	return result;
}

int
hooks_find(struct registration *r)
{
	const char *path = binding_path(
	    r->binding, r->target == NULL ? "hooks" : "target-hooks");
	struct buffer other;
	int result = EX_OK;

	buffer_init(&other, HOOK_ID_BYTES_MAX);
	if (r->target != NULL)
		buffer_append_view(&other, view_of(r->target));
	else if (r->how->account != NULL)
		result = read_account(r, &other);
	url_fill(view_of(r->binding->base_url), view_of(path), VIEW(""), 0,
	    buffer_view(&other), &r->list);
	buffer_append(&r->list, "", 1);
	if (result == EX_OK && (buffer_status(&other) != STATUS_OK ||
				   buffer_status(&r->list) != STATUS_OK))
		result = register_fail(r, EX_DATAERR, "a name is too long");
	buffer_clear(&other);
	return result;
}

typedef bool
text_f(struct view text, struct view wanted);

static bool
is_url(struct view text, struct view ignored)
{
	(void)ignored;
	return view_starts(text, VIEW("https://")) ||
	       view_starts(text, VIEW("http://"));
}

/* The first fitting text at or below `value`; vendors nest it differently. */
static struct view
find_text(const struct json_value *value, text_f *fits, struct view wanted,
    unsigned depth)
{
	struct json_each each = { .value = NULL };
	const struct json_value *element;
	struct view found = json_text(value);

	if (found.len > 0 && fits(found, wanted))
		return found;
	found = VIEW("");
	if (depth == DEPTH_MAX)
		return found;
	while (found.len == 0 && json_each(value, &each))
		found = find_text(each.value, fits, wanted, depth + 1);
	for (size_t i = 0;
	     found.len == 0 && (element = json_element(value, i)) != NULL; i++)
		found = find_text(element, fits, wanted, depth + 1);
	return found;
}

static void
keep(struct registration *r, const char *id)
{
	for (size_t i = 0; i < r->ours_count && i < HOOKS_OURS_MAX; i++)
		if (strcmp(r->ours[i], id) == 0)
			return;
	if (r->ours_count < HOOKS_OURS_MAX)
		snprintf(r->ours[r->ours_count], sizeof(*r->ours), "%s", id);
	r->ours_count++;
	r->is_unnamed |= id[0] == '\0';
}

static void
note(struct registration *r, const struct json_value *item)
{
	const struct view ours = find_text(
	    item, view_equal, buffer_view(&r->url), 0);
	const bool is_ours = ours.len > 0;
	char id[HOOK_ID_BYTES_MAX + 1];

	vendor_id(item, id, sizeof(id));
	r->seen++;
	if (is_ours)
		keep(r, id);
	if (r->mode != REGISTER_LIST)
		return;
	register_print(r, stdout, view_of(id));
	printf("\t%s\t", is_ours ? "this source" : "other");
	register_print_url(
	    r, is_ours ? ours : find_text(item, is_url, VIEW(""), 0));
	printf("\n");
}

/* A number the reply may name; else more than there can be. */
static int64_t
told(const struct json_document *reply, const char *name)
{
	return json_int(json_member(json_root(reply), name), INT64_MAX);
}

/* A list without pages answers any with all of it. */
static bool
is_repeated(struct registration *r, struct view reply)
{
	unsigned char digest[SHA256_BYTES];
	bool is_same;

	sha256_of(reply, digest);
	is_same = memcmp(digest, r->page, sizeof(digest)) == 0;
	memcpy(r->page, digest, sizeof(digest));
	return is_same;
}

/* One page; *out_is_last when there is none behind it. */
static int
read_page(struct registration *r, unsigned page, bool *out_is_last)
{
	struct json_document *document = NULL;
	const struct json_value *items;
	struct buffer url, reply;
	size_t count = 0;
	int result;

	buffer_init(&url, VENDOR_URL_BYTES_MAX);
	buffer_init(&reply, VENDOR_REPLY_BYTES_MAX);
	buffer_print(&url, "%s%cpage=%u", r->list.data,
	    strchr(r->list.data, '?') == NULL ? '?' : '&', page);
	buffer_append(&url, "", 1);
	result = get_document(r, url.data, &reply, &document);
	items = json_member(json_root(document), r->how->items);
	if (result == EX_OK && json_type_of(items) != JSON_TYPE_LIST)
		result = register_fail(
		    r, EX_PROTOCOL, "the vendor's reply has no list");
	if (is_repeated(r, buffer_view(&reply)))
		items = NULL;
	for (; result == EX_OK && json_element(items, count) != NULL; count++)
		note(r, json_element(items, count));
	*out_is_last = count == 0 || page >= told(document, "page_total") ||
		       (int64_t)r->seen >= told(document, "total");
	json_free(document);
	buffer_clear(&url);
	buffer_clear(&reply);
	return result;
}

int
hooks_read(struct registration *r)
{
	bool is_last = false;
	int result = EX_OK;

	for (unsigned page = 1; result == EX_OK && !is_last; page++)
		result = page > PAGES_MAX
			     ? register_fail(r, EX_PROTOCOL, "too many pages")
			     : read_page(r, page, &is_last);
	return result;
}

int
hooks_add(struct registration *r)
{
	struct json_document *document = NULL;
	struct buffer url, body, reply;
	char id[HOOK_ID_BYTES_MAX + 1];
	struct error err;
	int result;

	buffer_init(&url, VENDOR_URL_BYTES_MAX);
	buffer_init(&body, TEXT_BYTES_MAX);
	buffer_init(&reply, VENDOR_REPLY_BYTES_MAX);
	buffer_append(&url, r->list.data, strcspn(r->list.data, "?"));
	buffer_append(&url, "", 1);
	register_fill(r, r->body, buffer_view(&r->url), true, &body);
	result = buffer_status(&body) == STATUS_OK
		     ? call(r, "POST", url.data, buffer_view(&body), &reply)
		     : register_fail(r, EX_DATAERR, "--body: too long");
	if (result == EX_OK) {
		if (json_parse(buffer_view(&reply), &document, &err) !=
		    STATUS_OK)
			document = NULL;
		vendor_id(json_root(document), id, sizeof(id));
		printf("%s: webhook ", r->binding->config->name);
		register_print(r, stdout, view_of(id));
		printf("%sadded: ", id[0] != '\0' ? " " : "");
		register_print_url(r, buffer_view(&r->url));
		printf("\n");
	}
	json_free(document);
	buffer_clear(&url);
	buffer_clear(&body);
	buffer_clear(&reply);
	return result;
}

int
hooks_remove(struct registration *r)
{
	const char *name = r->binding->config->name;
	int result = EX_OK;

	if (r->is_unnamed || r->ours_count > HOOKS_OURS_MAX)
		return register_fail(r, EX_PROTOCOL,
		    r->is_unnamed ? "a webhook of this source has no id"
				  : "too many webhooks of this source");
	for (size_t i = 0; result == EX_OK && i < r->ours_count; i++) {
		const size_t len = strcspn(r->list.data, "?");
		const bool is_closed = r->list.data[len - 1] == '/';
		struct buffer url, reply;

		buffer_init(&url, VENDOR_URL_BYTES_MAX);
		buffer_init(&reply, VENDOR_REPLY_BYTES_MAX);
		buffer_append(&url, r->list.data, len);
		buffer_append(&url, "/", !is_closed);
		url_encode(view_of(r->ours[i]), &url);
		buffer_append(&url, "/", is_closed);
		buffer_append(&url, "", 1);
		result = call(r, "DELETE", url.data, VIEW(""), &reply);
		if (result == EX_OK)
			printf("%s: webhook %s removed\n", name, r->ours[i]);
		buffer_clear(&url);
		buffer_clear(&reply);
	}
	if (r->ours_count == 0)
		printf("%s: there is no webhook of this source\n", name);
	return result;
}
