/* SPDX-License-Identifier: Apache-2.0 */
/* Buffers of eight sizes out of one fixed stretch of memory. */
#include "classifier/blocks.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { NONE = UINT32_MAX, CHUNKS_MIN = 2 * CLF_BLOCK_ORDERS };

struct chunk {
	void *free_list;     /* buffers that came home; the next one is in their first bytes */
	uint32_t fresh;	     /* buffers from here on were never lent */
	uint32_t lent;	     /* buffers out */
	uint32_t next, prev; /* in the stock, or among the chunks of its size with room */
	uint8_t order;
	uint8_t listed; /* in its size's list */
};

struct clf_blocks {
	uint8_t *memory;
	size_t bytes, lent_bytes;
	uint32_t n_chunks;
	uint32_t stock; /* chunks of no size yet */
	uint32_t with_room[CLF_BLOCK_ORDERS];
	struct chunk chunks[];
};

struct clf_blocks *
clf_blocks_new(size_t bytes)
{
	size_t n = bytes / CLF_BLOCK_CHUNK;

	if (n < CHUNKS_MIN)
		n = CHUNKS_MIN;
	if (n >= NONE)
		return NULL;
	struct clf_blocks *b = calloc(1, sizeof *b + n * sizeof b->chunks[0]);
	if (b == NULL)
		return NULL;
	b->bytes = n * CLF_BLOCK_CHUNK;
	b->n_chunks = (uint32_t)n;
	b->memory = mmap(NULL, b->bytes, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (b->memory == MAP_FAILED) {
		free(b);
		return NULL;
	}
	(void)madvise(b->memory, b->bytes, MADV_HUGEPAGE);
	for (uint32_t i = 0; i < n; i++)
		b->chunks[i].next = i + 1 < n ? i + 1 : (uint32_t)NONE;
	for (unsigned o = 0; o < CLF_BLOCK_ORDERS; o++)
		b->with_room[o] = NONE;
	return b;
}

void
clf_blocks_free(struct clf_blocks *b)
{
	if (b == NULL)
		return;
	munmap(b->memory, b->bytes);
	free(b);
}

static void
list_add(struct clf_blocks *b, uint32_t i)
{
	struct chunk *c = &b->chunks[i];
	uint32_t *head = &b->with_room[c->order];

	c->prev = NONE;
	c->next = *head;
	if (*head != NONE)
		b->chunks[*head].prev = i;
	*head = i;
	c->listed = 1;
}

static void
list_remove(struct clf_blocks *b, uint32_t i)
{
	struct chunk *c = &b->chunks[i];

	if (c->prev != NONE)
		b->chunks[c->prev].next = c->next;
	else
		b->with_room[c->order] = c->next;
	if (c->next != NONE)
		b->chunks[c->next].prev = c->prev;
	c->listed = 0;
}

void *
clf_blocks_get(struct clf_blocks *b, unsigned order)
{
	if (order >= CLF_BLOCK_ORDERS)
		return NULL;
	uint32_t i = b->with_room[order];
	if (i == NONE) {
		i = b->stock;
		if (i == NONE)
			return NULL;
		struct chunk *c = &b->chunks[i];
		b->stock = c->next;
		*c = (struct chunk){ .order = (uint8_t)order };
		list_add(b, i);
	}
	struct chunk *c = &b->chunks[i];
	uint8_t *block = c->free_list;
	if (block != NULL) {
		memcpy(&c->free_list, block, sizeof c->free_list);
	} else {
		block = b->memory + (size_t)i * CLF_BLOCK_CHUNK +
			((size_t)c->fresh << order) * CLF_BLOCK_MIN;
		c->fresh++;
	}
	c->lent++;
	if (c->free_list == NULL && c->fresh == (1u << (CLF_BLOCK_ORDERS - 1)) >> order)
		list_remove(b, i);
	b->lent_bytes += (size_t)CLF_BLOCK_MIN << order;
	return block;
}

void
clf_blocks_put(struct clf_blocks *b, void *block)
{
	if (block == NULL)
		return;
	uint32_t i = (uint32_t)((size_t)((uint8_t *)block - b->memory) / CLF_BLOCK_CHUNK);
	struct chunk *c = &b->chunks[i];

	memcpy(block, &c->free_list, sizeof c->free_list);
	c->free_list = block;
	c->lent--;
	b->lent_bytes -= (size_t)CLF_BLOCK_MIN << c->order;
	if (!c->listed)
		list_add(b, i);
	/* The last chunk of a size stays with it: the next flow will want one again. */
	if (c->lent == 0 && (c->next != NONE || c->prev != NONE)) {
		list_remove(b, i);
		c->next = b->stock;
		b->stock = i;
	}
}

size_t
clf_blocks_lent(const struct clf_blocks *b)
{
	return b->lent_bytes;
}
