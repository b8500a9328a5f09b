/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A YAML tree held against a libcyaml schema: every fault at its own line and column. libcyaml
 * itself stops at the first one and often names the place of the token before it.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "signatures/base/text.h"
#include "signatures/base/yaml.h"
#include "signatures/base/yaml_tree.h"

enum { KEYS_MAX = 64, SHOWN_MAX = 64 };

struct check {
	yaml_document_t *doc;
	const char *path;
	struct sig_diag *diag;
	uint8_t *seen; /* a bit for each node: a node met twice came through an alias */
	unsigned faults;
};

static void
check_value(struct check *c, int id, const cyaml_schema_value_t *schema, const char *name);

#define FAULT(c, mark, ...)                                                              \
	do {                                                                             \
		(c)->faults++;                                                           \
		sig_diag_add((c)->diag, SIG_ERROR, (c)->path, (unsigned)(mark).line + 1, \
		    (unsigned)(mark).column + 1, __VA_ARGS__);                           \
	} while (0)

/* The scalar's text, escaped and cut for a message. */
static const char *
shown(const yaml_node_t *node, char buf[static SHOWN_MAX])
{
	sig_text_escape(buf, SHOWN_MAX, node->data.scalar.value, node->data.scalar.length);
	return buf;
}

static const char *
kind_of(const yaml_node_t *node)
{
	if (node->type == YAML_MAPPING_NODE)
		return "a mapping";
	return node->type == YAML_SEQUENCE_NODE ? "a list" : "a single value";
}

static void
unknown_key(struct check *c, const yaml_node_t *key, const cyaml_schema_field_t *fields)
{
	const char *known[KEYS_MAX], *near;
	char buf[SHOWN_MAX];
	size_t n = 0;

	for (; fields->key && n < KEYS_MAX; fields++)
		known[n++] = fields->key;
	near = sig_nearest(shown(key, buf), known, n);
	if (near)
		FAULT(c, key->start_mark, "unknown key '%s': did you mean '%s'?", buf, near);
	else
		FAULT(c, key->start_mark, "unknown key '%s'", buf);
}

static int
field_index(const cyaml_schema_field_t *fields, const yaml_node_t *key)
{
	for (int i = 0; fields[i].key && i < KEYS_MAX; i++)
		if (strlen(fields[i].key) == key->data.scalar.length &&
		    memcmp(fields[i].key, key->data.scalar.value, key->data.scalar.length) == 0)
			return i;
	return -1;
}

static bool
wants_scalars(const cyaml_schema_value_t *schema)
{
	return schema->type == CYAML_SEQUENCE && schema->sequence.entry->type != CYAML_MAPPING &&
	       schema->sequence.entry->type != CYAML_SEQUENCE_FIXED;
}

static void
check_mapping(struct check *c, int id, const cyaml_schema_value_t *schema, const char *name)
{
	yaml_node_t *map = yaml_document_get_node(c->doc, id);
	const cyaml_schema_field_t *fields = schema->mapping.fields;
	size_t n = (size_t)(map->data.mapping.pairs.top - map->data.mapping.pairs.start);
	yaml_mark_t at = map->start_mark;
	uint64_t seen = 0;

	for (size_t i = 0; i < n; i++) {
		yaml_node_pair_t pair = map->data.mapping.pairs.start[i];
		yaml_node_t *key = yaml_document_get_node(c->doc, pair.key);
		int f;

		if (key->type != YAML_SCALAR_NODE) {
			FAULT(c, key->start_mark, "a key must be a single word");
			continue;
		}
		f = field_index(fields, key);
		if (f < 0) {
			unknown_key(c, key, fields);
			continue;
		}
		if (seen & (1ULL << f)) {
			FAULT(c, key->start_mark, "key '%s' is given twice", fields[f].key);
			continue;
		}
		seen |= 1ULL << f;
		check_value(c, pair.value, &fields[f].value, fields[f].key);
	}
	for (int f = 0; fields[f].key && f < KEYS_MAX; f++)
		if (!(fields[f].value.flags & CYAML_FLAG_OPTIONAL) && !(seen & (1ULL << f)))
			FAULT(c, at, "key '%s' is missing%s%s", fields[f].key, name ? " in " : "",
			    name ? name : "");
}

static void
check_sequence(struct check *c, int id, const cyaml_schema_value_t *schema, const char *name)
{
	yaml_node_t *seq = yaml_document_get_node(c->doc, id);
	size_t n = (size_t)(seq->data.sequence.items.top - seq->data.sequence.items.start);

	if (n < schema->sequence.min)
		FAULT(c, seq->start_mark, "'%s' needs at least %u entr%s", name ? name : "list",
		    schema->sequence.min, schema->sequence.min == 1 ? "y" : "ies");
	else if (n > schema->sequence.max)
		FAULT(c, seq->start_mark, "'%s' has %zu entries: at most %u are allowed",
		    name ? name : "list", n, schema->sequence.max);
	for (size_t i = 0; i < n; i++) {
		int item = yaml_document_get_node(c->doc, id)->data.sequence.items.start[i];

		check_value(c, item, schema->sequence.entry, name);
	}
}

static void
check_integer(
    struct check *c, const yaml_node_t *node, const cyaml_schema_value_t *schema, const char *name)
{
	unsigned bits = 8 * (schema->data_size < 8 ? schema->data_size : 8);
	const char *s = (const char *)node->data.scalar.value;
	char buf[SHOWN_MAX], *end;
	bool fits;

