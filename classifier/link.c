/* SPDX-License-Identifier: Apache-2.0 */
/* The first layer of a frame, by its link type, and the Ethernet family (802.1Q, 802.1ad, LLC). */
#include "classifier/parse_fast.h"
#include "classifier/tunnel.h"

enum clf_layer
clf_walk_ethernet(struct clf_walk *w)
{
	const uint8_t *h = clf_walk_take(w, 14);

	if (h == NULL)
		return CLF_LY_END;
	w->type = clf_load16(h + 12);
	return CLF_LY_ETHERTYPE;
}

/* IEEE 802.3 length and 802.2 LLC: IP is behind a SNAP header, or raw 0x06. */
static enum clf_layer
walk_llc(struct clf_walk *w)
{
	if (w->type < w->claimed)
		clf_walk_claim(w, w->type);
	const uint8_t *h = clf_walk_take(w, 3);
	if (h == NULL || h[0] != 0xaa || h[1] != 0xaa || h[2] != 3)
		return clf_walk_stop(w, CLF_P_NOT_IP);
	if ((h = clf_walk_take(w, 5)) == NULL)
		return CLF_LY_END;
	w->type = clf_load16(h + 3);
	if ((h[0] | h[1] | h[2]) != 0 || w->type < 0x600)
		return clf_walk_stop(w, CLF_P_NOT_IP);
	return CLF_LY_ETHERTYPE;
}

/* A tag of fixed length, then the type of what follows. Like a tunnel's header, such a tag is not
 * walked for one who wants to answer in the frame's own clothes. */
static enum clf_layer
pass_tag(struct clf_walk *w, uint32_t len)
{
	const uint8_t *h = clf_walk_take(w, len + 2);

	if (h == NULL)
		return CLF_LY_END;
	w->type = clf_load16(h + len);
	return CLF_LY_ETHERTYPE;
}

/* IEEE 802.1AE: with neither E nor C the frame is only signed, else nobody can read it. */
static enum clf_layer
walk_macsec(struct clf_walk *w)
{
	const uint8_t *h = clf_walk_take(w, 6);

	if (h == NULL)
		return CLF_LY_END;
	if (h[0] & 0x8c) /* a later version, encrypted, changed */
		return clf_walk_stop(w, CLF_P_UNSUPPORTED);
	return pass_tag(w, h[0] & 0x20 ? 8 : 0);
}

enum clf_layer
clf_walk_ethertype(struct clf_walk *w)
{
	const uint8_t *h;

	switch (w->type) {
	case 0x0800:
	case 0x86dd: return CLF_LY_IP;
	case 0x8100:
	case 0x88a8:
	case 0x9100:
		if (w->vlans++ == CLF_MAX_VLANS)
			return clf_walk_stop(w, CLF_P_TOO_DEEP);
		if ((h = clf_walk_take(w, 4)) == NULL)
			return CLF_LY_END;
		if (w->pkt->vlan == 0)
			w->pkt->vlan = clf_load16(h) & 0xfff;
		w->type = clf_load16(h + 2);
		return CLF_LY_ETHERTYPE;
	case 0x8847:
	case 0x8848: return CLF_LY_MPLS;
	case 0x8864: return CLF_LY_PPPOE;
	case 0x880b: return CLF_LY_PPP;
	default: break;
	}
	if (w->options & CLF_PARSE_TUNNELS) {
		switch (w->type) {
		case 0x894f: return CLF_LY_NSH;
		case 0x8926: return pass_tag(w, 4); /* VN-Tag (802.1BR's forerunner) */
		case 0x8909: return pass_tag(w, 6); /* Cisco's metadata: a security group */
		case 0x892f: return pass_tag(w, 4); /* HSR */
		case 0x88e5: return walk_macsec(w);
		default: break;
		}
	}
	return w->type <= 1500 ? walk_llc(w) : clf_walk_stop(w, CLF_P_NOT_IP);
}

