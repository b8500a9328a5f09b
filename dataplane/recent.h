/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The latest flow records, numbered for ever from 1, oldest out. One thread at a time (the
 * recorder's lock). Numbers are what a cursor of `flows` holds.
 */
#ifndef DATAPLANE_RECENT_H
#define DATAPLANE_RECENT_H

#include "classifier/event.h"

struct dp_recent;

struct dp_recent *dp_recent_new(uint32_t max);
void dp_recent_free(struct dp_recent *r);
/* Copies; without memory the record is not kept (its number is used up). A flow's earlier record
 * goes: it is shown once, and who follows by number sees what became of it. */
void dp_recent_add(struct dp_recent *r, const struct clf_event *record);
/* Numbers kept: first <= n < next. */
void dp_recent_span(const struct dp_recent *r, uint64_t *ret_first, uint64_t *ret_next);
/* Oldest first, from number `from` on; fn returns false to stop. */
void dp_recent_each(const struct dp_recent *r, uint64_t from,
    bool (*fn)(void *ctx, uint64_t number, const struct clf_event *record), void *ctx);

#endif
