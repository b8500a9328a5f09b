/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The walker: any frame, one layer after the other, to the innermost flow. Slow beside
 * parse_fast.h, and the only place that knows IP options, fragments and extension headers.
 */
#include "classifier/parse.h"

#include "classifier/parse_fast.h"
#include "classifier/tunnel.h"

static enum clf_layer walk_ip(struct clf_walk *w);
static enum clf_layer walk_protocol(struct clf_walk *w);

void
clf_parse_frame(const struct clf_frame *frame, unsigned options, struct clf_pkt *ret_pkt)
{
	if (clf_parse_fast(frame, options, ret_pkt))
		return;
	*ret_pkt = (struct clf_pkt){
		.data = frame->data,
		.len = frame->len,
		.bytes = clf_frame_bytes(frame),
		.options = (uint8_t)options,
	};
	struct clf_walk w = {
		.b = sig_bytes_of(frame->data, frame->len),
		.claimed = UINT32_MAX,
		.pkt = ret_pkt,
		.options = (uint8_t)options,
	};
	clf_walk_run(&w, clf_walk_link(&w, frame->link));
}

void
clf_parse_rejoined(
    const uint8_t *ip, uint32_t len, const struct clf_pkt *last, struct clf_pkt *ret_pkt)
{
	*ret_pkt = (struct clf_pkt){
		.data = ip,
		.len = len,
		.bytes = last->bytes,
		.vlan = last->vlan,
		.tunnel = last->tunnel,
		.tunnel_id = last->tunnel_id,
		.depth = last->depth,
		.options = last->options,
		.l2_len = last->l2_len,
		.fragmented = 1,
	};
	struct clf_walk w = {
		.b = sig_bytes_of(ip, len),
		.claimed = len,
		.pkt = ret_pkt,
		.options = last->options,
	};
	clf_walk_run(&w, CLF_LY_IP);
}

void
clf_walk_run(struct clf_walk *w, enum clf_layer layer)
{
	while (layer != CLF_LY_END) {
		if (++w->layers > CLF_MAX_LAYERS) {
			w->pkt->parse = CLF_P_TOO_DEEP;
			return;
		}
		switch (layer) {
		case CLF_LY_ETHERNET: layer = clf_walk_ethernet(w); break;
		case CLF_LY_ETHERTYPE: layer = clf_walk_ethertype(w); break;
		case CLF_LY_IP: layer = walk_ip(w); break;
		case CLF_LY_PROTOCOL: layer = walk_protocol(w); break;
		case CLF_LY_PPP: layer = clf_walk_ppp(w); break;
		case CLF_LY_PPPOE: layer = clf_walk_pppoe(w); break;
		case CLF_LY_MPLS: layer = clf_walk_mpls(w); break;
		case CLF_LY_NSH: layer = clf_walk_nsh(w); break;
		case CLF_LY_IEEE802_11: layer = clf_walk_ieee802_11(w); break;
		case CLF_LY_END: break;
		}
	}
}

/* The outermost IP header decides what a frame weighs: what it claims, or what came if more. */
static void
note_ip(struct clf_walk *w, uint8_t version, uint32_t total)
{
	struct clf_pkt *p = w->pkt;

	p->l3_off = (uint16_t)clf_walk_off(w);
	if (p->ip_version == 0 && !p->fragmented) {
		p->l2_len = p->l3_off;
		if (p->l2_len + total > p->bytes)
			p->bytes = p->l2_len + total;
	}
	p->ip_version = version;
	p->routed = 0;
}

/* What is left is the flow's payload; the walk is done. */
static enum clf_layer
finish(struct clf_walk *w)
{
	struct clf_pkt *p = w->pkt;
	size_t left = sig_bytes_left(&w->b);

	p->payload_off = (uint16_t)clf_walk_off(w);
	p->payload_len = (uint16_t)(left < 0xffff ? left : 0xffff);
	p->payload_wire = (uint16_t)(w->claimed < 0xffff ? w->claimed : 0xffff);
	return clf_walk_stop(w, CLF_P_OK);
}

static enum clf_layer
finish_fragment(struct clf_walk *w, uint32_t id, uint16_t off_bytes, bool more)
{
	struct clf_pkt *p = w->pkt;

	p->frag_id = id;
	p->frag_off = off_bytes;
	p->frag_more = more;
	p->frag_proto = w->protocol;
	p->protocol = w->protocol;
	p->src_port = p->dst_port = 0;
	p->l4_off = (uint16_t)clf_walk_off(w);
	(void)finish(w);
	return clf_walk_stop(w, CLF_P_FRAGMENT);
}

