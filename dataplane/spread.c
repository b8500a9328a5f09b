/* SPDX-License-Identifier: Apache-2.0 */
/* Spreading frames over workers by ring. */
#include "dataplane/spread.h"

#include <rte_ether.h>
#include <rte_mbuf.h>

#include "dataplane/tx.h"
#include "signatures/base/bytes.h"
#include "signatures/base/hash.h"

enum { VLANS_MAX = 3, MPLS_MAX = 3, SENDING_PATIENCE = 4096 };

/* The EtherType behind the tags; moves over them. */
static uint16_t
skip_tags(struct sig_bytes *b)
{
	sig_bytes_skip(b, 2 * RTE_ETHER_ADDR_LEN);
	uint16_t type = sig_bytes_u16(b);

	for (unsigned i = 0;
	     i < VLANS_MAX && (type == RTE_ETHER_TYPE_VLAN || type == RTE_ETHER_TYPE_QINQ ||
				  type == RTE_ETHER_TYPE_QINQ1);
	     i++) {
		sig_bytes_skip(b, 2);
		type = sig_bytes_u16(b);
	}
	if (type == RTE_ETHER_TYPE_PPPOE_SESSION) {
		sig_bytes_skip(b, 6);
		type = sig_bytes_u16(b) == 0x57 ? RTE_ETHER_TYPE_IPV6 : RTE_ETHER_TYPE_IPV4;
	}
	if (type == RTE_ETHER_TYPE_MPLS) {
		for (unsigned i = 0; i < MPLS_MAX; i++)
			if (sig_bytes_u32(b) & 0x100)
				break;
		type = sig_bytes_at(b, 0) >> 4 == 6 ? RTE_ETHER_TYPE_IPV6 : RTE_ETHER_TYPE_IPV4;
	}
	return type;
}

unsigned
dp_spread_worker(const uint8_t *frame, uint32_t len, unsigned n)
{
	struct sig_bytes b = sig_bytes_of(frame, len);
	uint16_t type = skip_tags(&b);
	unsigned size = type == RTE_ETHER_TYPE_IPV6 ? 16 : 4;

	if (type != RTE_ETHER_TYPE_IPV4 && type != RTE_ETHER_TYPE_IPV6)
		return 0;
	sig_bytes_skip(&b, type == RTE_ETHER_TYPE_IPV6 ? 8 : 12);
	const uint8_t *src = sig_bytes_take(&b, size), *dst = sig_bytes_take(&b, size);
	if (!sig_bytes_ok(&b))
		return 0;
	/* The sum of both hashes does not mind which comes first. */
	uint64_t h = sig_hash(src, size, 0x70686f6e65) + sig_hash(dst, size, 0x70686f6e65);
	return (unsigned)(((h >> 32) * n) >> 32);
}

bool
dp_spread_room(const struct dp_worker *w)
{
	const unsigned want = 3 *
			      CLF_BURST_MAX; /* a burst, and two resets for each of its frames */

	for (unsigned to = 0; to < w->n_workers; to++)
		if (to != w->id && (rte_ring_free_count(w->spread[to]) < want ||
				       rte_ring_free_count(w->back[to]) < want))
			return false;
	return true;
}

/* Frames of the other worker's that wait for us, the owner of a transmit queue. */
static void
drain_back(struct dp_worker *w, unsigned from)
{
	struct rte_mbuf *mbufs[CLF_BURST_MAX];
	unsigned n;

	do {
		n = rte_ring_sc_dequeue_burst(
		    w->all[from].back[w->id], (void **)mbufs, CLF_BURST_MAX, NULL);
		w->count.ring_in += n;
		dp_spread_forward(w, mbufs, n, &w->count);
	} while (n == CLF_BURST_MAX);
}

/*
 * The ring to a worker is full: makes way for frames that came in on src to go out from here. What
 * lies in the ring is stale from now on; what is being sent this moment is waited for. False: it
 * cannot be done in order.
 */
static bool
make_way(struct dp_worker *w, const struct dp_source *src, unsigned to)
{
	const struct dp_port *in = &w->ports->port[src->index];
	const _Atomic bool *sending = &w->all[to].spread_sending[w->id];

	if (in->peer == DP_NO_PORT)
		return true; /* a mirror: nothing goes anywhere */
	/* Either we see it sending, or it sees the mark before it sends: both sides put a full
	 * barrier between their store and their load. */
	atomic_store(&w->spread_stale[to], w->spread_put[to]);
	for (unsigned i = 0; atomic_load(sending); i++) {
		if (i == SENDING_PATIENCE)
			return false;
		rte_pause();
	}
	/* What it has sent may still lie in the ring to the owner of its transmit queue. */
	unsigned queues = w->ports->port[in->peer].n_tx;
	if (to < queues)
		return true;
	unsigned owner = to % queues;
	if (owner == w->id) {
		drain_back(w, to);
		return true;
	}
	return w->id % queues == owner && rte_ring_empty(w->all[to].back[owner]);
}

