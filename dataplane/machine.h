/* SPDX-License-Identifier: Apache-2.0 */
/* What this machine lacks for a config, in words that tell what to do. Set-up, main thread; DPDK is
 * not asked: it says too much or too little. */
#ifndef DATAPLANE_MACHINE_H
#define DATAPLANE_MACHINE_H

#include "dataplane/config.h"

/* 0; or -EINVAL and a message for each fault that can be seen before anything starts. */
int dp_machine_check(const struct dp_config *config, struct sig_diag *diag);
/* Why a device could not be opened; false when that is not known. */
bool dp_machine_why(const char *device, char *out, size_t cap);

#endif
