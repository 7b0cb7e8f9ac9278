/* SPDX-License-Identifier: Apache-2.0
 *
 * msgpack: every type there and back; no claim is believed. */
#include "check.h"

#include <sys/resource.h>

#include "vulnbus/msgpack.h"

static enum status
read_bytes(struct view bytes, struct tree *t)
{
	struct error err = { "" };

	tree_init(t, 10000);
	return msgpack_read(bytes, t, &err);
}

static void
write_tree(const struct tree *t, struct buffer *out)
{
	struct error err = { "" };

	buffer_init(out, 1 << 20);
	assert_ok(msgpack_write(t, out, &err), &err);
}

static void
build_sample(struct tree *t)
{
	static char text[70000];

	memset(text, 'x', sizeof(text));
	tree_init(t, 1000);
	tree_null(t, VIEW("nil"));
	tree_bool(t, VIEW("no"), false);
	tree_bool(t, VIEW("yes"), true);
	tree_real(t, VIEW("real"), -0.125);
	tree_text(t, VIEW("empty"), VIEW(""));
	tree_text(t, VIEW("bytes"), VIEW("a\0\xff"));
	tree_text(t, VIEW("str5"), (struct view){ text, 31 });
	tree_text(t, VIEW("str8"), (struct view){ text, 255 });
	tree_text(t, VIEW("str16"), (struct view){ text, 65535 });
	tree_text(t, VIEW("str32"), (struct view){ text, 65536 });
	tree_open_list(t, VIEW("list"));
	for (int i = 0; i < 20; i++)
		tree_int(t, VIEW(""), i);
	tree_open_list(t, VIEW(""));
	tree_close(t);
	tree_open_map(t, VIEW(""));
	tree_int(t, VIEW("deep"), 1);
	tree_close(t);
	tree_close(t);
	tree_open_map(t, VIEW("map"));
	tree_close(t);
	tree_int(t, VIEW("last"), 1);
}

static void
assert_same_tree(const struct tree *a, const struct tree *b)
{
	assert_int_equal(a->count, b->count);
	for (uint32_t i = 0; i < a->count; i++) {
		const struct tree_node *x = &a->nodes[i], *y = &b->nodes[i];

		assert_bytes(x->name, y->name);
		assert_int_equal(x->type, y->type);
		assert_int_equal(x->end, y->end);
		if (x->type == TREE_TEXT)
			assert_bytes(x->text, y->text);
		else if (x->type == TREE_REAL)
			assert_true(x->real == y->real);
		else if (x->type == TREE_BOOL)
			assert_int_equal(x->boolean, y->boolean);
		else if (x->type == TREE_INT)
			assert_int_equal(x->integer, y->integer);
		else if (x->type != TREE_NULL)
			assert_int_equal(x->count, y->count);
	}
}

static void
every_type_comes_back(void **state)
{
	struct tree written, read;
	struct buffer bytes;

	(void)state;
	build_sample(&written);
	write_tree(&written, &bytes);
	assert_status(read_bytes(buffer_view(&bytes), &read), STATUS_OK);
	assert_same_tree(&read, &written);
	tree_clear(&read);
	tree_clear(&written);
	buffer_clear(&bytes);
}

/* Around every boundary between two encodings of integers. */
static void
every_width_of_integer_comes_back(void **state)
{
	static const int64_t edges[] = { 0, 127, 128, 255, 256, 32767, 32768,
		65535, 65536, 2147483647, 2147483648, 4294967295, 4294967296,
		INT64_MAX, -1, -32, -33, -128, -129, -32768, -32769,
		-2147483648, -2147483649, INT64_MIN };

	(void)state;
	for (size_t i = 0; i < COUNT(edges); i++) {
		struct tree written, read;
		struct buffer bytes;

		tree_init(&written, 10);
		tree_int(&written, VIEW("i"), edges[i]);
		write_tree(&written, &bytes);
		assert_status(
		    read_bytes(buffer_view(&bytes), &read), STATUS_OK);
		assert_true(tree_get_int(&read, 0, "i", 42) == edges[i]);
		tree_clear(&read);
		tree_clear(&written);
		buffer_clear(&bytes);
	}
}

