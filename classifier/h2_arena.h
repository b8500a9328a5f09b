/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bounded arena for libnghttp2's inflater, which allocates as it reads: blocks of powers of two
 * out of one piece of memory, with a free list a size. Full is NULL, never the heap. One thread.
 */
#ifndef CLASSIFIER_H2_ARENA_H
#define CLASSIFIER_H2_ARENA_H

#include <stddef.h>
#include <stdint.h>

/* 64 KB header strings at most, and a table of 4,096 bytes of them besides. */
enum { CLF_H2_ARENA_BYTES = 256 << 10, CLF_H2_ARENA_CLASSES = 18 };

struct clf_h2_arena {
	size_t used; /* of bytes, from the start; blocks behind it were never given out */
	void *free[CLF_H2_ARENA_CLASSES];
	_Alignas(64) uint8_t bytes[CLF_H2_ARENA_BYTES];
};

void clf_h2_arena_reset(struct clf_h2_arena *a);
/* Shapes of nghttp2_mem: malloc, free, calloc, realloc with the arena as user data. */
void *clf_h2_arena_malloc(size_t size, void *arena);
void clf_h2_arena_free(void *p, void *arena);
void *clf_h2_arena_calloc(size_t n, size_t size, void *arena);
void *clf_h2_arena_realloc(void *p, size_t size, void *arena);

#endif
