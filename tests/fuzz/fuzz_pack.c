/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a pack: what loads must compile (libhs may refuse an expression for its size) and
 * run its own examples; what does not must say why.
 */
#include <stdlib.h>

#include "signatures/examples.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sig_diag diag = { 0 };
	struct sig_packs *packs = NULL;
	struct sig_ruleset *rules = NULL;
	struct examples_figures figures;
	int err = sig_packs_load_text("f.yaml", (const char *)data, size, &packs, &diag);

	if (err != 0 && diag.errors == 0)
		abort();
	if (!err && sig_compile_at(packs, 20260101, &rules, &diag) == 0) {
		(void)sig_examples_run(packs, rules, &diag, &figures);
		(void)sig_lint(packs, 20260101, 365, &diag);
	}
	sig_ruleset_free(rules);
	sig_packs_free(packs);
	sig_diag_free(&diag);
	return 0;
}
