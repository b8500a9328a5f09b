/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plain style that packs, policies and configs are written in, read straight into nodes: block
 * mappings and lists, values of one line, flow lists and mappings, comments. libyaml spends half of
 * a start on tokens and small pieces of memory; this takes a few instructions a byte.
 *
 * Whatever is not certain to be that style (an anchor, a tag, an escape, text over several lines,
 * any fault) is left to libyaml, which then reads the whole text and words the faults. So this
 * reader needs no messages, and one rule: what it takes, libyaml reads as the same tree.
 */
#include <stdlib.h>
#include <string.h>

#include "signatures/base/bytes.h"
#include "signatures/base/yaml_tree.h"

enum { DEPTH_MAX = 16, KEY_MAX = 64, MANY = 1 << 26 };

struct ints {
	int *v;
	size_t n, cap;
};

struct plain {
	struct sig_bytes b;
	const uint8_t *line_start;
	size_t line;
	int col; /* of the next line's first character in block context; -1 at the end */
	yaml_node_t *nodes;
	size_t n, cap;
	struct ints open;     /* children of collections that are not closed yet */
	struct ints children; /* of closed ones, each one's side by side */
};

static int block(struct plain *p, unsigned depth);
static int block_mapping(struct plain *p, unsigned depth);
static int flow_value(struct plain *p, bool flow, unsigned depth);

/* 0 past the end: no byte of the text is. */
static inline uint8_t
peek(const struct plain *p, size_t ahead)
{
	return sig_bytes_left(&p->b) > ahead ? p->b.p[ahead] : 0;
}

static inline bool
is_word(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z');
}

static inline bool
is_end(uint8_t c)
{
	return c == '\n' || c == 0;
}

static void
skip(struct plain *p, size_t n)
{
	(void)sig_bytes_skip(&p->b, n);
}

static void
spaces(struct plain *p)
{
	while (peek(p, 0) == ' ')
		skip(p, 1);
}

static void
newline(struct plain *p)
{
	skip(p, 1);
	p->line++;
	p->line_start = p->b.p;
}

/* --- nodes --- */

static bool
ints_add(struct ints *s, const int *v, size_t n)
{
	if (s->cap - s->n < n) {
		size_t cap = 2 * (s->cap + n) + 64;
		int *more = cap < MANY ? realloc(s->v, cap * sizeof(*more)) : NULL;

		if (!more)
			return false;
		s->v = more;
		s->cap = cap;
	}
	if (n > 0)
		memcpy(s->v + s->n, v, n * sizeof(*v));
	s->n += n;
	return true;
}

/* The id of a new node, which begins where the cursor is, or 0. */
static int
node_new(struct plain *p, yaml_node_type_t type)
{
	yaml_mark_t at = { .index = 0, .line = p->line };

	if (p->n == p->cap) {
		size_t cap = p->cap ? 2 * p->cap : 256;
		yaml_node_t *more = cap < MANY ? realloc(p->nodes, cap * sizeof(*more)) : NULL;

		if (!more)
			return 0;
		p->nodes = more;
		p->cap = cap;
	}
	/* Columns count characters: bytes that continue one do not. */
	for (const uint8_t *c = p->line_start; c < p->b.p; c++)
		at.column += (*c & 0xc0) != 0x80;
	p->nodes[p->n] = (yaml_node_t){ .type = type, .start_mark = at, .end_mark = at };
	return (int)++p->n;
}

/* A node of the next n bytes, which are passed. */
static int
scalar(struct plain *p, size_t n, yaml_scalar_style_t style)
{
	int id = node_new(p, YAML_SCALAR_NODE);

	if (!id)
		return 0;
	p->nodes[id - 1].data.scalar.value = (yaml_char_t *)(uintptr_t)p->b.p;
	p->nodes[id - 1].data.scalar.length = n;
	p->nodes[id - 1].data.scalar.style = style;
	skip(p, n);
	return id;
}

/* The children since `base` become the collection's. Arrays move while they grow: indexes yet. */
static int
close_node(struct plain *p, int id, size_t base)
{
	yaml_node_t *node = &p->nodes[id - 1];
	size_t n = p->open.n - base, first = p->children.n;

	if (n > 0 && !ints_add(&p->children, p->open.v + base, n))
		return 0;
	p->open.n = base;
	node->data.sequence.items.start = (yaml_node_item_t *)(uintptr_t)first;
	node->data.sequence.items.top = (yaml_node_item_t *)(uintptr_t)(first + n);
	return id;
}

static bool
add_child(struct plain *p, int child)
{
	return child && ints_add(&p->open, &child, 1);
}

/* --- values of one line, and flow collections --- */

/* The length of `key` where `key:` and a blank stand next; 0 where they do not. */
static size_t
key_length(const struct plain *p)
{
	size_t n = 0;

	while (is_word(peek(p, n)) || (n > 0 && (peek(p, n) == '_' || peek(p, n) == '-')))
		n++;
	if (n > KEY_MAX || peek(p, n) != ':' || !(is_end(peek(p, n + 1)) || peek(p, n + 1) == ' '))
		return 0;
	return n;
}

