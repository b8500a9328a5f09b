/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A YAML text as a tree of nodes that know their places, and its check against a libcyaml schema:
 * what libcyaml alone cannot say (every fault, at its exact place, with the nearest known key).
 * Used by yaml.c and by loaders that find faults later. Set-up time only; allocates.
 */
#ifndef SIGNATURES_BASE_YAML_TREE_H
#define SIGNATURES_BASE_YAML_TREE_H

#include <cyaml/cyaml.h>
#include <stdbool.h>
#include <yaml.h>

#include "signatures/base/yaml.h"

/* 0, or -errno with a message; on success the caller owns *ret_doc (yaml_document_delete()). */
int sig_yaml_tree_parse(const char *path, const char *text, size_t len, yaml_document_t *ret_doc,
    struct sig_diag *diag);

/*
 * Adds an error for each fault; the number of them. A lone scalar where the schema wants a list of
 * scalars is no fault: it is a list of one.
 */
unsigned sig_yaml_tree_check(yaml_document_t *doc, const cyaml_schema_value_t *schema,
    const char *path, struct sig_diag *diag);

/*
 * The structs that the schema lays out, from a tree without faults; sig_yaml_free() frees them.
 * 0, -ENOMEM, or -ENOTSUP for a kind of schema that no format here uses.
 */
int sig_yaml_tree_fill(yaml_document_t *doc, const cyaml_schema_value_t *schema,
    cyaml_data_t **ret_data, unsigned *ret_count);

/* As sig_yaml_locate(), on a parsed tree. "[0]" of a lone scalar is the scalar itself. */
int
sig_yaml_tree_find(yaml_document_t *doc, const char *where, unsigned *ret_line, unsigned *ret_col);

#endif
