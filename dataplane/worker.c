/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The worker's round: every source once, then the rings that lead here, then timers.
 *
 * THE HOT PATH outside the engine. Whatever is rare (stop, snapshots, new rules, bypass) is one
 * test a round, and leads to worker_round.c.
 */
#include "dataplane/worker.h"

#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_mbuf_dyn.h>

#include "dataplane/evidence.h"
#include "dataplane/spread.h"
#include "dataplane/tx.h"
#include "dataplane/worker_round.h"

enum { BACK_BURSTS = 8 }; /* of a ring in one round: more than one round puts there */

static inline uint8_t
frame_flags(const struct rte_mbuf *m)
{
	uint64_t csum = m->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK;
	uint8_t flags = m->nb_segs > 1 ? CLF_FRAME_MORE : 0;

	if (csum == RTE_MBUF_F_RX_L4_CKSUM_GOOD)
		flags |= CLF_FRAME_L4_CSUM_OK;
	else if (csum == RTE_MBUF_F_RX_L4_CKSUM_BAD)
		flags |= CLF_FRAME_L4_CSUM_BAD;
	return flags;
}

static void
fill_frames(
    const struct dp_worker *w, struct rte_mbuf **mbufs, unsigned n, struct clf_frame *frames)
{
	const int ts_offset = w->ports->ts_offset;
	const uint64_t now_us = w->now_us;

	for (unsigned i = 0; i < n; i++) {
		const struct rte_mbuf *m = mbufs[i];
		const uint8_t *data = rte_pktmbuf_mtod(m, const uint8_t *);

		rte_prefetch0(data);
		frames[i] = (struct clf_frame){
			.data = data,
			.cookie = mbufs[i],
			.ts_us = now_us,
			.len = m->data_len,
			.wire_len = m->pkt_len,
			.link = CLF_LINK_ETHERNET,
			.flags = frame_flags(m),
			.port = m->port,
		};
	}
	if (unlikely(ts_offset >= 0))
		for (unsigned i = 0; i < n; i++)
			if (mbufs[i]->ol_flags & w->ports->ts_flag)
				frames[i].ts_us = *RTE_MBUF_DYNFIELD(
				    mbufs[i], ts_offset, rte_mbuf_timestamp_t *);
}

/* In replay time is what the frames say: the burst's clock is its last frame's. */
static inline uint64_t
burst_time(struct dp_worker *w, const struct clf_frame *frames, unsigned n)
{
	if (unlikely(w->ports->ts_offset >= 0) && frames[n - 1].ts_us > w->now_us)
		w->now_us = frames[n - 1].ts_us;
	return w->now_us;
}

/*
 * The engine's part for a burst, all from one port or each from the port that its mbuf names.
 * ret_results: what to make of them, NULL: all pass. False: it hung so long that the stand-in has
 * sent later frames; these are dropped.
 */
static bool
inspect(struct dp_worker *w, struct rte_mbuf **mbufs, unsigned n, struct clf_result *results,
    const struct clf_result **ret_results)
{
	struct clf_frame frames[CLF_BURST_MAX];

	fill_frames(w, mbufs, n, frames);
	w->stood_in = false;
	dp_hold_enter(w);
	bool stop = clf_burst(w->engine, frames, n, burst_time(w, frames, n), results);
	dp_hold_leave(w);
	if (w->evidence)
		dp_evidence_keep(w, frames, results, n);
	*ret_results = stop ? results : NULL;
	if (likely(!w->stood_in))
		return true;
	for (unsigned i = 0; i < n; i++)
		dp_tx_drop(&mbufs[i], 1, w->ports->by_id[mbufs[i]->port], DP_DROP_LATE, &w->count);
	return false;
}

static unsigned
poll_source(struct dp_worker *w, struct dp_source *src)
{
	struct clf_result results[CLF_BURST_MAX];
	const struct clf_result *verdicts;
	struct rte_mbuf *mbufs[CLF_BURST_MAX];
	const struct dp_port *p = &w->ports->port[src->index];

	if (unlikely(atomic_load_explicit(&p->gone, memory_order_acquire)))
		return 0;
	unsigned n = rte_eth_rx_burst(p->id, src->queue, mbufs, CLF_BURST_MAX);
	if (n == 0) {
		if (unlikely(!w->cache || w->cache->len == 0 || src->replay))
			dp_source_empty(w, src);
		return 0;
	}
	src->empty = 0;
	w->count.port[src->index].rx += n;
	for (unsigned i = 0; i < n; i++)
		w->count.rx_bytes += mbufs[i]->pkt_len;
	unsigned mine = n;
	if (unlikely(w->ports->spread) && !p->symmetric)
		mine = dp_spread_out(w, src, mbufs, n);
	if (mine != 0 && inspect(w, mbufs, mine, results, &verdicts))
		dp_tx_results(w, src->index, mbufs, verdicts, mine);
	return n;
}

/* A burst that another worker has passed on. When we are far behind, it goes on uninspected. */
static unsigned
poll_spread(struct dp_worker *w, unsigned from)
{
	struct clf_result results[CLF_BURST_MAX];
	const struct clf_result *verdicts;
	struct dp_spread_burst b;

	dp_spread_take(w, from, &b, &w->count);
	if (b.n == 0)
		return 0;
	if (unlikely(b.left > DP_SPREAD_HIGH) && !w->lossless) {
		w->count.uninspected += b.n;
		dp_spread_end(w, &b, NULL, &w->count);
	} else if (inspect(w, b.mbufs, b.n, results, &verdicts)) {
		dp_spread_end(w, &b, verdicts, &w->count);
	}
	return b.n;
}

/* room: whether what is inspected now could be sent by ring. What others have inspected can always
 * be sent, so that a full ring empties. */
static unsigned
poll_rings(struct dp_worker *w, bool room)
{
	struct rte_mbuf *mbufs[CLF_BURST_MAX];
	unsigned got = 0;

	for (unsigned from = 0; from < w->n_workers; from++) {
		if (from == w->id)
			continue;
		if (room)
			got += poll_spread(w, from);
		for (unsigned i = 0; i < BACK_BURSTS; i++) {
			unsigned n = rte_ring_sc_dequeue_burst(
			    w->all[from].back[w->id], (void **)mbufs, CLF_BURST_MAX, NULL);
			w->count.ring_in += n;
			dp_spread_forward(w, mbufs, n, &w->count);
			got += n;
			if (n < CLF_BURST_MAX)
				break;
		}
	}
	return got;
}

int
dp_worker_main(void *arg)
{
	struct dp_worker *w = arg;

	dp_round_begin(w);
	w->cache = rte_mempool_default_cache(w->ports->pool, rte_lcore_id());
	for (;;) {
		unsigned got = 0;
		bool room = true;

		if (unlikely(dp_round_asked(w)))
			break;
		if (likely(w->ports->ts_offset < 0))
			w->now_us = dp_clock_now(&w->clock);
		if (unlikely(w->lossless) && w->ports->spread)
			room = dp_spread_room(w);
		for (unsigned i = 0; room && i < w->n_sources; i++)
			if (likely(!w->sources[i].done))
				got += poll_source(w, &w->sources[i]);
		if (w->ports->spread)
			got += poll_rings(w, room);
		w->count.rounds++;
		dp_hold_enter(w);
		clf_tick(w->engine, w->now_us);
		dp_hold_leave(w);
		if (likely(!w->holds_old))
			dp_rules_quiescent(w->slot, w->id);
		if (got == 0)
			dp_round_idle(w);
		else
			w->idle = 0;
	}
	dp_round_end(w);
	return 0;
}
