/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside the engine: the state of one worker, and what its files call in each other. Nobody but
 * classifier/engine*.c, inspect*.c and weigh.c includes this.
 *
 *   engine.c         clf_burst(): the stages; the fast path of decided flows
 *   engine_flow.c    the slow path of one packet: new flows, closing, expiry, eviction
 *   engine_setup.c   configuration, making and freeing, rules, statistics
 *   engine_events.c  events from flows
 *   inspect.c        undecided flows: looked at, settled, decided, concluded
 *   inspect_ctx.c    contexts: the pool; facts and names put into one
 *   inspect_tcp.c, inspect_tls.c, inspect_http.c   readers of streams
 *   inspect_udp.c    readers of datagrams: QUIC
 *   inspect_dns.c    questions and answers, each question a record of its own
 *   inspect_ndpi.c   what nDPI is fed
 *   weigh.c          facts to signature, name, verdict, blindness
 */
#ifndef CLASSIFIER_ENGINE_STATE_H
#define CLASSIFIER_ENGINE_STATE_H

#include "classifier/dns_memory.h"
#include "classifier/engine.h"
#include "classifier/engine_ndpi.h"
#include "classifier/flow_table.h"
#include "classifier/fragments.h"
#include "classifier/observe.h"
#include "classifier/parse.h"
#include "classifier/reassembly.h"

/* --- an inspection context: all that an undecided flow borrows --- */

enum { CLF_FACTS_MAX = 40, CLF_FACT_TEXT = 1792, CLF_NAME_TEXT = 1024 };
enum { CLF_GROUP_ALL = 0xff }; /* a fact of the whole flow, not of one request */

struct clf_fact { /* a sig_fact whose value lies in the context's text */
	uint32_t packet;
	uint16_t off, len;
	uint8_t field;
	uint8_t group; /* request on the connection, or CLF_GROUP_ALL */
};

struct clf_seen_name {
	uint16_t off, len;
	uint8_t field;
};

enum clf_reader {	/* who reads the initiator's stream or datagrams */
	CLF_READ_START, /* not known yet: all are asked */
	CLF_READ_TLS,
	CLF_READ_HTTP,
	CLF_READ_H2,
	CLF_READ_DNS,
	CLF_READ_QUIC,
	CLF_READ_NONE, /* none of ours */
};

enum {				     /* why a decided flow is still looked at */
	CLF_WATCH_RETRY = 1 << 0,    /* a second hello may come until the server has spoken */
	CLF_WATCH_REQUESTS = 1 << 1, /* HTTP: later requests, what follows CONNECT */
	CLF_WATCH_NDPI = 1 << 2,     /* nDPI is not done */
	CLF_WATCH_LATE = 1 << 4,     /* TCP: a hello may follow what nobody could read */
	CLF_WATCH_DNS = 1 << 3,	     /* DNS over TCP: later questions */
	CLF_WATCH_REST = 1 << 5,     /* the rest of a hello or a request that began may come */
};

enum { /* readers that said NOT_MINE */
	CLF_NOT_TLS = 1 << 0,
	CLF_NOT_HTTP = 1 << 1,
	CLF_NOT_H2 = 1 << 2,
	CLF_NOT_DNS = 1 << 3,
	CLF_NOT_ANY = 15,
};

