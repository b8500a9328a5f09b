/* SPDX-License-Identifier: Apache-2.0 */
/* The encapsulations: each step reads one header and names the layer inside it. */
#include "classifier/tunnel.h"

#include "classifier/parse_fast.h"

bool
clf_walk_enter(struct clf_walk *w, enum clf_tunnel kind, uint32_t id)
{
	struct clf_pkt *p = w->pkt;

	if (!(w->options & CLF_PARSE_TUNNELS))
		return false;
	if (p->depth >= CLF_MAX_TUNNELS) {
		p->parse = CLF_P_TOO_DEEP;
		return false;
	}
	p->depth++;
	if (p->tunnel == CLF_TUN_NONE) {
		p->tunnel = (uint8_t)kind;
		p->tunnel_id = id;
	}
	w->vlans = w->labels = 0;
	return true;
}

static void
note_carrier(struct clf_walk *w, enum clf_tunnel kind, uint32_t id)
{
	if (w->pkt->tunnel == CLF_TUN_NONE) {
		w->pkt->tunnel = (uint8_t)kind;
		w->pkt->tunnel_id = id;
	}
}

/* A type field, no length, of an Ethernet frame that a tunnel would really carry. */
static bool
ethernet_type(const struct sig_bytes *b)
{
	int hi = sig_bytes_at(b, 12), lo = sig_bytes_at(b, 13);

	switch (hi < 0 || lo < 0 ? 0 : hi << 8 | lo) {
	case 0x0800:
	case 0x0806:
	case 0x86dd:
	case 0x8100:
	case 0x88a8:
	case 0x9100:
	case 0x8847:
	case 0x8848:
	case 0x8863:
	case 0x8864:
	case 0x88cc:
	case 0x8809:
	case 0x88e5:
	case 0x22f0: return true;
	default: return false;
	}
}

static bool
plausible_ethernet(const struct sig_bytes *b)
{
	int hi = sig_bytes_at(b, 12), lo = sig_bytes_at(b, 13);

	return ethernet_type(b) || (hi >= 0 && lo >= 0 && (hi << 8 | lo) <= 1500);
}

/* RFC 3032. What the last label carries is not said: the first nibble tells IP from a pseudowire.
 */
enum clf_layer
clf_walk_mpls(struct clf_walk *w)
{
	uint32_t entry;

	do {
		const uint8_t *h = clf_walk_take(w, 4);
		if (h == NULL)
			return CLF_LY_END;
		if (w->labels++ == CLF_MAX_LABELS)
			return clf_walk_stop(w, CLF_P_TOO_DEEP);
		entry = clf_load32(h);
	} while (!(entry & 0x100));
	note_carrier(w, CLF_TUN_MPLS, entry >> 12);

	int first = sig_bytes_at(&w->b, 0);
	if (first < 0)
		return clf_walk_stop(w, CLF_P_TRUNCATED);
	if (first >> 4 == 4 || first >> 4 == 6)
		return CLF_LY_IP;
	if (first >> 4 == 1) /* an associated channel (RFC 4385): management, no traffic */
		return clf_walk_stop(w, CLF_P_UNSUPPORTED);
	/* A control word begins with a zero nibble, but so do many MAC addresses. */
	struct clf_walk in = *w;
	if (first >> 4 == 0 && !ethernet_type(&w->b)) {
		if (clf_walk_take(&in, 4) == NULL)
			return CLF_LY_END;
		*w = in;
	}
	if (!clf_walk_enter(w, CLF_TUN_MPLS, entry >> 12))
		return w->pkt->parse == CLF_P_TOO_DEEP ? CLF_LY_END
						       : clf_walk_stop(w, CLF_P_UNSUPPORTED);
	return CLF_LY_ETHERNET;
}

/* RFC 2516, session stage. */
enum clf_layer
clf_walk_pppoe(struct clf_walk *w)
{
	const uint8_t *h = clf_walk_take(w, 6);

	if (h == NULL)
		return CLF_LY_END;
	if (h[0] != 0x11)
		return clf_walk_stop(w, CLF_P_BAD_VERSION);
	if (h[1] != 0)
		return clf_walk_stop(w, CLF_P_NOT_IP);
	uint32_t len = clf_load16(h + 4);
	if (len < w->claimed)
		clf_walk_claim(w, len);
	note_carrier(w, CLF_TUN_PPPOE, clf_load16(h + 2));
	return CLF_LY_PPP;
}

