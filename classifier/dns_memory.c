/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The DNS memory: a ring of records, the newest appended, the oldest overwritten; an index of hash
 * chains leads from (client, address) to its newest record.
 *
 * A position is a byte count since the beginning, so that "older than the ring's tail" is one
 * comparison. Chains run from new to old: the first dead record ends a chain, and nothing has ever
 * to be unlinked. A record never wraps; the rest of the ring's end is a gap.
 */
#include "classifier/dns_memory.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "signatures/base/hash.h"

enum {
	TTL_MIN_S = 60,
	TTL_MAX_S = 86400,
	RECORD_AVERAGE = 112, /* bytes, with a name of some 50 */
	RECORD_ALIGN = 8,
	/* Records of one chain looked at. A name further back is learnt again; a server that gives
	 * every address a hundred names must not make each answer walk them all. */
	WALK_MAX = 16,
	CHAIN_NAMES_MAX = 16,
	IMAGE_VERSION = 1,
	IMAGE_HEAD = 16,
	IMAGE_TAIL = 8,
	IMAGE_RECORD = 8 + 1 + 16 + 16 + 1, /* expiry, version, client, server, name length */
};

static const uint8_t image_magic[8] = { 'p', 'h', 'd', 'n', 's', 'm', 'e', 'm' };

struct key {
	uint8_t client[16], server[16];
	uint8_t ip_version;
};

struct record {
	uint64_t older;	  /* position of the next in its chain; 0 none */
	uint64_t expires; /* microseconds */
	uint32_t hash;
	uint16_t size; /* bytes of the whole record; of a gap too */
	bool live;     /* false: a gap, or taken over by a newer record */
	uint8_t name_len;
	uint8_t pad[7];
	struct key key;
	char name[]; /* canonical, NUL-terminated */
};

static_assert(sizeof(struct record) == 64, "one line before the name");

struct clf_dns_memory {
	uint64_t seed;
	uint64_t head, tail; /* positions: the next record's, the oldest record's */
	uint64_t capacity;   /* bytes of ring */
	unsigned max, now;   /* records that are live or superseded, not gaps */
	uint32_t mask;	     /* of index */
	uint64_t *index;
	uint8_t *ring;
	struct clf_dns_memory_stats stats;
	struct clf_dns_share *share; /* NULL: alone */
	unsigned worker;
	struct clf_dns_reader reader;
};

static_assert(sizeof(struct key) <= CLF_DNS_SHARE_KEY, "a key fits what is shared");

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

static struct record *
record_at(const struct clf_dns_memory *m, uint64_t pos)
{
	return (struct record *)(void *)(m->ring + pos % m->capacity);
}

static void
key_set(struct key *k, uint8_t ip_version, const struct clf_addr *client, const uint8_t *server)
{
	memset(k, 0, sizeof(*k));
	k->ip_version = ip_version;
	memcpy(k->client, client->bytes, ip_version == 4 ? 4 : 16);
	memcpy(k->server, server, ip_version == 4 ? 4 : 16);
}

static uint32_t
key_hash(const struct clf_dns_memory *m, const struct key *k)
{
	return (uint32_t)sig_hash(k, sizeof(*k), m->seed);
}

static uint64_t
to_end(const struct clf_dns_memory *m, uint64_t pos)
{
	return m->capacity - pos % m->capacity;
}

