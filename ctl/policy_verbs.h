/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs under `phonehome policy`. */
#ifndef CTL_POLICY_VERBS_H
#define CTL_POLICY_VERBS_H

#include "ctl/cli.h"

extern const struct ctl_verb ctl_verb_policy_check, ctl_verb_policy_show, ctl_verb_policy_test,
    ctl_verb_policy_simulate;

#endif
