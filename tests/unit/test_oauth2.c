/* SPDX-License-Identifier: Apache-2.0
 *
 * OAuth2's refresh on the wire, and the life of a grant. */
#include "check.h"

#include <sys/stat.h>
#include <unistd.h>

#include "vulnbus/file.h"
#include "vulnbus/grant.h"
#include "vulnbus/timestamp.h"

/* --- the request --- */

static void
test_the_form_is_encoded(void **state)
{
	struct buffer client, form;

	(void)state;
	buffer_init(&client, 1000);
	buffer_init(&form, 1000);
	oauth2_write_client(VIEW("a&b"), VIEW("c=+d"), &client);
	oauth2_write_request(
	    OAUTH2_REFRESH_TOKEN, VIEW("t/1"), buffer_view(&client), &form);
	assert_view(buffer_view(&form),
	    "grant_type=refresh_token&refresh_token=t%2F1&client_id=a%26b"
	    "&client_secret=c%3D%2Bd");
	buffer_reset(&client);
	buffer_reset(&form);
	oauth2_write_client(VIEW("a"), VIEW(""), &client);
	oauth2_write_request(
	    OAUTH2_CODE, VIEW("t"), buffer_view(&client), &form);
	assert_view(
	    buffer_view(&form), "grant_type=refresh_token&code=t&client_id=a");
	buffer_clear(&client);
	buffer_clear(&form);
}

/* --- the reply --- */

