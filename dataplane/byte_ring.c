/* SPDX-License-Identifier: Apache-2.0 */
/* The ring of byte blocks: positions count up for ever, each side caches the other's. */
#include "dataplane/byte_ring.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { LINE = 64, ALIGN = 8 };
static const uint32_t SKIP = UINT32_MAX; /* a header that says: go on at the start */

struct header {
	uint32_t len, pad;
};

struct dp_byte_ring {
	uint8_t *mem;
	size_t size, mask;

	/* --- producer's line --- */
	_Alignas(LINE) _Atomic uint64_t head;
	uint64_t seen_tail;

	/* --- consumer's line --- */
	_Alignas(LINE) _Atomic uint64_t tail;
	uint64_t seen_head;
};

struct dp_byte_ring *
dp_byte_ring_new(size_t bytes)
{
	size_t size = 64 << 10;
	struct dp_byte_ring *r = aligned_alloc(LINE, sizeof(*r));

	while (size < bytes)
		size <<= 1;
	if (!r)
		return NULL;
	memset(r, 0, sizeof(*r));
	r->size = size;
	r->mask = size - 1;
	/* mmap: pages that were never written cost nothing. */
	r->mem = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (r->mem == MAP_FAILED) {
		free(r);
		return NULL;
	}
	return r;
}

void
dp_byte_ring_free(struct dp_byte_ring *r)
{
	if (!r)
		return;
	munmap(r->mem, r->size);
	free(r);
}

static bool
has_room(struct dp_byte_ring *r, uint64_t head, size_t need)
{
	if (head + need - r->seen_tail <= r->size)
		return true;
	r->seen_tail = atomic_load_explicit(&r->tail, memory_order_acquire);
	return head + need - r->seen_tail <= r->size;
}

bool
dp_byte_ring_put(struct dp_byte_ring *r, const void *a, size_t a_len, const void *b, size_t b_len)
{
	uint64_t head = atomic_load_explicit(&r->head, memory_order_relaxed);
	size_t len = a_len + b_len;
	size_t need = sizeof(struct header) + ((len + ALIGN - 1) & ~(size_t)(ALIGN - 1));
	size_t to_end = r->size - (head & r->mask);

	if (len > r->size / 2 || !has_room(r, head, to_end < need ? to_end + need : need))
		return false;
	if (to_end < need) {
		struct header skip = { .len = SKIP };
		memcpy(r->mem + (head & r->mask), &skip, sizeof(skip));
		head += to_end;
	}
	uint8_t *at = r->mem + (head & r->mask);
	struct header h = { .len = (uint32_t)len };
	memcpy(at, &h, sizeof(h));
	memcpy(at + sizeof(h), a, a_len);
	if (b_len != 0)
		memcpy(at + sizeof(h) + a_len, b, b_len);
	atomic_store_explicit(&r->head, head + need, memory_order_release);
	return true;
}

const void *
dp_byte_ring_peek(struct dp_byte_ring *r, size_t *ret_len)
{
	uint64_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);
	struct header h;

	for (;;) {
		if (tail == r->seen_head) {
			r->seen_head = atomic_load_explicit(&r->head, memory_order_acquire);
			if (tail == r->seen_head)
				return NULL;
		}
		memcpy(&h, r->mem + (tail & r->mask), sizeof(h));
		if (h.len != SKIP)
			break;
		tail += r->size - (tail & r->mask);
		atomic_store_explicit(&r->tail, tail, memory_order_release);
	}
	*ret_len = h.len;
	return r->mem + (tail & r->mask) + sizeof(h);
}

void
dp_byte_ring_take(struct dp_byte_ring *r)
{
	uint64_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);
	struct header h;

	memcpy(&h, r->mem + (tail & r->mask), sizeof(h));
	tail += sizeof(h) + (((size_t)h.len + ALIGN - 1) & ~(size_t)(ALIGN - 1));
	atomic_store_explicit(&r->tail, tail, memory_order_release);
}

size_t
dp_byte_ring_used(const struct dp_byte_ring *r)
{
	uint64_t tail = atomic_load_explicit(&r->tail, memory_order_acquire);
	uint64_t head = atomic_load_explicit(&r->head, memory_order_acquire);

	return head > tail ? (size_t)(head - tail) : 0;
}
