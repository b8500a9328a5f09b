/* SPDX-License-Identifier: Apache-2.0 */
/* TCP streams, rejoined for reading only: sequence numbers to offsets, and what not to believe. */
#include "classifier/reassembly.h"

#include <errno.h>
#include <stdlib.h>

#include "classifier/parse.h"
#include "classifier/rejoin.h"

enum { TCP_SYN = 2, TCP_RST = 4, TCP_ACK = 16 };
enum {
	BACK_MAX = 64 << 10,	 /* how far a mid-stream start may move back */
	WINDOW_SLACK = 16 << 10, /* a mirror may show data before the ACK that made room for it */
	WINDOW_UNKNOWN = 64 << 10,
	OTHER_SYNS_MAX = 3,
	STREAM_SHARE = 1024 /* one stream per so many bytes of pool */
};

struct clf_stream {
	struct clf_stream_pool *pool;
	struct clf_rejoin data;
	const uint8_t *borrowed; /* the whole prefix lies in a frame; data is empty then */
	uint32_t borrowed_len;
	uint32_t base;			     /* sequence number of the prefix' first byte */
	uint32_t acked;			     /* the other side has everything before it */
	uint32_t right;			     /* the other side takes nothing from here on */
	uint32_t flags;			     /* CLF_FL_* that stay */
	uint32_t other_syns[OTHER_SYNS_MAX]; /* other SYNs' first bytes, until data tells */
	uint8_t n_other_syns;
	bool restarted; /* the start moved back and nobody asked since */
	bool have_base, have_syn, confirmed, have_window, consumed, have_ttl, checksums_good;
	bool peer_syn;
	uint8_t ttl;
	uint8_t scale, peer_scale; /* window scale + 1, 0: none offered */
	struct clf_stream *next_free;
};

struct clf_stream_pool {
	struct clf_blocks *blocks;
	struct clf_stream *free_list;
	size_t n, fresh; /* streams from `fresh` on were never used */
	struct clf_stream_stats stats;
	struct clf_stream streams[];
};

struct clf_stream_pool *
clf_stream_pool_new(size_t bytes, uint64_t seed)
{
	size_t n = bytes / STREAM_SHARE;

	(void)seed;
	if (n < 64)
		n = 64;
	struct clf_stream_pool *pool = calloc(1, sizeof *pool + n * sizeof pool->streams[0]);
	if (pool == NULL)
		return NULL;
	pool->n = n;
	pool->blocks = clf_blocks_new(bytes);
	if (pool->blocks == NULL) {
		free(pool);
		return NULL;
	}
	return pool;
}

void
clf_stream_pool_free(struct clf_stream_pool *pool)
{
	if (pool == NULL)
		return;
	clf_blocks_free(pool->blocks);
	free(pool);
}

const struct clf_stream_stats *
clf_stream_pool_stats(const struct clf_stream_pool *pool)
{
	return &pool->stats;
}

struct clf_stream *
clf_stream_open(struct clf_stream_pool *pool)
{
	struct clf_stream *s = pool->free_list;

	if (s != NULL)
		pool->free_list = s->next_free;
	else if (pool->fresh < pool->n)
		s = &pool->streams[pool->fresh++];
	else
		return NULL;
	*s = (struct clf_stream){ .pool = pool };
	return s;
}

void
clf_stream_close(struct clf_stream_pool *pool, struct clf_stream *s)
{
	if (s == NULL)
		return;
	clf_rejoin_clear(pool->blocks, &s->data);
	s->borrowed = NULL;
	s->next_free = pool->free_list;
	pool->free_list = s;
}

static bool
is_empty(const struct clf_stream *s)
{
	return s->borrowed == NULL && s->data.high == 0;
}

static uint32_t
prefix_len(const struct clf_stream *s)
{
	return s->borrowed != NULL ? s->borrowed_len : s->data.prefix;
}

/* Everything before this offset has been seen in some order. */
static uint32_t
high_off(const struct clf_stream *s)
{
	return s->borrowed != NULL ? s->borrowed_len : s->data.high;
}

/* A SYN after data: what came before it in the sequence belongs to no stream of ours. */
static void
rebase(struct clf_stream_pool *pool, struct clf_stream *s, uint32_t first)
{
	uint32_t back = s->base - first;

	if (is_empty(s) || back == 0) {
		s->base = first;
		return;
	}
	if (back > BACK_MAX || !clf_stream_keep(pool, s) ||
	    !clf_rejoin_retreat(pool->blocks, &s->data, back)) {
		clf_rejoin_clear(pool->blocks, &s->data);
		s->borrowed = NULL;
	}
	s->base = first;
}

