/* SPDX-License-Identifier: Apache-2.0 */
#include "vulnbus/accept.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vulnbus/address.h"
#include "vulnbus/json.h"

static enum accept_route
check_secret(const struct bindings *bindings, struct view source,
    struct view secret, enum accept_route route,
    const struct binding **out_binding)
{
	static const unsigned char nobody[SHA256_BYTES];
	const struct binding *binding = bindings_find(bindings, source);
	unsigned char digest[SHA256_BYTES];
	bool is_right;

	sha256_of(secret, digest);
	is_right = secret_equal(
	    (struct view){ (const char *)digest, sizeof(digest) },
	    (struct view){
		(const char *)(binding == NULL ? nobody
					       : binding->secret_digest),
		sizeof(digest) });
	if (!is_right || binding == NULL)
		return ACCEPT_NOTHING;
	/* Only what signs has a connector document. */
	if (route == ACCEPT_CONNECTOR &&
	    binding->contract->authentication.proof != SOURCE_PROOF_JWS_ES512)
		return ACCEPT_NOTHING;
	*out_binding = binding;
	return route;
}

/* Holds `path` against "/a/{source}/{secret}/b": a name in braces takes a
 * whole segment. */
static bool
match(struct view template, struct view path, struct view *out_source,
    struct view *out_secret)
{
	/* view_cut cannot tell a last empty segment from none. */
	if (path.len > 0 && path.data[path.len - 1] == '/')
		return false;
	while (template.len > 0 || path.len > 0) {
		const struct view want = view_cut(&template, '/');
		const struct view have = view_cut(&path, '/');

		if (view_is(want, "{source}"))
			*out_source = have;
		else if (view_is(want, "{secret}"))
			*out_secret = have;
		else if (!view_equal(want, have))
			return false;
	}
	return out_source->len > 0 && out_secret->len > 0;
}

enum accept_route
accept_route(const struct config *config, const struct bindings *bindings,
    struct view path, const struct binding **out_binding)
{
	struct view source = VIEW(""), secret = VIEW("");

	if (match(VIEW(BINDING_HOOK_PATH), path, &source, &secret))
		return check_secret(
		    bindings, source, secret, ACCEPT_HOOK, out_binding);
	source = secret = VIEW("");
	if (match(view_of(config->ingress.connector_path), path, &source,
		&secret))
		return check_secret(
		    bindings, source, secret, ACCEPT_CONNECTOR, out_binding);
	return ACCEPT_NOTHING;
}

bool
accept_is_expected(
    const struct binding *binding, const char *peer, struct view subject)
{
	const struct config_list *networks = &binding->config->hook.allow_from;
	const char *wanted = binding->config->hook.client_subject;

	return (networks->count == 0 || address_is_in(networks, peer)) &&
	       (wanted == NULL || view_is(subject, wanted));
}

enum status
accept_connector(const struct config *config, const struct binding *binding,
    struct buffer *out, struct error *err)
{
	static const char *const capabilities[] = { "scanSuccessWebhook",
		"scanFailureWebhook", "exportCompleteWebhook" };
	struct buffer url;
	struct tree tree;
	enum status status;

	if (config->ingress.public_url == NULL)
		return error_set(err, STATUS_MISSING,
		    "ingress.public_url is not configured");
	tree_init(&tree, 16);
	buffer_init(&url, 4096);
	binding_hook_url(config, binding, &url);
	for (size_t i = 0; i < sizeof(capabilities) / sizeof(*capabilities);
	     i++) {
		tree_open_map(&tree, view_of(capabilities[i]));
		tree_text(&tree, VIEW("url"), buffer_view(&url));
		tree_close(&tree);
	}
	status = buffer_status(&url);
	if (status != STATUS_OK)
		error_set(
		    err, status, "connector document: %s", status_name(status));
	else
		status = json_write(&tree, JSON_STYLE_PRETTY, out, err);
	buffer_clear(&url);
	tree_clear(&tree);
	return status;
}

void
accept_peer(const struct config_list *trusted_proxies,
    const struct sockaddr *address, struct view forwarded_for,
    char out[PEER_TEXT_BYTES])
{
	address_print(address, out);
	/* From the right: each proxy appends whom it saw, so what stands left
	 * of the first one not trusted may be made up. */
	while (address_is_in(trusted_proxies, out) && forwarded_for.len > 0) {
		size_t start = forwarded_for.len;
		struct view last;
		char text[PEER_TEXT_BYTES];

		while (start > 0 && forwarded_for.data[start - 1] != ',')
			start--;
		last = view_trim((struct view){
		    forwarded_for.data + start, forwarded_for.len - start });
		forwarded_for.len = start > 0 ? start - 1 : 0;
		snprintf(text, sizeof(text), "%.*s", VIEW_ARGS(last));
		if (last.len >= sizeof(text) || !address_is_valid(text))
			return;
		memcpy(out, text, sizeof(text));
	}
}
