/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Observers: what a protocol's first bytes say. Each is a pure function of a contiguous prefix of
 * one direction's stream (TCP) or of one datagram (UDP); it keeps nothing between calls except
 * where a `struct clf_quic` or `struct clf_h2` says so. Same prefix, same answer: cuts, order and
 * duplicates are the stream's affair, not the observer's.
 *
 * Results point into the input or into the caller's result struct; nothing allocates on the packet
 * path. One thread per state object.
 */
#ifndef CLASSIFIER_OBSERVE_H
#define CLASSIFIER_OBSERVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "signatures/base/bytes.h"
#include "signatures/base/text.h"

enum clf_obs {
	CLF_OBS_MORE,	  /* could still be ours: come back with >= need bytes of prefix */
	CLF_OBS_DONE,	  /* read whole: the result is final */
	CLF_OBS_NOT_MINE, /* another protocol: never ask again */
	CLF_OBS_BAD, /* ours, but malformed beyond reading: what was read so far is in the result */
};

/* A host name as seen: raw for showing, canonical for matching. */
struct clf_name {
	const uint8_t *raw; /* borrowed: input, or the state object's buffer */
	uint16_t raw_len;
	int16_t len;			  /* of canonical; -1: not a legal host name */
	char canonical[SIG_NAME_MAX + 1]; /* NUL-terminated; only len + 1 bytes are set */
};

/* Fills a name from raw bytes, which stay borrowed. No bytes: an illegal name. */
void clf_name_set(struct clf_name *ret, const uint8_t *raw, size_t len);
/* The same from "userinfo@host:port"; returns the port, 0 when none was given. */
uint16_t clf_name_set_authority(struct clf_name *ret, const uint8_t *p, size_t len);
/* Copies what is set and no more. */
void clf_name_copy(struct clf_name *ret, const struct clf_name *from);
/* The same host: by canonical form where legal, else byte by byte. */
bool clf_name_equal(const struct clf_name *a, const struct clf_name *b);

/* --- TLS (RFC 8446, 5246, 6066; records joined, handshake split anywhere) --- */

enum { CLF_ALPN_MAX = 8, CLF_CERT_NAMES_MAX = 16, CLF_JOIN_MAX = 65536 };

/*
 * ECH and GREASE ECH are made to look alike (RFC 9849 6.2): random config id, real cipher suite,
 * plausible lengths. So every well-formed encrypted_client_hello counts as `ech`, its SNI being a
 * hint only; `ech_grease` is set besides where the extension cannot be a working ECH (no known
 * suite, a key or payload of impossible length). Who knows more, such as a DNS memory that gave
 * this client the address for the very SNI, may lift the doubt.
 */
struct clf_tls_hello {
	uint32_t need; /* with CLF_OBS_MORE: least prefix that can complete the hello */
	bool have_sni, ech, ech_grease, esni;
	bool two_names; /* more than one SNI host_name or two SNI extensions: ambiguous */
	bool sslv2;	/* an SSL 2.0 compatible hello: it can carry no name */
	struct clf_name sni;
	struct clf_name sni2; /* with two_names: the last of the others */
	uint16_t version;     /* highest offered, 0x0304 = 1.3 */
	uint8_t n_alpn;
	struct {
		const uint8_t *p;
		uint8_t len;
	} alpn[CLF_ALPN_MAX];
	const uint8_t *hello; /* the joined ClientHello body (no handshake header), for JA3/JA4;
			       * NULL for SSL 2.0 */
	uint32_t hello_len;
	uint32_t consumed;  /* stream bytes up to the end of the hello's last record */
	uint32_t hello_end; /* stream offset just after the hello's last byte */
};

/*
 * `join`: CLF_JOIN_MAX bytes of the worker's scratch, used only when the hello spans records.
 */
enum clf_obs
clf_tls_client_hello(struct sig_bytes stream, uint8_t *join, struct clf_tls_hello *ret);
/*
 * One that follows the first: the stream begins at that one's `hello_end`, with `open` bytes
 * (`consumed` - `hello_end`) still to come of its record.
 */
enum clf_obs clf_tls_next_hello(
    struct sig_bytes stream, uint32_t open, uint8_t *join, struct clf_tls_hello *ret);
/* The same over a bare handshake message, without records: QUIC's CRYPTO stream. */
enum clf_obs clf_tls_client_hello_msg(struct sig_bytes msg, struct clf_tls_hello *ret);

/*
 * What an unfinished hello already shows, for a flow that gives no more (a snap length, lost
 * segments): true when that is a name. Extensions that were not there yet are unknown, so there is
 * no fingerprint, and a second name cannot be ruled out.
 */
bool clf_tls_partial_hello(struct sig_bytes stream, uint8_t *join, struct clf_tls_hello *ret);
bool clf_tls_partial_msg(struct sig_bytes msg, struct clf_tls_hello *ret);