void
clf_stream_syn(struct clf_stream *s, const struct clf_pkt *pkt)
{
	uint32_t first = pkt->seq + 1;

	if (s->have_syn && first != s->base) {
		/* Two of them: data and the other side's answer will tell which one was meant. */
		if (!s->confirmed && is_empty(s) && !s->consumed &&
		    s->n_other_syns < OTHER_SYNS_MAX)
			s->other_syns[s->n_other_syns++] = first;
		return;
	}
	if (s->have_syn || s->consumed)
		return;
	struct clf_pkt copy = *pkt;
	if (s->have_base)
		rebase(s->pool, s, first);
	s->flags &= ~(uint32_t)CLF_FL_MIDSTREAM;
	s->base = first;
	s->have_base = s->have_syn = true;
	s->ttl = pkt->ttl;
	s->have_ttl = true;
	s->scale = pkt->wscale;
	s->checksums_good = clf_pkt_checksum(&copy, NULL) == 1;
}

void
clf_stream_begin(struct clf_stream *s, uint32_t first)
{
	s->base = first;
	s->have_base = s->consumed = true;
}

void
clf_stream_meet(struct clf_stream *a, struct clf_stream *b)
{
	if (a->have_syn) {
		b->peer_syn = true;
		b->peer_scale = a->scale;
	}
	if (b->have_syn) {
		a->peer_syn = true;
		a->peer_scale = b->scale;
	}
}

void
clf_stream_acked(struct clf_stream *s, const struct clf_pkt *pkt)
{
	if (!(pkt->tcp_flags & TCP_ACK) || (pkt->tcp_flags & TCP_RST))
		return;
	if (pkt->tcp_flags & TCP_SYN) {
		s->peer_syn = true;
		s->peer_scale = pkt->wscale;
		if (s->have_syn && !s->confirmed) {
			for (unsigned i = 0; i < s->n_other_syns; i++)
				if (s->other_syns[i] == pkt->ack && is_empty(s))
					s->base = pkt->ack;
			s->confirmed = s->base == pkt->ack;
			if (s->confirmed)
				s->n_other_syns = 0;
		}
	}
	if (!s->have_base)
		return;
	int32_t off = (int32_t)(pkt->ack - s->base);
	if (off < -(1 << 30) || off > (1 << 30))
		return;
	unsigned shift = 0;
	if (!(pkt->tcp_flags & TCP_SYN))
		shift = !s->have_syn || !s->peer_syn ? 14
			: s->scale && s->peer_scale  ? s->peer_scale - 1u
						     : 0;
	uint32_t right = pkt->ack + ((uint32_t)pkt->window << shift);
	if (!s->have_window || (int32_t)(pkt->ack - s->acked) > 0)
		s->acked = pkt->ack;
	if (!s->have_window || (int32_t)(right - s->right) > 0)
		s->right = right;
	s->have_window = true;
}

/* False: the checksum says that no receiver would take it. */
static bool
checksum_ok(const struct clf_stream *s, const struct clf_pkt *pkt, bool trust)
{
	if (!trust && (s == NULL || !s->checksums_good))
		return true;
	uint8_t sum = pkt->l4_csum;
	if (sum == 0) {
		struct clf_pkt copy = *pkt;
		sum = clf_pkt_checksum(&copy, NULL);
	}
	return sum != 2 && !(sum == CLF_CSUM_PARTIAL && trust);
}

/* How far from `base` data may begin. */
static int64_t
right_edge(const struct clf_stream *s)
{
	int64_t seen = (int64_t)high_off(s);
	int64_t edge = s->have_window ? (int32_t)(s->right - s->base) + (int64_t)WINDOW_SLACK
				      : seen + WINDOW_UNKNOWN;
	return edge > seen ? edge : seen;
}

static bool
ttl_off(const struct clf_stream *s, const struct clf_pkt *pkt)
{
	int d = (int)pkt->ttl - s->ttl;

	return s->have_ttl && (d > CLF_TTL_SLACK || d < -CLF_TTL_SLACK);
}

