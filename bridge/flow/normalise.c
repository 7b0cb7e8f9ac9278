/* SPDX-License-Identifier: Apache-2.0 */
#include "vulnbus/normalise.h"

#include "vulnbus/json.h"

enum status
normalise(const struct binding *binding, const struct json_value *document,
    size_t index, const char *proof, int64_t now_ms, struct event *event,
    struct error *err)
{
	struct error unfit;
	enum status status;

	if (json_type_of(document) != JSON_TYPE_MAP)
		return error_set(err, STATUS_INVALID, "not a JSON object");
	event->source = view_of(binding->config->name);
	event->vendor = view_of(binding->config->vendor);
	event->proof = view_of(proof);
	event->received_ms = now_ms;
	status = binding->contract->normalise(document, index, event, err);
	if (status != STATUS_OK && status != STATUS_UNKNOWN)
		return status;
	if (event_check(event, &unfit) == STATUS_OK)
		return status;
	*err = unfit;
	return STATUS_INVALID;
}
