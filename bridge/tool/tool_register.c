/* SPDX-License-Identifier: Apache-2.0
 *
 * The command "register": tells a vendor where its webhooks go, as far as it
 * has an API for that, and the operator what to do by hand. What it says and
 * asks is data of the vendor's contract (struct source_registration). */
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "vulnbus/json.h"
#include "vulnbus/tool_hooks.h"
#include "vulnbus/tool_line.h"

#define TEXT_BYTES_MAX  16384
#define SHOWN_BYTES_MAX 1000
#define MASK            "********"

int
register_fail(const struct registration *r, int exit_status, const char *why)
{
	return tool_fail(
	    r->tool, exit_status, "%s: %s", r->binding->config->name, why);
}

/* `text` without our secret, unless that is to be shown. */
static void
mask(const struct registration *r, struct view text, struct buffer *out)
{
	const struct view secret = view_of(
	    r->binding->config->hook.secret.value);
	const char *at;

	while (!r->is_shown && text.len > 0 &&
	       (at = memmem(text.data, text.len, secret.data, secret.len)) !=
		   NULL) {
		const size_t len = (size_t)(at - text.data);

		buffer_append(out, text.data, len);
		buffer_print(out, MASK);
		text.data += len + secret.len;
		text.len -= len + secret.len;
	}
	buffer_append_view(out, text);
}

void
register_print(const struct registration *r, FILE *out, struct view text)
{
	struct buffer masked, line;

	buffer_init(&masked, TEXT_BYTES_MAX);
	buffer_init(&line, TEXT_BYTES_MAX);
	mask(r, text, &masked);
	line_text(&line, buffer_view(&masked), SHOWN_BYTES_MAX);
	fprintf(out, "%.*s", VIEW_ARGS(buffer_view(&line)));
	buffer_clear(&masked);
	buffer_clear(&line);
}

/* Others' webhooks are as secret as ours: no more than their host. */
void
register_print_url(const struct registration *r, struct view url)
{
	const struct view scheme = view_starts(url, VIEW("https://"))
				       ? VIEW("https://")
				       : VIEW("http://");
	size_t start = scheme.len, end;

	if (r->is_shown || view_equal(url, buffer_view(&r->url)) ||
	    !view_starts(url, scheme)) {
		register_print(r, stdout, url);
		return;
	}
	for (end = start; end < url.len && strchr("/?#", url.data[end]) == NULL;
	     end++)
		if (url.data[end] == '@')
			start = end + 1;
	printf("%s", scheme.data);
	register_print(
	    r, stdout, (struct view){ url.data + start, end - start });
	printf("/" MASK);
}

void
register_fill(const struct registration *r, const char *template,
    struct view url, bool is_quoted, struct buffer *out)
{
	while (*template != '\0') {
		const bool is_url = strncmp(template, "{url}", 5) == 0;
		const bool is_name = strncmp(template, "{name}", 6) == 0;
		const bool is_body = !is_quoted &&
				     strncmp(template, "{body}", 6) == 0;
		struct view text = url;

		if (is_name)
			text = view_of(r->binding->config->name);
		if (is_body)
			register_fill(r, r->body, url, true, out);
		else if ((is_url || is_name) && is_quoted)
			json_quote(text, out);
		else if (is_url || is_name)
			buffer_append_view(out, text);
		else
			buffer_append(out, template, 1);
		template += is_url ? 5 : is_name || is_body ? 6 : 1;
	}
}

static int
print_by_hand(const struct registration *r)
{
	struct buffer whole, out;

	buffer_init(&whole, TEXT_BYTES_MAX);
	buffer_init(&out, TEXT_BYTES_MAX);
	register_fill(r, r->how->by_hand, buffer_view(&r->url), false, &whole);
	mask(r, buffer_view(&whole), &out);
	printf("%.*s%s", VIEW_ARGS(buffer_view(&out)),
	    r->is_shown ? "" : "(--show-url shows the secret in it.)\n");
	printf("--undocumented does it through the vendor's API, which is not "
	       "documented for this.\n");
	buffer_clear(&whole);
	buffer_clear(&out);
	return EX_OK;
}

