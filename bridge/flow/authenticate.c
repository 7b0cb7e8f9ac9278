/* SPDX-License-Identifier: Apache-2.0 */
#include "vulnbus/authenticate.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

void
proved_init(struct proved *proved)
{
	jws_init(&proved->jws);
	proved->claims = NULL;
}

void
proved_clear(struct proved *proved)
{
	jws_clear(&proved->jws);
	json_free(proved->claims);
	proved->claims = NULL;
}

enum status
authenticate_token(const struct source_authentication *how, struct view header,
    size_t count, struct view *out_token, struct error *err)
{
	const struct view prefix = view_of(how->prefix);

	if (count == 0)
		return error_set(
		    err, STATUS_UNPROVED, "%s: missing", how->header);
	if (count > 1)
		return error_set(
		    err, STATUS_UNPROVED, "%s: more than one", how->header);
	/* The scheme's name is case-insensitive (RFC 9110 section 11.1). */
	if (header.len <= prefix.len ||
	    strncasecmp(header.data, prefix.data, prefix.len) != 0)
		return error_set(err, STATUS_UNPROVED,
		    "%s: does not begin with \"%s\"", how->header, how->prefix);
	*out_token = (struct view){ header.data + prefix.len,
		header.len - prefix.len };
	if (out_token->len > JWS_BYTES_MAX)
		return error_set(
		    err, STATUS_UNPROVED, "%s: too long", how->header);
	return STATUS_OK;
}

/* RFC 8725 section 2.4 and RFC 7519 section 4: names once, claims an object.
 * What is no JSON at all is for the caller to refuse, once it is proved. */
static enum status
parse_claims(struct proved *proved, struct error *err)
{
	const enum status status = json_parse(
	    buffer_view(&proved->jws.payload), &proved->claims, err);

	if (status == STATUS_INVALID) {
		proved->claims = NULL;
		return STATUS_OK;
	}
	if (status == STATUS_TOO_MANY)
		return error_add(err, STATUS_UNPROVED, "token claims");
	return status;
}

/* RFC 7519 section 2, NumericDate: seconds, whole or with a fraction. */
static enum status
check_window(const struct binding *binding, const struct json_value *claims,
    int64_t now_ms, struct error *err)
{
	const char *name = binding->contract->authentication.stamp;
	const struct json_value *stamp = json_member(claims, name);
	const double now = (double)now_ms;
	double stamp_ms;

	if (json_type_of(stamp) != JSON_TYPE_INT &&
	    json_type_of(stamp) != JSON_TYPE_REAL)
		return error_set(err, STATUS_UNPROVED,
		    "token claims: %s is not a number", name);
	stamp_ms = json_number(stamp, 0) * 1000.0;
	if (!(stamp_ms >= now - (double)binding->config->signature.max_age_ms))
		return error_set(err, STATUS_UNPROVED,
		    "token claims: %s is too long ago", name);
	if (!(stamp_ms <= now + AUTHENTICATE_SKEW_MS))
		return error_set(err, STATUS_UNPROVED,
		    "token claims: %s is in the future", name);
	return STATUS_OK;
}

enum status
authenticate(struct keyring *keyring, const struct binding *binding,
    struct view token, int64_t now_ms, struct proved *proved,
    bool *out_is_bad_signature, struct error *err)
{
	enum status status;

	*out_is_bad_signature = false;
	status = jws_parse(token, &proved->jws, err);
	if (status == STATUS_OK)
		status = parse_claims(proved, err);
	/* Claims that are JSON but no object have no stamp, and nothing that
	 * could be believed: like text, they are refused once proved. */
	if (status == STATUS_OK &&
	    json_type_of(json_root(proved->claims)) == JSON_TYPE_MAP)
		status = check_window(
		    binding, json_root(proved->claims), now_ms, err);
	if (status != STATUS_OK)
		return status;
	status = keyring_verify(keyring, binding, &proved->jws);
	if (status == STATUS_UNPROVED) {
		*out_is_bad_signature = true;
		error_set(err, status, "token signature: made by no known key");
	} else if (status == STATUS_UNAVAILABLE) {
		error_set(err, status, "no key is loaded yet");
	} else if (status != STATUS_OK) {
		error_set(
		    err, status, "token signature: %s", status_name(status));
	}
	return status;
}

enum status
authenticate_body(struct view body, struct proved *proved, struct error *err)
{
	const enum status status = json_parse(body, &proved->claims, err);

	if (status != STATUS_TOO_MANY)
		return status;
	return error_add(err, STATUS_INVALID, "body");
}

static bool
holds_app_secret(struct view header, struct view secret)
{
	struct json_document *document = NULL;
	struct json_each each = { .value = NULL };
	bool is_right = secret_equal(header, secret);
	struct error ignored;

	if (json_parse(header, &document, &ignored) == STATUS_OK)
		while (json_each(json_root(document), &each))
			is_right |= secret_equal(json_text(each.value), secret);
	json_free(document);
	return is_right;
}

