/* SPDX-License-Identifier: Apache-2.0 */
/* The flow table: index, slab and wheel. The header tells the data structure. */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "classifier/flow_table.h"

static void *
map_huge(size_t bytes, size_t align, void *ctx)
{
	enum { TWO_MB = 2 << 20 };
	size_t want = bytes + TWO_MB;
	uint8_t *p = mmap(
	    NULL, want, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	(void)align;
	(void)ctx;

	if (p == MAP_FAILED)
		return NULL;
	/* Begin on a 2 MB border, so that whole huge pages fit; give back the rest. */
	size_t lead = (TWO_MB - ((uintptr_t)p & (TWO_MB - 1))) & (TWO_MB - 1);
	size_t keep = (bytes + 4095) & ~(size_t)4095;
	if (lead != 0)
		munmap(p, lead);
	if (want - lead > keep)
		munmap(p + lead + keep, want - lead - keep);
	(void)madvise(p + lead, keep, MADV_HUGEPAGE); /* without it the pages are just smaller */
	return p + lead;
}

static void
unmap_huge(void *p, size_t bytes, void *ctx)
{
	(void)ctx;
	munmap(p, (bytes + 4095) & ~(size_t)4095);
}

static size_t
bytes_of_flows(const struct clf_flow_table *t)
{
	return ((size_t)t->max + 1) * sizeof(struct clf_flow);
}

static size_t
bytes_of_cold(const struct clf_flow_table *t)
{
	return ((size_t)t->max + 1) * sizeof(struct clf_flow_cold);
}

static size_t
bytes_of_buckets(const struct clf_flow_table *t)
{
	return (size_t)t->n_buckets * sizeof(struct clf_flow_bucket);
}

int
clf_flow_table_init(
    struct clf_flow_table *t, uint32_t max, const uint64_t seed[2], const struct clf_alloc *alloc)
{
	if (max == 0 || max >= CLF_WHEEL_HEAD / 2)
		return -EINVAL;
	memset(t, 0, sizeof(*t));
	t->max = max;
	/* Whatever the caller's seeds are, the multipliers have bits all over. */
	t->seed[0] = sig_hash(seed, 2 * sizeof(*seed), 0x243f6a8885a308d3ULL);
	t->seed[1] = sig_hash(seed, 2 * sizeof(*seed), 0x13198a2e03707344ULL);
	t->n_buckets = (max + CLF_BUCKET_LOAD - 1) / CLF_BUCKET_LOAD + CLF_BUCKET_PROBE;
	t->alloc = alloc && alloc->alloc ? *alloc
					 : (struct clf_alloc){ map_huge, unmap_huge, NULL };
	t->flows = t->alloc.alloc(bytes_of_flows(t), 64, t->alloc.ctx);
	t->cold = t->alloc.alloc(bytes_of_cold(t), 64, t->alloc.ctx);
	t->buckets = t->alloc.alloc(bytes_of_buckets(t), 64, t->alloc.ctx);
	if (!t->flows || !t->cold || !t->buckets) {
		clf_flow_table_done(t);
		return -ENOMEM;
	}
	return 0;
}

void
clf_flow_table_done(struct clf_flow_table *t)
{
	if (t->flows)
		t->alloc.free(t->flows, bytes_of_flows(t), t->alloc.ctx);
	if (t->cold)
		t->alloc.free(t->cold, bytes_of_cold(t), t->alloc.ctx);
	if (t->buckets)
		t->alloc.free(t->buckets, bytes_of_buckets(t), t->alloc.ctx);
	t->flows = NULL;
	t->cold = NULL;
	t->buckets = NULL;
}

bool
clf_flow_same_cold(const struct clf_flow_table *t, uint32_t flow, const struct clf_flow_key *key,
    const struct clf_pkt *pkt)
{
	const struct clf_flow_cold *c = &t->cold[flow];
	unsigned kind = clf_key_kind(key->k[1]);

	if ((kind & CLF_KEY_TUNNEL) && c->tunnel_id != pkt->tunnel_id)
		return false;
	return !(kind & CLF_KEY_V6) || (memcmp(c->addr[key->swap], clf_pkt_src(pkt), 16) == 0 &&
					   memcmp(c->addr[!key->swap], clf_pkt_dst(pkt), 16) == 0);
}

void
clf_flow_addr(const struct clf_flow_table *t, uint32_t flow, unsigned end, struct clf_addr *ret)
{
	const struct clf_flow *f = &t->flows[flow];

	memset(ret, 0, sizeof(*ret));
	if (clf_key_kind(f->k[1]) & CLF_KEY_V6) {
		memcpy(ret->bytes, t->cold[flow].addr[end], 16);
	} else {
		uint32_t addr = (uint32_t)(f->k[0] >> (32 * end));
		memcpy(ret->bytes, &addr, 4);
	}
}

/* The bucket of the i-th probe. Steps differ by flow: full buckets do not make whole full regions.
 */
static struct clf_flow_bucket *
bucket_at(
    const struct clf_flow_table *t, const struct clf_flow_bucket *home, uint64_t hash, unsigned i)
{
	uint64_t step = 1 + ((hash >> 16) & 0xffff);

	return &t->buckets[((uint64_t)(home - t->buckets) + i * step) % t->n_buckets];
}

uint32_t
clf_flow_candidate_stray(
    const struct clf_flow_table *t, const struct clf_flow_bucket *home, uint64_t hash)
{
	uint32_t flow = 0;

	for (unsigned i = 1; i <= home->reach && flow == 0; i++)
		flow = clf_flow_candidate(bucket_at(t, home, hash, i), hash);
	return flow;
}

uint32_t
clf_flow_find(
    const struct clf_flow_table *t, const struct clf_flow_key *key, const struct clf_pkt *pkt)
{
	struct clf_flow_bucket *home = clf_flow_bucket(t, key->hash), *b = home;
	uint16_t tag = clf_flow_tag(key->hash);

	for (unsigned i = 0; i <= home->reach; i++) {
		b = i == 0 ? home : bucket_at(t, home, key->hash, i);
		for (unsigned w = 0; w < CLF_BUCKET_WAYS; w++) {
			if (b->tag[w] == tag && clf_flow_same(t, b->flow[w], key, pkt))
				return b->flow[w];
		}
	}
	return 0;
}

static uint32_t
take_slot(struct clf_flow_table *t)
{
	uint32_t flow = t->free_list;

	if (flow != 0)
		t->free_list = t->flows[flow].next;
	else if (t->used < t->max)
		flow = ++t->used;
	return flow;
}

uint32_t
clf_flow_insert(struct clf_flow_table *t, const struct clf_flow_key *key, const struct clf_pkt *pkt)
{
	struct clf_flow_bucket *home = clf_flow_bucket(t, key->hash);

	for (unsigned i = 0; i < CLF_BUCKET_PROBE; i++) {
		struct clf_flow_bucket *b = bucket_at(t, home, key->hash, i);
		for (unsigned w = 0; w < CLF_BUCKET_WAYS; w++) {
			if (b->tag[w] != 0)
				continue;
			uint32_t flow = take_slot(t);
			if (flow == 0)
				return 0;
			b->tag[w] = clf_flow_tag(key->hash);
			b->flow[w] = flow;
			home->strays = (uint16_t)(home->strays + (i != 0));
			if (i > home->reach)
				home->reach = (uint16_t)i;
			memset(&t->flows[flow], 0, sizeof(t->flows[flow]));
			memset(&t->cold[flow], 0, sizeof(t->cold[flow]));
			memcpy(t->flows[flow].k, key->k, sizeof(key->k));
			if (clf_key_kind(key->k[1]) & CLF_KEY_V6) {
				memcpy(t->cold[flow].addr[key->swap], clf_pkt_src(pkt), 16);
				memcpy(t->cold[flow].addr[!key->swap], clf_pkt_dst(pkt), 16);
			}
			t->live++;
			return flow;
		}
	}
	return 0;
}

static void
wheel_unlink(struct clf_flow_table *t, uint32_t flow)
{
	struct clf_flow *f = &t->flows[flow];

	if (f->prev == 0)
		return;
	if (f->prev >= CLF_WHEEL_HEAD)
		t->wheel[f->prev - CLF_WHEEL_HEAD] = f->next;
	else
		t->flows[f->prev].next = f->next;
	if (f->next != 0)
		t->flows[f->next].prev = f->prev;
	f->prev = 0;
	f->next = 0;
}

void
clf_flow_remove(struct clf_flow_table *t, uint32_t flow)
{
	struct clf_flow *f = &t->flows[flow];
	uint64_t hash = clf_key_hash(f->k, t->seed);
	struct clf_flow_bucket *home = clf_flow_bucket(t, hash);
	uint16_t tag = clf_flow_tag(hash);

	wheel_unlink(t, flow);
	for (unsigned i = 0; i <= home->reach; i++) {
		struct clf_flow_bucket *b = bucket_at(t, home, hash, i);
		for (unsigned w = 0; w < CLF_BUCKET_WAYS; w++) {
			if (b->tag[w] != tag || b->flow[w] != flow)
				continue;
			b->tag[w] = 0;
			b->flow[w] = 0;
			home->strays = (uint16_t)(home->strays - (i != 0));
			if (home->strays == 0)
				home->reach = 0;
			f->next = t->free_list;
			f->k[1] = CLF_KEY_FREE; /* what an eviction scan and a flush skip */
			f->k[0] = 0;
			t->free_list = flow;
			t->live--;
			return;
		}
	}
}

void
clf_wheel_arm(struct clf_flow_table *t, uint32_t flow, uint64_t deadline_us)
{
	uint64_t slot = (deadline_us >> CLF_WHEEL_SHIFT) + 1;
	struct clf_flow *f = &t->flows[flow];

	wheel_unlink(t, flow);
	if (slot <= t->wheel_pos)
		slot = t->wheel_pos + 1;
	if (slot >=
	    t->wheel_pos + CLF_WHEEL_SLOTS) /* farther than the wheel: looked at on the way */
		slot = t->wheel_pos + CLF_WHEEL_SLOTS - 1;
	uint32_t at = (uint32_t)(slot % CLF_WHEEL_SLOTS);

	f->prev = CLF_WHEEL_HEAD + at;
	f->next = t->wheel[at];
	if (f->next != 0)
		t->flows[f->next].prev = flow;
	t->wheel[at] = flow;
}

uint32_t
clf_wheel_next(struct clf_flow_table *t, uint64_t now_us)
{
	uint64_t now_slot = now_us >> CLF_WHEEL_SHIFT;

	if (!t->wheel_started) {
		t->wheel_started = true;
		t->wheel_pos = now_slot;
	}
	if (now_slot > t->wheel_pos + CLF_WHEEL_SLOTS && t->live == 0)
		t->wheel_pos = now_slot;
	while (t->wheel_pos <= now_slot) {
		uint32_t flow = t->wheel[t->wheel_pos % CLF_WHEEL_SLOTS];
		if (flow != 0) {
			wheel_unlink(t, flow);
			return flow;
		}
		if (t->wheel_pos == now_slot)
			break;
		t->wheel_pos++;
		/* A leap of time: every list was emptied once, nothing can be left behind. */
		if (now_slot - t->wheel_pos > CLF_WHEEL_SLOTS)
			t->wheel_pos = now_slot - CLF_WHEEL_SLOTS;
	}
	return 0;
}
