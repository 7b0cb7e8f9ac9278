/* SPDX-License-Identifier: Apache-2.0
 *
 * Where secrets are in memory, and where they are no more: the whole process is
 * looked through, as whoever finds its core dump would. */
#include "check.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vulnbus/buffer.h"
#include "vulnbus/config.h"
#include "vulnbus/crypto.h"
#include "vulnbus/sandbox.h"
#include "vulnbus/secret.h"

#define NEEDLE_BYTES 32
#define MASK         0x5a
#define CHUNK_BYTES  65536

/* Masked, or it would find itself. */
static unsigned char masked[NEEDLE_BYTES];
static unsigned char chunk[CHUNK_BYTES];

struct found {
	size_t dumped; /* in pages that a core dump would hold */
	size_t kept;   /* in others */
};

static void
make_needle(char out[NEEDLE_BYTES + 1])
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz012345";

	random_bytes(out, NEEDLE_BYTES);
	for (size_t i = 0; i < NEEDLE_BYTES; i++) {
		out[i] = letters[(unsigned char)out[i] % 32];
		masked[i] = (unsigned char)out[i] ^ MASK;
	}
	out[NEEDLE_BYTES] = '\0';
}

static size_t
count_in_chunk(size_t len)
{
	size_t count = 0;

	for (size_t i = 0; i + NEEDLE_BYTES <= len; i++) {
		size_t j = 0;

		while (j < NEEDLE_BYTES && (chunk[i + j] ^ MASK) == masked[j])
			j++;
		count += j == NEEDLE_BYTES;
	}
	return count;
}

/* `chunk` itself lies in one of the regions, wiped. */
static size_t
count_in_region(int memory, unsigned long from, unsigned long to)
{
	size_t count = 0;

	while (from + NEEDLE_BYTES <= to) {
		const size_t wanted = to - from < CHUNK_BYTES ? to - from
							      : CHUNK_BYTES;
		ssize_t len;

		explicit_bzero(chunk, sizeof(chunk));
		len = pread(memory, chunk, wanted, (off_t)from);
		if (len < NEEDLE_BYTES)
			break;
		count += count_in_chunk((size_t)len);
		from += (size_t)len == wanted && wanted == CHUNK_BYTES
			    ? CHUNK_BYTES - NEEDLE_BYTES + 1
			    : (size_t)len;
	}
	explicit_bzero(chunk, sizeof(chunk));
	return count;
}

/* proc(5), /proc/pid/smaps: "VmFlags: ... dd" is "do not include area into
 * core dump". */
static struct found
look(void)
{
	const int memory = open("/proc/self/mem", O_RDONLY);
	FILE *maps = fopen("/proc/self/smaps", "re");
	struct found found = { 0, 0 };
	unsigned long from = 0, to = 0;
	char line[512], may_read = '-';

	assert_true(memory >= 0 && maps != NULL);
	while (fgets(line, sizeof(line), maps) != NULL) {
		unsigned long a, b;
		char may;

		if (sscanf(line, "%lx-%lx %c", &a, &b, &may) == 3) {
			from = a;
			to = b;
			may_read = may;
		}
		if (strncmp(line, "VmFlags:", 8) != 0 || may_read != 'r')
			continue;
		*(strstr(line, " dd ") != NULL ? &found.kept : &found.dumped) +=
		    count_in_region(memory, from, to);
	}
	fclose(maps);
	close(memory);
	return found;
}

static void
assert_found(size_t dumped, bool is_kept)
{
	struct found found;

	/* Its runtime is bound lazily, which spills registers, and has
	 * terabytes to look through. */
	if (IS_SANITIZED)
		return;
	found = look();
	print_message("dumped %zu, kept %zu\n", found.dumped, found.kept);
	assert_int_equal(found.dumped, dumped);
	assert_int_equal(found.kept > 0, is_kept);
}

/* Or the other tests would say nothing. */
static void
ordinary_memory_is_found(void **state)
{
	char needle[NEEDLE_BYTES + 1];
	char *copy;

	(void)state;
	make_needle(needle);
	copy = strdup(needle);
	assert_non_null(copy);
	explicit_bzero(needle, sizeof(needle));
	assert_found(1, false);
	explicit_bzero(copy, NEEDLE_BYTES);
	free(copy);
	assert_found(0, false);
}

static void
a_secret_is_in_no_core_dump_and_gone_when_freed(void **state)
{
	char needle[NEEDLE_BYTES + 1];
	char *copy;

	(void)state;
	make_needle(needle);
	copy = secret_copy(view_of(needle));
	assert_non_null(copy);
	assert_string_equal(copy, needle);
	explicit_bzero(needle, sizeof(needle));
	assert_found(0, true);
	secret_drop(&copy);
	assert_null(copy);
	assert_found(0, false);
	secret_drop(&copy);
}

