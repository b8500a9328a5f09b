/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Software spreading: where a port cannot spread both directions of a flow to one worker, the
 * worker that receives passes frames on by ring. By addresses alone, so that fragments stay with
 * their flow. Worker threads.
 */
#ifndef DATAPLANE_SPREAD_H
#define DATAPLANE_SPREAD_H

#include "dataplane/worker.h"

/* Which of n workers a frame belongs to: the same for both directions, 0 for what is not IP. */
unsigned dp_spread_worker(const uint8_t *frame, uint32_t len, unsigned n);

/* Room in every ring that leads away for what one burst can make: in replay, where no wire waits, a
 * worker takes no frame that it could not pass on. */
bool dp_spread_room(const struct dp_worker *w);
/* Passes on what others own; what stays is packed to the front in order. Returns how many stay. */
unsigned dp_spread_out(
    struct dp_worker *w, const struct dp_source *src, struct rte_mbuf **mbufs, unsigned n);
/* Ends a burst out of a ring: frames of several ports, each mbuf names its own. */
void dp_spread_results(
    struct dp_worker *w, struct rte_mbuf **mbufs, const struct clf_result *results, unsigned n);
/* Sends without a look frames that name their ports. */
void dp_spread_forward(
    struct dp_worker *w, struct rte_mbuf **mbufs, unsigned n, struct dp_counters *count);

#endif