/* Data came and no side's answer told which of several SYNs was meant: the nearest before it. */
static void
choose_syn(struct clf_stream *s, uint32_t seq)
{
	for (unsigned i = 0; i < s->n_other_syns; i++)
		if (seq - s->other_syns[i] < seq - s->base)
			s->base = s->other_syns[i];
	s->n_other_syns = 0;
}

/*
 * Where the segment's bytes belong: *bytes is cut to what is not before the stream. Negative: they
 * are to be ignored (CLF_PUSH_NOTHING), or lost for want of room.
 */
static int64_t
place(struct clf_stream_pool *pool, struct clf_stream *s, uint32_t seq, struct sig_bytes *bytes)
{
	int64_t off = (int32_t)(seq - s->base);

	if (off < 0 && !s->have_syn && !s->consumed && off >= -BACK_MAX) {
		if (!clf_stream_keep(pool, s) ||
		    !clf_rejoin_retreat(pool->blocks, &s->data, (uint32_t)-off)) {
			s->flags |= CLF_FL_OVER_LIMIT;
			pool->stats.no_room++;
			return -ENOSPC;
		}
		s->base = seq;
		s->restarted = true;
		return 0;
	}
	if (off < 0) {
		if (!sig_bytes_skip(bytes, (size_t)-off) || sig_bytes_left(bytes) == 0) {
			/* Before the first byte; one before it is a keep-alive. */
			bool early = s->have_syn && !s->consumed && off < -1;
			if (early || off < -CLF_STREAM_MAX)
				pool->stats.outside_window++;
			else
				pool->stats.retransmitted++;
			return -EALREADY;
		}
		return 0;
	}
	if (off > high_off(s) && off >= right_edge(s)) {
		pool->stats.outside_window++;
		return -ERANGE;
	}
	if (off >= CLF_STREAM_MAX) {
		pool->stats.no_room++;
		if (off > prefix_len(s))
			return -ERANGE; /* far ahead: the prefix may still be all we need */
		s->flags |= CLF_FL_OVER_LIMIT;
		return -ENOSPC;
	}
	return off;
}

static enum clf_push
stored(struct clf_stream_pool *pool, struct clf_stream *s, unsigned result, uint32_t before,
    bool suspect)
{
	if (result & CLF_PUT_NO_ROOM) {
		pool->stats.no_room++;
		s->flags |= CLF_FL_OVER_LIMIT;
		return CLF_PUSH_NO_ROOM;
	}
	if (result == CLF_PUT_AGAIN)
		pool->stats.retransmitted++;
	if (result & CLF_PUT_CONFLICT) {
		pool->stats.overlaps++;
		s->flags |= CLF_FL_OVERLAP | CLF_FL_AMBIGUOUS;
	}
	if ((result & CLF_PUT_NEW) && suspect) {
		pool->stats.decoys++;
		s->flags |= CLF_FL_AMBIGUOUS;
	}
	bool changed = prefix_len(s) != before || (result & CLF_PUT_CONFLICT);
	return changed ? CLF_PUSH_MORE : CLF_PUSH_NOTHING;
}

static enum clf_push
push(struct clf_stream_pool *pool, struct clf_stream *s, const struct clf_pkt *pkt, bool trust,
    bool borrow)
{
	uint32_t seq = pkt->seq + (pkt->tcp_flags & TCP_SYN ? 1 : 0);
	struct sig_bytes bytes = sig_bytes_of(clf_pkt_payload(pkt), pkt->payload_len);

	pool->stats.segments++;
	if (pkt->payload_len == 0)
		return CLF_PUSH_NOTHING;
	if (!checksum_ok(s, pkt, trust)) {
		pool->stats.bad_checksum++;
		s->flags |= CLF_FL_BAD_CHECKSUM;
		return CLF_PUSH_NOTHING;
	}
	if (!s->have_base) {
		s->base = seq;
		s->have_base = true;
		s->flags |= CLF_FL_MIDSTREAM;
		s->ttl = pkt->ttl;
		s->have_ttl = true;
	}
	if (s->n_other_syns != 0)
		choose_syn(s, seq);
	uint32_t before = prefix_len(s);
	bool first = is_empty(s);
	int64_t off = place(pool, s, seq, &bytes);
	if (off < 0)
		return off == -ENOSPC ? CLF_PUSH_NO_ROOM : CLF_PUSH_NOTHING;
	if (pkt->payload_wire > pkt->payload_len)
		s->flags |= CLF_FL_TRUNCATED;
	if (off > prefix_len(s))
		pool->stats.out_of_order++;
	if ((size_t)off + sig_bytes_left(&bytes) > CLF_STREAM_MAX) {
		bytes.end = bytes.p + (CLF_STREAM_MAX - off);
		s->flags |= CLF_FL_OVER_LIMIT;
	}
	if (borrow && first && off == 0) {
		s->borrowed = bytes.p;
		s->borrowed_len = (uint32_t)sig_bytes_left(&bytes);
		return stored(pool, s, CLF_PUT_NEW, before, ttl_off(s, pkt));
	}
	if (!clf_stream_keep(pool, s))
		return CLF_PUSH_NO_ROOM;
	unsigned result = clf_rejoin_put(pool->blocks, &s->data, (uint32_t)off, bytes);
	return stored(pool, s, result, before, ttl_off(s, pkt));
}

