/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The common frame, parsed in a straight line: Ethernet, at most one 802.1Q tag, IPv4 without
 * options or IPv6 without extension headers, TCP other than a SYN, or UDP to no tunnel's port.
 *
 * Included by the hot path only. Everything that is not exactly this is left to the walker of
 * parse.c, which gives the same answer for these frames too (a test holds the two together).
 * Every fixed offset below lies inside a length that was checked just above it.
 */
#ifndef CLASSIFIER_PARSE_FAST_H
#define CLASSIFIER_PARSE_FAST_H

#include <stdbool.h>
#include <string.h>

#include "classifier/parse.h"

enum {
	CLF_PORT_L2TP = 1701,
	CLF_PORT_GTPU = 2152,
	CLF_PORT_VXLAN = 4789,
	CLF_PORT_VXLAN_GPE = 4790,
	CLF_PORT_GENEVE = 6081,
	CLF_PORT_VXLAN_LINUX = 8472, /* before 4789 was assigned; still Linux's default */
	CLF_PORT_TZSP = 37008
};

#define CLF_PORT_BIT(port) (1ULL << ((port)&63))

static inline uint16_t
clf_load16(const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof v);
	return __builtin_bswap16(v);
}

static inline uint32_t
clf_load32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof v);
	return __builtin_bswap32(v);
}

static inline bool
clf_is_tunnel_port(uint16_t port)
{
	const uint64_t maybe = CLF_PORT_BIT(CLF_PORT_L2TP) | CLF_PORT_BIT(CLF_PORT_GTPU) |
			       CLF_PORT_BIT(CLF_PORT_VXLAN) | CLF_PORT_BIT(CLF_PORT_VXLAN_GPE) |
			       CLF_PORT_BIT(CLF_PORT_GENEVE) | CLF_PORT_BIT(CLF_PORT_VXLAN_LINUX) |
			       CLF_PORT_BIT(CLF_PORT_TZSP);

	return (maybe & CLF_PORT_BIT(port)) &&
	       (port == CLF_PORT_VXLAN || port == CLF_PORT_GENEVE || port == CLF_PORT_GTPU ||
		   port == CLF_PORT_TZSP || port == CLF_PORT_VXLAN_GPE ||
		   port == CLF_PORT_VXLAN_LINUX || port == CLF_PORT_L2TP);
}

/* Is the one's complement sum over an IPv4 header of 20 bytes right? */
static inline bool
clf_ipv4_sum_ok(const uint8_t *ip)
{
	uint64_t sum = 0;

	for (int i = 0; i < 20; i += 4)
		sum += clf_load32(ip + i);
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return sum == 0xffff;
}

/* Bytes of the frame as it came from the wire; a segmented frame counts whole. */
static inline uint32_t
clf_frame_bytes(const struct clf_frame *f)
{
	return f->flags & CLF_FRAME_MORE ? f->wire_len : f->len;
}

/* Where things are in a common frame: enough for a packet of a decided flow. */
struct clf_outline {
	uint32_t l3, l4;	   /* where the headers begin */
	uint32_t head;		   /* bytes of the transport header */
	uint32_t end, claimed_end; /* of the payload: readable, and as the headers say */
	uint32_t bytes;		   /* counted bytes */
	uint16_t vlan;
	uint8_t protocol, tcp_flags;
	bool v6;
};

/* From the transport header on; l3, l4, vlan and v6 are known. `total`: what IP claims, with its
 * header. */
static inline __attribute__((always_inline)) bool
clf_outline_l4(const struct clf_frame *f, unsigned options, uint8_t protocol, uint32_t total,
    struct clf_outline *o)
{
	const uint32_t l4 = o->l4, claimed = o->l3 + total, frame_bytes = clf_frame_bytes(f);
	const uint8_t *t = f->data + l4;

	o->protocol = protocol;
	o->bytes = claimed > frame_bytes ? claimed : frame_bytes;
	o->claimed_end = claimed;
	o->end = claimed < f->len ? claimed : f->len;
	if (protocol == 6) {
		if (o->end < l4 + 20)
			return false;
		o->head = (t[12] >> 4) * 4u;
		o->tcp_flags = t[13] & 0x3f;
		/* 20 <= head <= what is readable, in one comparison */
		return o->head - 20 <= o->end - l4 - 20 && !(o->tcp_flags & 2);
	}
	uint32_t udp_len = clf_load16(t + 4);

