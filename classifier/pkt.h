/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A frame as a feeder hands it in, and what parsing makes of it.
 *
 * `struct clf_frame` is filled by a feeder (worker or scan); the engine borrows the bytes until
 * clf_burst() returns. `struct clf_pkt` lives on the stack of clf_burst(), one per frame that needs
 * more than its key.
 * Host byte order except addresses. One thread.
 */
#ifndef CLASSIFIER_PKT_H
#define CLASSIFIER_PKT_H

#include <assert.h>
#include <stdint.h>

#include "classifier/event.h"

enum { CLF_BURST_MAX = 64 };

enum clf_link { /* link layer of a frame; values are ours, scan maps DLT_* to them */
	CLF_LINK_ETHERNET,
	CLF_LINK_RAW_IP,
	CLF_LINK_SLL,
	CLF_LINK_SLL2,
	CLF_LINK_NULL,
	CLF_LINK_LOOP,
	CLF_LINK_PPP,
	CLF_LINK_PPP_SERIAL,
	CLF_LINK_C_HDLC,
	CLF_LINK_PPPOE,
	CLF_LINK_IEEE802_11,
	CLF_LINK_OTHER
};

enum clf_frame_flag {
	CLF_FRAME_MORE = 1 << 0,	/* more bytes in further segments: ask `flatten` */
	CLF_FRAME_L4_CSUM_OK = 1 << 1,	/* the NIC checked it: good */
	CLF_FRAME_L4_CSUM_BAD = 1 << 2, /* the NIC checked it: bad */
	CLF_FRAME_TRUNCATED = 1 << 3,	/* capture cut it (wire_len > len) */
};

struct clf_frame {
	const uint8_t *data; /* first byte of layer 2 (or 3, by link) */
	void *cookie;	     /* the feeder's: an mbuf, a packet number */
	uint64_t ts_us; /* microseconds since 1970: capture or NIC time, else the burst's clock */
	uint32_t len;	/* readable bytes at data */
	uint32_t wire_len; /* bytes on the wire without FCS, >= len */
	uint8_t link;	   /* enum clf_link */
	uint8_t flags;	   /* enum clf_frame_flag */
	uint16_t port;	   /* ingress port, for statistics only: both ports of a pair share flows */
};

/* Why parsing stopped; counted, named in `status`. CLF_P_OK..CLF_P_FRAGMENT have a flow key. */
enum clf_parse {
	CLF_P_OK,
	CLF_P_FRAGMENT,	  /* a non-atomic fragment: frag_* are valid, ports are not */
	CLF_P_NOT_IP,	  /* ARP, LLDP, STP ...: forwarded, no flow */
	CLF_P_TRUNCATED,  /* headers go past the capture */
	CLF_P_BAD_LENGTH, /* a length field lies */
	CLF_P_BAD_VERSION,
	CLF_P_TOO_DEEP,	    /* more tunnels or layers than the limits */
	CLF_P_EXT_CHAIN,    /* IPv6 extension chain too long */
	CLF_P_UNSUPPORTED,  /* link type or encapsulation we do not walk */
	CLF_P_BAD_CHECKSUM, /* IPv4 header checksum wrong and checksums are trusted */
	CLF_P_MAX
};
const char *clf_parse_name(enum clf_parse p);

/*
 * Innermost flow of a frame. Addresses stay in the frame: addr_off is where the innermost source
 * address begins; the destination follows it directly, in IPv4 and IPv6 alike.
 */
struct clf_pkt {
	const uint8_t *data;   /* = frame's data, or rejoined bytes for a fragment's last part */
	uint32_t len;	       /* readable bytes at data */
	uint32_t bytes;	       /* counted bytes: max(frame len, what the outer IP header claims) */
	uint16_t l3_off;       /* innermost IP header */
	uint16_t l4_off;       /* innermost transport header */
	uint16_t payload_off;  /* transport payload, clipped to len */
	uint16_t payload_len;  /* readable payload bytes */
	uint16_t payload_wire; /* payload bytes the headers claim; > payload_len: truncated */
	uint16_t src_port, dst_port; /* TCP, UDP, SCTP, DCCP, UDP-Lite; else 0 */
	uint16_t vlan;		     /* outermost VLAN id */
	uint8_t parse;		     /* enum clf_parse */
	uint8_t ip_version;	     /* 4, 6 */
	uint8_t protocol;	     /* innermost IP protocol */
	uint8_t tcp_flags;	     /* FIN 1 SYN 2 RST 4 PSH 8 ACK 16 */
	uint8_t ttl;		     /* innermost TTL or hop limit */
	uint8_t tunnel;		     /* enum clf_tunnel, outermost */
	uint32_t tunnel_id;
	uint32_t seq, ack; /* TCP */
	uint16_t window;   /* TCP, unscaled */
	uint8_t depth;	   /* tunnels walked */
	uint8_t l4_csum;   /* CLF_CSUM_*, by clf_pkt_checksum() */
	uint32_t frag_id;  /* CLF_P_FRAGMENT */
	uint16_t frag_off; /* bytes */
	uint8_t frag_more;
	uint8_t frag_proto; /* protocol of the fragmented part */
	uint8_t wscale;	    /* SYN's window scale option + 1; 0 absent (filled for SYN only) */
	uint8_t fragmented; /* 1: rejoined from fragments, or an atomic one; 2: their head, the rest
			       lost */
	uint16_t l2_len;    /* bytes before the outermost IP header */
	uint8_t options;    /* enum clf_parse_option it was parsed with */
	uint8_t routed;	    /* a routing header names another last destination: no checksum */
};

static inline const uint8_t *
clf_pkt_src(const struct clf_pkt *p)
{
	return p->data + p->l3_off + (p->ip_version == 6 ? 8 : 12);
}

static inline const uint8_t *
clf_pkt_dst(const struct clf_pkt *p)
{
	return p->data + p->l3_off + (p->ip_version == 6 ? 24 : 16);
}

static inline const uint8_t *
clf_pkt_payload(const struct clf_pkt *p)
{
	return p->data + p->payload_off;
}

#endif
