/* SPDX-License-Identifier: Apache-2.0 */
/*
 * IPv4 and IPv6 fragments, rejoined for reading only. Datagrams are found by a keyed hash and age
 * in order of their first fragment; one that was read stays known for a moment, so that its
 * fragments coming twice (a mirror of both directions) begin nothing anew.
 */
#include "classifier/fragments.h"

#include <errno.h>
#include <stdlib.h>

#include "classifier/parse.h"
#include "classifier/rejoin.h"
#include "classifier/tunnel.h"
#include "signatures/base/hash.h"

enum {
	NONE = UINT32_MAX,
	DATAGRAM_MAX = 65535,
	POOL_EACH = 16 << 10,
	LINGER_US = 200 * 1000, /* IPv4 ids come round again soon */
	EXPIRE_AT_ONCE = 64,
	EVICT_AT_ONCE = 8
};

struct key {
	uint8_t addrs[32]; /* source, destination; IPv4 zero padded */
	uint32_t id, tunnel_id;
	uint16_t vlan;
	uint8_t ip_version, protocol; /* protocol: IPv4 only */
	uint32_t zero;
};

struct datagram {
	struct key key;
	struct clf_rejoin data;
	uint64_t started_us, token;
	uint8_t header[40]; /* of the first fragment */
	uint32_t total;	    /* 0: the last fragment has not come */
	uint32_t next_in_bucket, older, newer;
	struct clf_pkt first; /* the first fragment, without its bytes */
	uint8_t protocol;     /* of the first fragment: what the rejoined bytes are */
	bool spoiled, done;
};

struct queue { /* in order of started_us */
	uint32_t oldest, newest;
};

struct clf_frags {
	struct clf_blocks *blocks;
	struct clf_frags_stats stats;
	uint64_t seed, serial;
	uint32_t timeout_us, n, mask, free_list;
	struct queue under_way, done;
	uint32_t *buckets;
	struct datagram *datagrams;
	uint8_t whole[40 + DATAGRAM_MAX];
};

struct clf_frags *
clf_frags_new(unsigned max_datagrams, uint32_t timeout_us, uint64_t seed)
{
	struct clf_frags *f = calloc(1, sizeof *f);
	uint32_t buckets = 1;

	if (f == NULL)
		return NULL;
	if (max_datagrams == 0)
		max_datagrams = 1;
	while (buckets < max_datagrams)
		buckets *= 2;
	f->n = max_datagrams;
	f->mask = buckets - 1;
	f->seed = seed;
	f->timeout_us = timeout_us;
	f->under_way = f->done = (struct queue){ NONE, NONE };
	f->blocks = clf_blocks_new((size_t)max_datagrams * POOL_EACH);
	f->buckets = malloc(buckets * sizeof *f->buckets);
	f->datagrams = calloc(max_datagrams, sizeof *f->datagrams);
	if (f->blocks == NULL || f->buckets == NULL || f->datagrams == NULL) {
		clf_frags_free(f);
		return NULL;
	}
	memset(f->buckets, 0xff, buckets * sizeof *f->buckets);
	for (uint32_t i = 0; i < f->n; i++)
		f->datagrams[i].next_in_bucket = i + 1 < f->n ? i + 1 : (uint32_t)NONE;
	return f;
}

void
clf_frags_free(struct clf_frags *f)
{
	if (f == NULL)
		return;
	clf_blocks_free(f->blocks);
	free(f->buckets);
	free(f->datagrams);
	free(f);
}

const struct clf_frags_stats *
clf_frags_stats(const struct clf_frags *f)
{
	return &f->stats;
}

static void
enqueue(struct clf_frags *f, struct queue *q, uint32_t i)
{
	struct datagram *d = &f->datagrams[i];

	d->older = q->newest;
	d->newer = NONE;
	if (q->newest != NONE)
		f->datagrams[q->newest].newer = i;
	else
		q->oldest = i;
	q->newest = i;
}

static void
dequeue(struct clf_frags *f, struct queue *q, uint32_t i)
{
	struct datagram *d = &f->datagrams[i];

	if (d->older != NONE)
		f->datagrams[d->older].newer = d->newer;
	else
		q->oldest = d->newer;
	if (d->newer != NONE)
		f->datagrams[d->newer].older = d->older;
	else
		q->newest = d->older;
}

static uint32_t *
bucket_of(struct clf_frags *f, const struct key *key)
{
	return &f->buckets[sig_hash(key, sizeof *key, f->seed) & f->mask];
}

