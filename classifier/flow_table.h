/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The flow table of one worker: where every live flow is, and when it ends.
 *
 * Three flat arrays, made once, never grown; 128 bytes a flow when full, index included:
 *
 *   buckets  64 bytes each: ten 16-bit tags and ten 32-bit flow numbers, one cache line to read for
 *            a look-up. A flow that finds its bucket full strays to one of PROBE - 1 others, which
 *            its own hash picks; the home bucket says how far its strays went, so that a look-up
 *            goes on only where there are any, and no farther.
 *   hot      64 bytes a flow: key, counters, last packet, verdict, timer. All that a packet of a
 *            decided IPv4 flow touches.
 *   cold     56 bytes a flow: IPv6 addresses, first packet, id, tunnel.
 *
 * Time-outs without scanning: a wheel of lists. A packet writes only `last_us`; when the wheel
 * comes to a flow that has been active since, it is put where it would end now.
 *
 * One thread. Flow number 0 is none.
 */
#ifndef CLASSIFIER_FLOW_TABLE_H
#define CLASSIFIER_FLOW_TABLE_H

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "classifier/flow_key.h"

enum clf_flow_class { /* picks the idle time-out */
	CLF_CLASS_TCP,
	CLF_CLASS_TCP_HALF, /* no answer yet */
	CLF_CLASS_TCP_CLOSED,
	CLF_CLASS_OTHER, /* UDP and the rest */
	CLF_CLASS_MAX
};

struct clf_flow {
	/* --- cache line 0: all of it --- */
	uint64_t k[2];
	uint64_t last_us;
	uint64_t bytes[2]; /* by end of the key, not by direction: see clf_flow_dir() */
	uint32_t packets[2];
	uint32_t next, prev; /* of the wheel's list; prev >= CLF_WHEEL_HEAD names the list */
	union {
		uint32_t ctx; /* inspection context, 0 none; verdicts below CLF_DROP or over */
		uint32_t forwarded[1]; /* DROP and RESET: packets of end 0 that were not dropped */
	};
	uint8_t packets_high[2]; /* packets >> 32 */
	uint8_t state : 2;	 /* enum clf_state */
	uint8_t initiator : 1;	 /* the end that began */
	uint8_t fin : 2;	 /* ends that sent FIN */
	uint8_t syn : 1;	 /* a SYN was seen: not mid-stream */
	uint8_t matched : 1;
	uint8_t told : 1;    /* details were sent */
	uint8_t verdict : 3; /* enum clf_verdict */
	uint8_t klass : 2;   /* enum clf_flow_class */
	uint8_t slow : 1;    /* packets must be looked at: not yet decided, or watched */
	uint8_t icmp_reject : 1;
	uint8_t uninspected : 1; /* some packets passed under bypass */
};
static_assert(sizeof(struct clf_flow) == 64, "a flow's hot part is one cache line");

struct clf_flow_cold {
	uint8_t addr[2][16]; /* IPv6 only */
	uint64_t first_us;
	uint32_t seq_low;
	uint16_t seq_high;
	uint8_t blind;	/* enum clf_blind */
	uint8_t tunnel; /* enum clf_tunnel */
	uint32_t tunnel_id;
	uint32_t forwarded; /* as in the hot part, of end 1 */
};
static_assert(sizeof(struct clf_flow_cold) == 56, "cold part: 128 bytes a flow with its index");

enum { CLF_BUCKET_WAYS = 10, CLF_BUCKET_LOAD = 8, CLF_BUCKET_PROBE = 12 };

struct clf_flow_bucket {
	uint16_t tag[CLF_BUCKET_WAYS]; /* 0 empty */
	uint16_t strays;	       /* flows of this bucket that live in another one */
	uint16_t reach;		       /* how many probes away the farthest of them went */
	uint32_t flow[CLF_BUCKET_WAYS];
};
static_assert(sizeof(struct clf_flow_bucket) == 64, "a bucket is one cache line");

enum {
	CLF_WHEEL_SHIFT = 18, /* 262 ms a slot */
	CLF_WHEEL_SLOTS = 4096,
};
#define CLF_WHEEL_HEAD 0x80000000u

struct clf_alloc { /* big, aligned, zeroed memory at set-up */
	void *(*alloc)(size_t bytes, size_t align, void *ctx);
	void (*free)(void *p, size_t bytes, void *ctx);
	void *ctx;
};

