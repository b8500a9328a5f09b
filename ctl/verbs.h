/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs, one a cmd_*.c. */
#ifndef CTL_VERBS_H
#define CTL_VERBS_H

#include "classifier/engine.h"
#include "ctl/cli.h"

extern const struct ctl_verb ctl_verb_scan, ctl_verb_report, ctl_verb_hosts, ctl_verb_flows,
    ctl_verb_why, ctl_verb_top, ctl_verb_trend, ctl_verb_diff, ctl_verb_migration, ctl_verb_policy,
    ctl_verb_signatures, ctl_verb_status, ctl_verb_reload, ctl_verb_bypass, ctl_verb_stop,
    ctl_verb_doctor, ctl_verb_version, ctl_verb_help_, ctl_verb_complete;

/* The i-th verb under `phonehome signatures`, for completion; NULL after the last. */
const struct ctl_verb *ctl_signatures_verb(unsigned i);

#endif
