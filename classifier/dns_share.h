/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What several workers' DNS memories tell each other: a client's question and the connection that
 * follows go to different servers, so spreading by address may give them to different workers.
 *
 * Each worker has one log that it alone writes: a ring of slots, the newest over the oldest. All
 * others read it, each from where it left off. Nobody waits: a slot carries the number of the
 * entry that it holds, set to 0 while it is written, and a reader that finds another number after
 * its copy was overtaken: what it missed is counted, and it goes on further ahead. So there is no
 * lock, nothing is allocated after set-up, and a stalled reader holds up nobody.
 *
 *   set-up:                clf_dns_share_new(), clf_dns_share_free()
 *   worker `writer` only:  clf_dns_share_tell()
 *   any worker:            clf_dns_share_take(), with a reader of its own
 */
#ifndef CLASSIFIER_DNS_SHARE_H
#define CLASSIFIER_DNS_SHARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "signatures/base/text.h"

enum {
	CLF_DNS_SHARE_MAX = 64,	    /* workers */
	CLF_DNS_SHARE_SLOTS = 2048, /* entries of each worker that the others may be behind */
	CLF_DNS_SHARE_KEY = 40,	    /* bytes of dns_memory.c's key, opaque here */
};

struct clf_dns_share;

struct clf_dns_shared { /* one thing learnt */
	uint64_t expires;
	uint8_t key[CLF_DNS_SHARE_KEY];
	uint64_t name_len; /* at most SIG_NAME_MAX */
	char name[SIG_NAME_MAX + 1];
};

struct clf_dns_reader {			  /* zeroed: from the beginning */
	uint64_t next[CLF_DNS_SHARE_MAX]; /* by writer */
	uint64_t lost;
};

/* `slots`: a power of two; 0 for CLF_DNS_SHARE_SLOTS. NULL: no memory, or too many workers. */
struct clf_dns_share *clf_dns_share_new(unsigned workers, unsigned slots);
void clf_dns_share_free(struct clf_dns_share *s);
void
clf_dns_share_tell(struct clf_dns_share *s, unsigned writer, const struct clf_dns_shared *entry);
/* The next entry of any worker but `reader`. False: there is none. */
bool clf_dns_share_take(const struct clf_dns_share *s, unsigned reader, struct clf_dns_reader *r,
    struct clf_dns_shared *ret);

#endif
