/* SPDX-License-Identifier: Apache-2.0 */
/* Sends and frees mbufs, and makes the frames that reject a flow. */
#include "dataplane/tx.h"

#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <string.h>

#include "dataplane/reject.h"

enum {
	TX_PATIENCE = 64,	/* tries before a full transmit queue costs frames */
	ICMP_PER_SECOND = 1000, /* per worker: errors must not become a flood of their own */
};

static void drop_unsent(struct dp_worker *w, uint16_t index, struct rte_mbuf **mbufs,
    const struct clf_result *results, unsigned n);

void
dp_tx_drop(struct rte_mbuf **mbufs, unsigned n, uint16_t index, enum dp_drop reason,
    struct dp_counters *count)
{
	rte_pktmbuf_free_bulk(mbufs, n);
	count->port[index].dropped[reason] += n;
}

void
dp_tx_drain_ring(struct dp_worker *w, struct rte_ring *ring)
{
	struct rte_mbuf *m;

	while (rte_ring_sc_dequeue(ring, (void **)&m) == 0) {
		w->count.ring_in++;
		dp_tx_drop(&m, 1, w->ports->by_id[m->port], DP_DROP_STOP, &w->count);
	}
}

/* Over the worker that owns a transmit queue of a port with fewer queues than workers. */
static void
send_by_ring(struct dp_worker *w, unsigned owner, uint16_t index, struct rte_mbuf **mbufs,
    unsigned n, struct dp_counters *count)
{
	for (unsigned i = 0; i < n; i++)
		mbufs[i]->port = w->ports->port[index].id;
	unsigned sent = rte_ring_sp_enqueue_burst(w->back[owner], (void **)mbufs, n, NULL);
	count->ring_out += sent;
	if (sent < n)
		dp_tx_drop(mbufs + sent, n - sent, index, DP_DROP_RING_FULL, count);
}

void
dp_tx_forward(struct dp_worker *w, uint16_t index, struct rte_mbuf **mbufs, unsigned n,
    struct dp_counters *count)
{
	const struct dp_port *in = &w->ports->port[index];

	if (in->peer == DP_NO_PORT) {
		rte_pktmbuf_free_bulk(mbufs, n);
		count->port[index].observed += n;
		return;
	}
	const struct dp_port *out = &w->ports->port[in->peer];
	if (unlikely(atomic_load_explicit(&out->gone, memory_order_relaxed))) {
		dp_tx_drop(mbufs, n, index, DP_DROP_NO_PORT, count);
		return;
	}
	if (w->id >= out->n_tx) {
		send_by_ring(w, w->id % out->n_tx, index, mbufs, n, count);
		return;
	}
	unsigned sent = rte_eth_tx_burst(out->id, (uint16_t)w->id, mbufs, (uint16_t)n);
	for (unsigned try = 0; unlikely(sent < n) && try < TX_PATIENCE; try++) {
		rte_pause();
		count->tx_waits++;
		sent += rte_eth_tx_burst(
		    out->id, (uint16_t)w->id, mbufs + sent, (uint16_t)(n - sent));
	}
	count->port[in->peer].tx += sent;
	if (unlikely(sent < n))
		dp_tx_drop(mbufs + sent, n - sent, index, DP_DROP_TX_FULL, count);
}

void
dp_tx_results(struct dp_worker *w, uint16_t index, struct rte_mbuf **mbufs,
    const struct clf_result *results, unsigned n)
{
	if (likely(!results) || w->ports->port[index].peer == DP_NO_PORT) {
		dp_tx_forward(w, index, mbufs, n, &w->count);
		return;
	}
	drop_unsent(w, index, mbufs, results, n);
}

/* Sends a frame of our own making out of a port's side: `index` is the port it seems to come from.
 */
static void
inject(struct dp_worker *w, uint16_t index, const uint8_t *frame, unsigned len)
{
	struct rte_mbuf *m = len != 0 ? rte_pktmbuf_alloc(w->ports->pool) : NULL;
	const struct dp_port *out = &w->ports->port[w->ports->port[index].peer];

	if (len == 0)
		return;
	char *at = m ? rte_pktmbuf_append(m, (uint16_t)len) : NULL;
	if (!at || atomic_load_explicit(&out->gone, memory_order_relaxed)) {
		rte_pktmbuf_free(m);
		w->count.inject_failed++;
		return;
	}
	memcpy(at, frame, len);
	bool sent;
	if (w->id >= out->n_tx) {
		m->port = w->ports->port[index].id;
		sent = rte_ring_sp_enqueue(w->back[w->id % out->n_tx], m) == 0;
		w->count.ring_out += sent;
	} else {
		sent = rte_eth_tx_burst(out->id, (uint16_t)w->id, &m, 1) == 1;
		w->count.port[w->ports->port[index].peer].tx += sent;
	}
	if (sent) {
		w->count.injected++;
	} else {
		rte_pktmbuf_free(m);
		w->count.inject_failed++;
	}
}

static bool
icmp_allowed(struct dp_worker *w)
{
	if (w->now_us - w->reject_us >= 1000000) {
		w->reject_us = w->now_us;
		w->reject_tokens = ICMP_PER_SECOND;
	}
	if (w->reject_tokens == 0)
		return false;
	w->reject_tokens--;
	return true;
}

/* Like a cable that is cut at both ends: every frame of a reset connection is answered to its
 * sender, and the first one also ends the receiver's half. */
static void
reject(struct dp_worker *w, uint16_t index, const struct rte_mbuf *m, const struct clf_result *r)
{
	uint8_t made[DP_REJECT_MAX];
	struct clf_frame frame = {
		.data = rte_pktmbuf_mtod(m, const uint8_t *),
		.len = m->data_len,
		.wire_len = m->pkt_len,
		.link = CLF_LINK_ETHERNET,
	};
	uint16_t peer = w->ports->port[index].peer;

	if (r->first_of_verdict)
		inject(w, index, made, dp_reject_rst_on(&frame, made));
	unsigned len = dp_reject_rst_back(&frame, made);
	if (len == 0 && r->icmp_reject && icmp_allowed(w))
		len = dp_reject_unreachable(&frame, made);
	inject(w, peer, made, len);
}

/* The slow branch: some frames of the burst stop here. The others keep their order. */
static void
drop_unsent(struct dp_worker *w, uint16_t index, struct rte_mbuf **mbufs,
    const struct clf_result *results, unsigned n)
{
	struct rte_mbuf *pass[CLF_BURST_MAX];
	unsigned n_pass = 0;

	for (unsigned i = 0; i < n; i++) {
		switch (results[i].verdict) {
		case CLF_DROP: dp_tx_drop(&mbufs[i], 1, index, DP_DROP_POLICY, &w->count); break;
		case CLF_RESET:
			reject(w, index, mbufs[i], &results[i]);
			dp_tx_drop(&mbufs[i], 1, index, DP_DROP_RESET, &w->count);
			break;
		default: pass[n_pass++] = mbufs[i]; break;
		}
	}
	if (n_pass != 0)
		dp_tx_forward(w, index, pass, n_pass, &w->count);
}
