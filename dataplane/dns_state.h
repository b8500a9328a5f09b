/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The DNS memory over a restart: one image a worker, `dns-memory.N` in the state folder, written
 * on a clean stop and read at the next start.
 *
 * An image is the only hint to what a nameless flow is when its client asked before the restart.
 * It is no more than a hint: no fault of a file keeps the daemon from starting or stopping. Main
 * thread alone, while no worker runs.
 */
#ifndef DATAPLANE_DNS_STATE_H
#define DATAPLANE_DNS_STATE_H

#include "classifier/dns_memory.h"
#include "signatures/base/diag.h"

/* Images that are looked for, and the largest that is read: who writes more has not been us. */
enum { DP_DNS_IMAGES_MAX = 16, DP_DNS_IMAGE_MAX_MB = 512 };

/* Every image into every memory: the worker that meets a flow may be another than the one that met
 * its answer. How many answers came new, each once though several images hold it; a bad image is
 * left out, with a warning that names it. */
unsigned dp_dns_state_load(const char *folder, struct clf_dns_memory *const *memories, unsigned n,
    uint64_t now_us, struct sig_diag *diag);

/* Each image is whole or not there at all, and is for our eyes only (0600): it tells who asked for
 * what. Images of workers that are no more are removed. A warning for each that was not written. */
void dp_dns_state_save(
    const char *folder, struct clf_dns_memory *const *memories, unsigned n, struct sig_diag *diag);

#endif
