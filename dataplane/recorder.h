/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The recorder: one thread that takes events from the workers' rings, folds them into records and
 * rows, hands these to the store, and keeps the latest records for `phonehome flows`.
 *
 * A store that is down or slow costs this thread's time alone: rings and spool are bounded and what
 * had to go is counted (engine's events_lost, store's lost_*).
 *
 *   main thread: open, start, stop, close
 *   any thread: dp_recorder_rows(), dp_recorder_records(), dp_recorder_stats() (they lock)
 */
#ifndef DATAPLANE_RECORDER_H
#define DATAPLANE_RECORDER_H

#include "ctl/store/store.h"
#include "dataplane/evidence.h"
#include "dataplane/offload.h"
#include "dataplane/worker.h"

struct dp_recorder;

struct dp_recorder_stats {
	struct store_fold_stats fold;
	struct store_stats store;
	struct dp_evidence_stats evidence;
	struct dp_offload_stats offload;
	uint64_t recent_now, recent_first, recent_next; /* numbers of the records kept */
	uint64_t records_written, records_errors;	/* --records FILE */
};

/* Opens store, records file and evidence. 0, or -errno and one message in diag. */
int dp_recorder_open(const struct dp_config *config, struct dp_worker *workers, unsigned n_workers,
    struct dp_ports *ports, struct dp_recorder **ret_recorder, struct sig_diag *diag);
int dp_recorder_start(struct dp_recorder *r);
/* The workers have ended: takes what is left and flushes for at most 3 s. The thread stays, and
 * goes on trying each second what the store did not take. */
void dp_recorder_finish(struct dp_recorder *r);
/* The same, and ends the thread. */
void dp_recorder_stop(struct dp_recorder *r);
void dp_recorder_close(struct dp_recorder *r);
/* After finish or stop: true when the store or the records file has not got all, and why, as one
 * line. */
bool dp_recorder_unsaved(struct dp_recorder *r, char *out, size_t cap);
/* Turns true when the thread no longer takes events: nobody needs to wait for it. */
const _Atomic bool *dp_recorder_gone(const struct dp_recorder *r);

/* At most `most` rows, from row number *at on, which moves on; the callback returns false to stop.
 * True: there are more. */
bool
dp_recorder_rows(struct dp_recorder *r, uint64_t *at, uint32_t most, store_row_fn *fn, void *ctx);
/* Records with numbers >= from, oldest first; numbers go up by one for ever. */
typedef bool dp_record_fn(void *ctx, uint64_t number, const struct clf_event *record);
void dp_recorder_records(struct dp_recorder *r, uint64_t from, dp_record_fn *fn, void *ctx);
void dp_recorder_stats(struct dp_recorder *r, struct dp_recorder_stats *ret);
struct dp_offload *dp_recorder_offload(struct dp_recorder *r);
const char *dp_recorder_url(const struct dp_recorder *r); /* fit to be shown: no password */
/* Hits of the policy's rules by their names: flows that carry them, running ones too. */
void dp_recorder_rule_hits(
    struct dp_recorder *r, const char *const *rules, unsigned n, uint64_t *ret_hits);

#endif