static bool
begins_plain(uint8_t c)
{
	return is_word(c) || c >= 0x80 || (c != 0 && strchr("._/(+$~<=^;\\", c));
}

/* 0 where it is none, or where its end is not plain to see. */
static int
plain_scalar(struct plain *p, bool flow)
{
	size_t n = 0, len = 0;

	if (!begins_plain(peek(p, 0)))
		return 0;
	for (uint8_t c; !is_end(c = peek(p, n)); n++) {
		uint8_t next = peek(p, n + 1);

		if (c == ' ')
			continue;
		if (c == '#' && peek(p, n - 1) == ' ')
			break;
		if (c == ':' && (next == ' ' || is_end(next) || (flow && strchr(",?[]{}", next))))
			return 0;
		if (flow && (c == ',' || c == ']' || c == '}'))
			break;
		if (flow && (c == '[' || c == '{'))
			return 0;
		len = n + 1;
	}
	return scalar(p, len, YAML_PLAIN_SCALAR_STYLE);
}

static int
quoted_scalar(struct plain *p)
{
	uint8_t quote = peek(p, 0);
	size_t n = 1;
	int id;

	for (uint8_t c; (c = peek(p, n)) != quote; n++)
		if (is_end(c) || c == '\\')
			return 0;
	if (peek(p, n + 1) == quote)
		return 0;
	id = scalar(p, n + 1,
	    quote == '"' ? YAML_DOUBLE_QUOTED_SCALAR_STYLE : YAML_SINGLE_QUOTED_SCALAR_STYLE);
	if (id) {
		p->nodes[id - 1].data.scalar.value++;
		p->nodes[id - 1].data.scalar.length = n - 1;
	}
	return id;
}

/* Between the parts of a flow collection lines end as they like. */
static void
flow_space(struct plain *p)
{
	for (;;) {
		spaces(p);
		if (peek(p, 0) != '\n')
			return;
		newline(p);
	}
}

static bool
flow_key(struct plain *p)
{
	size_t n = key_length(p);

	if (n == 0 || !add_child(p, scalar(p, n, YAML_PLAIN_SCALAR_STYLE)))
		return false;
	skip(p, 1);
	spaces(p);
	return true;
}

static int
flow_collection(struct plain *p, unsigned depth)
{
	bool map = peek(p, 0) == '{';
	int id = depth < DEPTH_MAX ? node_new(p, map ? YAML_MAPPING_NODE : YAML_SEQUENCE_NODE) : 0;
	size_t base = p->open.n;
	uint8_t end = map ? '}' : ']';

	if (!id)
		return 0;
	skip(p, 1);
	flow_space(p);
	if (peek(p, 0) != end)
		for (;;) {
			if (map && !flow_key(p))
				return 0;
			if (!add_child(p, flow_value(p, true, depth + 1)))
				return 0;
			flow_space(p);
			if (peek(p, 0) != ',')
				break;
			skip(p, 1);
			flow_space(p);
		}
	if (peek(p, 0) != end)
		return 0;
	skip(p, 1);
	return close_node(p, id, base);
}

static int
flow_value(struct plain *p, bool flow, unsigned depth)
{
	switch (peek(p, 0)) {
	case '"':
	case '\'': return quoted_scalar(p);
	case '[':
	case '{': return flow_collection(p, depth);
	default: return plain_scalar(p, flow);
	}
}

/* --- blocks --- */

/* Nothing but blanks and a comment is left of this line. */
static bool
end_line(struct plain *p)
{
	bool blank = peek(p, 0) == ' ';

	spaces(p);
	if (peek(p, 0) == '#' && blank)
		while (!is_end(peek(p, 0)))
			skip(p, 1);
	return is_end(peek(p, 0));
}

/* From a line's end, or the text's beginning, to the next line that says something. */
static void
next_line(struct plain *p)
{
	for (;;) {
		spaces(p);
		if (peek(p, 0) == '#')
			while (!is_end(peek(p, 0)))
				skip(p, 1);
		if (peek(p, 0) != '\n')
			break;
		newline(p);
	}
	p->col = sig_bytes_left(&p->b) ? (int)(p->b.p - p->line_start) : -1;
}

static int
line_value(struct plain *p, unsigned depth)
{
	int id = flow_value(p, false, depth);

	if (!id || !end_line(p))
		return 0;
	next_line(p);
	return id;
}

static int
block_sequence(struct plain *p, unsigned depth)
{
	int id = node_new(p, YAML_SEQUENCE_NODE), indent = p->col;
	size_t base = p->open.n;

	while (id && p->col == indent) {
		int child;

		if (peek(p, 0) != '-' || peek(p, 1) != ' ')
			return 0;
		skip(p, 1);
		spaces(p);
		p->col = (int)(p->b.p - p->line_start);
		child = key_length(p) ? block_mapping(p, depth + 1) : line_value(p, depth + 1);
		if (!add_child(p, child))
			return 0;
	}
	return id && p->col < indent ? close_node(p, id, base) : 0;
}

