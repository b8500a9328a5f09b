/* SPDX-License-Identifier: Apache-2.0 */
/* A part of sig_lint(): what one pack's patterns take from another's. Control side; allocates. */
#ifndef SIGNATURES_LINT_ACROSS_H
#define SIGNATURES_LINT_ACROSS_H

#include "signatures/pack.h"

/* A warning for each host pattern that never wins over another pack's; their number. */
unsigned
sig_lint_across(const struct sig_packs *packs, struct pack_where **where, struct sig_diag *diag);

#endif
