/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as YAML: parsed, checked, printed anew and loaded; places are found in what parses. */
#include <stdlib.h>

#include "signatures/base/yaml.h"
#include "signatures/base/yaml_tree.h"
#include "signatures/pack.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sig_diag diag = { 0 };
	cyaml_data_t *pack = NULL;
	unsigned line, col;
	int err = sig_yaml_load("f", (const char *)data, size, &pack_schema, &pack, NULL, &diag);

	/* A refusal says why; what is taken was checked without a word. */
	if ((err != 0) != (diag.errors > 0))
		abort();
	sig_yaml_free(pack);
	sig_diag_free(&diag);
	(void)sig_yaml_locate(
	    (const char *)data, size, "signatures[0].match[0].host[0]", &line, &col);
	return 0;
}
