/* SPDX-License-Identifier: Apache-2.0
 *
 * When the files of a configuration are said to have changed. */
#include "check.h"

#include <unistd.h>

#include "vulnbus/watch.h"

#define EVERY 10000

static char folder[] = "/tmp/vulnbus-watch-XXXXXX";

static const char *
path_of(const char *name)
{
	static char paths[4][128];
	static unsigned turn;
	char *path = paths[turn++ % 4];

	snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
	return path;
}

/* As a secret store does: another file under the name. */
static void
put(const char *name, const char *text)
{
	FILE *file = fopen(path_of("new"), "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(rename(path_of("new"), path_of(name)), 0);
}

static struct config *
load(void)
{
	struct config *config = NULL;
	struct error err = { "" };

	assert_ok(config_load(path_of("vulnbus.yaml"), &config, &err), &err);
	return config;
}

static int
make_folder(void **state)
{
	(void)state;
	if (mkdtemp(folder) == NULL)
		return -1;
	put("hook", "0123456789abcdef0");
	put("token", "first");
	put("user", "me");
	put("ca.pem", "x");
	return 0;
}

static void
write_config(const char *more)
{
	char text[1024];

	snprintf(text, sizeof(text),
	    "kafka: {bootstrap_servers: 'k:1', properties: {sasl.username: "
	    "'${file:%s/user}', ssl.ca.location: %s/ca.pem}}\n"
	    "sources: [{name: a, vendor: probely, hook: {secret: "
	    "'${file:%s/hook}'}, api: {token: '${file:%s/token}'}}]\n%s",
	    folder, folder, folder, folder, more);
	put("vulnbus.yaml", text);
}

static void
what_a_reload_would_read_is_watched(void **state)
{
	static const char *const watched[] = { "vulnbus.yaml", "hook", "user",
		"ca.pem" };
	struct config *config;

	(void)state;
	write_config("");
	config = load();
	assert_int_equal(config->reload_every_ms, EVERY);
	assert_int_equal(config->file_count, COUNT(watched));
	for (size_t i = 0; i < COUNT(watched); i++) {
		bool is_there = false;

		for (size_t j = 0; j < config->file_count; j++)
			is_there |= strcmp(config->files[j].path,
					path_of(watched[i])) == 0 &&
				    config->files[j].print.inode != 0;
		assert_true(is_there);
	}
	config_free(config);
}

static void
a_change_counts_when_it_stands_still(void **state)
{
	struct watch watch = { .files = NULL };
	struct config *config;

	(void)state;
	write_config("");
	config = load();
	watch_use(&watch, config, 0);
	assert_false(watch_is_due(&watch, EVERY - 1));
	assert_false(watch_is_due(&watch, EVERY));
	put("hook", "0123456789abcdef1");
	put("token", "second"); /* nobody asks for that here */
	assert_false(watch_is_due(&watch, 2 * EVERY - 1));
	/* Seen, and looked at again in a second: it still moves. */
	assert_false(watch_is_due(&watch, 2 * EVERY));
	put("user", "you");
	assert_false(watch_is_due(&watch, 2 * EVERY + 1000));
	assert_true(watch_is_due(&watch, 2 * EVERY + 2000));
	config_free(config);
	config = load();
	watch_use(&watch, config, 2 * EVERY + 2000);
	assert_false(watch_is_due(&watch, 4 * EVERY));
	/* What is taken back meanwhile is no change; a missing file is one. */
	assert_int_equal(unlink(path_of("ca.pem")), 0);
	assert_false(watch_is_due(&watch, 5 * EVERY));
	assert_true(watch_is_due(&watch, 5 * EVERY + 1000));
	put("ca.pem", "x");
	config_free(config);
	watch_clear(&watch);
}

/* Between the reading and the first look nothing is missed. */
static void
a_change_during_the_loading_is_seen(void **state)
{
	struct watch watch = { .files = NULL };
	struct config *config;

	(void)state;
	write_config("");
	config = load();
	put("hook", "0123456789abcdef2");
	watch_use(&watch, config, 0);
	assert_false(watch_is_due(&watch, EVERY));
	assert_true(watch_is_due(&watch, EVERY + 1000));
	config_free(config);
	watch_clear(&watch);
}

static void
what_failed_is_tried_again_and_said_once(void **state)
{
	const struct error missing = { "x: no such file" }, other = { "y" };
	struct watch watch = { .files = NULL };
	struct config *config;
	int64_t now_ms = 0;

	(void)state;
	write_config("");
	config = load();
	watch_use(&watch, config, now_ms);
	write_config("bad: 1\n");
	assert_false(watch_is_due(&watch, now_ms += EVERY));
	assert_true(watch_is_due(&watch, now_ms += 1000));
	assert_true(watch_failed(&watch, &missing));
	/* Files that it does not know may have come. */
	assert_false(watch_is_due(&watch, now_ms += 1000));
	assert_true(watch_is_due(&watch, now_ms += EVERY));
	assert_false(watch_failed(&watch, &missing));
	assert_true(watch_is_due(&watch, now_ms += EVERY));
	assert_true(watch_failed(&watch, &other));
	write_config("bad: 2\n");
	assert_false(watch_is_due(&watch, now_ms += EVERY));
	assert_true(watch_is_due(&watch, now_ms += 1000));
	assert_true(watch_failed(&watch, &other));
	/* Told to reload before anything was seen: it is said, and once. */
	write_config("bad: 3\n");
	assert_true(watch_failed(&watch, &other));
	assert_true(watch_is_due(&watch, now_ms += EVERY));
	assert_false(watch_failed(&watch, &other));
	watch_use(&watch, config, now_ms);
	assert_false(watch.has_failed);
	config_free(config);
	watch_clear(&watch);
}

static void
zero_is_never(void **state)
{
	struct watch watch = { .files = NULL };
	struct config *config;

	(void)state;
	write_config("reload: {every: 0s}\n");
	config = load();
	watch_use(&watch, config, 0);
	put("hook", "0123456789abcdef3");
	for (int64_t now_ms = 0; now_ms < 10 * EVERY; now_ms += 1000)
		assert_false(watch_is_due(&watch, now_ms));
	config_free(config);
	watch_clear(&watch);
}

static void
other_properties_are_another_kafka(void **state)
{
	struct config *first, *second;

	(void)state;
	write_config("");
	first = load();
	second = load();
	assert_true(config_is_same_kafka(first, second));
	config_free(second);
	put("ca.pem", "x"); /* another file that says the same */
	second = load();
	assert_true(config_is_same_kafka(first, second));
	config_free(second);
	put("ca.pem", "y");
	second = load();
	assert_false(config_is_same_kafka(first, second));
	config_swap_kafka(first, second);
	config_free(second);
	second = load();
	assert_true(config_is_same_kafka(first, second));
	config_free(second);
	put("user", "somebody else");
	second = load();
	assert_false(config_is_same_kafka(first, second));
	config_swap_kafka(first, second);
	assert_string_equal(
	    first->kafka.properties.items[0].value, "somebody else");
	config_free(second);
	config_free(first);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_a_reload_would_read_is_watched),
		cmocka_unit_test(a_change_counts_when_it_stands_still),
		cmocka_unit_test(a_change_during_the_loading_is_seen),
		cmocka_unit_test(what_failed_is_tried_again_and_said_once),
		cmocka_unit_test(zero_is_never),
		cmocka_unit_test(other_properties_are_another_kafka),
	};

	return cmocka_run_group_tests(tests, make_folder, NULL);
}
