/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as a client's certificate (DER): refused, or a subject in one
 * line, as it can be written in a configuration. It is OpenSSL that reads
 * it, so of our code there is little to reach. */
#include "fuzz.h"

#include "vulnbus/crypto.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const struct view der = { (const char *)data, len };
	struct buffer once, twice;

	buffer_init(&once, 1 << 16);
	buffer_init(&twice, 1 << 16);
	if (certificate_subject(der, &once) == STATUS_OK) {
		REQUIRE(view_is_printable(buffer_view(&once)));
		REQUIRE(certificate_subject(der, &twice) == STATUS_OK);
		REQUIRE(view_equal(buffer_view(&once), buffer_view(&twice)));
	}
	buffer_clear(&once);
	buffer_clear(&twice);
	return 0;
}