static bool
ipv4_checksum_ok(const uint8_t *ip, const uint8_t *opts, uint32_t opts_len)
{
	uint32_t sum = 0;

	for (int i = 0; i < 20; i += 2)
		sum += clf_load16(ip + i);
	for (uint32_t i = 0; i < opts_len; i += 2)
		sum += clf_load16(opts + i);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return sum == 0xffff;
}

static enum clf_layer
walk_ipv4(struct clf_walk *w)
{
	struct clf_walk at = *w; /* the length in the header bounds the header too */
	const uint8_t *ip = clf_walk_take(&at, 20);

	if (ip == NULL)
		return CLF_LY_END;
	uint32_t total = clf_load16(ip + 2), head = (ip[0] & 15) * 4u;
	if (total == 0) /* left to the card by segmentation offload: the frame's end is the end */
		total = (uint32_t)sig_bytes_left(&w->b);
	if (head < 20 || total < head)
		return clf_walk_stop(w, CLF_P_BAD_LENGTH);
	note_ip(w, 4, total);
	clf_walk_claim(w, total);
	(void)clf_walk_take(w, 20);
	const uint8_t *opts = clf_walk_take(w, head - 20);
	if (opts == NULL)
		return CLF_LY_END;
	if ((w->options & CLF_PARSE_IP_CHECKSUM) && !ipv4_checksum_ok(ip, opts, head - 20))
		return clf_walk_stop(w, CLF_P_BAD_CHECKSUM);
	w->pkt->ttl = ip[8];
	w->protocol = ip[9];
	uint16_t frag = clf_load16(ip + 6);
	if ((frag & 0x3fff) != 0)
		return finish_fragment(
		    w, clf_load16(ip + 4), (uint16_t)((frag & 0x1fff) * 8), frag & 0x2000);
	return CLF_LY_PROTOCOL;
}

/* One extension header; its length goes to *ret_len. w->protocol becomes what follows. */
static enum clf_layer
walk_extension(struct clf_walk *w, uint32_t *ret_len)
{
	bool is_fragment = w->protocol == 44, is_auth = w->protocol == 51,
	     is_route = w->protocol == 43;
	const uint8_t *h = clf_walk_take(w, 8);

	if (h == NULL)
		return CLF_LY_END;
	uint32_t len = is_fragment ? 8 : is_auth ? (h[1] + 2u) * 4 : (h[1] + 1u) * 8;
	if (len < 8)
		return clf_walk_stop(w, CLF_P_BAD_LENGTH);
	*ret_len = len;
	if (len > CLF_MAX_EXT_BYTES)
		return clf_walk_stop(w, CLF_P_EXT_CHAIN);
	if (clf_walk_take(w, len - 8) == NULL)
		return CLF_LY_END;
	w->protocol = h[0];
	if (is_route && h[3] != 0)
		w->pkt->routed = 1;
	if (is_fragment) {
		uint16_t frag = clf_load16(h + 2);

		if ((frag & 0xfff9) != 0)
			return finish_fragment(w, clf_load32(h + 4), frag & 0xfff8, frag & 1);
		w->pkt->fragmented = 1; /* atomic, RFC 6946: a whole datagram */
	}
	return CLF_LY_PROTOCOL;
}

static bool
is_extension(uint8_t protocol)
{
	switch (protocol) {
	case 0:
	case 43:
	case 44:
	case 51:
	case 60:
	case 135:
	case 139:
	case 140: return true;
	default: return false;
	}
}

static enum clf_layer
walk_ipv6(struct clf_walk *w)
{
	struct clf_walk at = *w;
	const uint8_t *ip = clf_walk_take(&at, 40);
	uint32_t chain = 0;

	if (ip == NULL)
		return CLF_LY_END;
	uint32_t total = clf_load16(ip + 4) + 40u;
	if (total == 40 && ip[6] != 59) /* a jumbogram, or segmentation offload */
		total = (uint32_t)sig_bytes_left(&w->b);
	note_ip(w, 6, total);
	clf_walk_claim(w, total);
	(void)clf_walk_take(w, 40);
	w->pkt->ttl = ip[7];
	w->protocol = ip[6];
	for (unsigned n = 0; is_extension(w->protocol); n++) {
		uint32_t len = 0;

		if (n == CLF_MAX_EXT)
			return clf_walk_stop(w, CLF_P_EXT_CHAIN);
		if (walk_extension(w, &len) == CLF_LY_END)
			return CLF_LY_END;
		chain += len;
		if (chain > CLF_MAX_EXT_BYTES)
			return clf_walk_stop(w, CLF_P_EXT_CHAIN);
	}
	return CLF_LY_PROTOCOL;
}