/* RFC 1661, 1662: address and control may be there, the protocol may be one byte. */
enum clf_layer
clf_walk_ppp(struct clf_walk *w)
{
	if (sig_bytes_at(&w->b, 0) == 0xff && sig_bytes_at(&w->b, 1) == 0x03)
		(void)clf_walk_take(w, 2);
	const uint8_t *h = clf_walk_take(w, 1);
	if (h == NULL)
		return CLF_LY_END;
	uint16_t protocol = h[0];
	if (!(protocol & 1)) {
		if ((h = clf_walk_take(w, 1)) == NULL)
			return CLF_LY_END;
		protocol = (uint16_t)(protocol << 8 | h[0]);
	}
	switch (protocol) {
	case 0x0021:
	case 0x0057: return CLF_LY_IP;
	case 0x0281:
	case 0x0283: return CLF_LY_MPLS;
	default: return clf_walk_stop(w, CLF_P_NOT_IP);
	}
}

/* ERSPAN I has no header of its own (no sequence number in GRE), II has 8 bytes, III 12 or 20. */
static enum clf_layer
walk_erspan(struct clf_walk *w, uint16_t type, bool sequenced)
{
	uint32_t session = 0;

	if (type == 0x88be && sequenced) {
		const uint8_t *h = clf_walk_take(w, 8);
		if (h == NULL)
			return CLF_LY_END;
		if (h[0] >> 4 != 1)
			return clf_walk_stop(w, CLF_P_BAD_VERSION);
		session = clf_load16(h + 2) & 0x3ff;
	} else if (type == 0x22eb) {
		const uint8_t *h = clf_walk_take(w, 12);
		if (h == NULL)
			return CLF_LY_END;
		if (h[0] >> 4 != 2)
			return clf_walk_stop(w, CLF_P_BAD_VERSION);
		session = clf_load16(h + 2) & 0x3ff;
		if ((h[11] & 1) && clf_walk_take(w, 8) == NULL)
			return CLF_LY_END;
		if ((clf_load16(h + 10) >> 10 & 0x1f) == 2) /* frame type: a bare IP packet */
			return clf_walk_enter(w, CLF_TUN_ERSPAN, session) ? CLF_LY_IP : CLF_LY_END;
	}
	return clf_walk_enter(w, CLF_TUN_ERSPAN, session) ? CLF_LY_ETHERNET : CLF_LY_END;
}

/* RFC 2637: GRE version 1 carries PPP; acknowledgements alone carry nothing. */
static enum clf_layer
walk_pptp(struct clf_walk *w, uint16_t flags)
{
	const uint8_t *key = clf_walk_take(w, 4);

	if (key == NULL)
		return CLF_LY_END;
	if ((flags & 0x1000) == 0)
		return CLF_LY_END;
	if (clf_walk_take(w, (flags & 0x0080) ? 8 : 4) == NULL)
		return CLF_LY_END;
	uint32_t len = clf_load16(key);
	if (len < w->claimed)
		clf_walk_claim(w, len);
	return clf_walk_enter(w, CLF_TUN_GRE, clf_load16(key + 2)) ? CLF_LY_PPP : CLF_LY_END;
}

enum clf_layer
clf_walk_gre(struct clf_walk *w)
{
	struct clf_walk in = *w; /* nothing is eaten when it turns out not to be ours */
	const uint8_t *h;
	uint32_t key = 0;

	if (!(w->options & CLF_PARSE_TUNNELS))
		return CLF_LY_END;
	if ((h = clf_walk_take(&in, 4)) == NULL)
		return CLF_LY_END;
	uint16_t flags = clf_load16(h), type = clf_load16(h + 2);
	if ((flags & 7) == 1 && type == 0x880b && (flags & 0x2000)) {
		*w = in;
		return walk_pptp(w, flags);
	}
	if ((flags & 0x4fff) != 0) /* version 0, no source routes, nothing reserved */
		return CLF_LY_END;
	if ((flags & 0x8000) && clf_walk_take(&in, 4) == NULL)
		return CLF_LY_END;
	if (flags & 0x2000) {
		if ((h = clf_walk_take(&in, 4)) == NULL)
			return CLF_LY_END;
		key = clf_load32(h);
	}
	if ((flags & 0x1000) && clf_walk_take(&in, 4) == NULL)
		return CLF_LY_END;

	enum clf_layer next;
	switch (type) {
	case 0x0800:
	case 0x86dd: next = CLF_LY_IP; break;
	case 0x6558: next = CLF_LY_ETHERNET; break;
	case 0x8847:
	case 0x8848: next = CLF_LY_MPLS; break;
	case 0x883e: /* WCCP: four bytes before the packet in version 2 */
		if (sig_bytes_at(&in.b, 0) >> 4 != 4 && clf_walk_take(&in, 4) == NULL)
			return CLF_LY_END;
		next = CLF_LY_IP;
		break;
	case 0x88be:
	case 0x22eb: *w = in; return walk_erspan(w, type, flags & 0x1000);
	default: return CLF_LY_END;
	}
	*w = in;
	return clf_walk_enter(w, CLF_TUN_GRE, key) ? next : CLF_LY_END;
}

