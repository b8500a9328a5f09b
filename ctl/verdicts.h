/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asking the policy about something other than a packet: a recorded flow, a flow that somebody
 * describes. The policy is the daemon's own code; only the question is put together here.
 */
#ifndef CTL_VERDICTS_H
#define CTL_VERDICTS_H

#include "classifier/policy.h"

/* What `policy` says of a recorded flow. now_us is the flow's own time. */
void ctl_policy_ask(
    const struct clf_policy *policy, const struct clf_event *record, struct clf_policy_answer *ret);
/* It acts, or would if it were not in shadow or monitor mode. */
bool ctl_policy_hits(const struct clf_policy_answer *answer);

#endif
