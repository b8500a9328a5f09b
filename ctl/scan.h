/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A capture through the engine, without EAL or daemon: what cmd_scan.c runs. The fold is the same
 * as the daemon's recorder's. Files whose times follow one another are one stream (rotated
 * captures); one that goes back in time begins afresh. One thread.
 */
#ifndef CTL_SCAN_H
#define CTL_SCAN_H

#include "classifier/engine.h"
#include "ctl/store/record.h"

struct ctl_scan_config {
	struct clf_engine_config engine; /* sink is set here */
	const struct sig_ruleset *rules;
	const struct clf_policy *policy;
	const char *sensor;
	/* each finished record; may be NULL */
	void (*on_record)(void *ctx, const struct clf_event *record);
	/* now and then; may be NULL */
	void (*on_progress)(void *ctx, const char *path, uint64_t read, uint64_t size);
	void *ctx;
	const bool *stop; /* true: read no further; may be NULL */
};

struct ctl_scan;
/* Exit codes; messages on stderr. */
int ctl_scan_new(const struct ctl_scan_config *config, struct ctl_scan **ret_scan);
/* One more file. CTL_FAILED when it broke off: what was read counts. */
int ctl_scan_file(struct ctl_scan *s, const char *path);
/* After the last file: ends all flows. */
void ctl_scan_finish(struct ctl_scan *s);
struct store_fold *ctl_scan_fold(struct ctl_scan *s);
/* Of all files together. */
const struct clf_engine_stats *ctl_scan_stats(struct ctl_scan *s);
uint64_t ctl_scan_packets(const struct ctl_scan *s);
void ctl_scan_free(struct ctl_scan *s);

#endif
