/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fills C structs from a checked YAML tree, as a libcyaml schema lays them out: cyaml_load_data()
 * would parse the text a second time, and a tree with lone values would have to be printed for it.
 */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "signatures/base/yaml_tree.h"

/* What one document fills lies in few pieces, and goes at once: thousands of strings cost no call.
 */
struct piece {
	struct piece *next;
	size_t used, cap;
	max_align_t bytes[];
};

enum { PIECE = 16 << 10 };

struct fill {
	yaml_document_t *doc;
	struct piece *first, *last;
	int err;
};

static void fill_value(
    struct fill *f, int id, const cyaml_schema_value_t *schema, void *at, unsigned *ret_count);

/* n entries of zeros out of the last piece, or of a new one behind it; NULL: no memory. */
static void *
carve(struct piece **first, struct piece **last, size_t n, size_t size)
{
	enum { ALIGN = sizeof(max_align_t) };
	struct piece *p = *last;
	size_t bytes;

	if (size == 0 || n > (SIZE_MAX / 2) / size)
		return NULL;
	bytes = (n * size + ALIGN - 1) / ALIGN * ALIGN;
	if (!p || p->cap - p->used < bytes) {
		size_t cap = bytes > PIECE ? bytes : PIECE;

		p = calloc(1, sizeof(*p) + cap);
		if (!p)
			return NULL;
		p->cap = cap;
		*(*last ? &(*last)->next : first) = p;
		*last = p;
	}
	p->used += bytes;
	return (char *)p->bytes + p->used - bytes;
}

static void *
make(struct fill *f, size_t n, size_t size)
{
	void *p = carve(&f->first, &f->last, n, size);

	if (!p)
		f->err = -ENOMEM;
	return p;
}

static void
put_number(void *at, size_t size, uint64_t v)
{
	switch (size) {
	case 1: *(uint8_t *)at = (uint8_t)v; break;
	case 2: *(uint16_t *)at = (uint16_t)v; break;
	case 4: *(uint32_t *)at = (uint32_t)v; break;
	default: *(uint64_t *)at = v; break;
	}
}

static uint64_t
word_value(const cyaml_schema_value_t *schema, const char *s)
{
	for (uint32_t i = 0; i < schema->enumeration.count; i++)
		if (strcmp(schema->enumeration.strings[i].str, s) == 0)
			return (uint64_t)schema->enumeration.strings[i].val;
	return 0;
}

static bool
truth(const char *s)
{
	return strcasecmp(s, "true") == 0 || strcasecmp(s, "yes") == 0 || strcasecmp(s, "on") == 0;
}

static void
fill_scalar(struct fill *f, const yaml_node_t *node, const cyaml_schema_value_t *schema, void *at)
{
	const char *s = (const char *)node->data.scalar.value;
	size_t size = schema->data_size;

	switch (schema->type) {
	case CYAML_STRING: memcpy(at, s, node->data.scalar.length + 1); break;
	case CYAML_INT: put_number(at, size, (uint64_t)strtoll(s, NULL, 0)); break;
	case CYAML_UINT: put_number(at, size, strtoull(s, NULL, 0)); break;
	case CYAML_BOOL: put_number(at, size, truth(s)); break;
	case CYAML_ENUM: put_number(at, size, word_value(schema, s)); break;
	default: f->err = -ENOTSUP; break;
	}
}

static int
find_key(struct fill *f, const yaml_node_t *map, const char *key)
{
	size_t len = strlen(key);

	for (yaml_node_pair_t *p = map->data.mapping.pairs.start; p < map->data.mapping.pairs.top;
	     p++) {
		const yaml_node_t *k = yaml_document_get_node(f->doc, p->key);

		if (k->data.scalar.length == len && memcmp(k->data.scalar.value, key, len) == 0)
			return p->value;
	}
	return 0;
}

