/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes to the reader of plain YAML: what it takes, libyaml reads as the same tree. */
#include <stdlib.h>

#include "tests/yaml_same.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sig_yaml_tree tree;

	if (!sig_yaml_plain_parse((const char *)data, size, &tree))
		return 0;
	if (!yaml_same(&tree, (const char *)data, size))
		abort();
	sig_yaml_tree_free(&tree);
	return 0;
}
