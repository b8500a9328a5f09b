/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bounded ring of byte blocks of any size, from one thread to another, without a lock: the way of
 * events and evidence from a worker to the recorder.
 *
 *   set-up: dp_byte_ring_new(), dp_byte_ring_free()
 *   producer thread only: dp_byte_ring_put()
 *   consumer thread only: dp_byte_ring_peek(), dp_byte_ring_take()
 *
 * A block never wraps: it is read in place. Full: put() says so and nothing is changed.
 */
#ifndef DATAPLANE_BYTE_RING_H
#define DATAPLANE_BYTE_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dp_byte_ring;

/* bytes: rounded up to a power of two, at least 64 KB. NULL: no memory. */
struct dp_byte_ring *dp_byte_ring_new(size_t bytes);
void dp_byte_ring_free(struct dp_byte_ring *r);

/* Two parts, laid one behind the other as one block (b may be NULL). False: no room. */
bool
dp_byte_ring_put(struct dp_byte_ring *r, const void *a, size_t a_len, const void *b, size_t b_len);
/* The oldest block, valid until dp_byte_ring_take(); NULL: empty. */
const void *dp_byte_ring_peek(struct dp_byte_ring *r, size_t *ret_len);
void dp_byte_ring_take(struct dp_byte_ring *r);
/* Bytes in use; any thread, may be a little old. */
size_t dp_byte_ring_used(const struct dp_byte_ring *r);

#endif