static enum clf_layer
walk_ip(struct clf_walk *w)
{
	int first = sig_bytes_at(&w->b, 0);

	if (first < 0)
		return clf_walk_stop(w, w->claimed == 0 ? CLF_P_BAD_LENGTH : CLF_P_TRUNCATED);
	switch (first >> 4) {
	case 4: return walk_ipv4(w);
	case 6: return walk_ipv6(w);
	default: return clf_walk_stop(w, CLF_P_BAD_VERSION);
	}
}

/* The window scale option of a SYN, + 1; 0 when absent (RFC 7323: at most 14). */
static uint8_t
syn_window_scale(struct sig_bytes opts)
{
	for (;;) {
		uint8_t kind = sig_bytes_u8(&opts);

		if (!sig_bytes_ok(&opts) || kind == 0)
			return 0;
		if (kind == 1)
			continue;
		uint8_t len = sig_bytes_u8(&opts);
		if (len < 2)
			return 0;
		struct sig_bytes value = sig_bytes_sub(&opts, len - 2u);
		if (kind == 3 && len == 3) {
			uint8_t scale = sig_bytes_u8(&value);
			return sig_bytes_ok(&value) ? (scale < 14 ? scale : 14) + 1 : 0;
		}
	}
}

static enum clf_layer
walk_tcp(struct clf_walk *w)
{
	struct clf_pkt *p = w->pkt;
	const uint8_t *t = clf_walk_take(w, 20);

	if (t == NULL)
		return CLF_LY_END;
	uint32_t head = (t[12] >> 4) * 4u;
	if (head < 20)
		return clf_walk_stop(w, CLF_P_BAD_LENGTH);
	const uint8_t *opts = clf_walk_take(w, head - 20);
	if (opts == NULL)
		return CLF_LY_END;
	p->src_port = clf_load16(t);
	p->dst_port = clf_load16(t + 2);
	p->seq = clf_load32(t + 4);
	p->ack = clf_load32(t + 8);
	p->tcp_flags = t[13] & 0x3f;
	p->window = clf_load16(t + 14);
	if (p->tcp_flags & 2)
		p->wscale = syn_window_scale(sig_bytes_of(opts, head - 20));
	return finish(w);
}

static enum clf_layer
walk_udp(struct clf_walk *w)
{
	struct clf_pkt *p = w->pkt;
	const uint8_t *u = clf_walk_take(w, 8);

	if (u == NULL)
		return CLF_LY_END;
	uint32_t len = clf_load16(u + 4);
	if (len != 0) { /* 0: a jumbogram, or left to the card */
		if (len < 8 || len - 8 > w->claimed)
			return clf_walk_stop(w, CLF_P_BAD_LENGTH);
		clf_walk_claim(w, len - 8);
	}
	p->src_port = clf_load16(u);
	p->dst_port = clf_load16(u + 2);
	(void)finish(w);
	if ((w->options & CLF_PARSE_TUNNELS) && clf_is_tunnel_port(p->dst_port))
		return clf_walk_udp_tunnel(w, p->dst_port);
	return CLF_LY_END;
}

static enum clf_layer
walk_ports_only(struct clf_walk *w, uint32_t head)
{
	const uint8_t *h = clf_walk_take(w, head);

	if (h == NULL)
		return CLF_LY_END;
	w->pkt->src_port = clf_load16(h);
	w->pkt->dst_port = clf_load16(h + 2);
	return finish(w);
}

static enum clf_layer
walk_protocol(struct clf_walk *w)
{
	struct clf_pkt *p = w->pkt;
	struct clf_walk outer;

	p->protocol = w->protocol;
	p->l4_off = (uint16_t)clf_walk_off(w);
	p->src_port = p->dst_port = 0;
	p->tcp_flags = 0;
	switch (w->protocol) {
	case 6: return walk_tcp(w);
	case 17: return walk_udp(w);
	case 136: return walk_ports_only(w, 8);	 /* UDP-Lite */
	case 132: return walk_ports_only(w, 12); /* SCTP */
	case 33: return walk_ports_only(w, 12);	 /* DCCP */
	case 51:				 /* an authenticated header in IPv4 hides nothing */
		return walk_extension(w, &(uint32_t){ 0 });
	case 4:
	case 41:
		outer = *w;
		(void)finish(w);
		*w = outer;
		if (!clf_walk_enter(w,
			p->ip_version == 4 && w->protocol == 41 ? CLF_TUN_6IN4 : CLF_TUN_IPIP, 0))
			return CLF_LY_END;
		return CLF_LY_IP;
	case 47: (void)finish(w); return clf_walk_gre(w);
	default: return finish(w);
	}
}