static void
forget(struct clf_frags *f, uint32_t i)
{
	struct datagram *d = &f->datagrams[i];
	uint32_t *link = bucket_of(f, &d->key);

	while (*link != i)
		link = &f->datagrams[*link].next_in_bucket;
	*link = d->next_in_bucket;
	dequeue(f, d->done ? &f->done : &f->under_way, i);
	clf_rejoin_clear(f->blocks, &d->data);
	d->next_in_bucket = f->free_list;
	f->free_list = i;
}

static struct key
key_of(const struct clf_pkt *p)
{
	struct key key = {
		.id = p->frag_id,
		.tunnel_id = p->tunnel_id,
		.vlan = p->vlan,
		.ip_version = p->ip_version,
		.protocol = p->ip_version == 4 ? p->frag_proto : 0,
	};
	memcpy(key.addrs, clf_pkt_src(p), p->ip_version == 6 ? 32 : 8);
	return key;
}

/* Room for a new one: the oldest that was read already goes first, then the oldest under way. */
static void
evict(struct clf_frags *f)
{
	if (f->done.oldest != NONE) {
		forget(f, f->done.oldest);
		return;
	}
	f->stats.evicted++;
	forget(f, f->under_way.oldest);
}

static struct datagram *
find(struct clf_frags *f, const struct clf_pkt *p, uint64_t now_us)
{
	struct key key = key_of(p);
	uint32_t i;

	for (i = *bucket_of(f, &key); i != NONE; i = f->datagrams[i].next_in_bucket)
		if (memcmp(&f->datagrams[i].key, &key, sizeof key) == 0)
			break;
	if (i != NONE) {
		struct datagram *d = &f->datagrams[i];
		uint64_t age = now_us - d->started_us;

		if (now_us < d->started_us || age <= (d->done ? LINGER_US : f->timeout_us))
			return d;
		if (!d->done)
			f->stats.timed_out++;
		forget(f, i); /* another datagram with the same id */
	}
	if (f->free_list == NONE)
		evict(f);
	i = f->free_list;
	struct datagram *d = &f->datagrams[i];
	f->free_list = d->next_in_bucket;
	uint32_t *bucket = bucket_of(f, &key);
	*d = (struct datagram){ .key = key, .started_us = now_us, .next_in_bucket = *bucket };
	d->token = ++f->serial;
	*bucket = i;
	enqueue(f, &f->under_way, i);
	return d;
}

static uint32_t
index_of(const struct clf_frags *f, const struct datagram *d)
{
	return (uint32_t)(d - f->datagrams);
}

/* Lengths that no sender makes. */
static bool
is_bad(const struct clf_pkt *p)
{
	return p->payload_wire == 0 || (p->frag_more && (p->payload_wire & 7) != 0) ||
	       (uint32_t)p->frag_off + p->payload_wire >
		   DATAGRAM_MAX - (p->ip_version == 4 ? 20u : 0u);
}

static int
spoil(struct clf_frags *f, struct datagram *d)
{
	if (!d->spoiled)
		f->stats.overlapped++;
	d->spoiled = true;
	clf_rejoin_clear(f->blocks, &d->data);
	return -EBADMSG;
}

/* 1: whole now. */
static int
add(struct clf_frags *f, struct datagram *d, const struct clf_pkt *p)
{
	uint32_t end = (uint32_t)p->frag_off + p->payload_wire;
	struct sig_bytes bytes = sig_bytes_of(clf_pkt_payload(p), p->payload_len);
	uint32_t self = index_of(f, d);
	unsigned result, tries = 0;

	if (!p->frag_more) {
		if ((d->total != 0 && d->total != end) || d->data.high > end)
			return spoil(f, d);
		d->total = end;
	} else if (d->total != 0 && end > d->total) {
		return spoil(f, d);
	}
	if (p->frag_off == 0) {
		memcpy(d->header, p->data + p->l3_off, p->ip_version == 6 ? 40 : 20);
		d->protocol = p->frag_proto;
		d->first = *p;
	}
	result = clf_rejoin_put(f->blocks, &d->data, p->frag_off, bytes);
	while (
	    (result & CLF_PUT_NO_ROOM) && tries++ < EVICT_AT_ONCE && f->under_way.oldest != self) {
		f->stats.evicted++;
		forget(f, f->under_way.oldest);
		result = clf_rejoin_put(f->blocks, &d->data, p->frag_off, bytes);
	}
	if (result & CLF_PUT_NO_ROOM)
		return -ENOSPC;
	if ((result & CLF_PUT_CONFLICT) ||
	    (p->ip_version == 6 && result == (CLF_PUT_NEW | CLF_PUT_AGAIN)))
		return spoil(f, d);
	return d->total != 0 && d->data.prefix == d->total;
}

/*
 * `len` bytes of the datagram behind one header, as its sender made it (IPv4 options left out);
 * `claimed` is what the header says of its length.
 */
