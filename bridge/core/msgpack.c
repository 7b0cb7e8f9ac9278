/* SPDX-License-Identifier: Apache-2.0
 *
 * The door to msgpack-c. */
#include "vulnbus/msgpack.h"

#include <msgpack.h>

static int
write_to_buffer(void *arg, const char *data, size_t len)
{
	struct buffer *out = arg;

	buffer_append(out, data, len);
	return buffer_status(out) == STATUS_OK ? 0 : -1;
}

static void
pack_text(msgpack_packer *packer, struct view text)
{
	msgpack_pack_str(packer, text.len);
	msgpack_pack_str_body(packer, text.data, text.len);
}

static void
pack_node(msgpack_packer *packer, const struct tree_node *node)
{
	switch (node->type) {
	case TREE_MAP:
		msgpack_pack_map(packer, node->count);
		break;
	case TREE_LIST:
		msgpack_pack_array(packer, node->count);
		break;
	case TREE_TEXT:
		pack_text(packer, node->text);
		break;
	case TREE_INT:
		msgpack_pack_int64(packer, node->integer);
		break;
	case TREE_REAL:
		msgpack_pack_double(packer, node->real);
		break;
	case TREE_BOOL:
		if (node->boolean)
			msgpack_pack_true(packer);
		else
			msgpack_pack_false(packer);
		break;
	case TREE_NULL:
		msgpack_pack_nil(packer);
		break;
	}
}

enum status
msgpack_write(const struct tree *t, struct buffer *out, struct error *err)
{
	uint32_t ends[TREE_DEPTH_MAX];
	bool named[TREE_DEPTH_MAX];
	uint32_t depth = 0;
	msgpack_packer packer;
	enum status status = tree_status(t);

	msgpack_packer_init(&packer, out, write_to_buffer);
	if (status == STATUS_OK && t->count == 0)
		msgpack_pack_map(&packer, 0);
	for (uint32_t i = 0; status == STATUS_OK && i < t->count; i++) {
		const struct tree_node *node = &t->nodes[i];

		while (depth > 0 && ends[depth - 1] == i)
			depth--;
		if (depth > 0 && named[depth - 1])
			pack_text(&packer, node->name);
		pack_node(&packer, node);
		if (node->type == TREE_MAP || node->type == TREE_LIST) {
			named[depth] = node->type == TREE_MAP;
			ends[depth++] = node->end;
		}
	}
	if (status == STATUS_OK)
		status = buffer_status(out);
	if (status != STATUS_OK)
		return error_set(
		    err, status, "msgpack: %s", status_name(status));
	return STATUS_OK;
}

/* A cursor over msgpack bytes that reads only what the bounds check needs. */
struct cursor {
	const unsigned char *at;
	const unsigned char *end;
};

static bool
read_be(struct cursor *c, unsigned width, uint64_t *out_value)
{
	uint64_t value = 0;

	if ((size_t)(c->end - c->at) < width)
		return false;
	for (unsigned i = 0; i < width; i++)
		value = value << 8 | *c->at++;
	*out_value = value;
	return true;
}

static bool
skip_bytes(struct cursor *c, uint64_t len)
{
	if (len > (uint64_t)(c->end - c->at))
		return false;
	c->at += len;
	return true;
}

static bool
skip_sized(struct cursor *c, unsigned width, uint64_t extra)
{
	uint64_t len;

	return read_be(c, width, &len) && skip_bytes(c, len + extra);
}

/* What one value's head tells: how many values stand below it. msgpack
 * specification, "Formats":
 *   00-7f fixint  80-8f fixmap  90-9f fixarray  a0-bf fixstr
 *   c0 nil  c2-c3 bool  c4-c6 bin  c7-c9 ext  ca-cb float
 *   cc-cf uint  d0-d3 int  d4-d8 fixext  d9-db str  dc-dd array
 *   de-df map  e0-ff negative fixint */
static bool
skip_head(struct cursor *c, uint64_t *out_below)
{
	const unsigned char head = *c->at++;

	*out_below = 0;
	if (head <= 0x7f || head >= 0xe0 || head == 0xc0 || head == 0xc2 ||
	    head == 0xc3)
		return true;
	if (head <= 0x8f) {
		*out_below = (head & 0x0fu) * 2u;
		return true;
	}
	if (head <= 0x9f) {
		*out_below = head & 0x0fu;
		return true;
	}
	if (head <= 0xbf)
		return skip_bytes(c, head & 0x1fu);
	if (head >= 0xc4 && head <= 0xc6)
		return skip_sized(c, 1u << (head - 0xc4), 0);
	if (head == 0xca || head == 0xcb)
		return skip_bytes(c, head == 0xca ? 4 : 8);
	if (head >= 0xcc && head <= 0xcf)
		return skip_bytes(c, 1u << (head - 0xcc));
	if (head >= 0xd0 && head <= 0xd3)
		return skip_bytes(c, 1u << (head - 0xd0));
	if (head >= 0xd9 && head <= 0xdb)
		return skip_sized(c, 1u << (head - 0xd9), 0);
	if (head == 0xdc || head == 0xdd)
		return read_be(c, head == 0xdc ? 2 : 4, out_below);
	if (head == 0xde || head == 0xdf) {
		if (!read_be(c, head == 0xde ? 2 : 4, out_below))
			return false;
		*out_below *= 2;
		return true;
	}
	return false; /* ext, fixext and the reserved c1 */
}