static void
an_empty_tree_is_an_empty_map(void **state)
{
	struct tree t, read;
	struct buffer bytes;

	(void)state;
	tree_init(&t, 10);
	write_tree(&t, &bytes);
	assert_bytes(buffer_view(&bytes), VIEW("\x80"));
	assert_status(read_bytes(buffer_view(&bytes), &read), STATUS_OK);
	assert_int_equal(read.count, 0);
	tree_clear(&read);
	buffer_clear(&bytes);
}

/* Cut at any byte a record is refused, never half read. */
static void
a_record_cut_anywhere_is_refused(void **state)
{
	struct tree written, read;
	struct buffer bytes;

	(void)state;
	build_sample(&written);
	tree_reset(&written);
	tree_int(&written, VIEW("i"), 70000);
	tree_real(&written, VIEW("r"), 1.5);
	tree_text(&written, VIEW("t"),
	    VIEW("a text that is longer than thirty-one bytes"));
	tree_open_list(&written, VIEW("l"));
	tree_null(&written, VIEW(""));
	tree_open_map(&written, VIEW(""));
	tree_bool(&written, VIEW("b"), true);
	tree_close(&written);
	tree_close(&written);
	write_tree(&written, &bytes);
	for (size_t len = 0; len < bytes.len; len++) {
		/* A copy of that very size: ASan sees a byte too many. */
		char *cut = malloc(len + 1);

		assert_non_null(cut);
		memcpy(cut, bytes.data, len);
		assert_status(read_bytes((struct view){ cut, len }, &read),
		    STATUS_INVALID);
		tree_clear(&read);
		free(cut);
	}
	tree_clear(&written);
	buffer_clear(&bytes);
}

static void
what_is_no_map_of_named_values_is_refused(void **state)
{
	static const struct {
		const char *what;
		struct view bytes;
		enum status status;
	} cases[] = {
		{ "map", VIEW("\x81\xa1\x61\x01"), STATUS_OK },
		{ "map16", VIEW("\xde\x00\x01\xa1\x61\x01"), STATUS_OK },
		{ "map32", VIEW("\xdf\x00\x00\x00\x01\xa1\x61\x01"),
		    STATUS_OK },
		{ "str8 as name", VIEW("\x81\xd9\x01\x61\x01"), STATUS_OK },
		{ "bin", VIEW("\x81\xa1\x61\xc4\x02xy"), STATUS_OK },
		{ "bin16", VIEW("\x81\xa1\x61\xc5\x00\x02xy"), STATUS_OK },
		{ "float32", VIEW("\x81\xa1\x61\xca\x3f\x00\x00\x00"),
		    STATUS_OK },
		{ "nothing", VIEW(""), STATUS_INVALID },
		{ "nil", VIEW("\xc0"), STATUS_INVALID },
		{ "list", VIEW("\x90"), STATUS_INVALID },
		{ "text", VIEW("\xa1\x61"), STATUS_INVALID },
		{ "two maps", VIEW("\x80\x80"), STATUS_INVALID },
		{ "trailing byte", VIEW("\x81\xa1\x61\x01\x00"),
		    STATUS_INVALID },
		{ "integer as name", VIEW("\x81\x01\x01"), STATUS_INVALID },
		{ "nil as name", VIEW("\x81\xc0\x01"), STATUS_INVALID },
		{ "bin as name", VIEW("\x81\xc4\x01\x61\x01"), STATUS_INVALID },
		{ "map as name", VIEW("\x81\x80\x01"), STATUS_INVALID },
		{ "reserved c1", VIEW("\x81\xa1\x61\xc1"), STATUS_INVALID },
		{ "fixext1", VIEW("\x81\xa1\x61\xd4\x01\x00"), STATUS_INVALID },
		{ "timestamp", VIEW("\x81\xa1\x61\xd6\xff\x00\x00\x00\x00"),
		    STATUS_INVALID },
		{ "ext8", VIEW("\x81\xa1\x61\xc7\x01\x05\x00"),
		    STATUS_INVALID },
		{ "ext32", VIEW("\x81\xa1\x61\xc9\xff\xff\xff\xff\x05"),
		    STATUS_INVALID },
		{ "uint64 over INT64_MAX",
		    VIEW("\x81\xa1\x61\xcf\x80\x00\x00\x00\x00\x00\x00\x00"),
		    STATUS_INVALID },
		{ "uint64 of INT64_MAX",
		    VIEW("\x81\xa1\x61\xcf\x7f\xff\xff\xff\xff\xff\xff\xff"),
		    STATUS_OK },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct tree t;

		assert_status_of(cases[i].what, read_bytes(cases[i].bytes, &t),
		    cases[i].status);
		tree_clear(&t);
	}
}

