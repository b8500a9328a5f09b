/* SPDX-License-Identifier: Apache-2.0 */
/* Where the packs are, and loading them for a verb. */
#ifndef CTL_PACKS_H
#define CTL_PACKS_H

#include "signatures/ruleset.h"
#include "classifier/policy.h"

/*
 * --packs, or $PHONEHOME_PACKS, or beside the running binary (../share/phonehome/packs when
 * installed, the source tree's when run from a build folder), or the installed folder. Static
 * storage.
 */
const char *ctl_packs_path(const char *given);

/* Load and compile; faults on stderr and the exit code when it fails. */
int ctl_packs_load(const char *given, struct sig_ruleset **ret_rules);
/* path NULL: the built-in policy. Words that no pack knows are warned of when rules are given. */
int
ctl_policy_load(const char *path, const struct sig_ruleset *rules, struct clf_policy **ret_policy);

/* After an empty answer: a note where no pack knows a vendor or product of that name (`part`: with
 * that in its name), and the nearest that there is. Silent for NULL, lists, and without packs. */
void ctl_note_unknown(const char *packs, const char *name, bool part);

#endif