static void
put_behind_header(struct clf_frags *f, struct datagram *d, uint32_t len, uint32_t claimed,
    const struct clf_pkt *last, struct clf_pkt *ret)
{
	bool v6 = d->key.ip_version == 6;
	uint32_t head = v6 ? 40 : 20, total = claimed + (v6 ? 0 : 20);
	uint8_t *ip = f->whole;
	struct sig_bytes body = clf_rejoin_view(&d->data);

	memcpy(ip, d->header, head);
	memcpy(ip + head, body.p, len);
	if (v6) {
		ip[4] = (uint8_t)(total >> 8);
		ip[5] = (uint8_t)total;
		ip[6] = d->protocol;
	} else {
		uint32_t sum = 0;

		ip[0] = 0x45;
		ip[2] = (uint8_t)(total >> 8);
		ip[3] = (uint8_t)total;
		ip[6] = ip[7] = ip[10] = ip[11] = 0;
		for (int i = 0; i < 20; i += 2)
			sum += (uint32_t)ip[i] << 8 | ip[i + 1];
		sum = (sum & 0xffff) + (sum >> 16);
		sum = ~((sum & 0xffff) + (sum >> 16));
		ip[10] = (uint8_t)(sum >> 8);
		ip[11] = (uint8_t)sum;
	}
	struct clf_pkt at = *last;
	clf_parse_rejoined(ip, head + len, &at, ret);
}

static int
push_one(struct clf_frags *f, const struct clf_pkt *pkt, uint64_t now_us, struct clf_pkt *ret_whole,
    uint64_t *ret_token)
{
	f->stats.seen++;
	struct datagram *d = find(f, pkt, now_us);
	*ret_token = d->token;
	if (d->spoiled)
		return -EBADMSG;
	if (is_bad(pkt)) {
		f->stats.bad++;
		return 0;
	}
	if (d->done)
		return 0;
	int result = add(f, d, pkt);
	if (result != 1)
		return result;
	put_behind_header(f, d, d->total, d->total, pkt, ret_whole);
	f->stats.rejoined++;
	uint32_t i = index_of(f, d);
	dequeue(f, &f->under_way, i);
	clf_rejoin_clear(f->blocks, &d->data);
	d->done = true;
	d->started_us = now_us;
	enqueue(f, &f->done, i);
	return 1;
}

int
clf_frags_push(struct clf_frags *f, const struct clf_pkt *pkt, uint64_t now_us,
    struct clf_pkt *ret_whole, uint64_t *ret_token)
{
	struct clf_pkt inner = *pkt, whole;
	uint64_t token;
	int result = push_one(f, &inner, now_us, &whole, ret_token);

	/* What was rejoined may carry a tunnel with fragments in it. */
	for (unsigned n = 0; result == 1 && whole.parse == CLF_P_FRAGMENT && n < CLF_MAX_TUNNELS;
	     n++) {
		inner = whole;
		result = push_one(f, &inner, now_us, &whole, &token);
	}
	if (result == 1)
		*ret_whole = whole;
	return result;
}

bool
clf_frags_give_up(
    struct clf_frags *f, uint64_t now_us, struct clf_pkt *ret_head, uint64_t *ret_token)
{
	for (uint32_t i; (i = f->under_way.oldest) != NONE;) {
		struct datagram *d = &f->datagrams[i];
		bool has_head = !d->spoiled && d->data.prefix != 0;
		uint32_t most = DATAGRAM_MAX - (d->key.ip_version == 4 ? 20u : 0u);

		if (now_us < d->started_us + f->timeout_us)
			break;
		if (has_head) {
			put_behind_header(f, d, d->data.prefix, most, &d->first, ret_head);
			ret_head->fragmented = 2;
			*ret_token = d->token;
		}
		f->stats.timed_out += !d->spoiled;
		forget(f, i);
		if (has_head)
			return true;
	}
	return false;
}

unsigned
clf_frags_expire(struct clf_frags *f, uint64_t now_us)
{
	unsigned n = 0, given_up = 0;

	for (uint32_t i; (i = f->done.oldest) != NONE && n < EXPIRE_AT_ONCE; n++) {
		if (now_us < f->datagrams[i].started_us + LINGER_US)
			break;
		forget(f, i);
	}
	for (uint32_t i; (i = f->under_way.oldest) != NONE && n < EXPIRE_AT_ONCE; n++) {
		if (now_us < f->datagrams[i].started_us + f->timeout_us)
			break;
		if (!f->datagrams[i].spoiled) {
			f->stats.timed_out++;
			given_up++;
		}
		forget(f, i);
	}
	return given_up;
}