enum clf_push
clf_stream_push(struct clf_stream_pool *pool, struct clf_stream *s, const struct clf_pkt *pkt,
    bool trust_checksums)
{
	return push(pool, s, pkt, trust_checksums, false);
}

enum clf_push
clf_stream_push_borrow(struct clf_stream_pool *pool, struct clf_stream *s,
    const struct clf_pkt *pkt, bool trust_checksums)
{
	return push(pool, s, pkt, trust_checksums, true);
}

bool
clf_stream_keep(struct clf_stream_pool *pool, struct clf_stream *s)
{
	if (s->borrowed == NULL)
		return true;
	struct sig_bytes bytes = sig_bytes_of(s->borrowed, s->borrowed_len);
	s->borrowed = NULL;
	s->borrowed_len = 0;
	if (clf_rejoin_put(pool->blocks, &s->data, 0, bytes) & CLF_PUT_NO_ROOM) {
		pool->stats.no_room++;
		s->flags |= CLF_FL_OVER_LIMIT;
		return false;
	}
	return true;
}

bool
clf_stream_control_ok(struct clf_stream_pool *pool, struct clf_stream *s, const struct clf_pkt *pkt,
    bool trust_checksums)
{
	if (!checksum_ok(s, pkt, trust_checksums)) {
		pool->stats.bad_checksum++;
		if (s != NULL)
			s->flags |= CLF_FL_BAD_CHECKSUM;
		return false;
	}
	if (s == NULL || !s->have_base)
		return true;
	int64_t off = (int32_t)(pkt->seq - s->base);
	int64_t left = s->have_window ? (int32_t)(s->acked - s->base) : s->consumed ? -BACK_MAX : 0;
	if (off < left - 1 || off > right_edge(s)) {
		pool->stats.outside_window++;
		return false;
	}
	if (ttl_off(s, pkt)) {
		pool->stats.decoys++;
		return false;
	}
	return true;
}

struct sig_bytes
clf_stream_view(const struct clf_stream *s)
{
	if (s->borrowed != NULL)
		return sig_bytes_of(s->borrowed, s->borrowed_len);
	return clf_rejoin_view(&s->data);
}

struct sig_bytes
clf_stream_other(const struct clf_stream *s)
{
	return clf_rejoin_other(&s->data);
}

bool
clf_stream_restarted(struct clf_stream *s)
{
	bool restarted = s->restarted;

	s->restarted = false;
	return restarted;
}

bool
clf_stream_waits(const struct clf_stream *s)
{
	return high_off(s) != 0 && prefix_len(s) == 0;
}

void
clf_stream_consume(struct clf_stream_pool *pool, struct clf_stream *s, size_t n)
{
	uint32_t prefix = prefix_len(s);

	if (n > prefix)
		n = prefix;
	if (n == 0)
		return;
	s->base += (uint32_t)n;
	s->consumed = true;
	if (s->borrowed == NULL) {
		clf_rejoin_consume(pool->blocks, &s->data, (uint32_t)n);
		return;
	}
	s->borrowed += n;
	s->borrowed_len -= (uint32_t)n;
	if (s->borrowed_len == 0)
		s->borrowed = NULL;
}

uint32_t
clf_stream_flags(const struct clf_stream *s)
{
	uint32_t flags = s->flags;

	if (s->have_window && (int32_t)(s->acked - s->base) > (int64_t)prefix_len(s) + 1)
		flags |= CLF_FL_GAP; /* delivered, but not to us; + 1 is a FIN's */
	return flags;
}
