/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The DNS memory: "this client was told that this address is that name", for as long as the
 * answer's TTL (clamped to 60 s .. 1 day). Serves flows without a readable name.
 *
 * Bound to the asking client: an unsolicited answer teaches nothing (the engine matches question
 * and answer first). Bounded, oldest out. CNAME chains are followed to the asked name. One thread
 * (a worker's own); several workers tell each other what they learn (dns_share.h).
 */
#ifndef CLASSIFIER_DNS_MEMORY_H
#define CLASSIFIER_DNS_MEMORY_H

#include "classifier/dns_share.h"
#include "classifier/event.h"
#include "classifier/observe.h"

struct clf_dns_memory;

struct clf_dns_memory_stats {
	uint64_t learned, refreshed, evicted, expired, hits, misses;
	uint64_t shared;     /* entries that other workers learnt */
	uint64_t share_lost; /* of those, written over before they were read */
};

struct clf_dns_memory *clf_dns_memory_new(unsigned max_entries, uint64_t seed);
void clf_dns_memory_free(struct clf_dns_memory *m);
/* From now on told what the other workers of `share` learn, and telling them. Borrowed. */
void clf_dns_memory_join(struct clf_dns_memory *m, struct clf_dns_share *share, unsigned worker);
/* Takes up to `most` entries of other workers; find does so too. Call now and then. */
void clf_dns_memory_catch_up(struct clf_dns_memory *m, unsigned most);

void clf_dns_memory_learn(struct clf_dns_memory *m, uint8_t ip_version,
    const struct clf_addr *client, const struct clf_dns_msg *answer, uint64_t now_us);
/* The asked name (canonical, NUL-terminated, valid until the next learn) or NULL. *ret_several is
 * set when this client got the address for more than one name: then a guess at best. */
const char *
clf_dns_memory_find(struct clf_dns_memory *m, uint8_t ip_version, const struct clf_addr *client,
    const struct clf_addr *server, uint64_t now_us, bool *ret_several);
const struct clf_dns_memory_stats *clf_dns_memory_stats(const struct clf_dns_memory *m);

/* Kept over a restart: a flat image, versioned and checked on load (hostile input). The caller
 * does the file I/O. save: bytes needed or written; load: entries that were not known yet, or
 * -EBADMSG. */
size_t clf_dns_memory_save(const struct clf_dns_memory *m, uint8_t *out, size_t cap);
int
clf_dns_memory_load(struct clf_dns_memory *m, const uint8_t *image, size_t len, uint64_t now_us);

#endif
