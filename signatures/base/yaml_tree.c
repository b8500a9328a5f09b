/* SPDX-License-Identifier: Apache-2.0 */
/* Parsing and finding in YAML trees, with libyaml. */
#include "signatures/base/yaml_tree.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* libyaml gives a byte offset, and no mark, for bytes that are no text at all. */
static void
mark_of_offset(const char *text, size_t len, size_t offset, unsigned *line, unsigned *col)
{
	*line = 1;
	*col = 1;
	for (size_t i = 0; i < offset && i < len; i++) {
		(*col)++;
		if (text[i] == '\n') {
			(*line)++;
			*col = 1;
		}
	}
}

/*
 * libyaml's time grows with the square of the depth. So it gets the text in portions, and no more
 * of it once it is too deep: what one portion can nest is not felt.
 */
enum { PORTION = 2048 };

struct input {
	const yaml_parser_t *parser;
	const char *text;
	size_t len, at;
	bool too_deep;
};

static int
give(void *ctx, unsigned char *out, size_t size, size_t *ret_n)
{
	struct input *in = ctx;
	const yaml_parser_t *p = in->parser;
	size_t n = in->len - in->at < PORTION ? in->len - in->at : PORTION;

	if (p->flow_level + (p->indents.top - p->indents.start) > SIG_YAML_MAX_DEPTH) {
		in->too_deep = true;
		return 0;
	}
	n = n < size ? n : size;
	memcpy(out, in->text + in->at, n);
	in->at += n;
	*ret_n = n;
	return 1;
}

static int
syntax_error(yaml_parser_t *parser, const struct input *in, const char *path, struct sig_diag *diag)
{
	unsigned line = (unsigned)parser->problem_mark.line + 1;
	unsigned col = (unsigned)parser->problem_mark.column + 1;

	if (parser->error == YAML_MEMORY_ERROR) {
		sig_diag_add(diag, SIG_ERROR, path, 0, 0, "out of memory");
		return -ENOMEM;
	}
	if (in->too_deep) {
		sig_diag_add(diag, SIG_ERROR, path, (unsigned)parser->mark.line + 1,
		    (unsigned)parser->mark.column + 1, "nested more than %d deep",
		    SIG_YAML_MAX_DEPTH);
		return -EINVAL;
	}
	if (parser->error == YAML_READER_ERROR)
		mark_of_offset(in->text, in->len, parser->problem_offset, &line, &col);
	sig_diag_add(diag, SIG_ERROR, path, line, col, "not valid YAML: %s%s%s",
	    parser->context ? parser->context : "", parser->context ? ", " : "",
	    parser->problem ? parser->problem : "unreadable");
	return -EINVAL;
}

int
sig_yaml_tree_parse(
    const char *path, const char *text, size_t len, yaml_document_t *ret_doc, struct sig_diag *diag)
{
	yaml_document_t doc, next;
	yaml_node_t *root;
	yaml_parser_t parser;
	struct input in = { .parser = &parser };
	int err = 0;

	/* Editors on Windows begin with a byte order mark, which a stated encoding leaves in. */
	if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
		text += 3;
		len -= 3;
	}
	if (!yaml_parser_initialize(&parser)) {
		sig_diag_add(diag, SIG_ERROR, path, 0, 0, "out of memory");
		return -ENOMEM;
	}
	yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
	in.text = text;
	in.len = len;
	yaml_parser_set_input(&parser, give, &in);
	if (!yaml_parser_load(&parser, &doc)) {
		err = syntax_error(&parser, &in, path, diag);
		yaml_parser_delete(&parser);
		return err;
	}
	if (!yaml_document_get_root_node(&doc)) {
		sig_diag_add(diag, SIG_ERROR, path, 1, 1, "is empty");
		err = -EINVAL;
	} else if (!yaml_parser_load(&parser, &next)) {
		err = syntax_error(&parser, &in, path, diag);
	} else {
		root = yaml_document_get_root_node(&next);
		if (root) {
			sig_diag_add(diag, SIG_ERROR, path, (unsigned)root->start_mark.line + 1,
			    (unsigned)root->start_mark.column + 1,
			    "a second document begins here: one file holds one");
			err = -EINVAL;
		}
		yaml_document_delete(&next);
	}
	yaml_parser_delete(&parser);
	if (err)
		yaml_document_delete(&doc);
	else
		*ret_doc = doc;
	return err;
}

static yaml_node_t *
child_by_key(yaml_document_t *doc, yaml_node_t *map, const char *key, size_t len)
{
	if (map->type != YAML_MAPPING_NODE)
		return NULL;
	for (yaml_node_pair_t *p = map->data.mapping.pairs.start; p < map->data.mapping.pairs.top;
	     p++) {
		yaml_node_t *k = yaml_document_get_node(doc, p->key);

		if (k && k->type == YAML_SCALAR_NODE && k->data.scalar.length == len &&
		    memcmp(k->data.scalar.value, key, len) == 0)
			return yaml_document_get_node(doc, p->value);
	}
	return NULL;
}

static yaml_node_t *
child_by_index(yaml_document_t *doc, yaml_node_t *seq, unsigned long i)
{
	size_t n;

	if (seq->type == YAML_SCALAR_NODE)
		return i == 0 ? seq : NULL;
	if (seq->type != YAML_SEQUENCE_NODE)
		return NULL;
	n = (size_t)(seq->data.sequence.items.top - seq->data.sequence.items.start);
	return i < n ? yaml_document_get_node(doc, seq->data.sequence.items.start[i]) : NULL;
}

int
sig_yaml_tree_find(yaml_document_t *doc, const char *where, unsigned *ret_line, unsigned *ret_col)
{
	yaml_node_t *node = yaml_document_get_root_node(doc);

	while (node && *where) {
		if (*where == '[') {
			char *end;
			unsigned long i;

			if (!isdigit((unsigned char)where[1]))
				return -ENOENT;
			i = strtoul(where + 1, &end, 10);
			if (*end != ']')
				return -ENOENT;
			node = child_by_index(doc, node, i);
			where = end + 1;
		} else {
			size_t len;

			where += *where == '.';
			len = strcspn(where, ".[");
			if (len == 0)
				return -ENOENT;
			node = child_by_key(doc, node, where, len);
			where += len;
		}
	}
	if (!node)
		return -ENOENT;
	*ret_line = (unsigned)node->start_mark.line + 1;
	*ret_col = (unsigned)node->start_mark.column + 1;
	return 0;
}
