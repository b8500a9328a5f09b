/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The DNS memory: a ring of records, the newest appended, the oldest overwritten; an index of hash
 * chains leads from (client, address) to its newest record.
 *
 * A position is a byte count since the beginning, so that "older than the ring's tail" is one
 * comparison. Chains run from new to old: the first dead record ends a chain, and nothing has ever
 * to be unlinked. A record never wraps; the rest of the ring's end is a gap.
 */
#include "classifier/dns_memory_impl.h"

#include <stdlib.h>

#include "signatures/base/hash.h"

enum {
	TTL_MIN_S = 60,
	RECORD_AVERAGE = 112, /* bytes, with a name of some 50 */
	RECORD_ALIGN = 8,
	/* Records of one chain looked at. A name further back is learnt again; a server that gives
	 * every address a hundred names must not make each answer walk them all. */
	WALK_MAX = 16,
	CHAIN_NAMES_MAX = 16,
};

struct clf_dns_memory *
clf_dns_memory_new(unsigned max_entries, uint64_t seed)
{
	struct clf_dns_memory *m = calloc(1, sizeof(*m));
	uint32_t buckets = 64;

	if (!m)
		return NULL;
	if (max_entries < 16)
		max_entries = 16;
	while (buckets < max_entries && buckets < 1u << 30)
		buckets <<= 1;
	m->seed = seed;
	m->max = max_entries;
	m->mask = buckets - 1;
	m->capacity = (uint64_t)max_entries * RECORD_AVERAGE;
	m->head = m->tail = RECORD_ALIGN; /* 0 means none */
	m->index = calloc(buckets, sizeof(*m->index));
	m->ring = malloc(m->capacity);
	if (!m->index || !m->ring) {
		clf_dns_memory_free(m);
		return NULL;
	}
	return m;
}

void
clf_dns_memory_free(struct clf_dns_memory *m)
{
	if (!m)
		return;
	free(m->index);
	free(m->ring);
	free(m);
}

const struct clf_dns_memory_stats *
clf_dns_memory_stats(const struct clf_dns_memory *m)
{
	return &m->stats;
}

static void
key_set(
    struct clf_dns_key *k, uint8_t ip_version, const struct clf_addr *client, const uint8_t *server)
{
	memset(k, 0, sizeof(*k));
	k->ip_version = ip_version;
	memcpy(k->client, client->bytes, ip_version == 4 ? 4 : 16);
	memcpy(k->server, server, ip_version == 4 ? 4 : 16);
}

static uint32_t
key_hash(const struct clf_dns_memory *m, const struct clf_dns_key *k)
{
	return (uint32_t)sig_hash(k, sizeof(*k), m->seed);
}

/* Moves the tail over one record, or over the gap before the ring's end. */
static void
drop_oldest(struct clf_dns_memory *m)
{
	const uint64_t rest = clf_dns_to_end(m, m->tail);
	const struct clf_dns_record *r = clf_dns_record_at(m, m->tail);

	if (rest < sizeof(*r)) {
		m->tail += rest;
		return;
	}
	if (r->name_len != 0) {
		m->now--;
		m->stats.evicted += r->live;
	}
	m->tail += r->size;
}

/* Room for `size` bytes in one piece at the head. */
static struct clf_dns_record *
make_room(struct clf_dns_memory *m, uint16_t size)
{
	const uint64_t rest = clf_dns_to_end(m, m->head);

	if (rest < size) {
		while (m->head + rest - m->tail > m->capacity)
			drop_oldest(m);
		if (rest >= sizeof(struct clf_dns_record)) {
			struct clf_dns_record *gap = clf_dns_record_at(m, m->head);

			memset(gap, 0, sizeof(*gap));
			gap->size = (uint16_t)rest;
		}
		m->head += rest;
	}
	while (m->now >= m->max || m->head + size - m->tail > m->capacity)
		drop_oldest(m);
	return clf_dns_record_at(m, m->head);
}

static bool
is_for(const struct clf_dns_record *r, uint32_t hash, const struct clf_dns_key *k)
{
	return r->live && r->hash == hash && memcmp(&r->key, k, sizeof(*k)) == 0;
}

static void
append(struct clf_dns_memory *m, const struct clf_dns_key *k, uint32_t hash, const char *name,
    size_t len, uint64_t expires)
{
	uint16_t size = (uint16_t)((sizeof(struct clf_dns_record) + len + 1 + RECORD_ALIGN - 1) &
				   ~(RECORD_ALIGN - 1u));
	struct clf_dns_record *r = make_room(m, size);

	*r = (struct clf_dns_record){ .older = m->index[hash & m->mask],
		.expires = expires,
		.hash = hash,
		.size = size,
		.live = true,
		.name_len = (uint8_t)len,
		.key = *k };
	memcpy(r->name, name, len);
	r->name[len] = '\0';
	m->index[hash & m->mask] = m->head;
	m->head += size;
	m->now++;
}

