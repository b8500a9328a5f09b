/* SPDX-License-Identifier: Apache-2.0 */
/* Builds resets and ICMP errors. */
#include "dataplane/reject.h"

#include <netinet/in.h>
#include <string.h>

#include "classifier/parse.h"

enum {
	ETH_LEN = 14,
	TCP_LEN = 20,
	ICMP_LEN = 8,
	HOP_LIMIT = 64,
	RST = 4,
	ACK = 16,
	SYN = 2,
	FIN = 1,
	ICMP4_QUOTE = 548,
	ICMP6_QUOTE = 1232
};

static void
put16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void
put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v & 0xffff);
}

static uint32_t
sum16(const uint8_t *p, size_t n, uint32_t sum)
{
	for (; n > 1; n -= 2, p += 2)
		sum += ((uint32_t)p[0] << 8) | p[1];
	return n != 0 ? sum + ((uint32_t)p[0] << 8) : sum;
}

static uint16_t
fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

/* Not the network, nobody, a loop or many (RFC 1122 3.2.1.3, RFC 4291 2.5). */
static bool
one_host(const struct clf_pkt *p, const uint8_t *address)
{
	static const uint8_t none[15];

	if (p->ip_version == 6)
		return address[0] != 0xff && memcmp(address, none, sizeof(none)) != 0;
	return address[0] != 0 && address[0] != 127 && address[0] < 224;
}

/* A flow that can be answered: not in a tunnel, not a fragment, between two hosts, layer 2 as it
 * came, which holds no length (IEEE 802.3 3.2.6). */
static bool
answerable(const struct clf_frame *frame, struct clf_pkt *p)
{
	clf_parse_frame(frame, 0, p);
	return p->parse == CLF_P_OK && p->depth == 0 && p->tunnel == CLF_TUN_NONE &&
	       frame->link == CLF_LINK_ETHERNET && p->l2_len >= ETH_LEN &&
	       p->l2_len <= ETH_LEN + 12 && p->data == frame->data && p->l3_off == p->l2_len &&
	       p->data[12] >= 6 && (p->data[6] & 1) == 0 && one_host(p, clf_pkt_src(p)) &&
	       one_host(p, clf_pkt_dst(p));
}

/* Layer 2 and IP of an answer with `len` bytes behind the IP header. back: towards the sender. */
static uint8_t *
head(const struct clf_pkt *p, uint8_t *out, bool back, unsigned protocol, unsigned len)
{
	const uint8_t *src = back ? clf_pkt_dst(p) : clf_pkt_src(p);
	const uint8_t *dst = back ? clf_pkt_src(p) : clf_pkt_dst(p);
	uint8_t *ip = out + p->l2_len;

	memcpy(out, p->data, p->l2_len);
	if (back) {
		memcpy(out, p->data + 6, 6);
		memcpy(out + 6, p->data, 6);
	}
	if (p->ip_version == 6) {
		memset(ip, 0, 40);
		ip[0] = 0x60;
		put16(ip + 4, len);
		ip[6] = (uint8_t)protocol;
		ip[7] = HOP_LIMIT;
		memcpy(ip + 8, src, 16);
		memcpy(ip + 24, dst, 16);
		return ip + 40;
	}
	memset(ip, 0, 20);
	ip[0] = 0x45;
	put16(ip + 2, 20 + len);
	ip[6] = 0x40; /* don't fragment */
	ip[8] = HOP_LIMIT;
	ip[9] = (uint8_t)protocol;
	memcpy(ip + 12, src, 4);
	memcpy(ip + 16, dst, 4);
	put16(ip + 10, fold(sum16(ip, 20, 0)));
	return ip + 20;
}

/* Checksum with the pseudo header of the addresses that stand before l4. */
static uint16_t
l4_sum(const struct clf_pkt *p, const uint8_t *l4, unsigned len, unsigned protocol)
{
	unsigned addrs = p->ip_version == 6 ? 32 : 8;

	return fold(sum16(l4, len, sum16(l4 - addrs, addrs, protocol + len)));
}

static unsigned
rst(const struct clf_pkt *p, uint8_t *out, bool back)
{
	uint8_t *tcp = head(p, out, back, IPPROTO_TCP, TCP_LEN);
	uint32_t taken = p->payload_wire + (p->tcp_flags & SYN ? 1 : 0) +
			 (p->tcp_flags & FIN ? 1 : 0);

	memset(tcp, 0, TCP_LEN);
	put16(tcp, back ? p->dst_port : p->src_port);
	put16(tcp + 2, back ? p->src_port : p->dst_port);
	tcp[12] = TCP_LEN / 4 << 4;
	if (!back) {
		put32(tcp + 4, p->seq);
		put32(tcp + 8, p->ack);
		tcp[13] = p->tcp_flags & ACK ? RST | ACK : RST;
	} else if (p->tcp_flags & ACK) {
		put32(tcp + 4, p->ack);
		put32(tcp + 8, p->seq + taken);
		tcp[13] = RST | ACK;
	} else {
		put32(tcp + 8, p->seq + taken);
		tcp[13] = RST | ACK;
	}
	put16(tcp + 16, l4_sum(p, tcp, TCP_LEN, IPPROTO_TCP));
	return (unsigned)(tcp + TCP_LEN - out);
}

unsigned
dp_reject_rst_back(const struct clf_frame *frame, uint8_t out[static DP_REJECT_MAX])
{
	struct clf_pkt p;

	if (!answerable(frame, &p) || p.protocol != IPPROTO_TCP || (p.tcp_flags & RST))
		return 0;
	return rst(&p, out, true);
}

unsigned
dp_reject_rst_on(const struct clf_frame *frame, uint8_t out[static DP_REJECT_MAX])
{
	struct clf_pkt p;

	if (!answerable(frame, &p) || p.protocol != IPPROTO_TCP || (p.tcp_flags & RST))
		return 0;
	return rst(&p, out, false);
}

unsigned
dp_reject_unreachable(const struct clf_frame *frame, uint8_t out[static DP_REJECT_MAX])
{
	struct clf_pkt p;

	/* Nor about what was sent to all on the link (RFC 1122 3.2.2, RFC 4443 2.4). */
	if (!answerable(frame, &p) || p.protocol != IPPROTO_UDP || (p.data[0] & 1) != 0)
		return 0;
	bool v6 = p.ip_version == 6;
	unsigned quote = p.len - p.l3_off, most = v6 ? ICMP6_QUOTE : ICMP4_QUOTE;
	/* What padding follows the packet is not part of it. */
	unsigned packet = (unsigned)(p.payload_off - p.l3_off) + p.payload_len;

	if (quote > packet)
		quote = packet;
	if (quote > most)
		quote = most;
	unsigned protocol = v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
	uint8_t *icmp = head(&p, out, true, protocol, ICMP_LEN + quote);
	memset(icmp, 0, ICMP_LEN);
	icmp[0] = v6 ? 1 : 3;
	icmp[1] = v6 ? 4 : 3;
	memcpy(icmp + ICMP_LEN, p.data + p.l3_off, quote);
	put16(icmp + 2, v6 ? l4_sum(&p, icmp, ICMP_LEN + quote, protocol)
			   : fold(sum16(icmp, ICMP_LEN + quote, 0)));
	return (unsigned)(icmp + ICMP_LEN + quote - out);
}
