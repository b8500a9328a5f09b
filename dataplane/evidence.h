/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Evidence capture: the first frames of matched flows, kept as bounded, rotating pcap files.
 *
 *   workers: dp_evidence_keep() copies frames into their ring; full: counted, never waits
 *   recorder thread: dp_evidence_write() moves them to `FOLDER/evidence-N.pcap`, mode 0640; the
 *   oldest file is replaced first, also after a restart
 *
 * The frame that decided a flow is the first one kept; the config says how many more.
 */
#ifndef DATAPLANE_EVIDENCE_H
#define DATAPLANE_EVIDENCE_H

#include "dataplane/worker.h"

struct dp_evidence; /* the writer */

struct dp_evidence_stats {
	uint64_t frames, bytes; /* in the files, whole */
	uint64_t files;		/* begun */
	uint64_t errors;	/* a file could not be begun, or a write was taken back */
};

/* Set-up. The worker's memory of how many frames of a flow it has kept. */
struct dp_evidence_seen *dp_evidence_seen_new(void);
void dp_evidence_seen_free(struct dp_evidence_seen *seen);
/* 0, or -errno and one message in diag. */
int dp_evidence_open(const struct dp_evidence_config *config, struct dp_evidence **ret_evidence,
    struct sig_diag *diag);
void dp_evidence_close(struct dp_evidence *e);

void dp_evidence_keep(struct dp_worker *w, const struct clf_frame *frames,
    const struct clf_result *results, unsigned n);
void dp_evidence_write(struct dp_evidence *e, struct dp_byte_ring *ring);
const struct dp_evidence_stats *dp_evidence_stats(const struct dp_evidence *e);

#endif