void
clf_dns_memory_put(struct clf_dns_memory *m, const struct clf_dns_key *k, const char *name,
    size_t len, uint64_t expires)
{
	const uint32_t hash = key_hash(m, k);
	uint64_t pos = m->index[hash & m->mask];

	for (unsigned i = 0; i < WALK_MAX && pos >= m->tail; i++) {
		struct clf_dns_record *r = clf_dns_record_at(m, pos);

		if (is_for(r, hash, k) && r->name_len == len && memcmp(r->name, name, len) == 0) {
			m->stats.refreshed++;
			r->expires = expires;
			/* Near its eviction it moves to the front. */
			if (m->head - pos < m->capacity / 2)
				return;
			r->live = false;
			append(m, k, hash, name, len, expires);
			return;
		}
		pos = r->older;
	}
	append(m, k, hash, name, len, expires);
	m->stats.learned++;
}

/* --- several workers --- */

void
clf_dns_memory_join(struct clf_dns_memory *m, struct clf_dns_share *share, unsigned worker)
{
	m->share = share;
	m->worker = worker;
}

static void
tell_others(const struct clf_dns_memory *m, const struct clf_dns_key *k, const char *name,
    size_t len, uint64_t expires)
{
	struct clf_dns_shared entry = { .expires = expires, .name_len = len };

	memcpy(entry.key, k, sizeof(*k));
	memcpy(entry.name, name, len);
	clf_dns_share_tell(m->share, m->worker, &entry);
}

void
clf_dns_memory_catch_up(struct clf_dns_memory *m, unsigned most)
{
	struct clf_dns_shared entry;
	struct clf_dns_key k;

	while (m->share && most-- != 0 &&
	       clf_dns_share_take(m->share, m->worker, &m->reader, &entry)) {
		memcpy(&k, entry.key, sizeof(k));
		clf_dns_memory_put(m, &k, entry.name, (size_t)entry.name_len, entry.expires);
		m->stats.shared++;
	}
	m->stats.share_lost = m->reader.lost;
}

/* --- learning from an answer --- */

/* Names that the asked one leads to by CNAME, or by a SVCB or HTTPS target (RFC 9460 2.4). */
struct chain {
	const struct clf_name *names[CHAIN_NAMES_MAX];
	unsigned n;
};

static bool
chain_has(const struct chain *c, const struct clf_name *name)
{
	for (unsigned i = 0; i < c->n; i++)
		if (name->len > 0 && clf_name_equal(c->names[i], name))
			return true;
	return false;
}

/* Links may come in any order: go over the answers until nothing is added. */
static void
follow(struct chain *c, const struct clf_dns_msg *answer)
{
	bool grew = true;

	while (grew) {
		grew = false;
		for (unsigned i = 0; i < answer->n_answers && c->n < CHAIN_NAMES_MAX; i++) {
			const struct clf_dns_answer *a = &answer->answers[i];

			if (a->target.len <= 0 || !chain_has(c, &a->owner) ||
			    chain_has(c, &a->target))
				continue;
			c->names[c->n++] = &a->target;
			grew = true;
		}
	}
}

void
clf_dns_memory_learn(struct clf_dns_memory *m, uint8_t ip_version, const struct clf_addr *client,
    const struct clf_dns_msg *answer, uint64_t now_us)
{
	struct chain chain = { .names = { &answer->qname }, .n = 1 };

	if (!answer->response || answer->rcode != 0 || answer->opcode != 0 || !answer->have_qname ||
	    answer->qname.len <= 0 || answer->qclass != 1)
		return;
	follow(&chain, answer);
	for (unsigned i = 0; i < answer->n_answers; i++) {
		const struct clf_dns_answer *a = &answer->answers[i];
		uint64_t ttl = a->ttl < TTL_MIN_S ? TTL_MIN_S : a->ttl;
		struct clf_dns_key k;

		/* A flow's two addresses are of one kind, so the others can never be asked for. */
		if (a->addr_len != (ip_version == 4 ? 4 : 16) || !chain_has(&chain, &a->owner))
			continue;
		if (ttl > CLF_DNS_TTL_MAX_S)
			ttl = CLF_DNS_TTL_MAX_S;
		key_set(&k, ip_version, client, a->addr);
		clf_dns_memory_put(m, &k, answer->qname.canonical, (size_t)answer->qname.len,
		    now_us + ttl * 1000000);
		if (m->share)
			tell_others(m, &k, answer->qname.canonical, (size_t)answer->qname.len,
			    now_us + ttl * 1000000);
	}
}

const char *
clf_dns_memory_find(struct clf_dns_memory *m, uint8_t ip_version, const struct clf_addr *client,
    const struct clf_addr *server, uint64_t now_us, bool *ret_several)
{
	const struct clf_dns_record *newest = NULL;
	uint32_t hash;
	uint64_t pos;
	struct clf_dns_key k;

	clf_dns_memory_catch_up(m, UINT32_MAX);
	key_set(&k, ip_version, client, server->bytes);
	hash = key_hash(m, &k);
	pos = m->index[hash & m->mask];
	*ret_several = false;
	for (unsigned i = 0; i < WALK_MAX && pos >= m->tail && !*ret_several; i++) {
		struct clf_dns_record *r = clf_dns_record_at(m, pos);

		pos = r->older;
		if (!is_for(r, hash, &k))
			continue;
		if (r->expires <= now_us) {
			r->live = false;
			m->stats.expired++;
		} else if (!newest) {
			newest = r;
		} else {
			*ret_several = strcmp(newest->name, r->name) != 0;
		}
	}
	if (newest)
		m->stats.hits++;
	else
		m->stats.misses++;
	return newest ? newest->name : NULL;
}
