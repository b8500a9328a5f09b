/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The walker's state, and the encapsulations it can step through: MPLS, PPPoE, PPP, GRE (RFC 2784,
 * 2890, 7637, 2637), ERSPAN I-III, VXLAN (RFC 7348) and its generic extension, NSH (RFC 8300),
 * GENEVE (RFC 8926), GTP-U (TS 29.281), TZSP, L2TP version 2 (RFC 2661).
 *
 * Private to parse.c, link.c and tunnel.c. A step reads its own header and names the next layer; on
 * failure it leaves the reason in pkt->parse and says CLF_LY_END. A tunnel over UDP is taken for
 * one only when every field that the format fixes has its value: ordinary UDP to such a port stays
 * ordinary UDP.
 */
#ifndef CLASSIFIER_TUNNEL_H
#define CLASSIFIER_TUNNEL_H

#include "classifier/parse.h"
#include "signatures/base/bytes.h"

enum clf_layer {
	CLF_LY_END, /* pkt->parse says how it ended */
	CLF_LY_ETHERNET,
	CLF_LY_ETHERTYPE, /* w->type holds it */
	CLF_LY_IP,	  /* version by the first nibble */
	CLF_LY_PROTOCOL,  /* w->protocol holds the IP protocol */
	CLF_LY_PPP,	  /* from the protocol field (address and control bytes allowed) on */
	CLF_LY_PPPOE,
	CLF_LY_MPLS,
	CLF_LY_NSH,
	CLF_LY_IEEE802_11
};

enum {
	CLF_MAX_VLANS = 3,
	CLF_MAX_LABELS = 3,
	CLF_MAX_TUNNELS = 4,
	CLF_MAX_LAYERS = 16,
	CLF_MAX_EXT = 16,
	CLF_MAX_EXT_BYTES = 512
};

struct clf_walk {
	struct sig_bytes b;  /* readable bytes of the layer */
	uint32_t claimed;    /* bytes from b.p on that the enclosing header claims */
	struct clf_pkt *pkt; /* data and len are set before the first step */
	uint16_t type;	     /* CLF_LY_ETHERTYPE */
	uint8_t protocol;    /* CLF_LY_PROTOCOL */
	uint8_t options;     /* enum clf_parse_option */
	uint8_t vlans, labels, layers;
};

/* The walk ends here for that reason. */
static inline enum clf_layer
clf_walk_stop(struct clf_walk *w, enum clf_parse why)
{
	w->pkt->parse = (uint8_t)why;
	return CLF_LY_END;
}

/* The next n bytes, or NULL with the reason set. */
static inline const uint8_t *
clf_walk_take(struct clf_walk *w, uint32_t n)
{
	if (w->claimed < n) {
		w->pkt->parse = CLF_P_BAD_LENGTH;
		return NULL;
	}
	const uint8_t *at = sig_bytes_take(&w->b, n);
	if (at == NULL) {
		w->pkt->parse = CLF_P_TRUNCATED;
		return NULL;
	}
	w->claimed -= n;
	return at;
}

/* An inner length: nothing beyond n bytes from here belongs to what follows. */
static inline void
clf_walk_claim(struct clf_walk *w, uint32_t n)
{
	w->claimed = n;
	if (sig_bytes_left(&w->b) > n)
		w->b.end = w->b.p + n;
}

static inline uint32_t
clf_walk_off(const struct clf_walk *w)
{
	return (uint32_t)(w->b.p - w->pkt->data);
}

/* Enters a tunnel. False: tunnels are not walked, or too deep (then pkt->parse says so). */
bool clf_walk_enter(struct clf_walk *w, enum clf_tunnel kind, uint32_t id);

enum clf_layer clf_walk_mpls(struct clf_walk *w);
enum clf_layer clf_walk_pppoe(struct clf_walk *w);
enum clf_layer clf_walk_ppp(struct clf_walk *w);
enum clf_layer clf_walk_nsh(struct clf_walk *w);
/* w->b stands at the GRE header. END with pkt->parse CLF_P_OK: not one we walk, the outer stays. */
enum clf_layer clf_walk_gre(struct clf_walk *w);
/* w->b stands at the UDP payload. END with pkt->parse CLF_P_OK: ordinary UDP. */
enum clf_layer clf_walk_udp_tunnel(struct clf_walk *w, uint16_t dst_port);

/* link.c: the first layer of a frame, and the Ethernet family. */
enum clf_layer clf_walk_link(struct clf_walk *w, uint8_t link);
enum clf_layer clf_walk_ethernet(struct clf_walk *w);
enum clf_layer clf_walk_ethertype(struct clf_walk *w);
enum clf_layer clf_walk_ieee802_11(struct clf_walk *w);

/* parse.c: walks from `layer` to the innermost flow; w->pkt is filled, pkt->parse always set. */
void clf_walk_run(struct clf_walk *w, enum clf_layer layer);

#endif
