/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as the answer of a token endpoint: refused, or tokens that can
 * stand in a header and be sent back in a form. */
#include "fuzz.h"

#include "vulnbus/oauth2.h"

static void
check_reply(const struct oauth2_reply *reply)
{
	struct buffer form;

	REQUIRE(oauth2_is_token(reply->access_token));
	REQUIRE(view_is_printable(reply->access_token));
	REQUIRE(reply->refresh_token.len == 0 ||
		oauth2_is_token(reply->refresh_token));
	REQUIRE(reply->lifetime_ms >= 0 &&
		reply->lifetime_ms <= OAUTH2_LIFETIME_MAX_MS);
	/* What came as one field goes back as one field. */
	buffer_init(&form, OAUTH2_REQUEST_BYTES_MAX);
	oauth2_write_request(OAUTH2_REFRESH_TOKEN, reply->refresh_token,
	    VIEW("client_id=c"), &form);
	REQUIRE(buffer_status(&form) == STATUS_OK);
	for (size_t i = 0, fields = 0; i <= form.len; i++) {
		if (i < form.len && form.data[i] != '&')
			continue;
		REQUIRE(++fields <= 3);
	}
	buffer_clear(&form);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const struct view body = { (const char *)data, len };
	struct oauth2_reply reply = { .document = NULL };
	struct error err = { "" };
	const char *word;

	if (oauth2_read_reply(body, &reply, &err) == STATUS_OK) {
		check_reply(&reply);
		oauth2_reply_clear(&reply);
	} else {
		REQUIRE(err.text[0] != '\0');
		REQUIRE(reply.document == NULL);
	}
	word = oauth2_error(body);
	REQUIRE(word[0] == '\0' ||
		memmem(body.data, body.len, word, 1) != NULL ||
		memchr(body.data, '\\', body.len) != NULL);
	return 0;
}
