/* SPDX-License-Identifier: Apache-2.0 */
/* Loads YAML into C structs: the tree is checked first (yaml_check.c), then the structs filled
 * (yaml_fill.c). */
#include "signatures/base/yaml.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "signatures/base/yaml_tree.h"

static int
load_text(const char *path, const char *text, size_t len, const cyaml_schema_value_t *schema,
    cyaml_data_t **ret_data, unsigned *ret_count, struct sig_diag *diag)
{
	yaml_document_t doc;
	int err = sig_yaml_tree_parse(path, text, len, &doc, diag);

	if (err)
		return err;
	if (sig_yaml_tree_check(&doc, schema, path, diag) > 0) {
		err = -EINVAL;
	} else {
		err = sig_yaml_tree_fill(&doc, schema, ret_data, ret_count);
		if (err)
			sig_diag_add(diag, SIG_ERROR, path, 0, 0, "%s",
			    err == -ENOMEM ? "out of memory" : "a kind of value not read here");
	}
	yaml_document_delete(&doc);
	return err;
}

int
sig_yaml_load(const char *path, const char *text, size_t len, const cyaml_schema_value_t *schema,
    cyaml_data_t **ret_data, unsigned *ret_count, struct sig_diag *diag)
{
	char *own = NULL;
	int err = 0;

	if (!text) {
		err = sig_file_read(path, SIG_YAML_MAX_BYTES, &own, &len, diag);
		text = own;
	} else if (len > SIG_YAML_MAX_BYTES) {
		sig_diag_add(diag, SIG_ERROR, path, 0, 0, "is larger than the limit of %d bytes",
		    SIG_YAML_MAX_BYTES);
		err = -EFBIG;
	}
	if (!err)
		err = load_text(path, text, len, schema, ret_data, ret_count, diag);
	free(own);
	return err;
}

int
sig_yaml_locate(
    const char *text, size_t len, const char *where, unsigned *ret_line, unsigned *ret_col)
{
	struct sig_diag quiet = { 0 };
	yaml_document_t doc;
	int err = sig_yaml_tree_parse("", text, len, &doc, &quiet);

	sig_diag_free(&quiet);
	if (err)
		return -ENOENT;
	err = sig_yaml_tree_find(&doc, where, ret_line, ret_col);
	yaml_document_delete(&doc);
	return err;
}
