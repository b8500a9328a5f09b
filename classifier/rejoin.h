/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes that arrive by offset, in any order, cut anywhere, any number of times: the store beneath
 * TCP reassembly and IP fragments.
 *
 * First bytes win. A byte that comes again with another value is not forgotten: the first such
 * conflict makes a second buffer, the *other reading*, which holds the later value wherever the
 * two differ. What is read is the contiguous prefix; both readings have the same length.
 * Made zeroed by its owner; buffers are lent by a clf_blocks. One thread.
 */
#ifndef CLASSIFIER_REJOIN_H
#define CLASSIFIER_REJOIN_H

#include <stdbool.h>

#include "classifier/blocks.h"
#include "signatures/base/bytes.h"

struct clf_rejoin {
	uint8_t *buf;	 /* NULL: nothing stored yet */
	uint8_t *other;	 /* the other reading, NULL while there was no conflict */
	uint32_t cap;	 /* usable bytes of buf; a bit for each follows it */
	uint32_t head;	 /* where offset 0 lies in buf */
	uint32_t prefix; /* contiguous bytes from offset 0 */
	uint32_t high;	 /* one past the last byte that ever came */
	uint8_t order;
};

enum {			      /* result of a put, or'ed */
	CLF_PUT_NEW = 1,      /* some byte was not there before */
	CLF_PUT_AGAIN = 2,    /* some byte was */
	CLF_PUT_CONFLICT = 4, /* ... with another value */
	CLF_PUT_NO_ROOM = 8,  /* nothing was stored */
};

unsigned clf_rejoin_put(
    struct clf_blocks *blocks, struct clf_rejoin *r, uint32_t off, struct sig_bytes bytes);
/* Offset 0 moves n bytes back; what was the prefix waits for the new start. False: no room. */
bool clf_rejoin_retreat(struct clf_blocks *blocks, struct clf_rejoin *r, uint32_t n);
/* The first n bytes of the prefix are done with; an empty store gives its buffers back. */
void clf_rejoin_consume(struct clf_blocks *blocks, struct clf_rejoin *r, uint32_t n);
void clf_rejoin_clear(struct clf_blocks *blocks, struct clf_rejoin *r);

static inline struct sig_bytes
clf_rejoin_view(const struct clf_rejoin *r)
{
	return sig_bytes_of(r->buf ? r->buf + r->head : NULL, r->prefix);
}

static inline struct sig_bytes
clf_rejoin_other(const struct clf_rejoin *r)
{
	return sig_bytes_of(r->other ? r->other + r->head : NULL, r->other ? r->prefix : 0);
}

#endif
