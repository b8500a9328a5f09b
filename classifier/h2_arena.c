/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The arena behind the HPACK inflater: see h2_arena.h. Each block is led by its class.
 */
#include "classifier/h2_arena.h"

#include <string.h>

enum { HEAD = 16, SMALLEST = 32 }; /* the head keeps blocks aligned for any type */

struct free_block {
	struct free_block *next;
};

static unsigned
class_of(size_t size)
{
	unsigned class = 0;

	while (((size_t)SMALLEST << class) < size)
		class ++;
	return class;
}

void
clf_h2_arena_reset(struct clf_h2_arena *a)
{
	a->used = 0;
	memset(a->free, 0, sizeof(a->free));
}

void *
clf_h2_arena_malloc(size_t size, void *arena)
{
	struct clf_h2_arena *a = arena;
	struct free_block *block;
	unsigned class;
	size_t whole;
	uint8_t *p;

	if (size > CLF_H2_ARENA_BYTES)
		return NULL;
	class = class_of(size + HEAD);
	if (class >= CLF_H2_ARENA_CLASSES)
		return NULL;
	block = a->free[class];
	if (block) {
		a->free[class] = block->next;
		return block;
	}
	whole = (size_t)SMALLEST << class;
	if (whole > CLF_H2_ARENA_BYTES - a->used)
		return NULL;
	p = a->bytes + a->used;
	a->used += whole;
	memcpy(p, &class, sizeof(class));
	return p + HEAD;
}

static unsigned
class_at(const void *p)
{
	unsigned class;

	memcpy(&class, (const uint8_t *)p - HEAD, sizeof(class));
	return class;
}

void
clf_h2_arena_free(void *p, void *arena)
{
	struct clf_h2_arena *a = arena;
	struct free_block *block = p;
	unsigned class;

	if (!p)
		return;
	class = class_at(p);
	block->next = a->free[class];
	a->free[class] = block;
}

void *
clf_h2_arena_calloc(size_t n, size_t size, void *arena)
{
	void *p;

	if (size != 0 && n > CLF_H2_ARENA_BYTES / size)
		return NULL;
	p = clf_h2_arena_malloc(n * size, arena);
	if (p)
		memset(p, 0, n * size);
	return p;
}

void *
clf_h2_arena_realloc(void *p, size_t size, void *arena)
{
	size_t room;
	void *bigger;

	if (!p)
		return clf_h2_arena_malloc(size, arena);
	room = ((size_t)SMALLEST << class_at(p)) - HEAD;
	if (size <= room)
		return p;
	bigger = clf_h2_arena_malloc(size, arena);
	if (!bigger)
		return NULL;
	memcpy(bigger, p, room);
	clf_h2_arena_free(p, arena);
	return bigger;
}
