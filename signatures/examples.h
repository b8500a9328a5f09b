/* SPDX-License-Identifier: Apache-2.0 */
/* The packs held against their own examples, and looked over by habits that no loader enforces. */
#ifndef SIGNATURES_EXAMPLES_H
#define SIGNATURES_EXAMPLES_H

#include "signatures/pack.h"

struct examples_figures {
	unsigned match, no_match, failed;
};

/* Runs every example; each failure is an error in diag at the example's place. 0 or -errno. */
int sig_examples_run(const struct sig_packs *packs, const struct sig_ruleset *rules,
    struct sig_diag *diag, struct examples_figures *ret_figures);

/*
 * Warnings (what is wrong or will age) and notes (what a reviewer should know) in diag; the number
 * of warnings. `today` as yyyymmdd; reviews older than `days` are warned of.
 */
unsigned
sig_lint(const struct sig_packs *packs, unsigned today, unsigned days, struct sig_diag *diag);

#endif