/* msgpack-c reserves 24 or 48 bytes for each element a header claims, before
 * it has seen one: every element needs a byte of its own, so a claim beyond
 * the bytes that are left is a lie. */
static bool
claims_hold(struct view bytes)
{
	struct cursor c = { (const unsigned char *)bytes.data,
		(const unsigned char *)bytes.data + bytes.len };
	uint64_t pending = 1;

	while (pending > 0) {
		uint64_t below;

		if (c.at == c.end || !skip_head(&c, &below))
			return false;
		pending += below;
		pending--;
		if (pending > (uint64_t)(c.end - c.at))
			return false;
	}
	return c.at == c.end;
}

static bool
add_object(struct tree *t, struct view name, const msgpack_object *object);

static bool
add_children(struct tree *t, const msgpack_object *object)
{
	if (object->type == MSGPACK_OBJECT_ARRAY) {
		for (uint32_t i = 0; i < object->via.array.size; i++)
			if (!add_object(t, VIEW(""), &object->via.array.ptr[i]))
				return false;
		return true;
	}
	for (uint32_t i = 0; i < object->via.map.size; i++) {
		const msgpack_object_kv *pair = &object->via.map.ptr[i];
		const struct view name = { pair->key.via.str.ptr,
			pair->key.via.str.size };

		if (pair->key.type != MSGPACK_OBJECT_STR)
			return false;
		if (!add_object(t, name, &pair->val))
			return false;
	}
	return true;
}

static bool
add_object(struct tree *t, struct view name, const msgpack_object *object)
{
	bool is_good = true;

	switch (object->type) {
	case MSGPACK_OBJECT_MAP:
	case MSGPACK_OBJECT_ARRAY:
		if (object->type == MSGPACK_OBJECT_MAP)
			tree_open_map(t, name);
		else
			tree_open_list(t, name);
		is_good = tree_status(t) == STATUS_OK &&
			  add_children(t, object);
		tree_close(t);
		break;
	case MSGPACK_OBJECT_STR:
	case MSGPACK_OBJECT_BIN:
		tree_text(t, name,
		    (struct view){ object->via.str.ptr, object->via.str.size });
		break;
	case MSGPACK_OBJECT_POSITIVE_INTEGER:
		is_good = object->via.u64 <= INT64_MAX;
		tree_int(t, name, (int64_t)object->via.u64);
		break;
	case MSGPACK_OBJECT_NEGATIVE_INTEGER:
		tree_int(t, name, object->via.i64);
		break;
	case MSGPACK_OBJECT_FLOAT32:
	case MSGPACK_OBJECT_FLOAT64:
		tree_real(t, name, object->via.f64);
		break;
	case MSGPACK_OBJECT_BOOLEAN:
		tree_bool(t, name, object->via.boolean);
		break;
	case MSGPACK_OBJECT_NIL:
		tree_null(t, name);
		break;
	default:
		return false;
	}
	return is_good && tree_status(t) == STATUS_OK;
}

enum status
msgpack_read(struct view bytes, struct tree *out_tree, struct error *err)
{
	enum status status = STATUS_INVALID;
	msgpack_unpacked result;
	size_t at = 0;

	tree_reset(out_tree);
	if (!claims_hold(bytes))
		return error_set(err, STATUS_INVALID,
		    "msgpack: truncated, trailing bytes or an ext value");
	msgpack_unpacked_init(&result);
	if (msgpack_unpack_next(&result, bytes.data, bytes.len, &at) ==
		MSGPACK_UNPACK_SUCCESS &&
	    result.data.type == MSGPACK_OBJECT_MAP &&
	    add_children(out_tree, &result.data))
		status = STATUS_OK;
	else if (tree_status(out_tree) != STATUS_OK)
		status = tree_status(out_tree);
	msgpack_unpacked_destroy(&result);
	if (status != STATUS_OK)
		return error_set(err, status, "msgpack: %s",
		    status == STATUS_INVALID ? "not a map of named values"
					     : status_name(status));
	return STATUS_OK;
}