	if (protocol != 17 || o->end < l4 + 8 || udp_len < 8 || l4 + udp_len > claimed)
		return false;
	if ((options & CLF_PARSE_TUNNELS) && clf_is_tunnel_port(clf_load16(t + 2)))
		return false;
	o->head = 8;
	o->tcp_flags = 0;
	o->claimed_end = l4 + udp_len;
	o->end = o->claimed_end < f->len ? o->claimed_end : f->len;
	return true;
}

/* IPv4 without options that begins at `l3`; a constant there leaves no arithmetic on offsets. */
static inline __attribute__((always_inline)) bool
clf_outline_v4(
    const struct clf_frame *f, unsigned options, uint32_t l3, uint16_t vlan, struct clf_outline *o)
{
	const uint8_t *ip = f->data + l3;

	o->l3 = l3;
	o->l4 = l3 + 20;
	o->vlan = vlan;
	o->v6 = false;
	if (__builtin_expect(f->len < l3 + 20 + 8 || ip[0] != 0x45, 0))
		return false;
	if (((ip[6] & 0x3f) | ip[7]) != 0)
		return false;
	if ((options & CLF_PARSE_IP_CHECKSUM) && !clf_ipv4_sum_ok(ip))
		return false;
	return clf_outline_l4(f, options, ip[9], clf_load16(ip + 2), o);
}

/* True: a common frame, *ret is filled. False: the frame is the walker's. */
static inline bool
clf_outline(const struct clf_frame *f, unsigned options, struct clf_outline *ret)
{
	const uint8_t *d = f->data;
	uint32_t l3 = 14;
	uint16_t vlan = 0;

	if (__builtin_expect(f->link != CLF_LINK_ETHERNET || f->len < 14 + 20 + 8, 0))
		return false;
	uint16_t type = clf_load16(d + 12);
	if (type == 0x8100) {
		vlan = clf_load16(d + 14) & 0xfff;
		type = clf_load16(d + 16);
		l3 = 18;
	}
	if (type == 0x0800)
		return clf_outline_v4(f, options, l3, vlan, ret);
	if (type != 0x86dd || f->len < l3 + 40 + 8 || d[l3] >> 4 != 6)
		return false;
	ret->l3 = l3;
	ret->l4 = l3 + 40;
	ret->vlan = vlan;
	ret->v6 = true;
	return clf_outline_l4(f, options, d[l3 + 6], clf_load16(d + l3 + 4) + 40u, ret);
}

/* The same for untagged IPv4 alone: what the fast path asks first. */
static inline __attribute__((always_inline)) bool
clf_outline_plain(const struct clf_frame *f, unsigned options, struct clf_outline *ret)
{
	return __builtin_expect(f->link == CLF_LINK_ETHERNET && f->len >= 14 + 20 + 8, 1) &&
	       clf_load16(f->data + 12) == 0x0800 && clf_outline_v4(f, options, 14, 0, ret);
}

/* True: *ret is filled. False: *ret is untouched, and the frame is the walker's. */
static inline bool
clf_parse_fast(const struct clf_frame *f, unsigned options, struct clf_pkt *ret)
{
	const uint8_t *d = f->data;
	struct clf_outline o;

	if (!clf_outline(f, options, &o))
		return false;
	const uint8_t *ip = d + o.l3, *t = d + o.l4;
	*ret = (struct clf_pkt){
		.data = d,
		.len = f->len,
		.bytes = o.bytes,
		.l3_off = (uint16_t)o.l3,
		.l4_off = (uint16_t)o.l4,
		.payload_off = (uint16_t)(o.l4 + o.head),
		.payload_len = (uint16_t)(o.end - o.l4 - o.head),
		.payload_wire = (uint16_t)(o.claimed_end - o.l4 - o.head),
		.src_port = clf_load16(t),
		.dst_port = clf_load16(t + 2),
		.vlan = o.vlan,
		.parse = CLF_P_OK,
		.ip_version = o.v6 ? 6 : 4,
		.protocol = o.protocol,
		.tcp_flags = o.tcp_flags,
		.ttl = o.v6 ? ip[7] : ip[8],
		.options = (uint8_t)options,
		.l2_len = (uint16_t)o.l3,
	};
	if (o.protocol == 6) {
		ret->seq = clf_load32(t + 4);
		ret->ack = clf_load32(t + 8);
		ret->window = clf_load16(t + 14);
	}
	return true;
}

#endif