static int
act(struct registration *r)
{
	int result = hooks_find(r);

	if (result == EX_OK)
		result = hooks_read(r);
	if (result != EX_OK || r->mode == REGISTER_LIST)
		return result;
	if (r->mode == REGISTER_REMOVE)
		return hooks_remove(r);
	if (r->ours_count == 0)
		return hooks_add(r);
	printf("%s: webhook %s is there already: ", r->binding->config->name,
	    r->ours[0]);
	register_print_url(r, buffer_view(&r->url));
	printf("\n");
	return EX_OK;
}

static int
run(struct registration *r)
{
	if (r->config->ingress.public_url == NULL)
		return register_fail(
		    r, EX_CONFIG, "ingress.public_url is not configured");
	if (r->target != NULL &&
	    binding_path(r->binding, "target-hooks") == NULL)
		return register_fail(
		    r, EX_USAGE, "this vendor has no webhooks of a target");
	binding_hook_url(r->config, r->binding, &r->url);
	if (r->how->is_undocumented && !r->is_allowed)
		return r->mode == REGISTER_ADD
			   ? print_by_hand(r)
			   : register_fail(r, EX_USAGE,
				 "--list and --remove need --undocumented "
				 "here");
	return act(r);
}

static int
run_for(struct registration *r, const char *source)
{
	int exit_status = vendor_find(r->tool, r->config, source, &r->vendor);

	if (exit_status >= 0)
		return exit_status;
	r->binding = r->vendor.binding;
	r->how = &r->binding->contract->registration;
	if (r->body == NULL)
		r->body = r->how->body;
	buffer_init(&r->url, TEXT_BYTES_MAX);
	buffer_init(&r->list, VENDOR_URL_BYTES_MAX);
	exit_status = run(r);
	buffer_clear(&r->url);
	buffer_clear(&r->list);
	vendor_close(&r->vendor);
	return exit_status;
}

/* The options into `r`; -1 to go on, else the exit status. */
static int
read_options(struct tool *tool, int argc, char **argv, struct registration *r)
{
	static const struct option options[] = {
		{ "list", no_argument, NULL, 'l' },
		{ "remove", no_argument, NULL, 'r' },
		{ "target", required_argument, NULL, 't' },
		{ "body", required_argument, NULL, 'b' },
		{ "undocumented", no_argument, NULL, 'u' },
		{ "show-url", no_argument, NULL, 's' },
		TOOL_LONG_OPTIONS,
	};
	int option;

	while ((option = tool_option(tool, argc, argv, TOOL_SHORT_OPTIONS,
		    options)) != TOOL_OPTION_END) {
		if (option == TOOL_OPTION_STOP)
			return tool->exit_status;
		if ((option == 'l' || option == 'r') && r->mode != REGISTER_ADD)
			return tool_usage(tool, "--list or --remove, not both");
		if (option == 'l')
			r->mode = REGISTER_LIST;
		else if (option == 'r')
			r->mode = REGISTER_REMOVE;
		else if (option == 't')
			r->target = optarg;
		else if (option == 'b')
			r->body = optarg;
		else if (option == 'u')
			r->is_allowed = true;
		else if (option == 's')
			r->is_shown = true;
	}
	if (argc - optind != 1)
		return tool_usage(tool, "one source is needed");
	return -1;
}

int
tool_register(struct tool *tool, int argc, char **argv)
{
	struct registration r = { .tool = tool };
	struct config *config = NULL;
	int exit_status = read_options(tool, argc, argv, &r);

	if (exit_status < 0)
		exit_status = tool_load_config(tool, &config);
	if (exit_status >= 0)
		return exit_status;
	r.config = config;
	exit_status = run_for(&r, argv[optind]);
	config_free(config);
	return exit_status;
}
