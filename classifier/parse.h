/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Layers 2 to 4 of one frame, tunnels walked to the innermost flow.
 *
 * Never drops and never fails: `pkt->parse` carries the reason when there is no flow. Reads no
 * byte past frame->len. Limits: 3 VLAN tags, 3 MPLS labels, 4 tunnels, 16 layers, 16 IPv6
 * extension headers or 512 bytes of them.
 */
#ifndef CLASSIFIER_PARSE_H
#define CLASSIFIER_PARSE_H

#include "classifier/pkt.h"

enum clf_parse_option {
	CLF_PARSE_TUNNELS = 1 << 0,	/* walk GRE, VXLAN, GENEVE, GTP-U, IP-in-IP, ERSPAN, TZSP */
	CLF_PARSE_IP_CHECKSUM = 1 << 1, /* a wrong IPv4 header checksum is CLF_P_BAD_CHECKSUM */
};

/* The common case goes through clf_parse_fast() (parse_fast.h), everything else to the walker. */
void clf_parse_frame(const struct clf_frame *frame, unsigned options, struct clf_pkt *ret_pkt);

/*
 * The same for a datagram rejoined from fragments: `ip` holds a whole IP packet; link, VLAN,
 * tunnel, options and counted bytes are those of the fragment `last`.
 */
void clf_parse_rejoined(
    const uint8_t *ip, uint32_t len, const struct clf_pkt *last, struct clf_pkt *ret_pkt);

enum {			  /* clf_pkt.l4_csum */
	CLF_CSUM_UNKNOWN, /* not checked, or it cannot be known: truncated, fragment, UDP without */
	CLF_CSUM_GOOD,
	CLF_CSUM_BAD,
	CLF_CSUM_PARTIAL, /* only the pseudo header is summed: left to a network card */
};
/* Verifies the innermost transport checksum over the readable bytes; sets and returns l4_csum.
 * `frame` (may be NULL) tells what the NIC found. */
uint8_t clf_pkt_checksum(struct clf_pkt *pkt, const struct clf_frame *frame);

#endif
