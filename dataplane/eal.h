/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DPDK's environment: memory, lcores, log. Set-up and main thread only.
 *
 * DPDK's own log is kept back (its last error completes our one-line messages) unless the config
 * says verbose.
 */
#ifndef DATAPLANE_EAL_H
#define DATAPLANE_EAL_H

#include <rte_mempool.h>

#include "dataplane/config.h"
#include "signatures/base/diag.h"

struct dp_eal {
	bool huge;	 /* hugepages are used */
	char prefix[48]; /* DPDK's --file-prefix: several daemons at once */
	char memory[48]; /* for `status`: "hugepages", "hugepages, in memory", "no hugepages" */
	unsigned mbufs, mbuf_room;	 /* in the pool, and each one's data room */
	unsigned lcores[DP_WORKERS_MAX]; /* EAL lcore ids of the workers */
	int cpus[DP_WORKERS_MAX];	 /* where they run */
};

/* 0, or -errno and one message in diag: says what to do (hugepages, --no-huge, another socket). */
int dp_eal_start(const struct dp_config *config, struct dp_eal *ret_eal, struct sig_diag *diag);
void dp_eal_stop(void);
/* The last thing that DPDK logged as an error, or "". */
const char *dp_eal_last_error(void);
void dp_eal_forget_error(void);

#endif
