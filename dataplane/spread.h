/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Software spreading: where a port cannot spread both directions of a flow to one worker, the
 * worker that receives passes frames on by ring. By addresses alone, so that fragments stay with
 * their flow. Worker threads.
 *
 * When the other worker is behind, the wire stays a wire, and no frame overtakes one of its flow:
 *  - while its ring is more than half full, the other worker sends on what it takes without a look;
 *  - when its ring is full it hangs, or has no CPU: frames go out at once, from here. What lies in
 *    the ring is too late then: it is marked stale, and dropped (`late`) when it is taken.
 */
#ifndef DATAPLANE_SPREAD_H
#define DATAPLANE_SPREAD_H

#include "dataplane/worker.h"

enum { DP_SPREAD_FRAMES = 4096, DP_SPREAD_HIGH = DP_SPREAD_FRAMES / 2 };

/* Which of n workers a frame belongs to: the same for both directions, 0 for what is not IP. */
unsigned dp_spread_worker(const uint8_t *frame, uint32_t len, unsigned n);

/* Room in every ring that leads away for what one burst can make: in replay, where no wire waits, a
 * worker takes no frame that it could not pass on. */
bool dp_spread_room(const struct dp_worker *w);
/* Passes on what others own; what stays is packed to the front in order. Returns how many stay. */
unsigned dp_spread_out(
    struct dp_worker *w, const struct dp_source *src, struct rte_mbuf **mbufs, unsigned n);

/* A burst out of the ring from another worker: frames of several ports, each mbuf names its own. */
struct dp_spread_burst {
	unsigned from, n, left; /* left: how many the ring still holds */
	uint64_t first;		/* number of the first one, from 1, of all that `from` passed on */
	struct rte_mbuf *mbufs[CLF_BURST_MAX];
};
/* Takes a burst, less what is stale; `count`: the worker's, or the stand-in's. */
void dp_spread_take(
    struct dp_worker *w, unsigned from, struct dp_spread_burst *b, struct dp_counters *count);
/* Ends it, less what has gone stale the while. results NULL: all of it passes. */
void dp_spread_end(struct dp_worker *w, struct dp_spread_burst *b, const struct clf_result *results,
    struct dp_counters *count);
/* Sends what others have inspected: frames that name their ports. */
void dp_spread_forward(
    struct dp_worker *w, struct rte_mbuf **mbufs, unsigned n, struct dp_counters *count);

#endif
