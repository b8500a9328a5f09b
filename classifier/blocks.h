/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Buffers of eight sizes out of one fixed stretch of memory, lent and given back in constant time.
 *
 * The memory is cut into chunks of 256 KB. A chunk serves one size at a time and goes back to the
 * common stock when all its buffers are home, so that a flood of one size starves no other for
 * longer than the flood lasts. Buffers come last-in first-out: the one lent next is the one whose
 * lines are still warm. Made by its user, one thread; nothing is allocated after clf_blocks_new().
 */
#ifndef CLASSIFIER_BLOCKS_H
#define CLASSIFIER_BLOCKS_H

#include <stddef.h>
#include <stdint.h>

enum { CLF_BLOCK_MIN = 2048, CLF_BLOCK_ORDERS = 8, CLF_BLOCK_CHUNK = CLF_BLOCK_MIN << 7 };

struct clf_blocks;

/* At least two chunks a size, whatever is asked for. NULL when there is no memory. */
struct clf_blocks *clf_blocks_new(size_t bytes);
void clf_blocks_free(struct clf_blocks *b);
/* A buffer of CLF_BLOCK_MIN << order bytes, contents undefined; NULL when none is left. */
void *clf_blocks_get(struct clf_blocks *b, unsigned order);
void clf_blocks_put(struct clf_blocks *b, void *block); /* NULL is fine */
/* Bytes lent at present. */
size_t clf_blocks_lent(const struct clf_blocks *b);

#endif
