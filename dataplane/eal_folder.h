/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What DPDK leaves in its runtime folder (/var/run/dpdk/<prefix>): 1.4 MB for each daemon, also
 * after a clean stop. Main thread only.
 */
#ifndef DATAPLANE_EAL_FOLDER_H
#define DATAPLANE_EAL_FOLDER_H

/* What every folder of ours begins with; 8 hexadecimal digits follow. */
#define DP_EAL_PREFIX "phonehome-"

/* Removes the folders beside `own` that killed daemons have left: named as ours are, unchanged for
 * a while, and held by no living process. What is in doubt stays. Returns how many went. */
unsigned dp_eal_sweep(const char *own);
/* Removes one folder with the files in it. */
void dp_eal_remove_folder(const char *path);

#endif
