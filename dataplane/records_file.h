/* SPDX-License-Identifier: Apache-2.0 */
/*
 * --records FILE: finished flow records as JSON, one a line. Made anew at start, mode 0640.
 *
 * The recorder thread's alone. A line is in the file whole or not at all: what a full disk cut off
 * is taken back with all that came since the last flush, and counted.
 */
#ifndef DATAPLANE_RECORDS_FILE_H
#define DATAPLANE_RECORDS_FILE_H

#include "classifier/event.h"
#include "signatures/base/diag.h"

struct dp_records_file;

/* 0, or -errno and one message in diag. */
int dp_records_open(const char *path, struct dp_records_file **ret_file, struct sig_diag *diag);
void dp_records_close(struct dp_records_file *f);
void dp_records_put(struct dp_records_file *f, const struct clf_event *record);
/* Now and then, and before the figures are believed. */
void dp_records_flush(struct dp_records_file *f);
/* Lines in the file, and records that are not; the errno of the last fault, 0: none. */
void dp_records_stats(
    const struct dp_records_file *f, uint64_t *ret_written, uint64_t *ret_lost, int *ret_errno);

#endif