static bool
plausible_ip(const struct sig_bytes *b)
{
	int first = sig_bytes_at(b, 0);

	return first >= 0x45 && (first <= 0x4f || first >> 4 == 6);
}

/* A network service header: what it carries. CLF_LY_END: not one we walk, or none at all. */
static enum clf_layer
nsh_carries(const struct sig_bytes *b)
{
	int first = sig_bytes_at(b, 0), words = sig_bytes_at(b, 1), type = sig_bytes_at(b, 2);

	/* Version 0, no O bit; 6 words with metadata of type 1, 2 or more of type 2. */
	if (first < 0 || (first & 0xe0) != 0 || type < 0)
		return CLF_LY_END;
	words &= 0x3f;
	type &= 0x0f;
	if (!(type == 1 && words == 6) && !(type == 2 && words >= 2))
		return CLF_LY_END;
	switch (sig_bytes_at(b, 3)) {
	case 1:
	case 2: return CLF_LY_IP;
	case 3: return CLF_LY_ETHERNET;
	case 5: return CLF_LY_MPLS;
	default: return CLF_LY_END;
	}
}

/* RFC 8300: steers a packet through services; the packet behind it is whole. */
enum clf_layer
clf_walk_nsh(struct clf_walk *w)
{
	enum clf_layer next = nsh_carries(&w->b);
	int words = sig_bytes_at(&w->b, 1);

	if (next == CLF_LY_END)
		return clf_walk_stop(
		    w, sig_bytes_left(&w->b) < 4 ? CLF_P_TRUNCATED : CLF_P_UNSUPPORTED);
	return clf_walk_take(w, (unsigned)(words & 0x3f) * 4) ? next : CLF_LY_END;
}

/* The generic extension (draft-ietf-nvo3-vxlan-gpe): version 0, I and P, the protocol inside. */
static enum clf_layer
vxlan_generic(const uint8_t *h, const struct sig_bytes *in)
{
	if (h[0] != 0x0c || (h[1] | h[2]) != 0)
		return CLF_LY_END;
	switch (h[3]) {
	case 1:
	case 2: return plausible_ip(in) ? CLF_LY_IP : CLF_LY_END;
	case 3: return plausible_ethernet(in) ? CLF_LY_ETHERNET : CLF_LY_END;
	case 4: return nsh_carries(in) != CLF_LY_END ? CLF_LY_NSH : CLF_LY_END;
	case 5: return CLF_LY_MPLS;
	default: return CLF_LY_END;
	}
}

/* RFC 7348; with the group policy extension bits left alone. */
static enum clf_layer
walk_vxlan(struct clf_walk *w, bool own_port)
{
	const uint8_t *h = clf_walk_take(w, 8);
	enum clf_layer next;

	if (h == NULL || h[7] != 0)
		return CLF_LY_END;
	next = vxlan_generic(h, &w->b);
	if (next != CLF_LY_ETHERNET && next != CLF_LY_END && !own_port)
		return CLF_LY_END;
	if (next == CLF_LY_END) {
		if ((h[0] & 0x7f) != 0x08 || (!(h[0] & 0x80) && (h[1] | h[2] | h[3]) != 0) ||
		    own_port || !plausible_ethernet(&w->b))
			return CLF_LY_END;
		next = CLF_LY_ETHERNET;
	}
	return clf_walk_enter(w, CLF_TUN_VXLAN, clf_load32(h + 4) >> 8) ? next : CLF_LY_END;
}

/* RFC 2661 3.1: version 2, data, with PPP inside. The ids of tunnel and session tell it apart. */
static enum clf_layer
walk_l2tp(struct clf_walk *w)
{
	const uint8_t *h = clf_walk_take(w, 2);

	if (h == NULL || (h[0] & 0x80) || (h[0] & 0x34) || (h[1] & 0x0f) != 2 || (h[1] & 0xf0))
		return CLF_LY_END;
	if (h[0] & 0x40) { /* a length, of the whole message */
		const uint8_t *len = clf_walk_take(w, 2);
		if (len == NULL || clf_load16(len) != w->claimed + 4)
			return CLF_LY_END;
	}
	const uint8_t *ids = clf_walk_take(w, 4);
	if (ids == NULL || ((h[0] & 0x08) && clf_walk_take(w, 4) == NULL))
		return CLF_LY_END;
	if (h[0] & 0x02) { /* an offset, and so many bytes of padding */
		const uint8_t *off = clf_walk_take(w, 2);
		if (off == NULL || clf_walk_take(w, clf_load16(off)) == NULL)
			return CLF_LY_END;
	}
	struct clf_walk in = *w;
	if (clf_walk_ppp(&in) == CLF_LY_END || !plausible_ip(&in.b))
		return CLF_LY_END;
	return clf_walk_enter(w, CLF_TUN_L2TP, clf_load32(ids)) ? CLF_LY_PPP : CLF_LY_END;
}