struct clf_flow_table {
	struct clf_flow_bucket *buckets;
	struct clf_flow *flows;
	struct clf_flow_cold *cold;
	uint64_t seed[2];
	uint32_t n_buckets;
	uint32_t max;	    /* flows 1..max */
	uint32_t used;	    /* highest number ever given out */
	uint32_t free_list; /* by `next` */
	uint32_t live;
	uint32_t hand;	    /* where looking for a flow to evict goes on */
	uint64_t wheel_pos; /* slot number (not modulo) that is being emptied */
	bool wheel_started;
	struct clf_alloc alloc;
	uint32_t wheel[CLF_WHEEL_SLOTS];
};

/* alloc NULL: mmap with transparent huge pages advised. 0 or -ENOMEM, -EINVAL. */
int clf_flow_table_init(
    struct clf_flow_table *t, uint32_t max, const uint64_t seed[2], const struct clf_alloc *alloc);
void clf_flow_table_done(struct clf_flow_table *t);

/* The slow whole look-up: all probes. 0 when there is none. */
uint32_t clf_flow_find(
    const struct clf_flow_table *t, const struct clf_flow_key *key, const struct clf_pkt *pkt);
/* A new flow, zeroed but for its key; not yet on the wheel. 0: no room. */
uint32_t clf_flow_insert(
    struct clf_flow_table *t, const struct clf_flow_key *key, const struct clf_pkt *pkt);
/* Off the index and the wheel, back to the free list. */
void clf_flow_remove(struct clf_flow_table *t, uint32_t flow);

void clf_wheel_arm(struct clf_flow_table *t, uint32_t flow, uint64_t deadline_us);
/* The next flow on a list whose time has come by `now_us`, taken off the wheel; 0 none. */
uint32_t clf_wheel_next(struct clf_flow_table *t, uint64_t now_us);

/* IPv6 addresses or a tunnel's id must be compared too. */
bool clf_flow_same_cold(const struct clf_flow_table *t, uint32_t flow,
    const struct clf_flow_key *key, const struct clf_pkt *pkt);
/* The address of an end, IPv4 in the first 4 bytes. */
void
clf_flow_addr(const struct clf_flow_table *t, uint32_t flow, unsigned end, struct clf_addr *ret);

static inline struct clf_flow_bucket *
clf_flow_bucket(const struct clf_flow_table *t, uint64_t hash)
{
	return &t->buckets[((hash >> 32) * t->n_buckets) >> 32];
}

static inline uint16_t
clf_flow_tag(uint64_t hash)
{
	return (uint16_t)hash | 1;
}

static inline bool
clf_flow_same(const struct clf_flow_table *t, uint32_t flow, const struct clf_flow_key *key,
    const struct clf_pkt *pkt)
{
	const struct clf_flow *f = &t->flows[flow];

	if (((f->k[0] ^ key->k[0]) | (f->k[1] ^ key->k[1])) != 0)
		return false;
	return clf_key_kind(key->k[1]) == 0 || clf_flow_same_cold(t, flow, key, pkt);
}

/* The ways of a bucket that hold a tag: two bits each. */
static inline unsigned
clf_bucket_ways(const struct clf_flow_bucket *b, uint16_t tag)
{
	unsigned bits = 0;

#ifdef __SSE2__
	const __m128i want = _mm_set1_epi16((short)tag);
	__m128i lo = _mm_loadu_si128((const __m128i *)&b->tag[0]);
	__m128i hi = _mm_loadu_si128((const __m128i *)&b->tag[2]);

	bits = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi16(lo, want)) |
	       (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi16(hi, want)) << 4;
#else
	for (unsigned i = 0; i < CLF_BUCKET_WAYS; i++)
		bits |= (unsigned)(b->tag[i] == tag) << (2 * i);
#endif
	return bits;
}

/* The first flow of the bucket whose tag fits, unverified; 0 none. No branch depends on which. */
static inline uint32_t
clf_flow_candidate(const struct clf_flow_bucket *b, uint64_t hash)
{
	unsigned ways = clf_bucket_ways(b, clf_flow_tag(hash));

	return __builtin_expect(ways != 0, 1) ? b->flow[(unsigned)__builtin_ctz(ways) / 2] : 0;
}

/* The same over the buckets that strays of `home` may have gone to. */
uint32_t clf_flow_candidate_stray(
    const struct clf_flow_table *t, const struct clf_flow_bucket *home, uint64_t hash);

/* CLF_UP or CLF_DOWN of a packet whose key was swapped or not. */
static inline unsigned
clf_flow_dir(const struct clf_flow *f, bool swap)
{
	return (unsigned)swap ^ f->initiator;
}

static inline uint64_t
clf_flow_packets(const struct clf_flow *f, unsigned dir)
{
	unsigned end = dir ^ f->initiator;
	return (uint64_t)f->packets_high[end] << 32 | f->packets[end];
}

#endif