/* msgpack-c reserves memory for what a header claims: dd ff ff ff ff would be
 * 96 GiB. The claim is held against the bytes that are there first; and no
 * memory worth mentioning is taken. */
static void
allocation_bombs_are_refused(void **state)
{
	static const struct {
		const char *what;
		struct view bytes;
	} cases[] = {
		{ "list", VIEW("\xdd\xff\xff\xff\xff") },
		{ "map", VIEW("\xdf\xff\xff\xff\xff") },
		{ "in a map", VIEW("\x81\xa1\x61\xdd\xff\xff\xff\xff") },
		{ "map in a map", VIEW("\x81\xa1\x61\xdf\xff\xff\xff\xff") },
		{ "list16", VIEW("\x81\xa1\x61\xdc\xff\xff") },
		{ "map16", VIEW("\x81\xa1\x61\xde\xff\xff") },
		{ "str32", VIEW("\x81\xa1\x61\xdb\xff\xff\xff\xff") },
		{ "bin32", VIEW("\x81\xa1\x61\xc6\xff\xff\xff\xff") },
		{ "name", VIEW("\x81\xdb\xff\xff\xff\xff") },
		{ "nested", VIEW("\x81\xa1\x61\xdd\x00\x00\x00\x02"
				 "\xdd\x7f\xff\xff\xff\xdd\x7f\xff\xff\xff") },
		{ "sum of small claims",
		    VIEW("\x81\xa1\x61\x9f\x9f\x9f\x9f\x9f\x9f\x9f\x9f\x9f"
			 "\x9f\x9f\x9f\x9f\x9f\x9f\x9f\x9f") },
	};
	struct rusage before, after;

	(void)state;
	getrusage(RUSAGE_SELF, &before);
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct tree t;

		assert_status_of(cases[i].what, read_bytes(cases[i].bytes, &t),
		    STATUS_INVALID);
		tree_clear(&t);
	}
	getrusage(RUSAGE_SELF, &after);
	assert_true(after.ru_maxrss - before.ru_maxrss < 8192);
}

static void
deep_nesting_is_refused(void **state)
{
	static char bytes[10004];
	struct tree t;

	(void)state;
	memcpy(bytes, "\x81\xa1\x61", 3);
	memset(bytes + 3, 0x91, 10000);
	bytes[10003] = 1;
	assert_status_of("10000 lists",
	    read_bytes((struct view){ bytes, sizeof(bytes) }, &t),
	    STATUS_INVALID);
	tree_clear(&t);
	bytes[3 + TREE_DEPTH_MAX - 1] = 1;
	assert_status_of("31 lists",
	    read_bytes((struct view){ bytes, 3 + TREE_DEPTH_MAX }, &t),
	    STATUS_OK);
	tree_clear(&t);
}

static void
more_values_than_the_tree_takes_are_too_large(void **state)
{
	struct error err = { "" };
	struct tree t;

	(void)state;
	tree_init(&t, 3);
	assert_status(
	    msgpack_read(
		VIEW("\x83\xa1\x61\x01\xa1\x62\x01\xa1\x63\x01"), &t, &err),
	    STATUS_TOO_LARGE);
	tree_clear(&t);
}

static void
writing_keeps_the_ceiling(void **state)
{
	struct error err = { "" };
	struct buffer out;
	struct tree t;

	(void)state;
	tree_init(&t, 10);
	tree_text(&t, VIEW("name"), VIEW("0123456789"));
	buffer_init(&out, 15);
	assert_status(msgpack_write(&t, &out, &err), STATUS_TOO_LARGE);
	buffer_clear(&out);
	tree_clear(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_type_comes_back),
		cmocka_unit_test(every_width_of_integer_comes_back),
		cmocka_unit_test(an_empty_tree_is_an_empty_map),
		cmocka_unit_test(a_record_cut_anywhere_is_refused),
		cmocka_unit_test(what_is_no_map_of_named_values_is_refused),
		cmocka_unit_test(allocation_bombs_are_refused),
		cmocka_unit_test(deep_nesting_is_refused),
		cmocka_unit_test(more_values_than_the_tree_takes_are_too_large),
		cmocka_unit_test(writing_keeps_the_ceiling),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