struct clf_tls_server {
	uint32_t need;
	bool hello_done, hello_retry; /* ServerHello read; it is a HelloRetryRequest */
	bool encrypted_from_here;     /* TLS 1.3: no certificate to come in clear */
	uint16_t version;
	bool have_cert;
	uint8_t n_names;
	struct clf_name
	    names[CLF_CERT_NAMES_MAX];	/* leaf's CN then dNSNames; may hold a leading "*." */
	char issuer[256], subject[256]; /* "CN=..., O=..., C=..": printable, cut at the end */
	uint32_t consumed;
};
enum clf_obs
clf_tls_server_flight(struct sig_bytes stream, uint8_t *join, struct clf_tls_server *ret);

/* JA3: 32 hex digits and NUL. JA4 (t/q prefix by `quic`): 36 chars and NUL. 0 or -errno. */
int clf_ja3(const struct clf_tls_hello *h, char out[33]);
int clf_ja4(const struct clf_tls_hello *h, bool quic, char out[37]);

/* --- QUIC (RFC 9000, 9001, 9369, draft-29): client's Initials of one connection --- */

struct clf_quic; /* state while INSPECTING: keys, CRYPTO reassembly (<= 64 KB); from a pool */
struct clf_quic_pool;

struct clf_quic_pool *clf_quic_pool_new(unsigned max_connections);
void clf_quic_pool_free(struct clf_quic_pool *pool);
struct clf_quic *clf_quic_open(struct clf_quic_pool *pool); /* NULL: none left */
/* Half of the connections are free: what need not be kept may be. */
bool clf_quic_pool_spare(const struct clf_quic_pool *pool);
void clf_quic_close(struct clf_quic_pool *pool, struct clf_quic *q);

struct clf_quic_result {
	uint32_t version;
	bool initial, zero_rtt, retry, version_negotiation; /* seen in this datagram */
	bool gap;					    /* CRYPTO bytes are still missing */
	bool second;	   /* with DONE: another hello behind the first: HelloRetryRequest */
	bool settled;	   /* the server went on: no further hello will come */
	bool ambiguous;	   /* CRYPTO bytes overlapped with other contents */
	bool have_other;   /* with ambiguous: the other contents name a host too */
	bool malformed;	   /* a genuine Initial with frames that may not be */
	bool over_limit;   /* CRYPTO data beyond what a connection may hold, or no room for it */
	bool over_budget;  /* an Initial was not tried: max_decrypts were spent */
	unsigned decrypts; /* AEAD operations spent, for the caller's budget */
	unsigned failed;   /* the client's Initials that no keys fitted; two end a datagram */
	struct clf_tls_hello hello; /* with CLF_OBS_DONE; points into q */
	struct clf_name other;	    /* with have_other; valid until the next call */
};

/* Does this datagram begin like a QUIC long header of a version we know (or negotiate)? Cheap. */
bool clf_quic_looks(struct sig_bytes datagram);
/*
 * One datagram of the initiator (`up`) or the responder. DONE when a ClientHello was read, once for
 * each; BAD when what was rejoined is no ClientHello; else MORE, for junk too: what does not
 * decrypt changes nothing. Behind the first hello a second one follows when the server asked for
 * it; a hello under keys of its own, after one was read whole, is another attempt's first.
 * `max_decrypts`: what the caller's budget still allows in this call (one Initial takes one; one
 * under a Connection ID that we have not seen may take two).
 */
enum clf_obs clf_quic_datagram(struct clf_quic *q, struct sig_bytes datagram, bool up,
    unsigned max_decrypts, struct clf_quic_result *ret);

/* The same as clf_tls_partial_hello(), of the CRYPTO bytes that came. */
bool clf_quic_partial_hello(const struct clf_quic *q, struct clf_tls_hello *ret);

/*
 * Google's own QUIC, Q024 to Q043 and Q046: the hello of one datagram, in clear. Only the name is
 * set (no ALPN, no bytes for a fingerprint). DONE, BAD when its tags lie, or NOT_MINE.
 */
enum clf_obs clf_gquic_hello(struct sig_bytes datagram, struct clf_tls_hello *ret);

/* --- HTTP/1 (RFC 9110, 9112) --- */