struct clf_ctx {
	uint32_t flow;
	uint32_t newer, older; /* list of all borrowed contexts, by last use */
	uint32_t flags;	       /* enum clf_flag, gathered */
	uint64_t deadline_us;
	struct clf_stream *stream[2]; /* by direction */
	struct clf_quic *quic;
	struct clf_ndpi_flow *ndpi;
	struct clf_h2 *h2;
	uint64_t skip;	  /* stream bytes of a request's body still to pass */
	uint32_t need[2]; /* a reader wants so many bytes of prefix before it is asked again */
	uint32_t data_bytes[2];
	uint32_t ndpi_fed[2]; /* prefix bytes that nDPI has had */
	uint32_t ndpi_packets;
	uint16_t data_packets[2];
	uint16_t reads; /* packets that made a prefix grow */
	struct clf_ndpi_verdict label;
	uint8_t reader; /* enum clf_reader */
	uint8_t not_mine;
	uint8_t watch;
	uint8_t group;	    /* request now being read */
	uint8_t best_group; /* the one that the verdict rests on */
	uint8_t best_verdict, best_confidence;
	uint8_t hello : 1; /* a ClientHello was read whole */
	uint8_t hello_sni : 1;
	uint8_t server_done : 1; /* nothing readable will come from the server */
	uint8_t connect : 1;	 /* CONNECT seen: what follows is another protocol */
	uint8_t ndpi_done : 1;
	uint8_t decided : 1;	    /* details were sent; only watched now */
	uint8_t fresh : 1;	    /* facts came since the last weighing */
	uint8_t renamed : 1;	    /* a name or a flag to be told came since the last event */
	uint8_t protocol_known : 1; /* an observer knows what it is, name or not */
	uint8_t chunked : 1;
	uint8_t initial : 1; /* QUIC: the client's Initials were there to be read */
	uint8_t more : 1;    /* the prefix may hold another request */
	uint8_t n_names, n_facts, requests;
	uint16_t fact_text, name_text;
	uint16_t late_from;  /* prefix bytes that hold no hello's beginning */
	uint16_t hello_open; /* bytes of the first hello's last record behind it */
	uint32_t hello_next; /* prefix bytes eaten by the first hello */
	uint32_t head_seen;  /* prefix bytes that hold no HTTP request's end */
	uint8_t others;	     /* looks at the other reading of bytes that disagreed */
	uint64_t sni_hash;
	struct clf_seen_name names[CLF_NAMES_MAX];
	struct clf_fact facts[CLF_FACTS_MAX];
	uint8_t names_bytes[CLF_NAME_TEXT];
	uint8_t facts_bytes[CLF_FACT_TEXT];
};

/* --- DNS questions under way --- */

struct clf_question {
	uint64_t hash; /* ends, id, name, type */
	uint64_t flow_id, first_us, last_us;
	uint32_t chain;	       /* next of the same hash slot */
	uint32_t newer, older; /* by age */
	uint32_t tunnel_id;
	uint32_t packets[2], dropped, bytes[2];
	struct clf_addr client, server;
	uint16_t client_port, server_port, vlan;
	uint8_t ip_version, protocol, tunnel, verdict, icmp_reject, matched;
};

/* --- weighing --- */

struct clf_hints { /* facts about the flow itself, made when it is weighed */
	struct clf_addr server;
	char port[16];
	char label[64];
};

struct clf_weighed {
	const struct sig_info *info;
	struct sig_result match;
	struct sig_fact facts[CLF_FACTS_MAX]; /* what was matched; evidence indexes point in here */
	unsigned n_facts;
	struct clf_hints hints; /* facts point in here too */
	uint8_t confidence;
	struct clf_policy_answer policy;
	const uint8_t *name; /* the one that decided */
	uint16_t name_len;
	uint8_t name_source;
};

struct clf_fragment_count { /* fragments of a datagram that is not whole yet */
	uint64_t token, first_us;
	uint32_t packets, bytes;
};
struct clf_answered { /* so that an answer that comes twice is not taken for a lone one */
	uint64_t hash, at_us;
};

enum { CLF_ANSWERED = 4096, CLF_FRAGMENT_COUNTS = 1024, CLF_H2_POOL = 32 };

enum { CLF_L3_MAX = 65535, CLF_FLAT_MAX = 65536 };

struct clf_engine {
	/* --- hot: what every burst reads --- */
	struct clf_flow_table table;
	uint64_t now_us;
	uint64_t limit_us[CLF_CLASS_MAX];
	struct clf_engine_stats stats;
	unsigned parse_options;
	bool bypass;

	/* --- rules, replaced between bursts --- */
	const struct sig_ruleset *rules;
	const struct clf_policy *policy;
	struct sig_scratch *scratch;
	uint32_t fields;   /* sig_ruleset_fields() */
	uint16_t reach[2]; /* sig_ruleset_payload_reach(), up and down */
	uint32_t max_sig;

