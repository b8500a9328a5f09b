/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a worker does besides frames: its start and end, requests of other threads, idling, and the
 * hand-over of its queues to the watchdog's stand-in. The worker's own thread, unless said.
 */
#ifndef DATAPLANE_WORKER_ROUND_H
#define DATAPLANE_WORKER_ROUND_H

#include "dataplane/worker.h"

void dp_round_begin(struct dp_worker *w);
/* Once a round: heartbeat, requests, new rules, bypass. True: stop. */
bool dp_round_asked(struct dp_worker *w);
void dp_round_idle(struct dp_worker *w);
/* Flushes the engine, tells that the worker has ended. */
void dp_round_end(struct dp_worker *w);
/* A source gave nothing, while no mbuf lies in the worker's own cache; or it is a replay's, and its
 * file may have ended. */
void dp_source_empty(struct dp_worker *w, struct dp_source *src);
/* Back from the engine, and the stand-in has the queues: waits until they are ours again. */
void dp_hold_wait(struct dp_worker *w);

/* Into the engine: from here on the stand-in may take the queues. */
static inline void
dp_hold_enter(struct dp_worker *w)
{
	atomic_store_explicit(&w->hold, DP_HOLD_ENGINE, memory_order_release);
}

static inline void
dp_hold_leave(struct dp_worker *w)
{
	uint32_t expect = DP_HOLD_ENGINE;

	if (unlikely(!atomic_compare_exchange_strong_explicit(
		&w->hold, &expect, DP_HOLD_WORKER, memory_order_acquire, memory_order_acquire)))
		dp_hold_wait(w);
}

#endif