/* --- transport checksums --- */

/*
 * The one's complement sum does not care for byte order (RFC 1071 2.B): words are added as they
 * lie in memory, eight bytes a step, and the folded sum is turned once.
 */
static uint64_t
sum_bytes(struct sig_bytes b, uint64_t sum)
{
	uint64_t v = 0;

	while (sig_bytes_left(&b) >= sizeof v) {
		memcpy(&v, sig_bytes_take(&b, sizeof v), sizeof v);
		sum += (v & 0xffffffff) + (v >> 32);
	}
	v = 0;
	memcpy(&v, b.p, sig_bytes_left(&b));
	return sum + (v & 0xffffffff) + (v >> 32);
}

static uint16_t
fold(uint64_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return __builtin_bswap16((uint16_t)sum);
}

static uint8_t
check_transport(const struct clf_pkt *p)
{
	bool udp = p->protocol == 17;
	uint32_t l4_len = (uint32_t)p->payload_off - p->l4_off + p->payload_len;
	struct sig_bytes all = sig_bytes_of(p->data, p->len);

	(void)sig_bytes_skip(&all, p->l4_off);
	struct sig_bytes l4 = sig_bytes_sub(&all, l4_len);
	uint32_t field_at = udp ? 6 : p->protocol == 6 ? 16 : 2;
	struct sig_bytes at = l4;
	(void)sig_bytes_skip(&at, field_at);
	uint16_t field = sig_bytes_u16(&at);
	if (!sig_bytes_ok(&at) || (udp && field == 0))
		return CLF_CSUM_UNKNOWN;
	struct sig_bytes addrs = sig_bytes_of(clf_pkt_src(p), p->ip_version == 6 ? 32 : 8);
	uint64_t pseudo = sum_bytes(addrs, (uint64_t)p->protocol << 8);
	uint64_t with_len = pseudo + __builtin_bswap32(l4_len);
	if (fold(sum_bytes(l4, with_len)) == 0xffff)
		return CLF_CSUM_GOOD;
	return field == fold(with_len) || field == fold(pseudo) ? CLF_CSUM_PARTIAL : CLF_CSUM_BAD;
}

uint8_t
clf_pkt_checksum(struct clf_pkt *p, const struct clf_frame *frame)
{
	if (p->l4_csum != CLF_CSUM_UNKNOWN)
		return p->l4_csum;
	if (frame != NULL && p->data == frame->data && p->depth == 0 && !p->fragmented) {
		if (frame->flags & CLF_FRAME_L4_CSUM_OK)
			return p->l4_csum = CLF_CSUM_GOOD;
		if (frame->flags & CLF_FRAME_L4_CSUM_BAD)
			return p->l4_csum = CLF_CSUM_BAD;
	}
	bool summed = p->protocol == 6 || p->protocol == 17 ||
		      (p->protocol == 58 && p->ip_version == 6);
	if (p->parse != CLF_P_OK || p->routed || p->payload_wire != p->payload_len || !summed)
		return CLF_CSUM_UNKNOWN;
	return p->l4_csum = check_transport(p);
}

const char *
clf_parse_name(enum clf_parse p)
{
	static const char *const names[CLF_P_MAX] = {
		[CLF_P_OK] = "ok",
		[CLF_P_FRAGMENT] = "fragment",
		[CLF_P_NOT_IP] = "not-ip",
		[CLF_P_TRUNCATED] = "truncated",
		[CLF_P_BAD_LENGTH] = "bad-length",
		[CLF_P_BAD_VERSION] = "bad-version",
		[CLF_P_TOO_DEEP] = "too-deep",
		[CLF_P_EXT_CHAIN] = "extension-chain",
		[CLF_P_UNSUPPORTED] = "unsupported",
		[CLF_P_BAD_CHECKSUM] = "bad-checksum",
	};

	return (unsigned)p < CLF_P_MAX ? names[p] : NULL;
}