	/* --- contexts --- */
	struct clf_ctx *ctxs;		      /* 1..max_ctx */
	uint32_t max_ctx, used_ctx, free_ctx; /* free list by `newer` */
	uint32_t oldest_ctx, newest_ctx;
	struct clf_stream_pool *streams;
	struct clf_quic_pool *quics;
	struct clf_frags *frags;
	struct clf_dns_memory *memory;
	struct clf_ndpi *ndpi;
	struct clf_h2 *h2[CLF_H2_POOL];
	unsigned h2_free;

	/* --- DNS --- */
	struct clf_question *questions; /* 1..max_questions */
	uint32_t *question_slots;
	uint32_t max_questions, used_questions, free_questions, oldest_question, newest_question;

	uint64_t next_seq; /* of flow ids */
	uint64_t crypto_ms;
	uint32_t crypto_left;
	uint64_t inspect_us, watch_us;
	uint64_t next_frag_expire_us;
	uint32_t dns_ticks;
	struct clf_engine_config config;
	struct clf_net *inside, *forwarders;
	struct clf_fragment_count fragment_counts[CLF_FRAGMENT_COUNTS];
	struct clf_answered answered[CLF_ANSWERED]; /* questions whose answer was seen */

	/* --- the worker's scratch: too big for the stack --- */
	struct clf_tls_hello hello;
	struct clf_tls_server server;
	struct clf_http_req http;
	struct clf_h2_req h2req;
	struct clf_dns_msg dns;
	struct clf_quic_result quic;
	struct clf_weighed weighed;
	struct clf_event event;
	uint8_t *join; /* CLF_JOIN_MAX */
	uint8_t *l3;   /* a packet made for nDPI */
	uint8_t *flat; /* a frame of several segments */
};

/* One packet of a flow on its way through the slow path. */
struct clf_visit {
	struct clf_engine *e;
	struct clf_pkt *pkt;
	const struct clf_frame *frame;
	struct clf_flow *f;
	uint32_t flow;
	unsigned dir; /* CLF_UP, CLF_DOWN */
	uint64_t ts_us;
};

/* engine_flow.c */
void clf_read_lost_heads(struct clf_engine *e, uint64_t now_us);
void clf_slow_packet(struct clf_engine *e, struct clf_pkt *pkt, const struct clf_frame *frame,
    struct clf_result *res);
void clf_flow_end(struct clf_engine *e, uint32_t flow, uint64_t at_us, bool flushing);
uint64_t clf_flow_deadline(const struct clf_engine *e, const struct clf_flow *f);
void clf_result_of(const struct clf_engine *e, uint32_t flow, struct clf_result *res);

/* inspect_ctx.c */
struct clf_ctx *clf_ctx_of(struct clf_engine *e, const struct clf_flow *f);
struct clf_ctx *clf_ctx_open(struct clf_engine *e, uint32_t flow);
void clf_ctx_close(struct clf_engine *e, struct clf_ctx *c);
/* Frees a context of a flow that is only watched or has shown no data. False: none found. */
bool clf_ctx_steal(struct clf_engine *e, const struct clf_ctx *not_this);
void clf_ctx_touch(struct clf_engine *e, struct clf_ctx *c);
void clf_add_fact(struct clf_ctx *c, enum sig_field field, const void *value, size_t len,
    uint32_t packet, uint8_t group);
/* A host name as seen: into `names`, and as a fact when it is a legal one. */
void clf_add_name(struct clf_ctx *c, enum sig_field field, const struct clf_name *name,
    uint32_t packet, uint8_t group);
uint32_t clf_packet_number(const struct clf_flow *f);

/* inspect.c */
/* Looks at one packet of an undecided or watched flow; decides when nothing more is wanted. */
void clf_inspect(struct clf_visit *v);
void clf_gather_flags(struct clf_ctx *c);
void clf_note_gap(struct clf_ctx *c);
/* Decides with what is known. `ended`: the flow is over; the event is sent by the caller. */
void clf_conclude(struct clf_engine *e, uint32_t flow, uint64_t at_us);