/* Moves the tail over one record, or over the gap before the ring's end. */
static void
drop_oldest(struct clf_dns_memory *m)
{
	const uint64_t rest = to_end(m, m->tail);
	const struct record *r = record_at(m, m->tail);

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
static struct record *
make_room(struct clf_dns_memory *m, uint16_t size)
{
	const uint64_t rest = to_end(m, m->head);

	if (rest < size) {
		while (m->head + rest - m->tail > m->capacity)
			drop_oldest(m);
		if (rest >= sizeof(struct record)) {
			struct record *gap = record_at(m, m->head);

			memset(gap, 0, sizeof(*gap));
			gap->size = (uint16_t)rest;
		}
		m->head += rest;
	}
	while (m->now >= m->max || m->head + size - m->tail > m->capacity)
		drop_oldest(m);
	return record_at(m, m->head);
}

static bool
is_for(const struct record *r, uint32_t hash, const struct key *k)
{
	return r->live && r->hash == hash && memcmp(&r->key, k, sizeof(*k)) == 0;
}

static void
append(struct clf_dns_memory *m, const struct key *k, uint32_t hash, const char *name, size_t len,
    uint64_t expires)
{
	uint16_t size = (uint16_t)((sizeof(struct record) + len + 1 + RECORD_ALIGN - 1) &
				   ~(RECORD_ALIGN - 1u));
	struct record *r = make_room(m, size);

	*r = (struct record){ .older = m->index[hash & m->mask],
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

static void
learn_one(
    struct clf_dns_memory *m, const struct key *k, const char *name, size_t len, uint64_t expires)
{
	const uint32_t hash = key_hash(m, k);
	uint64_t pos = m->index[hash & m->mask];

	for (unsigned i = 0; i < WALK_MAX && pos >= m->tail; i++) {
		struct record *r = record_at(m, pos);

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
tell_others(const struct clf_dns_memory *m, const struct key *k, const char *name, size_t len,
    uint64_t expires)
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
	struct key k;

	while (m->share && most-- != 0 &&
	       clf_dns_share_take(m->share, m->worker, &m->reader, &entry)) {
		memcpy(&k, entry.key, sizeof(k));
		learn_one(m, &k, entry.name, (size_t)entry.name_len, entry.expires);
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
		struct key k;

		/* A flow's two addresses are of one kind, so the others can never be asked for. */
		if (a->addr_len != (ip_version == 4 ? 4 : 16) || !chain_has(&chain, &a->owner))
			continue;
		if (ttl > TTL_MAX_S)
			ttl = TTL_MAX_S;
		key_set(&k, ip_version, client, a->addr);
		learn_one(m, &k, answer->qname.canonical, (size_t)answer->qname.len,
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
	const struct record *newest = NULL;
	uint32_t hash;
	uint64_t pos;
	struct key k;

	clf_dns_memory_catch_up(m, UINT32_MAX);
	key_set(&k, ip_version, client, server->bytes);
	hash = key_hash(m, &k);
	pos = m->index[hash & m->mask];
	*ret_several = false;
	for (unsigned i = 0; i < WALK_MAX && pos >= m->tail && !*ret_several; i++) {
		struct record *r = record_at(m, pos);

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

/* --- the image --- */

struct writer {
	uint8_t *out;
	size_t at, cap;
};

static void
write_bytes(struct writer *w, const void *p, size_t n)
{
	if (w->at + n <= w->cap)
		memcpy(w->out + w->at, p, n);
	w->at += n;
}

static void
write_be(struct writer *w, uint64_t v, unsigned bytes)
{
	uint8_t be[8];

	for (unsigned i = 0; i < bytes; i++)
		be[i] = (uint8_t)(v >> (8 * (bytes - 1 - i)));
	write_bytes(w, be, bytes);
}

/* The next live record at or after *pos, which moves past it; NULL at the head. */
static const struct record *
next_live(const struct clf_dns_memory *m, uint64_t *pos)
{
	while (*pos < m->head) {
		const uint64_t rest = to_end(m, *pos);
		const struct record *r = record_at(m, *pos);

		*pos += rest < sizeof(*r) ? rest : r->size;
		if (rest >= sizeof(*r) && r->live)
			return r;
	}
	return NULL;
}

size_t
clf_dns_memory_save(const struct clf_dns_memory *m, uint8_t *out, size_t cap)
{
	struct writer w = { out, 0, out ? cap : 0 };
	const struct record *r;
	uint64_t pos = m->tail;
	uint32_t count = 0;

	while (next_live(m, &pos))
		count++;
	write_bytes(&w, image_magic, sizeof(image_magic));
	write_be(&w, IMAGE_VERSION, 4);
	write_be(&w, count, 4);
	for (pos = m->tail; (r = next_live(m, &pos)) != NULL;) {
		write_be(&w, r->expires, 8);
		write_be(&w, r->key.ip_version, 1);
		write_bytes(&w, r->key.client, 16);
		write_bytes(&w, r->key.server, 16);
		write_be(&w, r->name_len, 1);
		write_bytes(&w, r->name, r->name_len);
	}
	write_be(&w, w.at <= w.cap ? sig_hash(out, w.at, IMAGE_VERSION) : 0, IMAGE_TAIL);
	return w.at;
}

/* One record of an image, checked. */
struct loaded {
	struct key key;
	uint64_t expires;
	char name[SIG_NAME_MAX + 1];
	size_t len;
};

static bool
is_zero(const uint8_t *p, size_t n)
{
	while (n--)
		if (*p++)
			return false;
	return true;
}

static bool
read_record(struct sig_bytes *b, struct loaded *ret)
{
	const uint8_t *client, *server, *name;
	int len;

	ret->expires = sig_bytes_u64(b);
	memset(&ret->key, 0, sizeof(ret->key));
	ret->key.ip_version = sig_bytes_u8(b);
	client = sig_bytes_take(b, 16);
	server = sig_bytes_take(b, 16);
	ret->len = sig_bytes_u8(b);
	name = sig_bytes_take(b, ret->len);
	if (!sig_bytes_ok(b) || (ret->key.ip_version != 4 && ret->key.ip_version != 6))
		return false;
	memcpy(ret->key.client, client, 16);
	memcpy(ret->key.server, server, 16);
	if (ret->key.ip_version == 4 && (!is_zero(client + 4, 12) || !is_zero(server + 4, 12)))
		return false;
	len = sig_name_canonical(ret->name, name, ret->len);
	return len > 0 && (size_t)len == ret->len && memcmp(ret->name, name, ret->len) == 0;
}

/* The records of an image whose frame is good; *ret_count of them. */
static bool
open_image(const uint8_t *image, size_t len, struct sig_bytes *ret, uint32_t *ret_count)
{
	struct sig_bytes b = sig_bytes_of(image, len), tail;

	if (len < IMAGE_HEAD + IMAGE_TAIL)
		return false;
	tail = sig_bytes_of(image + len - IMAGE_TAIL, IMAGE_TAIL);
	b.end -= IMAGE_TAIL;
	if (memcmp(sig_bytes_take(&b, 8), image_magic, 8) != 0 ||
	    sig_bytes_u32(&b) != IMAGE_VERSION)
		return false;
	*ret_count = sig_bytes_u32(&b);
	*ret = b;
	return sig_bytes_u64(&tail) == sig_hash(image, len - IMAGE_TAIL, IMAGE_VERSION) &&
	       *ret_count <= sig_bytes_left(&b) / IMAGE_RECORD;
}

int
clf_dns_memory_load(struct clf_dns_memory *m, const uint8_t *image, size_t len, uint64_t now_us)
{
	const uint64_t latest = now_us + (uint64_t)TTL_MAX_S * 1000000;
	struct sig_bytes records, check;
	struct loaded r;
	const uint64_t before = m->stats.learned;
	uint32_t count = 0;

	if (!image || !open_image(image, len, &records, &count))
		return -EBADMSG;
	check = records; /* all of it before any of it */
	for (uint32_t i = 0; i < count; i++)
		if (!read_record(&check, &r))
			return -EBADMSG;
	if (sig_bytes_left(&check) != 0)
		return -EBADMSG;
	for (uint32_t i = 0; i < count; i++) {
		read_record(&records, &r);
		if (r.expires <= now_us)
			continue;
		learn_one(m, &r.key, r.name, r.len, r.expires < latest ? r.expires : latest);
	}
	return (int)(m->stats.learned - before);
}
