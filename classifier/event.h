/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a worker tells the world about a flow: the C form of a flow record (design: "flow record").
 *
 * An event is one flat block without pointers: it may be copied, ringed and stored as bytes. Its
 * strings lie in `text`, named by {off, len}; they are raw bytes from the wire where they are
 * names or values (escape before showing), never NUL-terminated; len 0 = absent. Host byte order
 * throughout; addresses are bytes in network order.
 *
 * Life of a flow in events, joined by `flow_id`:
 *   CLF_EV_DECIDED  once, when the flow reaches DECIDED or GAVE_UP: all details, counters so far
 *   CLF_EV_UPDATED  any number of times: details changed (a stricter verdict, another name or
 *                   signature on the same connection, flags); replaces the details
 *   CLF_EV_ENDED    once: final counters. Has details iff none were sent before (`has_details`)
 * A DNS question over UDP is a flow of its own in this sense (own flow_id, DECIDED then ENDED);
 * its socket gives no record unless other packets crossed it.
 */
#ifndef CLASSIFIER_EVENT_H
#define CLASSIFIER_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "signatures/facts.h"

enum clf_event_type { CLF_EV_DECIDED = 1, CLF_EV_UPDATED, CLF_EV_ENDED };

enum clf_state { CLF_NEW, CLF_INSPECTING, CLF_DECIDED, CLF_GAVE_UP };

/* What policy.c says of a flow. The first three are acted on; WOULD_* pass and are shown. */
enum clf_verdict { CLF_PASS, CLF_DROP, CLF_RESET, CLF_WOULD_DROP, CLF_WOULD_RESET };

/* Flags of a flow record; the spelling in JSON is the lower-case tail with '-' for '_'. */
enum clf_flag {
	CLF_FL_AMBIGUOUS = 1u << 0,  /* two honest readings: never dropped */
	CLF_FL_ECH = 1u << 1,	     /* Encrypted ClientHello; the name is the outer one, a hint */
	CLF_FL_ECH_GREASE = 1u << 2, /* looks like GREASE ECH: the SNI is real */
	CLF_FL_ESNI = 1u << 3,
	CLF_FL_NO_SNI = 1u << 4,    /* a whole hello without a name */
	CLF_FL_MIDSTREAM = 1u << 5, /* picked up after its start */
	CLF_FL_ONE_WAY = 1u << 6,   /* only one direction was ever seen */
	CLF_FL_TRUNCATED = 1u << 7, /* snap length or a lying length cut bytes we wanted */
	CLF_FL_FRAGMENTED = 1u << 8,
	CLF_FL_OVER_LIMIT = 1u << 9, /* a table, buffer or budget was full */
	CLF_FL_MALFORMED = 1u << 10,
	CLF_FL_ILLEGAL_NAME = 1u << 11,
	CLF_FL_HRR = 1u << 12, /* HelloRetryRequest seen */
	CLF_FL_QUIC_RETRY = 1u << 13,
	CLF_FL_ENCRYPTED_DNS = 1u << 14, /* DoT, DoH, DoQ, DNSCrypt */
	CLF_FL_FORWARDER = 1u << 15,
	CLF_FL_DNS_ONLY = 1u << 16,
	CLF_FL_FRAGMENTS_LOST = 1u << 17,
	CLF_FL_GAP = 1u << 18,	       /* stream bytes we wanted never came */
	CLF_FL_UNINSPECTED = 1u << 19, /* bypass or overload: forwarded without a look */
	CLF_FL_TUNNELLED = 1u << 20,
	CLF_FL_OVERLAP = 1u << 21,	/* overlapping segments or fragments disagreed */
	CLF_FL_BAD_CHECKSUM = 1u << 22, /* packets were ignored for their checksum */
};
const char *clf_flag_name(unsigned bit); /* bit number 0..31, NULL when none */

/* Why a flow could not be named: the blindness figures. Exactly one per unnamed flow. */
enum clf_blind {
	CLF_BLIND_NONE, /* it was named */
	CLF_BLIND_ECH,
	CLF_BLIND_NO_SNI,
	CLF_BLIND_MIDSTREAM,
	CLF_BLIND_ONE_WAY,
	CLF_BLIND_TRUNCATED,
	CLF_BLIND_FRAGMENTS_LOST,
	CLF_BLIND_OVER_LIMIT,
	CLF_BLIND_ENCRYPTED_DNS,
	CLF_BLIND_NO_NAME_IN_PROTOCOL, /* the protocol carries none (NTP, ICMP, SSH ...) */
	CLF_BLIND_NO_DATA,	       /* nothing but handshake or scans */
	CLF_BLIND_MALFORMED,
	CLF_BLIND_AMBIGUOUS,
	CLF_BLIND_UNINSPECTED,
	CLF_BLIND_MAX
};
const char *clf_blind_name(enum clf_blind b);