/* RFC 8926 3.4. */
static enum clf_layer
walk_geneve(struct clf_walk *w)
{
	const uint8_t *h = clf_walk_take(w, 8);

	if (h == NULL || h[0] >> 6 != 0 || (h[1] & 0xbf) != 0 || h[7] != 0)
		return CLF_LY_END;
	if (clf_walk_take(w, (h[0] & 0x3f) * 4u) == NULL)
		return CLF_LY_END;
	uint16_t type = clf_load16(h + 2);
	bool ether = type == 0x6558 && plausible_ethernet(&w->b);
	bool ip = (type == 0x0800 || type == 0x86dd) && plausible_ip(&w->b);
	if (!ether && !ip)
		return CLF_LY_END;
	if (!clf_walk_enter(w, CLF_TUN_GENEVE, clf_load32(h + 4) >> 8))
		return CLF_LY_END;
	return ether ? CLF_LY_ETHERNET : CLF_LY_IP;
}

/* 3GPP TS 29.281: version 1, a G-PDU whose length is exactly what is there. */
static enum clf_layer
walk_gtpu(struct clf_walk *w)
{
	const uint8_t *h = clf_walk_take(w, 8);

	if (h == NULL || (h[0] & 0xf8) != 0x30 || h[1] != 255 || clf_load16(h + 2) != w->claimed)
		return CLF_LY_END;
	if (h[0] & 7) {
		const uint8_t *opt = clf_walk_take(w, 4);
		if (opt == NULL)
			return CLF_LY_END;
		uint8_t next = h[0] & 4 ? opt[3] : 0;
		for (unsigned n = 0; next != 0; n++) {
			const uint8_t *ext = n < CLF_MAX_LAYERS ? clf_walk_take(w, 1) : NULL;
			if (ext == NULL || ext[0] == 0)
				return CLF_LY_END;
			const uint8_t *rest = clf_walk_take(w, ext[0] * 4u - 1);
			if (rest == NULL)
				return CLF_LY_END;
			next = rest[ext[0] * 4u - 2];
		}
	}
	if (!plausible_ip(&w->b))
		return CLF_LY_END;
	return clf_walk_enter(w, CLF_TUN_GTPU, clf_load32(h + 4)) ? CLF_LY_IP : CLF_LY_END;
}

/* TaZmen Sniffer Protocol: tagged fields up to the end tag, then the frame that was heard. */
static enum clf_layer
walk_tzsp(struct clf_walk *w)
{
	const uint8_t *h = clf_walk_take(w, 4);

	if (h == NULL || h[0] != 1 || h[1] > 1)
		return CLF_LY_END;
	uint16_t what = clf_load16(h + 2);
	for (unsigned n = 0; n < 64; n++) {
		const uint8_t *tag = clf_walk_take(w, 1);
		if (tag == NULL)
			return CLF_LY_END;
		if (tag[0] == 0)
			continue;
		if (tag[0] == 1) {
			if (what == 1 && plausible_ethernet(&w->b))
				return clf_walk_enter(w, CLF_TUN_TZSP, 0) ? CLF_LY_ETHERNET
									  : CLF_LY_END;
			if (what == 18)
				return clf_walk_enter(w, CLF_TUN_TZSP, 0) ? CLF_LY_IEEE802_11
									  : CLF_LY_END;
			return CLF_LY_END;
		}
		const uint8_t *len = clf_walk_take(w, 1);
		if (len == NULL || clf_walk_take(w, len[0]) == NULL)
			return CLF_LY_END;
	}
	return CLF_LY_END;
}

enum clf_layer
clf_walk_udp_tunnel(struct clf_walk *w, uint16_t dst_port)
{
	struct clf_walk in = *w;
	enum clf_layer next = CLF_LY_END;

	switch (dst_port) {
	case CLF_PORT_VXLAN:
	case CLF_PORT_VXLAN_LINUX: next = walk_vxlan(&in, false); break;
	case CLF_PORT_VXLAN_GPE: next = walk_vxlan(&in, true); break;
	case CLF_PORT_L2TP: next = walk_l2tp(&in); break;
	case CLF_PORT_GENEVE: next = walk_geneve(&in); break;
	case CLF_PORT_GTPU: next = walk_gtpu(&in); break;
	case CLF_PORT_TZSP: next = walk_tzsp(&in); break;
	default: break;
	}
	if (next != CLF_LY_END)
		*w = in;
	else if (w->pkt->parse != CLF_P_TOO_DEEP)
		w->pkt->parse = CLF_P_OK;
	return next;
}