/* BSD loopback: the address family in the byte order of whoever captured. */
static enum clf_layer
link_null(struct clf_walk *w)
{
	const uint8_t *h = clf_walk_take(w, 4);

	if (h == NULL)
		return CLF_LY_END;
	uint32_t family = clf_load32(h);
	if (family > 0xffff)
		family = __builtin_bswap32(family);
	switch (family) {
	case 2:
	case 10:
	case 24:
	case 28:
	case 30: return CLF_LY_IP;
	default: return clf_walk_stop(w, CLF_P_NOT_IP);
	}
}

/* Linux cooked captures: 16 bytes, or 20 with the protocol in front. */
static enum clf_layer
link_cooked(struct clf_walk *w, uint32_t head, uint32_t hatype_at, uint32_t protocol_at)
{
	const uint8_t *h = clf_walk_take(w, head);

	if (h == NULL)
		return CLF_LY_END;
	uint16_t hatype = clf_load16(h + hatype_at);
	w->type = clf_load16(h + protocol_at);
	if (hatype == 824 || hatype == 803 || w->type < 0x600) /* netlink, radiotap, LLC and kin */
		return clf_walk_stop(w, CLF_P_NOT_IP);
	return CLF_LY_ETHERTYPE;
}

static enum clf_layer
link_hdlc(struct clf_walk *w)
{
	const uint8_t *h = clf_walk_take(w, 4);

	if (h == NULL)
		return CLF_LY_END;
	w->type = clf_load16(h + 2);
	return w->type < 0x600 ? clf_walk_stop(w, CLF_P_NOT_IP) : CLF_LY_ETHERTYPE;
}

enum clf_layer
clf_walk_link(struct clf_walk *w, uint8_t link)
{
	int first = sig_bytes_at(&w->b, 0);

	switch (link) {
	case CLF_LINK_ETHERNET: return CLF_LY_ETHERNET;
	case CLF_LINK_RAW_IP: return CLF_LY_IP;
	case CLF_LINK_SLL: return link_cooked(w, 16, 2, 14);
	case CLF_LINK_SLL2: return link_cooked(w, 20, 8, 0);
	case CLF_LINK_NULL:
	case CLF_LINK_LOOP: return link_null(w);
	case CLF_LINK_PPP: return CLF_LY_PPP;
	case CLF_LINK_PPP_SERIAL: /* PPP in HDLC-like framing, or Cisco's framing on the same line
				   */
		return first == 0x0f || first == 0x8f ? link_hdlc(w) : CLF_LY_PPP;
	case CLF_LINK_C_HDLC: return link_hdlc(w);
	case CLF_LINK_PPPOE: return CLF_LY_PPPOE;
	case CLF_LINK_IEEE802_11: return CLF_LY_IEEE802_11;
	default: return clf_walk_stop(w, CLF_P_UNSUPPORTED);
	}
}

/* Data frames in the clear; whatever is encrypted or no data carries no flow for us. */
enum clf_layer
clf_walk_ieee802_11(struct clf_walk *w)
{
	const uint8_t *h = clf_walk_take(w, 24);

	if (h == NULL)
		return CLF_LY_END;
	bool qos = h[0] & 0x80, no_data = h[0] & 0x40;
	if ((h[0] & 0x0f) != 0x08 || no_data || (h[1] & 0x40))
		return clf_walk_stop(w, CLF_P_NOT_IP);
	uint32_t more = ((h[1] & 3) == 3 ? 6 : 0) + (qos ? 2 : 0) + (qos && (h[1] & 0x80) ? 4 : 0);
	if (clf_walk_take(w, more) == NULL)
		return CLF_LY_END;
	const uint8_t *llc = clf_walk_take(w, 8);
	if (llc == NULL)
		return CLF_LY_END;
	if (llc[0] != 0xaa || llc[1] != 0xaa || llc[2] != 3)
		return clf_walk_stop(w, CLF_P_NOT_IP);
	w->type = clf_load16(llc + 6);
	return w->type < 0x600 ? clf_walk_stop(w, CLF_P_NOT_IP) : CLF_LY_ETHERTYPE;
}
