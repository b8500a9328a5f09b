/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The DNS memory's ring from inside: shared by dns_memory.c, which learns and finds, and
 * dns_memory_image.c, which saves and loads.
 */
#ifndef CLASSIFIER_DNS_MEMORY_IMPL_H
#define CLASSIFIER_DNS_MEMORY_IMPL_H

#include <assert.h>

#include "classifier/dns_memory.h"

enum { CLF_DNS_TTL_MAX_S = 86400 };

struct clf_dns_key {
	uint8_t client[16], server[16];
	uint8_t ip_version;
};

struct clf_dns_record {
	uint64_t older;	  /* position of the next in its chain; 0 none */
	uint64_t expires; /* microseconds */
	uint32_t hash;
	uint16_t size; /* bytes of the whole record; of a gap too */
	bool live;     /* false: a gap, or taken over by a newer record */
	uint8_t name_len;
	uint8_t pad[7];
	struct clf_dns_key key;
	char name[]; /* canonical, NUL-terminated */
};

static_assert(sizeof(struct clf_dns_record) == 64, "one line before the name");

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

static_assert(sizeof(struct clf_dns_key) <= CLF_DNS_SHARE_KEY, "a key fits what is shared");

static inline struct clf_dns_record *
clf_dns_record_at(const struct clf_dns_memory *m, uint64_t pos)
{
	return (struct clf_dns_record *)(void *)(m->ring + pos % m->capacity);
}

/* Bytes from a position to where the ring comes round. */
static inline uint64_t
clf_dns_to_end(const struct clf_dns_memory *m, uint64_t pos)
{
	return m->capacity - pos % m->capacity;
}

/* (client, server) was told this name until `expires`; one that is there already is refreshed. */
void clf_dns_memory_put(struct clf_dns_memory *m, const struct clf_dns_key *k, const char *name,
    size_t len, uint64_t expires);

#endif
