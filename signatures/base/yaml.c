/* SPDX-License-Identifier: Apache-2.0 */
/* Loads YAML into C structs: the tree is checked first (yaml_check.c), then libcyaml fills in. */
#include "signatures/base/yaml.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "signatures/base/yaml_tree.h"

/* What libcyaml says, line by line: its first error and the innermost place. */
struct cyaml_said {
	char what[256];
	unsigned line, col;
};

static void
cyaml_says(cyaml_log_t level, void *ctx, const char *fmt, va_list args)
{
	struct cyaml_said *said = ctx;
	char msg[256], *at;

	if (level < CYAML_LOG_ERROR)
		return;
	vsnprintf(msg, sizeof(msg), fmt, args);
	msg[strcspn(msg, "\n")] = '\0';
	at = strstr(msg, "(line: ");
	if (at && said->line == 0)
		(void)sscanf(at, "(line: %u, column: %u)", &said->line, &said->col);
	else if (!said->what[0] && !strstr(msg, "Backtrace"))
		memcpy(said->what, msg, sizeof(msg));
}

static cyaml_config_t
config(struct cyaml_said *said)
{
	return (cyaml_config_t){ .log_fn = cyaml_says,
		.log_ctx = said,
		.mem_fn = cyaml_mem,
		.log_level = CYAML_LOG_WARNING,
		.flags = CYAML_CFG_NO_ALIAS };
}

static int
fill(const char *path, const char *text, size_t len, const cyaml_schema_value_t *schema,
    cyaml_data_t **ret_data, unsigned *ret_count, struct sig_diag *diag)
{
	struct cyaml_said said = { 0 };
	cyaml_config_t cfg = config(&said);
	cyaml_data_t *data = NULL;
	unsigned count = 0;
	cyaml_err_t err;

	err = cyaml_load_data((const uint8_t *)text, len, &cfg, schema, &data,
	    schema->type == CYAML_SEQUENCE ? &count : NULL);
	if (err != CYAML_OK || !data) {
		sig_diag_add(diag, SIG_ERROR, path, said.line, said.col, "%s",
		    said.what[0] ? said.what : cyaml_strerror(err));
		return err == CYAML_ERR_OOM ? -ENOMEM : -EINVAL;
	}
	*ret_data = data;
	if (ret_count)
		*ret_count = count;
	return 0;
}

static int
load_text(const char *path, const char *text, size_t len, const cyaml_schema_value_t *schema,
    cyaml_data_t **ret_data, unsigned *ret_count, struct sig_diag *diag)
{
	yaml_document_t doc;
	char *again = NULL;
	size_t again_len = 0;
	bool changed = false;
	int err = sig_yaml_tree_parse(path, text, len, &doc, diag);

	if (err)
		return err;
	if (sig_yaml_tree_check(&doc, schema, path, diag, &changed) > 0)
		err = -EINVAL;
	else if (changed)
		err = sig_yaml_tree_print(&doc, &again, &again_len);
	yaml_document_delete(&doc);
	if (err == -ENOMEM)
		sig_diag_add(diag, SIG_ERROR, path, 0, 0, "out of memory");
	if (!err)
		err = fill(path, again ? again : text, again ? again_len : len, schema, ret_data,
		    ret_count, diag);
	free(again);
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

void
sig_yaml_free(const cyaml_schema_value_t *schema, cyaml_data_t *data, unsigned count)
{
	struct cyaml_said said = { 0 };
	cyaml_config_t cfg = config(&said);

	if (data)
		cyaml_free(&cfg, schema, data, count);
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
