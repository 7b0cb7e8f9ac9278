/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as a token: refused, or taken apart so that the parts are the
 * token's own. */
#include "fuzz.h"

#include "vulnbus/base64url.h"
#include "vulnbus/jws.h"

/* One value, one spelling: what was decoded encodes to what was received. */
static void
require_parts(struct view token, const struct jws *jws)
{
	struct buffer again;

	buffer_init(&again, JWS_BYTES_MAX);
	base64url_encode(buffer_view(&jws->header), &again);
	buffer_append(&again, ".", 1);
	base64url_encode(buffer_view(&jws->payload), &again);
	REQUIRE(view_equal(jws->signing_input, buffer_view(&again)));
	buffer_append(&again, ".", 1);
	base64url_encode(buffer_view(&jws->signature), &again);
	REQUIRE(view_equal(token, buffer_view(&again)));
	buffer_clear(&again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const struct view token = { (const char *)data, len };
	struct error err = { "" };
	enum status status;
	struct jws jws;

	jws_init(&jws);
	status = jws_parse(token, &jws, &err);
	REQUIRE(status == STATUS_OK || status == STATUS_UNPROVED);
	if (status == STATUS_OK) {
		REQUIRE(jws.signature.len == ES512_SIGNATURE_BYTES);
		require_parts(token, &jws);
		REQUIRE(jws_verify(&jws, NULL, 0) == STATUS_UNPROVED);
	}
	jws_clear(&jws);
	return 0;
}
