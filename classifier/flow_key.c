/* SPDX-License-Identifier: Apache-2.0 */
/* The key of an IPv6 flow: the addresses are folded to a seeded 64-bit digest. */
#include "classifier/flow_key.h"

void
clf_flow_key_v6(const struct clf_pkt *p, const uint64_t seed[2], struct clf_flow_key *ret)
{
	const uint8_t *src = clf_pkt_src(p), *dst = clf_pkt_dst(p);
	bool icmp = p->protocol == 58 || p->protocol == 1;
	uint16_t sport = icmp ? 0 : p->src_port, dport = icmp ? 0 : p->dst_port;
	int order = memcmp(src, dst, 16);
	uint64_t a[4];

	ret->swap = order > 0 || (order == 0 && sport > dport);
	memcpy(a, ret->swap ? dst : src, 16);
	memcpy(a + 2, ret->swap ? src : dst, 16);
	ret->k[0] = sig_hash_mix(
	    sig_hash_mix(a[0] ^ seed[0], a[1] ^ seed[1]) ^ a[2], a[3] ^ seed[0]);
	ret->k[1] = (uint64_t)(ret->swap ? dport : sport) |
		    (uint64_t)(ret->swap ? sport : dport) << 16 | (uint64_t)p->vlan << 32 |
		    (uint64_t)p->protocol << 48 | (uint64_t)CLF_KEY_V6 << 56;
	if (clf_key_tunnel_counts(p))
		ret->k[1] |= (uint64_t)CLF_KEY_TUNNEL << 56;
	ret->hash = clf_key_hash(ret->k, seed);
}
