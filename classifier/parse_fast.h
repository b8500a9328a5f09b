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

enum { CLF_PORT_GTPU = 2152, CLF_PORT_VXLAN = 4789, CLF_PORT_GENEVE = 6081, CLF_PORT_TZSP = 37008 };

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
	return port == CLF_PORT_VXLAN || port == CLF_PORT_GENEVE || port == CLF_PORT_GTPU ||
	       port == CLF_PORT_TZSP;
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

/* True: *ret is filled. False: *ret is untouched, and the frame is the walker's. */
static inline bool
clf_parse_fast(const struct clf_frame *f, unsigned options, struct clf_pkt *ret)
{
	const uint8_t *d = f->data;
	uint32_t l3 = 14, l4, total, head, readable;
	uint16_t vlan = 0;

	if (__builtin_expect(f->link != CLF_LINK_ETHERNET || f->len < 14 + 20 + 8, 0))
		return false;
	uint16_t type = clf_load16(d + 12);
	if (type == 0x8100) {
		vlan = clf_load16(d + 14) & 0xfff;
		type = clf_load16(d + 16);
		l3 = 18;
	}
	const uint8_t *ip = d + l3;
	bool v6 = type == 0x86dd;
	if (!v6) {
		l4 = l3 + 20;
		if (type != 0x0800 || f->len < l4 + 8 || ip[0] != 0x45 ||
		    (clf_load16(ip + 6) & 0x3fff) != 0)
			return false;
		if ((options & CLF_PARSE_IP_CHECKSUM) && !clf_ipv4_sum_ok(ip))
			return false;
		total = clf_load16(ip + 2);
	} else {
		l4 = l3 + 40;
		if (f->len < l4 + 8 || ip[0] >> 4 != 6)
			return false;
		total = clf_load16(ip + 4) + 40u;
	}
	uint8_t protocol = v6 ? ip[6] : ip[9];
	uint8_t tcp_flags = 0;
	uint32_t claimed_end = l3 + total;
	uint32_t end = claimed_end < f->len ? claimed_end : f->len;
	const uint8_t *t = d + l4;

	readable = end > l4 ? end - l4 : 0;
	if (protocol == 6) {
		if (readable < 20)
			return false;
		head = (t[12] >> 4) * 4u;
		tcp_flags = t[13];
		if (head < 20 || head > readable || (tcp_flags & 2))
			return false;
	} else if (protocol == 17) {
		uint32_t udp_len = clf_load16(t + 4);

		head = 8;
		if (readable < 8 || udp_len < 8 || udp_len > claimed_end - l4)
			return false;
		if ((options & CLF_PARSE_TUNNELS) && clf_is_tunnel_port(clf_load16(t + 2)))
			return false;
		claimed_end = l4 + udp_len;
		end = claimed_end < f->len ? claimed_end : f->len;
	} else {
		return false;
	}

	uint32_t counted = l3 + total;
	uint32_t frame_bytes = clf_frame_bytes(f);
	*ret = (struct clf_pkt){
		.data = d,
		.len = f->len,
		.bytes = counted > frame_bytes ? counted : frame_bytes,
		.l3_off = (uint16_t)l3,
		.l4_off = (uint16_t)l4,
		.payload_off = (uint16_t)(l4 + head),
		.payload_len = (uint16_t)(end - l4 - head),
		.payload_wire = (uint16_t)(claimed_end - l4 - head),
		.src_port = clf_load16(t),
		.dst_port = clf_load16(t + 2),
		.vlan = vlan,
		.parse = CLF_P_OK,
		.ip_version = v6 ? 6 : 4,
		.protocol = protocol,
		.tcp_flags = tcp_flags & 0x3f,
		.ttl = v6 ? ip[7] : ip[8],
		.options = (uint8_t)options,
		.l2_len = (uint16_t)l3,
	};
	if (protocol == 6) {
		ret->seq = clf_load32(t + 4);
		ret->ack = clf_load32(t + 8);
		ret->window = clf_load16(t + 14);
	}
	return true;
}

#endif