	errno = 0;
	if (schema->type == CYAML_UINT) {
		unsigned long long v = strtoull(s, &end, 0);

		fits = *s != '-' && (bits == 64 || v >> bits == 0);
	} else {
		long long v = strtoll(s, &end, 0);

		fits = bits == 64 || (v >= -(1LL << (bits - 1)) && v < 1LL << (bits - 1));
	}
	if (*end || end == s || strchr(" \t", *s))
		FAULT(c, node->start_mark, "'%s' needs a whole number, not '%s'", name,
		    shown(node, buf));
	else if (errno || !fits)
		FAULT(c, node->start_mark, "'%s' is out of range: '%s'", name, shown(node, buf));
}

static void
check_word(
    struct check *c, const yaml_node_t *node, const cyaml_schema_value_t *schema, const char *name)
{
	const char *known[KEYS_MAX], *near, *s = (const char *)node->data.scalar.value;
	char buf[SHOWN_MAX];
	size_t n = 0;

	for (uint32_t i = 0; i < schema->enumeration.count; i++) {
		if (strcmp(schema->enumeration.strings[i].str, s) == 0)
			return;
		if (n < KEYS_MAX)
			known[n++] = schema->enumeration.strings[i].str;
	}
	near = sig_nearest(shown(node, buf), known, n);
	if (near)
		FAULT(c, node->start_mark, "'%s' is no %s: did you mean '%s'?", buf, name, near);
	else
		FAULT(c, node->start_mark, "'%s' is no %s", buf, name);
}

static void
check_bool(struct check *c, const yaml_node_t *node, const char *name)
{
	static const char *const words[] = { "true", "false", "yes", "no", "on", "off" };
	char buf[SHOWN_MAX];

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcasecmp((const char *)node->data.scalar.value, words[i]) == 0)
			return;
	FAULT(c, node->start_mark, "'%s' needs true or false, not '%s'", name, shown(node, buf));
}

/* Also U+0080 to U+009F, of which terminals take U+009B for ESC [. */
static bool
has_control(const uint8_t *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((s[i] < 0x20 && s[i] != '\t' && s[i] != '\r' && s[i] != '\n') || s[i] == 0x7f ||
		    (s[i] == 0xc2 && i + 1 < len && s[i + 1] < 0xa0))
			return true;
	return false;
}

static void
check_scalar(
    struct check *c, const yaml_node_t *node, const cyaml_schema_value_t *schema, const char *name)
{
	size_t len = node->data.scalar.length;
	char *end;

	/* What is shown later must not move a terminal's cursor. */
	if (has_control(node->data.scalar.value, len)) {
		FAULT(c, node->start_mark, "'%s' holds a control character", name);
		return;
	}
	switch (schema->type) {
	case CYAML_STRING:
		if (len < schema->string.min)
			FAULT(c, node->start_mark, "'%s' must not be empty", name);
		else if (len > schema->string.max)
			FAULT(c, node->start_mark, "'%s' is longer than %u bytes", name,
			    schema->string.max);
		break;
	case CYAML_INT:
	case CYAML_UINT: check_integer(c, node, schema, name); break;
	case CYAML_BOOL: check_bool(c, node, name); break;
	case CYAML_ENUM:
	case CYAML_FLAGS: check_word(c, node, schema, name); break;
	case CYAML_FLOAT:
		(void)strtod((const char *)node->data.scalar.value, &end);
		if (*end || len == 0)
			FAULT(c, node->start_mark, "'%s' needs a number", name);
		break;
	default: break;
	}
}

static void
check_value(struct check *c, int id, const cyaml_schema_value_t *schema, const char *name)
{
	yaml_node_t *node = yaml_document_get_node(c->doc, id);
	const char *what = name ? name : "the document";

	if (c->seen[id / 8] & (1U << (id % 8))) {
		FAULT(c, node->start_mark, "aliases are not allowed: write '%s' out", what);
		return;
	}
	c->seen[id / 8] |= (uint8_t)(1U << (id % 8));
	switch (schema->type) {
	case CYAML_IGNORE: return;
	case CYAML_MAPPING:
	case CYAML_BITFIELD:
		if (node->type != YAML_MAPPING_NODE)
			FAULT(
			    c, node->start_mark, "%s needs a mapping, not %s", what, kind_of(node));
		else if (schema->type == CYAML_MAPPING)
			check_mapping(c, id, schema, name);
		return;
	case CYAML_FLAGS:
	case CYAML_SEQUENCE:
	case CYAML_SEQUENCE_FIXED:
		if (node->type == YAML_SCALAR_NODE && wants_scalars(schema))
			check_scalar(c, node, schema->sequence.entry, what);
		else if (node->type != YAML_SEQUENCE_NODE)
			FAULT(c, node->start_mark, "%s needs a list, not %s", what, kind_of(node));
		else if (schema->type != CYAML_FLAGS)
			check_sequence(c, id, schema, name);
		return;
	default:
		if (node->type != YAML_SCALAR_NODE)
			FAULT(c, node->start_mark, "%s needs a single value, not %s", what,
			    kind_of(node));
		else
			check_scalar(c, node, schema, what);
	}
}

unsigned
sig_yaml_tree_check(yaml_document_t *doc, const cyaml_schema_value_t *schema, const char *path,
    struct sig_diag *diag)
{
	size_t n = (size_t)(doc->nodes.top - doc->nodes.start);
	struct check c = { .doc = doc, .path = path, .diag = diag, .seen = calloc(n / 8 + 1, 1) };

	if (!c.seen) {
		sig_diag_add(diag, SIG_ERROR, path, 0, 0, "out of memory");
		return 1;
	}
	check_value(&c, 1, schema, NULL);
	free(c.seen);
	return c.faults;
}