struct clf_http_req {
	uint32_t need;
	bool connect;	  /* CONNECT: what follows the reply is another protocol */
	bool upgrade_h2c; /* Upgrade: h2c */
	bool ambiguous;	  /* target and Host differ, two Hosts, a folded header, ... */
	bool have_host, have_target, have_host2;
	struct clf_name host;	/* Host header, port removed */
	struct clf_name host2;	/* the last of further Host headers */
	struct clf_name target; /* CONNECT target or absolute URI host, port removed */
	uint16_t target_port;
	const uint8_t *method, *path, *user_agent;
	uint16_t method_len, path_len, user_agent_len;
	uint32_t head_len; /* bytes of the head, blank line included */
	uint64_t body_len; /* Content-Length, 0 none */
	bool chunked;
	bool in_head; /* with MORE: the request line was read, clf_http_goes_on() tells the rest */
};
enum { CLF_HTTP_HEAD_MAX = 32768, CLF_HTTP_METHOD_MAX = 24 };
/* A head over CLF_HTTP_HEAD_MAX is BAD; with BAD and MORE, what was read so far is in the result.
 */
enum clf_obs clf_http_request(struct sig_bytes stream, struct clf_http_req *ret);
/*
 * The answer for the first `seen` bytes was MORE, in the head: is it still? A head in small
 * segments is so looked at once, not once a segment.
 */
bool clf_http_goes_on(struct sig_bytes stream, uint32_t seen);
/*
 * Chunked body: DONE with the bytes up to its end in *ret_len. MORE with those of its whole chunks,
 * which need not be shown again. BAD: no chunk, or trailers of more than 8 KB.
 */
enum clf_obs clf_http_chunked_end(struct sig_bytes body, uint32_t *ret_len);
/* Responder's first line: DONE with the status code in *ret_status (for CONNECT's 2xx). */
enum clf_obs clf_http_status(struct sig_bytes stream, unsigned *ret_status, uint32_t *ret_head_len);

/* --- HTTP/2 with prior knowledge, h2c (RFC 9113, HPACK RFC 7541 by libnghttp2's inflater) --- */

struct clf_h2; /* inflater, its arena, and position; from the engine's set-up memory */
struct clf_h2 *clf_h2_new(void);
void clf_h2_free(struct clf_h2 *h);
void clf_h2_reset(struct clf_h2 *h); /* for another connection */
struct clf_h2_req {
	bool have_authority, have_path, have_user_agent;
	bool connect;
	bool ambiguous;		   /* :authority and Host differ, or one of them comes twice */
	struct clf_name authority; /* :authority, else Host; port removed; points into h */
	const uint8_t *path, *user_agent; /* point into h, valid until the next call; may be cut */
	uint16_t path_len, user_agent_len;
	uint32_t stream_id;
};
bool clf_h2_looks(struct sig_bytes stream); /* begins with (a part of) the client preface */
/*
 * `stream` begins where the preface begins, at every call; what was eaten before is passed over.
 * DONE for each request read (call again), MORE when the prefix ends, NOT_MINE, BAD. Once BAD, it
 * stays so: HPACK cannot be taken up again. With BAD an authority may have been read before.
 */
enum clf_obs clf_h2_next(struct clf_h2 *h, struct sig_bytes stream, struct clf_h2_req *ret);
/* Bytes that need not be shown again, and: the caller forgot the first n of them. */
uint32_t clf_h2_eaten(const struct clf_h2 *h);
void clf_h2_forget(struct clf_h2 *h, uint32_t n);

/* --- DNS (RFC 1035, 3596, 9460; over UDP, or TCP with its 2-byte length taken off) --- */

enum { CLF_DNS_ANSWERS_MAX = 32 };
enum clf_dns_kind {
	CLF_DNS_A = 1,
	CLF_DNS_CNAME = 5,
	CLF_DNS_AAAA = 28,
	CLF_DNS_SVCB = 64,
	CLF_DNS_HTTPS = 65
};

struct clf_dns_answer {
	uint16_t kind; /* RR type */
	uint32_t ttl;
	struct clf_name owner;
	struct clf_name target; /* CNAME, SVCB/HTTPS target */
	uint8_t
	    addr_len; /* 4, 16 for A, AAAA; hints of HTTPS come as A/AAAA with the owner's name */
	uint8_t addr[16];
	bool has_ech; /* HTTPS/SVCB carries an ech parameter */
};
struct clf_dns_msg {
	uint16_t id;
	bool response, truncated;
	uint8_t opcode, rcode;
	uint16_t qtype, qclass;
	uint16_t n_questions;
	bool have_qname;
	struct clf_name qname; /* labels of any byte: raw holds presentation form \DDD */
	uint8_t raw_qname[1024];
	unsigned n_answers;
	struct clf_dns_answer answers[CLF_DNS_ANSWERS_MAX];
};
/*
 * NOT_MINE when it cannot be DNS (lying counts, bad opcode), BAD when it breaks off inside: then
 * `have_qname` still tells whether the question was read. The names of answers have raw ==
 * canonical, or len -1 and no bytes at all where illegal. The result points into itself: do not
 * copy it by value.
 */
enum clf_obs clf_dns_message(struct sig_bytes message, struct clf_dns_msg *ret);

#endif
