/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Strict YAML into C structs: libcyaml with our error messages.
 *
 * Used for packs, the policy and the daemon's config alike. Unknown keys, wrong types, values out
 * of range and trailing documents are errors `file:line:col: text`; an unknown key names the
 * nearest known one. Files over `SIG_YAML_MAX_BYTES`, directories, devices and FIFOs are refused,
 * and what is nested more than `SIG_YAML_MAX_DEPTH` deep.
 * Set-up time only; allocates.
 */
#ifndef SIGNATURES_BASE_YAML_H
#define SIGNATURES_BASE_YAML_H

#include <cyaml/cyaml.h>
#include <stddef.h>

#include "signatures/base/diag.h"

enum { SIG_YAML_MAX_BYTES = 64 << 20, SIG_YAML_MAX_DEPTH = 64 };

/*
 * Loads `path` (or, when text != NULL, `len` bytes of text that are called `path` in messages).
 * 0, or -errno with at least one error in `diag`; *ret_data is untouched on failure.
 */
int
sig_yaml_load(const char *path, const char *text, size_t len, const cyaml_schema_value_t *schema,
    cyaml_data_t **ret_data, unsigned *ret_count, struct sig_diag *diag);
/* All that one load made; nothing of it is freed by itself. NULL is fine. */
void sig_yaml_free(cyaml_data_t *data);

/* Memory of zeros that is freed with what a load made, for values that come later; or NULL. */
void *sig_yaml_make(cyaml_data_t *data, size_t n, size_t size);

/*
 * Where a node stands in a document, for faults found after loading: `where` is a path such as
 * "signatures[12].match[0].host[3]" (sequence indexes from 0). Reads the text again: cold path.
 * 0 and the 1-based line and column, or -ENOENT.
 */
int sig_yaml_locate(
    const char *text, size_t len, const char *where, unsigned *ret_line, unsigned *ret_col);

/* The whole of a regular file, NUL-terminated; free() it. -errno and a message on failure. */
int sig_file_read(
    const char *path, size_t max, char **ret_text, size_t *ret_len, struct sig_diag *diag);

/* The nearest of n words by edit distance (at most 1/3 of its length away), or NULL. */
const char *sig_nearest(const char *word, const char *const *words, size_t n);

#endif