static int
block_mapping(struct plain *p, unsigned depth)
{
	int id = depth < DEPTH_MAX ? node_new(p, YAML_MAPPING_NODE) : 0, indent = p->col;
	size_t base = p->open.n;

	while (id && p->col == indent) {
		size_t n = key_length(p);
		int child;

		if (n == 0 || !add_child(p, scalar(p, n, YAML_PLAIN_SCALAR_STYLE)))
			return 0;
		skip(p, 1);
		if (end_line(p)) {
			next_line(p);
			child = p->col > indent ? block(p, depth + 1) : 0;
		} else {
			child = line_value(p, depth + 1);
		}
		if (!add_child(p, child))
			return 0;
	}
	return id && p->col < indent ? close_node(p, id, base) : 0;
}

static int
block(struct plain *p, unsigned depth)
{
	if (depth >= DEPTH_MAX)
		return 0;
	return peek(p, 0) == '-' ? block_sequence(p, depth) : block_mapping(p, depth);
}

/* --- the whole --- */

/* Bytes of one character beyond ASCII that libyaml takes and that breaks no line; else 0. */
static size_t
wide_character(struct sig_bytes b)
{
	size_t left = sig_bytes_left(&b);
	uint8_t c = sig_bytes_u8(&b), d = left > 1 ? sig_bytes_u8(&b) : 0;
	bool more = (d & 0xc0) == 0x80;

	if (c >= 0xc2 && c <= 0xdf) /* from U+00A0 on: below are controls and a line break */
		return more && (c > 0xc2 || d >= 0xa0) ? 2 : 0;
	/* Without U+2028, U+2029, the surrogates and the marks and holes at the end of the plane.
	 */
	if (c >= 0xe1 && c <= 0xee && left > 2 && more && (sig_bytes_u8(&b) & 0xc0) == 0x80)
		return (c == 0xe2 && d == 0x80) || (c == 0xed && d >= 0xa0) ? 0 : 3;
	return 0;
}

/* No control character, tab, or byte that is no text. */
static bool
is_plain_text(const char *text, size_t len)
{
	struct sig_bytes b = sig_bytes_of(text, len);

	while (sig_bytes_left(&b) > 0) {
		uint8_t c = *b.p;
		size_t n = 1;

		if (c >= 0x7f)
			n = c == 0x7f ? 0 : wide_character(b);
		else if (c < ' ' && c != '\n')
			n = 0;
		if (n == 0)
			return false;
		(void)sig_bytes_skip(&b, n);
	}
	return true;
}

/* Nothing grows any more: indexes become pointers, scalars end with a zero. */
static void
settle(struct plain *p)
{
	for (size_t i = 0; i < p->n; i++) {
		yaml_node_t *node = &p->nodes[i];
		size_t first = (uintptr_t)node->data.sequence.items.start;
		size_t end = (uintptr_t)node->data.sequence.items.top;

		if (node->type == YAML_SCALAR_NODE) {
			node->data.scalar.value[node->data.scalar.length] = 0;
		} else if (node->type == YAML_SEQUENCE_NODE) {
			node->data.sequence.items.start = p->children.v + first;
			node->data.sequence.items.top = p->children.v + end;
			node->data.sequence.items.end = p->children.v + end;
		} else {
			void *v = p->children.v + first, *w = p->children.v + end;

			node->data.mapping.pairs.start = v;
			node->data.mapping.pairs.top = w;
			node->data.mapping.pairs.end = w;
		}
	}
}

bool
sig_yaml_plain_parse(const char *text, size_t len, struct sig_yaml_tree *ret_tree)
{
	struct plain p = { .cap = 0 };
	char *own = is_plain_text(text, len) ? malloc(len + 1) : NULL;
	bool taken = false;

	if (own) {
		memcpy(own, text, len);
		own[len] = '\0';
		p.b = sig_bytes_of(own, len);
		p.line_start = p.b.p;
		next_line(&p);
		taken = p.col == 0 && block(&p, 0) && p.col < 0;
	}
	free(p.open.v);
	if (!taken) {
		free(p.nodes);
		free(p.children.v);
		free(own);
		return false;
	}
	settle(&p);
	*ret_tree = (struct sig_yaml_tree){ .plain = true, .text = own, .children = p.children.v };
	ret_tree->doc.nodes.start = p.nodes;
	ret_tree->doc.nodes.top = ret_tree->doc.nodes.end = p.nodes + p.n;
	return true;
}

void
sig_yaml_tree_free(struct sig_yaml_tree *tree)
{
	if (tree->plain) {
		free(tree->doc.nodes.start);
		free(tree->children);
		free(tree->text);
	} else {
		yaml_document_delete(&tree->doc);
	}
}
