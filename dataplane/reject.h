/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames that end a connection: TCP resets (RFC 9293 3.10.7) and ICMP errors (RFC 792, RFC 4443)
 * made from a frame that was dropped. Bytes to bytes: knows no mbuf and no port.
 *
 * Made for plain Ethernet, with VLAN tags, IPv4 and IPv6; for anything in a tunnel the answer is 0
 * (the flow is then only dropped).
 */
#ifndef DATAPLANE_REJECT_H
#define DATAPLANE_REJECT_H

#include "classifier/pkt.h"

enum { DP_REJECT_MAX = 1400 }; /* room that `out` needs */

/* To the sender of the frame. Length of the frame made, or 0: none (no TCP, itself a RST, ...). */
unsigned dp_reject_rst_back(const struct clf_frame *frame, uint8_t out[static DP_REJECT_MAX]);
/* To its receiver, as if the sender had reset. */
unsigned dp_reject_rst_on(const struct clf_frame *frame, uint8_t out[static DP_REJECT_MAX]);
/* "Port unreachable" to the sender of a UDP datagram. */
unsigned dp_reject_unreachable(const struct clf_frame *frame, uint8_t out[static DP_REJECT_MAX]);

#endif