static void
a_buffer_for_secrets_leaves_nothing_behind(void **state)
{
	char needle[NEEDLE_BYTES + 1];
	struct buffer b, other;

	(void)state;
	make_needle(needle);
	buffer_init_secret(&b, 65536);
	buffer_init(&other, 10);
	buffer_append(&b, needle, NEEDLE_BYTES);
	buffer_print(&b, "%s", needle);
	buffer_print(&b, "%s%300s", needle, "");
	explicit_bzero(needle, sizeof(needle));
	while (b.len < 20000 && buffer_status(&b) == STATUS_OK)
		buffer_append(&b, ".", 1);
	assert_status(buffer_status(&b), STATUS_OK);
	assert_found(0, true);
	buffer_reset(&b);
	assert_found(0, false);
	make_needle(needle);
	buffer_append(&b, needle, NEEDLE_BYTES);
	explicit_bzero(needle, sizeof(needle));
	buffer_take(&b, &other);
	assert_found(0, true);
	buffer_clear(&other);
	assert_found(0, false);
	buffer_clear(&b);
}

/* Then it is ordinary memory, wiped all the same, and OpenSSL has its half. */
static void
when_the_pages_are_full_there_is_still_memory(void **state)
{
	enum { COUNT_MAX = 64, BYTES = 65536 };
	/* What free() writes into its memory comes first. */
	char text[64 + NEEDLE_BYTES + 1];
	void *held[COUNT_MAX];
	struct es512_key *key = NULL;
	struct error err;
	char *copy;

	(void)state;
	for (size_t i = 0; i < COUNT_MAX; i++)
		assert_non_null(held[i] = secret_alloc(BYTES));
	memset(text, '-', 64);
	make_needle(text + 64);
	copy = secret_copy(view_of(text));
	assert_non_null(copy);
	explicit_bzero(text, sizeof(text));
	assert_found(1, false);
	assert_int_equal(es512_key_generate(&key, &err), STATUS_OK);
	es512_key_free(key);
	secret_drop(&copy);
	assert_found(0, false);
	for (size_t i = 0; i < COUNT_MAX; i++)
		secret_free(held[i], BYTES);
}

/* What was written is of no interest, so its bytes are wiped here. */
static void
write_file(const char *path, char *text, size_t len)
{
	const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, len), len);
	close(fd);
	explicit_bzero(text, len);
}

/* Each of its secrets and the properties of Kafka, from files. */
static void
a_configuration_keeps_its_secrets_so(void **state)
{
	static const char *const places[] = { "hook: {secret: ",
		"hook: {secret: a-long-enough-secret, app_secret: ",
		"hook: {secret: a-long-enough-secret}\n"
		"    api: {token: ",
		"hook: {secret: a-long-enough-secret}\n"
		"    api_oauth2: {client_secret: " };
	char folder[] = "/tmp/vulnbus-secret-XXXXXX", file[64], value[80];
	char needle[NEEDLE_BYTES + 1], text[1024];
	struct config *config = NULL;
	struct buffer again;
	struct error err;

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(file, sizeof(file), "%s/secret", folder);
	snprintf(value, sizeof(value), "${file:%s}", file);
	for (size_t i = 0; i <= COUNT(places); i++) {
		const bool is_kafka = i == COUNT(places);

		make_needle(needle);
		write_file(file, needle, NEEDLE_BYTES);
		snprintf(text, sizeof(text),
		    "kafka:\n  bootstrap_servers: a:1\n"
		    "  properties: {sasl.password: \"%s\"}\n"
		    "sources:\n  - name: a\n    vendor: b\n    %s\"%s\"}\n",
		    is_kafka ? value : "none", places[is_kafka ? 0 : i],
		    is_kafka ? "a-long-enough-secret" : value);
		assert_ok(
		    config_parse("here", view_of(text), &config, &err), &err);
		assert_found(0, true);
		buffer_init_secret(&again, 1000);
		if (i == 0)
			assert_ok(secret_read(&config->sources[0].hook.secret,
				      &again, &err),
			    &err);
		buffer_clear(&again);
		config_free(config);
		assert_found(0, false);
	}
	unlink(file);
	rmdir(folder);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ordinary_memory_is_found),
		cmocka_unit_test(
		    a_secret_is_in_no_core_dump_and_gone_when_freed),
		cmocka_unit_test(a_buffer_for_secrets_leaves_nothing_behind),
		cmocka_unit_test(when_the_pages_are_full_there_is_still_memory),
		cmocka_unit_test(a_configuration_keeps_its_secrets_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