/* inspect_tcp.c, inspect_tls.c, inspect_http.c, inspect_udp.c, inspect_ndpi.c */
void clf_inspect_tcp(struct clf_visit *v, struct clf_ctx *c);
/* What lives on after this packet must not point into its frame. */
void clf_keep_streams(struct clf_engine *e, struct clf_ctx *c);
/* Reads what the initiator's prefix still holds. */
void clf_read_on(struct clf_visit *v, struct clf_ctx *c);
void clf_forget_down(struct clf_visit *v, struct clf_ctx *c);
/* Signatures look at more of a direction's first bytes than have come. */
bool clf_wants_payload(const struct clf_engine *e, const struct clf_ctx *c, unsigned dir);
void clf_inspect_udp(struct clf_visit *v, struct clf_ctx *c);
bool clf_read_tls(struct clf_visit *v, struct clf_ctx *c, struct sig_bytes stream);
void clf_read_tls_server(struct clf_visit *v, struct clf_ctx *c, struct sig_bytes stream);
void
clf_take_hello(struct clf_visit *v, struct clf_ctx *c, const struct clf_tls_hello *h, bool quic);
/* `retry`: it came behind the first one, as a HelloRetryRequest asks for. */
void clf_second_hello(struct clf_ctx *c, const struct clf_tls_hello *h, enum sig_field field,
    bool retry, uint32_t packet);
bool clf_read_http(struct clf_visit *v, struct clf_ctx *c, struct sig_bytes stream);
bool clf_read_h2(struct clf_visit *v, struct clf_ctx *c, struct sig_bytes stream);
void clf_feed_ndpi_raw(struct clf_visit *v, struct clf_ctx *c);
void clf_feed_ndpi_stream(struct clf_visit *v, struct clf_ctx *c, unsigned dir);
void clf_ndpi_conclude(struct clf_engine *e, struct clf_ctx *c);
void clf_conclude_hello(struct clf_engine *e, const struct clf_flow *f, struct clf_ctx *c);
void clf_conclude_request(struct clf_engine *e, const struct clf_flow *f, struct clf_ctx *c);
size_t clf_ndpi_text(struct clf_engine *e, const struct clf_ctx *c, char *out, size_t cap);
/* A quick label for one lone datagram (DNS questions under --ndpi all); 0 when off. */
size_t clf_ndpi_once(
    struct clf_engine *e, const struct clf_pkt *pkt, uint64_t ts_us, char *out, size_t cap);

/* inspect_dns.c */
int clf_questions_new(struct clf_engine *e);
void clf_questions_free(struct clf_engine *e);
/* True when the packet was a DNS message over UDP and res is filled: no flow is made. */
bool
clf_dns_packet(struct clf_engine *e, struct clf_pkt *pkt, uint64_t ts_us, struct clf_result *res);
bool
clf_read_dns_tcp(struct clf_visit *v, struct clf_ctx *c, struct sig_bytes stream, unsigned dir);
unsigned clf_questions_expire(struct clf_engine *e, uint64_t now_us, unsigned budget);
/* Once per burst or idle loop: old questions end; now and then, what other workers learnt. */
void clf_dns_tick(struct clf_engine *e);

/* weigh.c */
void clf_weigh(
    struct clf_engine *e, uint32_t flow, struct clf_ctx *c, uint8_t group, struct clf_weighed *ret);
enum clf_blind clf_blindness(const struct clf_engine *e, uint32_t flow, const struct clf_ctx *c,
    const struct clf_weighed *w);
unsigned clf_verdict_rank(uint8_t verdict);

/* engine_events.c */
uint64_t clf_flow_id(const struct clf_engine *e, uint32_t flow);
bool clf_addr_inside(const struct clf_engine *e, uint8_t ip_version, const struct clf_addr *addr);
bool clf_addr_in(
    const struct clf_net *nets, unsigned n, uint8_t ip_version, const struct clf_addr *addr);
void clf_event_of_flow(struct clf_engine *e, uint32_t flow, enum clf_event_type type,
    uint64_t at_us, struct clf_event *ret);
void clf_event_of_question(struct clf_engine *e, const struct clf_question *q,
    enum clf_event_type type, uint64_t at_us, struct clf_event *ret);
/* Signature, evidence and policy. */
void clf_event_weighed(const struct clf_weighed *w, struct clf_event *ev);
void clf_event_details(struct clf_engine *e, uint32_t flow, const struct clf_ctx *c,
    const struct clf_weighed *w, enum clf_blind blind, struct clf_event *ev);
void clf_event_send(struct clf_engine *e, struct clf_event *ev);

#endif
