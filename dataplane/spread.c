/* SPDX-License-Identifier: Apache-2.0 */
/* Spreading frames over workers by ring. */
#include "dataplane/spread.h"

#include <rte_ether.h>
#include <rte_mbuf.h>

#include "dataplane/tx.h"
#include "signatures/base/bytes.h"
#include "signatures/base/hash.h"

enum { VLANS_MAX = 3, MPLS_MAX = 3 };

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

unsigned
dp_spread_out(struct dp_worker *w, const struct dp_source *src, struct rte_mbuf **mbufs, unsigned n)
{
	struct rte_mbuf *late[CLF_BURST_MAX];
	unsigned mine = 0, n_late = 0;

	for (unsigned i = 0; i < n; i++)
		rte_prefetch0(rte_pktmbuf_mtod(mbufs[i], void *));
	for (unsigned i = 0; i < n; i++) {
		struct rte_mbuf *m = mbufs[i];
		unsigned to = dp_spread_worker(
		    rte_pktmbuf_mtod(m, const uint8_t *), m->data_len, w->n_workers);
		m->port = src->port;
		if (to == w->id)
			mbufs[mine++] = m;
		else if (rte_ring_sp_enqueue(w->spread[to], m) == 0)
			w->count.ring_out++;
		else
			late[n_late++] = m;
	}
	/* The other worker is behind: the wire stays a wire. */
	w->count.uninspected += n_late;
	if (n_late != 0)
		dp_tx_forward(w, src->index, late, n_late, &w->count);
	return mine;
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

void
dp_spread_results(
    struct dp_worker *w, struct rte_mbuf **mbufs, const struct clf_result *results, unsigned n)
{
	struct clf_result rest[CLF_BURST_MAX], part_results[CLF_BURST_MAX];
	struct rte_mbuf *part[CLF_BURST_MAX];

	memcpy(rest, results, n * sizeof(rest[0]));
	while (n != 0) {
		uint16_t index = w->ports->by_id[mbufs[0]->port];
		unsigned picked = pick(mbufs, rest, &n, part, part_results);
		dp_tx_results(w, index, part, part_results, picked);
	}
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