static void
test_replies(void **state)
{
	static const struct {
		const char *body, *access_token, *refresh_token;
		int64_t lifetime_ms;
	} table[] = {
		{ "{\"access_token\":\"a\"}", "a", "", 0 },
		{ "{\"access_token\":\"a\",\"refresh_token\":\"r\","
		  "\"expires_in\":3600}",
		    "a", "r", 3600000 },
		{ "{\"access_token\":\"a\",\"expires_in\":\"60\"}", "a", "",
		    60000 },
		{ "{\"access_token\":\"a\",\"expires_in\":1.5}", "a", "",
		    1500 },
		{ "{\"access_token\":\"a\",\"expires_in\":0}", "a", "", 0 },
		{ "{\"access_token\":\"a\",\"expires_in\":-1}", "a", "", 0 },
		{ "{\"access_token\":\"a\",\"expires_in\":null}", "a", "", 0 },
		{ "{\"access_token\":\"a\",\"expires_in\":1e300}", "a", "",
		    OAUTH2_LIFETIME_MAX_MS },
		{ "{\"access_token\":\"a\",\"expires_in\":"
		  "9223372036854775807}",
		    "a", "", OAUTH2_LIFETIME_MAX_MS },
		{ "{\"access_token\":\"a\",\"refresh_token\":null}", "a", "",
		    0 },
		{ "{\"access_token\":\"a\",\"refresh_token\":\"\"}", "a", "",
		    0 },
		{ "{\"access_token\":\"\"}", NULL, NULL, 0 },
		{ "{\"access_token\":\"a b\"}", NULL, NULL, 0 },
		{ "{\"access_token\":\"a\\r\\nb: c\"}", NULL, NULL, 0 },
		{ "{\"access_token\":\"a\\u0000b\"}", NULL, NULL, 0 },
		{ "{\"access_token\":\"\\u00e9\"}", NULL, NULL, 0 },
		{ "{\"access_token\":7}", NULL, NULL, 0 },
		{ "{\"access_token\":\"a\",\"access_token\":\"b\"}", NULL, NULL,
		    0 },
		{ "{\"access_token\":\"a\",\"refresh_token\":7}", NULL, NULL,
		    0 },
		{ "{\"access_token\":\"a\",\"refresh_token\":\"\\n\"}", NULL,
		    NULL, 0 },
		{ "[]", NULL, NULL, 0 },
		{ "<html>", NULL, NULL, 0 },
		{ "", NULL, NULL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(table); i++) {
		struct oauth2_reply reply = { .document = NULL };
		struct error err = { "" };
		const enum status status = oauth2_read_reply(
		    view_of(table[i].body), &reply, &err);

		assert_status_of(table[i].body, status,
		    table[i].access_token == NULL ? STATUS_INVALID : STATUS_OK);
		if (status != STATUS_OK)
			continue;
		assert_view(reply.access_token, table[i].access_token);
		assert_view(reply.refresh_token, table[i].refresh_token);
		assert_int_equal(reply.lifetime_ms, table[i].lifetime_ms);
		oauth2_reply_clear(&reply);
	}
}

static void
test_only_known_errors_are_named(void **state)
{
	(void)state;
	assert_string_equal(oauth2_error(VIEW("{\"error\":\"invalid_grant\"}")),
	    "invalid_grant");
	assert_string_equal(oauth2_error(VIEW("{\"error\":\"secret\"}")), "");
	assert_string_equal(oauth2_error(VIEW("<html>")), "");
}

/* --- the file --- */

struct folder {
	char path[64];
	char file[128];
	struct grant grant;
};

static int
open_folder(void **state)
{
	struct folder *folder = calloc(1, sizeof(*folder));

	assert_non_null(folder);
	snprintf(folder->path, sizeof(folder->path), "/tmp/vulnbus-XXXXXX");
	if (mkdtemp(folder->path) == NULL)
		return -1;
	snprintf(folder->file, sizeof(folder->file), "%s/token", folder->path);
	grant_init(&folder->grant);
	folder->grant.file = strdup(folder->file);
	assert_non_null(folder->grant.file);
	*state = folder;
	return 0;
}

static int
close_folder(void **state)
{
	struct folder *folder = *state;

	unlink(folder->file);
	grant_clear(&folder->grant);
	/* Fails when anything was left behind. */
	assert_int_equal(rmdir(folder->path), 0);
	free(folder);
	return 0;
}

static void
write_file(const struct folder *folder, const char *text)
{
	struct error err;

	assert_ok(file_replace(folder->file, view_of(text), 0640, &err), &err);
}

static void
assert_file(const struct folder *folder, const char *expected)
{
	struct buffer text;
	struct error err;

	buffer_init(&text, 1000);
	assert_ok(file_read(folder->file, &text, &err), &err);
	assert_view(buffer_view(&text), expected);
	buffer_clear(&text);
}

static void
give(struct grant *grant, const char *refresh_token)
{
	buffer_reset(&grant->refresh_token);
	buffer_append_view(&grant->refresh_token, view_of(refresh_token));
	grant->is_unsaved = true;
}

static void
test_a_new_refresh_token_replaces_the_old_one(void **state)
{
	struct folder *folder = *state;
	struct grant *grant = &folder->grant;
	struct stat facts;
	struct error err;

	write_file(folder, " old\r\n");
	assert_ok(grant_read(grant, &err), &err);
	assert_view(buffer_view(&grant->refresh_token), "old");
	give(grant, "new");
	assert_ok(grant_save(grant, &err), &err);
	assert_false(grant->is_unsaved);
	assert_file(folder, "new\n");
	assert_int_equal(stat(folder->file, &facts), 0);
	assert_int_equal(facts.st_mode & 07777, 0600);
	assert_false(grant_has_file_changed(grant));
}

static void
test_what_somebody_else_wrote_stays_and_counts(void **state)
{
	struct folder *folder = *state;
	struct grant *grant = &folder->grant;
	struct error err;

	write_file(folder, "old");
	assert_ok(grant_read(grant, &err), &err);
	give(grant, "mine");
	assert_ok(grant_read(grant, &err), &err);
	assert_view(buffer_view(&grant->refresh_token), "mine");
	write_file(folder, "theirs");
	assert_true(grant_has_file_changed(grant));
	assert_ok(grant_save(grant, &err), &err);
	assert_file(folder, "theirs");
	assert_ok(grant_read(grant, &err), &err);
	assert_view(buffer_view(&grant->refresh_token), "theirs");
}

static void
test_what_could_not_be_written_is_used(void **state)
{
	struct folder *folder = *state;
	struct grant *grant = &folder->grant;
	struct error err;

	write_file(folder, "old");
	assert_ok(grant_read(grant, &err), &err);
	give(grant, "new");
	assert_int_equal(unlink(folder->file), 0);
	assert_ok(grant_read(grant, &err), &err);
	assert_view(buffer_view(&grant->refresh_token), "new");
	assert_true(grant->is_unsaved);
	write_file(folder, "old");
	assert_ok(grant_read(grant, &err), &err);
	assert_view(buffer_view(&grant->refresh_token), "new");
}

static void
test_files_that_hold_no_token(void **state)
{
	static const char *const texts[] = { "", "\n", "a b", "a\nb", "\x01" };
	struct folder *folder = *state;
	struct error err;

	assert_status(grant_read(&folder->grant, &err), STATUS_MISSING);
	for (size_t i = 0; i < COUNT(texts); i++) {
		write_file(folder, texts[i]);
		assert_status_of(
		    texts[i], grant_read(&folder->grant, &err), STATUS_INVALID);
	}
	assert_int_equal(unlink(folder->file), 0);
	assert_int_equal(mkfifo(folder->file, 0600), 0);
	assert_status(grant_read(&folder->grant, &err), STATUS_UNAVAILABLE);
}

/* --- the access token --- */

static void
hold(struct grant *grant, uint64_t number, int64_t left_ms)
{
	buffer_reset(&grant->access_token);
	buffer_append(&grant->access_token, "a", 1);
	grant->number = number;
	grant->is_accepted = false;
	grant->renew_at_ms = clock_steady_ms() + left_ms;
	grant->expires_at_ms = grant->renew_at_ms + 1000;
}

static void
test_a_token_refused_after_a_while_is_renewed_and_then_not_again(void **state)
{
	struct grant grant;

	(void)state;
	grant_init(&grant);
	hold(&grant, 1, 60000);
	assert_true(grant_is_usable(&grant, true));
	assert_true(grant_accepted(&grant, 1));
	assert_false(grant_refused(&grant, 1));
	assert_false(grant_is_usable(&grant, false));
	/* Those that were shown the same one. */
	assert_false(grant_refused(&grant, 1));
	assert_false(grant_accepted(&grant, 1));
	hold(&grant, 2, 60000);
	assert_false(grant_refused(&grant, 1));
	assert_true(grant_is_usable(&grant, true));
	assert_true(grant_accepted(&grant, 2));
	assert_true(grant_refused(&grant, 2));
	grant_clear(&grant);
}

static void
test_a_token_refused_at_once_is_not_mended_by_another(void **state)
{
	struct grant grant;

	(void)state;
	grant_init(&grant);
	hold(&grant, 1, 60000);
	assert_true(grant_refused(&grant, 1));
	assert_false(grant_is_usable(&grant, false));
	grant_clear(&grant);
}

static void
test_expiry_is_no_refusal(void **state)
{
	struct grant grant;

	(void)state;
	grant_init(&grant);
	for (uint64_t number = 1; number < 5; number++) {
		hold(&grant, number, 0);
		assert_false(grant_is_usable(&grant, true));
		assert_true(grant_is_usable(&grant, false));
		assert_true(grant_accepted(&grant, number));
		assert_false(grant_refused(&grant, number));
	}
	grant_clear(&grant);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_form_is_encoded),
		cmocka_unit_test(test_replies),
		cmocka_unit_test(test_only_known_errors_are_named),
		cmocka_unit_test_setup_teardown(
		    test_a_new_refresh_token_replaces_the_old_one, open_folder,
		    close_folder),
		cmocka_unit_test_setup_teardown(
		    test_what_somebody_else_wrote_stays_and_counts, open_folder,
		    close_folder),
		cmocka_unit_test_setup_teardown(
		    test_what_could_not_be_written_is_used, open_folder,
		    close_folder),
		cmocka_unit_test_setup_teardown(
		    test_files_that_hold_no_token, open_folder, close_folder),
		cmocka_unit_test(
		    test_a_token_refused_after_a_while_is_renewed_and_then_not_again),
		cmocka_unit_test(
		    test_a_token_refused_at_once_is_not_mended_by_another),
		cmocka_unit_test(test_expiry_is_no_refusal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
