/* SPDX-License-Identifier: Apache-2.0
 *
 * What a daemon knows about its host before it reads its configuration. */
#include "check.h"

#include <getopt.h>
#include <unistd.h>

#include "vulnbus/daemon.h"

static char seen[256];

static enum status
note_instance(const struct config *config, struct error *err)
{
	(void)err;
	snprintf(seen, sizeof(seen), "%s", config->enricher.instance_id);
	return STATUS_OK;
}

static void
check_instance(const char *expected)
{
	static const char text[] = "kafka: {bootstrap_servers: b}\n";
	char path[] = "/tmp/vulnbus-test-XXXXXX";
	char *argv[] = { "test", "-c", path, "--check-config", NULL };
	struct config *config = NULL;
	const int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(
	    write(fd, text, sizeof(text) - 1), (int)sizeof(text) - 1);
	close(fd);
	optind = 0;
	assert_int_equal(
	    daemon_start("test", 4, argv, note_instance, &config), 0);
	config_free(config);
	unlink(path);
	assert_string_equal(seen, expected);
}

static void
the_instance_is_named_after_the_environment(void **state)
{
	(void)state;
	setenv("HOSTNAME", "pod-7", 1);
	check_instance("pod-7");
}

/* Two machines would both be "local" otherwise. */
static void
the_instance_is_named_after_the_host_under_a_supervisor(void **state)
{
	char name[256] = "";

	(void)state;
	assert_int_equal(gethostname(name, sizeof(name) - 1), 0);
	unsetenv("HOSTNAME");
	check_instance(name[0] == '\0' ? "local" : name);
	setenv("HOSTNAME", "", 1);
	check_instance(name[0] == '\0' ? "local" : name);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_instance_is_named_after_the_environment),
		cmocka_unit_test(
		    the_instance_is_named_after_the_host_under_a_supervisor),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