unsigned
dp_spread_out(struct dp_worker *w, const struct dp_source *src, struct rte_mbuf **mbufs, unsigned n)
{
	struct rte_mbuf *late[CLF_BURST_MAX];
	unsigned mine = 0, n_late = 0;
	uint32_t full = 0, way = 0; /* one bit a worker */

	_Static_assert(DP_WORKERS_MAX <= 32, "one bit a worker");
	for (unsigned i = 0; i < n; i++)
		rte_prefetch0(rte_pktmbuf_mtod(mbufs[i], void *));
	for (unsigned i = 0; i < n; i++) {
		struct rte_mbuf *m = mbufs[i];
		unsigned to = dp_spread_worker(
		    rte_pktmbuf_mtod(m, const uint8_t *), m->data_len, w->n_workers);
		m->port = w->ports->port[src->index].id;
		if (to == w->id) {
			mbufs[mine++] = m;
			continue;
		}
		if (!(full & 1u << to) && rte_ring_sp_enqueue(w->spread[to], m) == 0) {
			w->count.ring_out++;
			w->spread_put[to]++;
			continue;
		}
		/* The rest of this burst goes after this one. */
		if (!(full & 1u << to) && make_way(w, src, to))
			way |= 1u << to;
		full |= 1u << to;
		if (way & 1u << to)
			late[n_late++] = m;
		else
			dp_tx_drop(&m, 1, src->index, DP_DROP_RING_FULL, &w->count);
	}
	w->count.uninspected += n_late;
	if (n_late != 0)
		dp_tx_forward(w, src->index, late, n_late, &w->count);
	return mine;
}

/* Drops those at the front that others went before. */
static unsigned
drop_stale(struct dp_worker *w, struct dp_spread_burst *b, struct dp_counters *count)
{
	uint64_t stale = atomic_load(&w->all[b->from].spread_stale[w->id]);
	unsigned n = stale < b->first ? 0 : (unsigned)RTE_MIN(stale - b->first + 1, b->n);

	for (unsigned i = 0; i < n; i++)
		dp_tx_drop(
		    &b->mbufs[i], 1, w->ports->by_id[b->mbufs[i]->port], DP_DROP_LATE, count);
	return n;
}

void
dp_spread_take(
    struct dp_worker *w, unsigned from, struct dp_spread_burst *b, struct dp_counters *count)
{
	b->from = from;
	b->n = rte_ring_sc_dequeue_burst(
	    w->all[from].spread[w->id], (void **)b->mbufs, CLF_BURST_MAX, &b->left);
	if (b->n == 0)
		return;
	b->first = w->spread_taken[from] + 1;
	w->spread_taken[from] += b->n;
	count->ring_in += b->n;
	unsigned stale = drop_stale(w, b, count);
	b->n -= stale;
	b->first += stale;
	memmove(b->mbufs, b->mbufs + stale, b->n * sizeof(b->mbufs[0]));
}

/* Frames of one port out of a mix: moved to `out`, the rest packed to the front. */
static unsigned
pick(struct rte_mbuf **mbufs, struct clf_result *results, unsigned *n, struct rte_mbuf **out,
    struct clf_result *out_results)
{
	uint16_t port = mbufs[0]->port;
	unsigned left = 0, picked = 0;

	for (unsigned i = 0; i < *n; i++) {
		if (mbufs[i]->port == port) {
			if (results)
				out_results[picked] = results[i];
			out[picked++] = mbufs[i];
		} else {
			if (results)
				results[left] = results[i];
			mbufs[left++] = mbufs[i];
		}
	}
	*n = left;
	return picked;
}

static void
send_results(struct dp_worker *w, struct rte_mbuf **mbufs, struct clf_result *results, unsigned n)
{
	struct clf_result part_results[CLF_BURST_MAX];
	struct rte_mbuf *part[CLF_BURST_MAX];

	while (n != 0) {
		uint16_t index = w->ports->by_id[mbufs[0]->port];
		unsigned picked = pick(mbufs, results, &n, part, part_results);
		dp_tx_results(w, index, part, part_results, picked);
	}
}

void
dp_spread_end(struct dp_worker *w, struct dp_spread_burst *b, const struct clf_result *results,
    struct dp_counters *count)
{
	_Atomic bool *sending = &w->spread_sending[b->from];
	struct clf_result rest[CLF_BURST_MAX];

	atomic_store(sending, true);
	unsigned stale = drop_stale(w, b, count);
	b->n -= stale;
	if (results) {
		memcpy(rest, results + stale, b->n * sizeof(rest[0]));
		send_results(w, b->mbufs + stale, rest, b->n);
	} else {
		dp_spread_forward(w, b->mbufs + stale, b->n, count);
	}
	atomic_store_explicit(sending, false, memory_order_release);
}

void
dp_spread_forward(
    struct dp_worker *w, struct rte_mbuf **mbufs, unsigned n, struct dp_counters *count)
{
	struct rte_mbuf *part[CLF_BURST_MAX];

	while (n != 0) {
		uint16_t index = w->ports->by_id[mbufs[0]->port];
		unsigned picked = pick(mbufs, NULL, &n, part, NULL);
		dp_tx_forward(w, index, part, picked, count);
	}
}