enum status
authenticate_app_secret(const struct binding *binding, struct view header,
    size_t count, struct error *err)
{
	const char *secret = binding->config->hook.app_secret.value;

	if (secret == NULL)
		return STATUS_OK;
	if (count == 1 && holds_app_secret(header, view_of(secret)))
		return STATUS_OK;
	return error_set(err, STATUS_UNPROVED,
	    count == 1 ? "%s: not the secret" : "%s: not there once",
	    binding->contract->authentication.app_secret);
}

const char *
authenticate_proof(const struct binding *binding)
{
	static const char *const names[] = {
		[SOURCE_PROOF_JWS_ES512] = "jws-es512",
		[SOURCE_PROOF_SECRET_PATH] = "secret-path",
	};

	if (binding->config->hook.app_secret.value != NULL)
		return "app-secret";
	return names[binding->contract->authentication.proof];
}

bool
authenticate_hint_agrees(const struct binding *binding, struct view hint)
{
	const char *path = binding->config->signature.key_path != NULL
			       ? binding->config->signature.key_path
			       : binding->contract->authentication.key_path;
	struct view algorithm;

	hint = view_trim(hint);
	if (hint.len > 0 && hint.data[0] == '\'')
		hint = (struct view){ hint.data + 1, hint.len - 1 };
	if (hint.len > 0 && hint.data[hint.len - 1] == '\'')
		hint.len--;
	algorithm = view_cut(&hint, ' ');
	return view_is(algorithm, "ES512") && view_is(view_trim(hint), path);
}

#define OFFENDERS_MAX    8192
#define OFFENDERS_PROBES 8
#define MINUTE_MS        60000

struct offender {
	uint64_t who;
	int64_t since_ms;
	uint32_t count;
};

struct offenders {
	pthread_mutex_t lock;
	atomic_llong noted_ms; /* the last one */
	uint32_t per_minute;
	unsigned char salt[16];
	struct offender table[OFFENDERS_MAX];
};

enum status
offenders_open(
    uint32_t per_minute, struct offenders **out_offenders, struct error *err)
{
	struct offenders *offenders = calloc(1, sizeof(*offenders));

	if (offenders == NULL)
		return error_set(err, STATUS_NO_MEMORY, "no memory");
	pthread_mutex_init(&offenders->lock, NULL);
	atomic_init(&offenders->noted_ms, -MINUTE_MS);
	offenders->per_minute = per_minute;
	random_bytes(offenders->salt, sizeof(offenders->salt));
	*out_offenders = offenders;
	return STATUS_OK;
}

void
offenders_close(struct offenders **offenders)
{
	if (*offenders == NULL)
		return;
	pthread_mutex_destroy(&(*offenders)->lock);
	free(*offenders);
	*offenders = NULL;
}

/* Salted, so that nobody can choose addresses that share a place. */
static uint64_t
hash_of(const struct offenders *offenders, const char *source, struct view peer)
{
	unsigned char digest[SHA256_BYTES];
	struct buffer text;
	uint64_t who;

	buffer_init(&text, 512);
	buffer_append(&text, offenders->salt, sizeof(offenders->salt));
	buffer_print(&text, "%s|", source);
	buffer_append_view(&text, peer);
	sha256_of(buffer_view(&text), digest);
	buffer_clear(&text);
	memcpy(&who, digest, sizeof(who));
	return who;
}

/* The peer's place, or the one it may take: an expired or the oldest one. */
static struct offender *
place_of(struct offenders *offenders, uint64_t who, int64_t now_ms)
{
	struct offender *oldest = NULL;

	for (unsigned i = 0; i < OFFENDERS_PROBES; i++) {
		struct offender *at =
		    &offenders->table[(who + i) % OFFENDERS_MAX];

		if (at->who == who)
			oldest = at;
		if (at->who == who)
			break;
		if (oldest == NULL || at->since_ms < oldest->since_ms)
			oldest = at;
	}
	if (oldest->who != who || now_ms - oldest->since_ms >= MINUTE_MS)
		*oldest = (struct offender){ who, now_ms, 0 };
	return oldest;
}

bool
offenders_is_blocked(struct offenders *offenders, const char *source,
    struct view peer, int64_t now_ms)
{
	bool is_blocked = false;
	uint64_t who;

	if (now_ms - atomic_load(&offenders->noted_ms) >= MINUTE_MS)
		return false;
	who = hash_of(offenders, source, peer);
	pthread_mutex_lock(&offenders->lock);
	for (unsigned i = 0; i < OFFENDERS_PROBES; i++) {
		const struct offender *at =
		    &offenders->table[(who + i) % OFFENDERS_MAX];

		if (at->who == who)
			is_blocked = now_ms - at->since_ms < MINUTE_MS &&
				     at->count >= offenders->per_minute;
	}
	pthread_mutex_unlock(&offenders->lock);
	return is_blocked;
}

void
offenders_note(struct offenders *offenders, const char *source,
    struct view peer, int64_t now_ms)
{
	const uint64_t who = hash_of(offenders, source, peer);

	pthread_mutex_lock(&offenders->lock);
	place_of(offenders, who, now_ms)->count++;
	atomic_store(&offenders->noted_ms, now_ms);
	pthread_mutex_unlock(&offenders->lock);
}