/* Outermost tunnel that carried the flow. */
enum clf_tunnel {
	CLF_TUN_NONE,
	CLF_TUN_MPLS,
	CLF_TUN_PPPOE,
	CLF_TUN_GRE,
	CLF_TUN_IPIP,
	CLF_TUN_6IN4,
	CLF_TUN_VXLAN,
	CLF_TUN_GENEVE,
	CLF_TUN_GTPU,
	CLF_TUN_ERSPAN,
	CLF_TUN_TZSP,
	CLF_TUN_L2TP,
	CLF_TUN_MAX
};
const char *clf_tunnel_name(enum clf_tunnel t); /* "vxlan"; NULL for NONE */
const char *clf_state_name(enum clf_state s);	/* "inspecting", "decided", "gave-up" */
const char *clf_verdict_name(enum clf_verdict v);

struct clf_str {
	uint16_t off, len;
};

struct clf_addr {
	uint8_t bytes[16]; /* IPv4 in the first 4 bytes, the rest zero */
};

enum { CLF_UP, CLF_DOWN }; /* up: from src, the initiator */
enum { CLF_NAMES_MAX = 8, CLF_EVIDENCE_MAX = 8, CLF_OTHERS_MAX = 4, CLF_TEXT_MAX = 3000 };

struct clf_evidence {
	uint32_t packet; /* 1-based number in the flow */
	struct clf_str value;
	uint8_t field; /* enum sig_field */
	uint8_t pad[3];
};

struct clf_event {
	uint32_t size; /* bytes in use, text included: CLF_EVENT_SIZE(text_len) */
	uint8_t type;  /* enum clf_event_type */
	uint8_t has_details;
	uint16_t worker;
	uint64_t flow_id;	       /* unique in one run of one sensor */
	uint64_t at_us;		       /* when the event was made; microseconds since 1970 */
	uint64_t first_us, last_us;    /* first and last packet of the flow */
	uint64_t packets[2], bytes[2]; /* CLF_UP, CLF_DOWN; bytes of layer 2 frames without FCS */
	uint64_t dropped[2];	       /* of those, packets not forwarded */
	struct clf_addr src, dst;      /* src: the initiator */
	uint16_t src_port, dst_port;
	uint8_t ip_version; /* 4, 6; 0: not IP */
	uint8_t protocol;   /* IP protocol number */
	uint16_t vlan;	    /* outermost VLAN id, 0 none */
	uint32_t tunnel_id; /* VNI, TEID, GRE key ... 0 none */
	uint8_t tunnel;	    /* enum clf_tunnel */
	uint8_t src_inside; /* 1: src lies in the inside networks */
	uint8_t dst_inside;
	uint8_t state; /* enum clf_state */

	/* details, valid when has_details */
	uint8_t verdict;     /* enum clf_verdict */
	uint8_t confidence;  /* enum sig_confidence, 0 when no signature matched */
	uint8_t function;    /* enum sig_function */
	uint8_t name_source; /* enum sig_field */
	uint8_t blind;	     /* enum clf_blind */
	uint8_t sig_shared, sig_oem, sig_artefact; /* as in struct sig_info */
	uint8_t n_names, n_evidence, n_others;
	uint8_t forwarder_hint; /* engine's view that src speaks for others */
	uint32_t flags;		/* enum clf_flag */
	struct clf_str ndpi;	/* "TLS.Google" */
	struct clf_str name;	/* host name that decided, canonical */
	struct clf_str names[CLF_NAMES_MAX];
	struct clf_str user_agent, ja3, ja4, alpn;
	struct clf_str vendor, vendor_id, owner, country, owner_country, product, product_id,
	    category, signature, pack_version;
	struct clf_str rule;		       /* policy rule that gave the verdict */
	struct clf_str others[CLF_OTHERS_MAX]; /* ids of signatures that lost */
	struct clf_evidence evidence[CLF_EVIDENCE_MAX];

	uint16_t text_len;
	uint8_t text[CLF_TEXT_MAX];
};

#define CLF_EVENT_SIZE(text_len) (offsetof(struct clf_event, text) + (size_t)(text_len))

static inline const uint8_t *
clf_event_str(const struct clf_event *e, struct clf_str s)
{
	return e->text + s.off;
}

/* Appends bytes to the text; absent ({0,0}) when they do not fit. */
struct clf_str clf_event_add(struct clf_event *e, const void *bytes, size_t len);
/* For events that came over a boundary: true when size, offsets and enums are all in range. */
bool clf_event_valid(const void *bytes, size_t len);

/* The final counters tell for sure whether one direction was silent, and not silenced by us. */
static inline void
clf_event_settle_one_way(struct clf_event *e)
{
	if (e->packets[CLF_UP] != 0 && e->packets[CLF_DOWN] != 0)
		e->flags &= ~(uint32_t)CLF_FL_ONE_WAY;
	else if (e->dropped[CLF_UP] == 0 && e->dropped[CLF_DOWN] == 0)
		e->flags |= CLF_FL_ONE_WAY;
}

#endif
