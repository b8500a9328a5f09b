/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The only place where an mbuf is sent or freed (invariant 2). Worker threads, and the watchdog's
 * stand-in for the queues it holds.
 */
#ifndef DATAPLANE_TX_H
#define DATAPLANE_TX_H

#include "dataplane/worker.h"

/*
 * Ends a burst that came in on one port: what passes goes out of its peer in order (or is freed, on
 * a mirror port), the rest is freed and counted, resets are made. results NULL: all of it passes.
 */
void dp_tx_results(struct dp_worker *w, uint16_t index, struct rte_mbuf **mbufs,
    const struct clf_result *results, unsigned n);
/* Sends all on without a look; `count`: the worker's, or the stand-in's. */
void dp_tx_forward(struct dp_worker *w, uint16_t index, struct rte_mbuf **mbufs, unsigned n,
    struct dp_counters *count);
/* Frees frames that came in on port `index` and can go no further. */
void dp_tx_drop(struct rte_mbuf **mbufs, unsigned n, uint16_t index, enum dp_drop reason,
    struct dp_counters *count);
/* Frees what is left in a ring; at the end, main thread. */
void dp_tx_drain_ring(struct dp_worker *w, struct rte_ring *ring);

#endif
