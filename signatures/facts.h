/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The vocabulary that every layer shares: what can be seen of a flow (fields), what a signature
 * says it is (function, confidence). Spellings are the ones of packs, JSON and the command line,
 * and are stable.
 */
#ifndef SIGNATURES_FACTS_H
#define SIGNATURES_FACTS_H

#include <stddef.h>
#include <stdint.h>

/* What was seen. Order matters: earlier = stronger as the source of a flow's name. */
enum sig_field {
	SIG_F_NONE,
	SIG_F_TLS_SNI,	    /* "tls.sni"      canonical host name */
	SIG_F_QUIC_SNI,	    /* "quic.sni" */
	SIG_F_HTTP_CONNECT, /* "http.connect" host of a CONNECT target */
	SIG_F_HTTP_URI,	    /* "http.uri"     host of an absolute request URI */
	SIG_F_HTTP_HOST,    /* "http.host"    Host header, or :authority */
	SIG_F_DNS_QNAME,    /* "dns.qname"    one question */
	SIG_F_TLS_CERT,	    /* "tls.cert"     a server certificate's CN or dNSName */
	SIG_F_DNS_MEMORY,   /* "dns.memory"   a name this client was given the address for */
	SIG_F_NAME_LAST = SIG_F_DNS_MEMORY, /* fields up to here hold host names */
	SIG_F_HTTP_PATH,    /* "http.path"    path and query of the request target */
	SIG_F_USER_AGENT,   /* "http.user_agent" */
	SIG_F_CERT_ISSUER,  /* "tls.issuer"   issuer as one line: "CN=..., O=..., C=.." */
	SIG_F_CERT_SUBJECT, /* "tls.subject"  subject as one line */
	SIG_F_ALPN,	    /* "tls.alpn"     each protocol offered is one value */
	SIG_F_JA3,	    /* "tls.ja3"      32 lower-case hex digits */
	SIG_F_JA4,	    /* "tls.ja4" */
	SIG_F_PAYLOAD,	    /* "payload"      first bytes of the initiator's first data */
	SIG_F_PAYLOAD_DOWN, /* "payload.down" first bytes of the responder's first data */
	SIG_F_ADDRESS,	    /* "address"      responder's address, 4 or 16 bytes network order */
	SIG_F_PORT,	    /* "port"         "tcp/443": transport and responder's port */
	SIG_F_NDPI,	    /* "ndpi"         nDPI's name of the flow, e.g. "TLS.FortiClient" */
	SIG_F_MAX
};

/* Of a direction's first bytes no more are looked at. */
enum { SIG_PAYLOAD_MAX = 256 };

/* What the product does with the flow. */
enum sig_function {
	SIG_FN_NONE,
	SIG_FN_UPDATE,	     /* "update" */
	SIG_FN_TELEMETRY,    /* "telemetry" */
	SIG_FN_CLOUD_LOOKUP, /* "cloud-lookup" */
	SIG_FN_MANAGEMENT,   /* "management" */
	SIG_FN_LICENSING,    /* "licensing" */
	SIG_FN_CRASH_REPORT, /* "crash-report" */
	SIG_FN_TUNNEL,	     /* "tunnel" */
	SIG_FN_PORTAL,	     /* "portal": a person reads a page; never counts as an agent */
	SIG_FN_MIXED,	     /* "mixed" */
	SIG_FN_MAX
};

/* How sure a claim is. Ordered: a greater value is surer. A guess is never acted on (invariant 8).
 */
enum sig_confidence {
	SIG_CONF_NONE,
	SIG_CONF_GUESS,	   /* "guess":    port alone, an nDPI guess */
	SIG_CONF_INFERRED, /* "inferred": DNS memory, vendor's published address range */
	SIG_CONF_STRONG,   /* "strong":   certificate, payload pattern, ALPN, JA3/JA4 */
	SIG_CONF_CERTAIN,  /* "certain":  the name itself was read in the flow */
	SIG_CONF_MAX
};

const char *sig_field_name(enum sig_field f);
const char *sig_function_name(enum sig_function f);
const char *sig_confidence_name(enum sig_confidence c);
/* The value for a spelling, or the enum's NONE when there is none. */
enum sig_field sig_field_parse(const char *s);
enum sig_function sig_function_parse(const char *s);
enum sig_confidence sig_confidence_parse(const char *s);
/* The strongest confidence that evidence of this field can carry. */
enum sig_confidence sig_field_grade(enum sig_field f);

/* One fact of one flow. `value` is borrowed; host names are canonical (sig_name_canonical()). */
struct sig_fact {
	const uint8_t *value;
	uint16_t len;
	uint8_t field;	 /* enum sig_field */
	uint32_t packet; /* 1-based number of the flow's packet that showed it */
};

#endif
