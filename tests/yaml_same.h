/* SPDX-License-Identifier: Apache-2.0 */
/* For tests of yaml_plain.c: what it takes, libyaml must read as the same tree. */
#ifndef TESTS_YAML_SAME_H
#define TESTS_YAML_SAME_H

#include <string.h>

#include "signatures/base/yaml_tree.h"

static inline bool
yaml_same_node(const yaml_node_t *a, const yaml_node_t *b)
{
	size_t n = (size_t)((char *)a->data.sequence.items.top -
			    (char *)a->data.sequence.items.start);

	if (a->type != b->type || a->start_mark.line != b->start_mark.line ||
	    a->start_mark.column != b->start_mark.column)
		return false;
	if (a->type == YAML_SCALAR_NODE) /* with the zero at its end */
		return a->data.scalar.length == b->data.scalar.length &&
		       memcmp(a->data.scalar.value, b->data.scalar.value,
			   a->data.scalar.length + 1) == 0;
	/* Items of a list and pairs of a mapping alike: ids side by side. */
	return n == (size_t)((char *)b->data.sequence.items.top -
			     (char *)b->data.sequence.items.start) &&
	       (n == 0 ||
		   memcmp(a->data.sequence.items.start, b->data.sequence.items.start, n) == 0);
}

/* Whether libyaml reads the text as one document, and as this very tree. */
static inline bool
yaml_same(const struct sig_yaml_tree *tree, const char *text, size_t len)
{
	yaml_document_t doc, next;
	yaml_parser_t parser;
	size_t n = (size_t)(tree->doc.nodes.top - tree->doc.nodes.start);
	bool same;

	if (!yaml_parser_initialize(&parser))
		return false;
	yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
	same = yaml_parser_load(&parser, &doc);
	if (same) {
		same = n == (size_t)(doc.nodes.top - doc.nodes.start);
		for (size_t i = 0; same && i < n; i++)
			same = yaml_same_node(&tree->doc.nodes.start[i], &doc.nodes.start[i]);
		if (same && yaml_parser_load(&parser, &next)) {
			same = !yaml_document_get_root_node(&next);
			yaml_document_delete(&next);
		} else {
			same = false;
		}
		yaml_document_delete(&doc);
	}
	yaml_parser_delete(&parser);
	return same;
}

#endif