static void
fill_mapping(
    struct fill *f, const yaml_node_t *map, const cyaml_schema_value_t *schema, uint8_t *at)
{
	for (const cyaml_schema_field_t *field = schema->mapping.fields; field->key; field++) {
		int id = find_key(f, map, field->key);
		unsigned count = 0;

		if (!id)
			continue;
		fill_value(f, id, &field->value, at + field->data_offset, &count);
		if (field->value.type == CYAML_SEQUENCE)
			put_number(at + field->count_offset, field->count_size, count);
	}
}

/* A lone scalar counts as a list of one; the check let it through where the schema allows. */
static void
fill_sequence(struct fill *f, int id, const cyaml_schema_value_t *schema, void *at, unsigned n)
{
	const yaml_node_t *node = yaml_document_get_node(f->doc, id);
	const cyaml_schema_value_t *entry = schema->sequence.entry;
	size_t size = entry->flags & CYAML_FLAG_POINTER ? sizeof(void *) : entry->data_size;

	for (unsigned i = 0; i < n && !f->err; i++)
		fill_value(f,
		    node->type == YAML_SEQUENCE_NODE ? node->data.sequence.items.start[i] : id,
		    entry, (uint8_t *)at + i * size, NULL);
}

static size_t
entries(const yaml_node_t *node)
{
	if (node->type != YAML_SEQUENCE_NODE)
		return 1;
	return (size_t)(node->data.sequence.items.top - node->data.sequence.items.start);
}

static void
fill_value(
    struct fill *f, int id, const cyaml_schema_value_t *schema, void *at, unsigned *ret_count)
{
	const yaml_node_t *node = yaml_document_get_node(f->doc, id);
	size_t n = 1, size = schema->data_size;

	if (schema->type == CYAML_IGNORE)
		return;
	if (schema->type == CYAML_STRING) {
		n = node->data.scalar.length + 1;
		size = 1;
	} else if (schema->type == CYAML_SEQUENCE) {
		const cyaml_schema_value_t *entry = schema->sequence.entry;

		n = entries(node);
		size = entry->flags & CYAML_FLAG_POINTER ? sizeof(void *) : entry->data_size;
		if (n == 0 || !ret_count || !(schema->flags & CYAML_FLAG_POINTER)) {
			f->err = n ? -ENOTSUP : f->err;
			return;
		}
	}
	if (schema->flags & CYAML_FLAG_POINTER) {
		void *p = make(f, n, size);

		if (!p)
			return;
		*(void **)at = p;
		at = p;
	}
	if (schema->type == CYAML_SEQUENCE) {
		*ret_count = (unsigned)n;
		fill_sequence(f, id, schema, at, (unsigned)n);
	} else if (schema->type == CYAML_MAPPING) {
		fill_mapping(f, node, schema, at);
	} else {
		fill_scalar(f, node, schema, at);
	}
}

static void
free_pieces(struct piece *p)
{
	for (struct piece *next; p; p = next) {
		next = p->next;
		free(p);
	}
}

int
sig_yaml_tree_fill(yaml_document_t *doc, const cyaml_schema_value_t *schema,
    cyaml_data_t **ret_data, unsigned *ret_count)
{
	struct fill f = { .doc = doc };
	cyaml_data_t *data = NULL;
	unsigned count = 0;

	if (!(schema->flags & CYAML_FLAG_POINTER))
		return -ENOTSUP;
	fill_value(&f, 1, schema, &data, &count);
	if (f.err) {
		free_pieces(f.first);
		return f.err;
	}
	*ret_data = data;
	if (ret_count)
		*ret_count = count;
	return 0;
}

/* The struct itself was carved first, out of the first piece. */
static struct piece *
first_piece(cyaml_data_t *data)
{
	return (struct piece *)(void *)((char *)data - offsetof(struct piece, bytes));
}

void *
sig_yaml_make(cyaml_data_t *data, size_t n, size_t size)
{
	struct piece *first = first_piece(data), *last = first;

	while (last->next)
		last = last->next;
	return carve(&first, &last, n, size);
}

void
sig_yaml_free(cyaml_data_t *data)
{
	if (data)
		free_pieces(first_piece(data));
}
