/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A flow's key: the same for both directions, 16 bytes to compare for IPv4.
 *
 * The two ends (address, port) are ordered, the lower first; `swap` says that the packet goes from
 * the second end to the first. k[0] holds both IPv4 addresses, or a seeded digest of the IPv6 ones
 * (which are then compared in the flow's cold part); k[1] holds ports, VLAN, protocol and kind.
 * The hash is seeded: nobody outside can build keys that collide. Any thread; no state.
 */
#ifndef CLASSIFIER_FLOW_KEY_H
#define CLASSIFIER_FLOW_KEY_H

#include <stdbool.h>

#include "classifier/pkt.h"
#include "signatures/base/hash.h"

enum {
	CLF_KEY_V6 = 1,
	CLF_KEY_TUNNEL = 2
}; /* kind: what else must be compared, in the cold part */

/* k[1] of a record that is free: a kind that no key has. (0 is a key: IPv4, protocol 0, no VLAN.)
 */
#define CLF_KEY_FREE UINT64_MAX

struct clf_flow_key {
	uint64_t k[2];
	uint64_t hash;
	bool swap;
};

static inline unsigned
clf_key_kind(uint64_t k1)
{
	return (unsigned)(k1 >> 56);
}

static inline uint8_t
clf_key_protocol(uint64_t k1)
{
	return (uint8_t)(k1 >> 48);
}

static inline uint16_t
clf_key_vlan(uint64_t k1)
{
	return (uint16_t)(k1 >> 32);
}

static inline uint16_t
clf_key_port(uint64_t k1, unsigned end)
{
	return (uint16_t)(k1 >> (16 * end));
}

static inline uint64_t
clf_key_hash(const uint64_t k[2], const uint64_t seed[2])
{
	uint64_t h = sig_hash_mix(k[0] ^ seed[0], k[1] ^ seed[1]);

	return sig_hash_mix(h ^ 0x9e3779b97f4a7c15ULL, seed[0] | 1);
}

/* Both directions of these carry the same id, so it tells apart tenants that share addresses. */
static inline bool
clf_key_tunnel_counts(const struct clf_pkt *p)
{
	return p->tunnel == CLF_TUN_VXLAN || p->tunnel == CLF_TUN_GENEVE;
}

void clf_flow_key_v6(const struct clf_pkt *p, const uint64_t seed[2], struct clf_flow_key *ret);

/* `addrs`: source and destination as they lie in the header; `ports`: source << 16 | destination.
 */
static inline void
clf_flow_key_v4(const uint8_t addrs[static 8], uint32_t ports, uint64_t rest,
    const uint64_t seed[2], struct clf_flow_key *ret)
{
	uint32_t src, dst;

	memcpy(&src, addrs, 4);
	memcpy(&dst, addrs + 4, 4);
	ret->swap = __builtin_expect(src != dst, 1) ? src > dst : ports >> 16 > (ports & 0xffff);
	/* Ordered by turning, since no branch could foretell a packet's direction. */
	uint64_t both = src | (uint64_t)dst << 32;
	unsigned turn = ret->swap ? 32 : 0;
	ret->k[0] = both << turn | both >> (-turn & 63);
	turn = ret->swap ? 0 : 16;
	ret->k[1] = rest | (uint32_t)(ports << turn | ports >> (-turn & 31));
	ret->hash = clf_key_hash(ret->k, seed);
}

static inline uint64_t
clf_key_rest(uint16_t vlan, uint8_t protocol)
{
	return (uint64_t)vlan << 32 | (uint64_t)protocol << 48;
}

static inline void
clf_flow_key(const struct clf_pkt *p, const uint64_t seed[2], struct clf_flow_key *ret)
{
	uint64_t rest = clf_key_rest(p->vlan, p->protocol);
	bool icmp = p->protocol == 1;

	if (__builtin_expect(p->ip_version != 4, 0)) {
		clf_flow_key_v6(p, seed, ret);
		return;
	}
	if (__builtin_expect(clf_key_tunnel_counts(p), 0))
		rest |= (uint64_t)CLF_KEY_TUNNEL << 56;
	/* ICMP's "ports" are type and code, which differ by direction. */
	clf_flow_key_v4(
	    clf_pkt_src(p), icmp ? 0 : (uint32_t)p->src_port << 16 | p->dst_port, rest, seed, ret);
}

#endif
