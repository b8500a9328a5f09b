/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes that arrive by offset. A bitmap behind the buffer says which bytes beyond the prefix are
 * there; below the prefix its bits mean nothing. Bytes move by multiples of 64 only, so that the
 * bitmap moves by whole words.
 */
#include "classifier/rejoin.h"

static uint64_t *
bits_of(const struct clf_rejoin *r)
{
	return (uint64_t *)(void *)(r->buf + r->cap);
}

/* Eight ninths hold bytes, one ninth their bits. */
static uint32_t
capacity(unsigned order)
{
	return (((uint32_t)CLF_BLOCK_MIN << order) / 9 * 8) & ~63u;
}

/* A buffer for at least `need` bytes, `shift` (a multiple of 64) bytes further back than now. */
static bool
relocate(struct clf_blocks *blocks, struct clf_rejoin *r, uint32_t need, int64_t shift)
{
	unsigned order = 0;

	while (order < CLF_BLOCK_ORDERS && capacity(order) < need)
		order++;
	uint8_t *fresh = clf_blocks_get(blocks, order);
	uint8_t *other = fresh != NULL && r->other != NULL ? clf_blocks_get(blocks, order) : NULL;
	if (fresh == NULL || (r->other != NULL && other == NULL)) {
		clf_blocks_put(blocks, fresh);
		return false;
	}
	uint32_t cap = capacity(order);
	memset(fresh + cap, 0, cap / 8);
	if (r->buf != NULL) {
		uint32_t from = r->head & ~63u, len = r->head - from + r->high;
		uint32_t to = (uint32_t)(from + shift), words = (len + 63) / 64;

		memcpy(fresh + to, r->buf + from, len);
		memcpy(fresh + cap + to / 8, r->buf + r->cap + from / 8, words * 8);
		if (other != NULL)
			memcpy(other + to, r->other + from, len);
		r->head = (uint32_t)(r->head + shift);
		clf_blocks_put(blocks, r->buf);
		clf_blocks_put(blocks, r->other);
	}
	r->buf = fresh;
	r->other = other;
	r->cap = cap;
	r->order = (uint8_t)order;
	return true;
}

/* Room for offsets up to `end`: as it is, after closing up to the front, or in a larger buffer. */
static bool
make_room(struct clf_blocks *blocks, struct clf_rejoin *r, uint32_t end)
{
	if (r->buf != NULL && r->head + end <= r->cap)
		return true;
	if (r->buf == NULL)
		r->head = 0;
	uint32_t from = r->head & ~63u;
	return relocate(blocks, r, r->head - from + end, -(int64_t)from);
}

static void
set_bits(struct clf_rejoin *r, uint32_t from, uint32_t to)
{
	uint64_t *bits = bits_of(r);

	while (from < to) {
		uint32_t in = from & 63, n = 64 - in < to - from ? 64 - in : to - from;
		uint64_t mask = n == 64 ? ~0ULL : ((1ULL << n) - 1) << in;

		bits[from / 64] |= mask;
		from += n;
	}
}

/* One stored byte again: true when it agrees. A conflict goes to the other reading. */
static bool
again(struct clf_blocks *blocks, struct clf_rejoin *r, uint32_t pos, const uint8_t *p, uint32_t n)
{
	if (memcmp(r->buf + pos, p, n) == 0)
		return true;
	if (r->other == NULL) {
		r->other = clf_blocks_get(blocks, r->order);
		if (r->other == NULL)
			return false;
		memcpy(r->other, r->buf, r->head + r->high);
	}
	for (uint32_t i = 0; i < n; i++)
		if (r->buf[pos + i] != p[i])
			r->other[pos + i] = p[i];
	return false;
}

static void
store(struct clf_rejoin *r, uint32_t pos, const uint8_t *p, uint32_t n)
{
	memcpy(r->buf + pos, p, n);
	if (r->other != NULL)
		memcpy(r->other + pos, p, n);
}

/* Bytes beyond the prefix, where some may be there already. `at`: their offset. */
static unsigned
put_scattered(
    struct clf_blocks *blocks, struct clf_rejoin *r, uint32_t at, const uint8_t *p, uint32_t n)
{
	unsigned result = 0;

	if (at >= r->high) {
		store(r, r->head + at, p, n);
		set_bits(r, r->head + at, r->head + at + n);
		return CLF_PUT_NEW;
	}
	for (uint32_t pos = r->head + at, end = pos + n; pos < end;) {
		uint64_t word = bits_of(r)[pos / 64] >> (pos & 63);
		bool there = word & 1;
		uint64_t flip = there ? ~word : word;
		uint32_t run = flip != 0 ? (uint32_t)__builtin_ctzll(flip) : 64;

		if (run > 64 - (pos & 63))
			run = 64 - (pos & 63);
		if (run > end - pos)
			run = end - pos;
		if (there) {
			result |= CLF_PUT_AGAIN;
			if (!again(blocks, r, pos, p, run))
				result |= CLF_PUT_CONFLICT;
		} else {
			result |= CLF_PUT_NEW;
			store(r, pos, p, run);
			set_bits(r, pos, pos + run);
		}
		pos += run;
		p += run;
	}
	return result;
}

static void
advance(struct clf_rejoin *r)
{
	const uint64_t *bits = bits_of(r);
	uint32_t pos = r->head + r->prefix, end = r->head + r->high;

	while (pos < end) {
		uint64_t missing = ~(bits[pos / 64] >> (pos & 63));
		uint32_t left = 64 - (pos & 63);
		uint32_t run = missing != 0 ? (uint32_t)__builtin_ctzll(missing) : 64;

		pos += run < left ? run : left;
		if (run < left)
			break;
	}
	r->prefix = (pos < end ? pos : end) - r->head;
}

unsigned
clf_rejoin_put(
    struct clf_blocks *blocks, struct clf_rejoin *r, uint32_t off, struct sig_bytes bytes)
{
	uint32_t n = (uint32_t)sig_bytes_left(&bytes), end = off + n;
	const uint8_t *p = bytes.p;
	unsigned result = 0;

	if (n == 0)
		return 0;
	if (!make_room(blocks, r, end > r->high ? end : r->high))
		return CLF_PUT_NO_ROOM;
	if (off < r->prefix) {
		uint32_t old = end < r->prefix ? n : r->prefix - off;

		result = CLF_PUT_AGAIN;
		if (!again(blocks, r, r->head + off, p, old))
			result |= CLF_PUT_CONFLICT;
		off += old;
		p += old;
		n -= old;
		if (n == 0)
			return result;
	}
	if (off == r->prefix && r->high == r->prefix) { /* the next bytes, nothing waits beyond */
		store(r, r->head + off, p, n);
		r->prefix = r->high = end;
		return result | CLF_PUT_NEW;
	}
	result |= put_scattered(blocks, r, off, p, n);
	if (end > r->high)
		r->high = end;
	if (off == r->prefix)
		advance(r);
	return result;
}

bool
clf_rejoin_retreat(struct clf_blocks *blocks, struct clf_rejoin *r, uint32_t n)
{
	if (r->buf == NULL)
		return true;
	if (r->head < n) {
		/* Room to spare in front: a sender that goes backwards byte by byte costs one
		 * move per doubling. */
		uint32_t shift = (n - r->head + (n < r->high ? r->high : n) + 63) & ~63u;
		if (!relocate(blocks, r, r->head + shift + r->high, shift))
			if (!relocate(blocks, r, r->head + ((n - r->head + 63) & ~63u) + r->high,
				(n - r->head + 63) & ~63u))
				return false;
	}
	set_bits(r, r->head, r->head + r->prefix);
	r->head -= n;
	r->high += n;
	r->prefix = 0;
	return true;
}

void
clf_rejoin_consume(struct clf_blocks *blocks, struct clf_rejoin *r, uint32_t n)
{
	if (n > r->prefix)
		n = r->prefix;
	r->head += n;
	r->prefix -= n;
	r->high -= n;
	if (r->high == 0)
		clf_rejoin_clear(blocks, r);
}

void
clf_rejoin_clear(struct clf_blocks *blocks, struct clf_rejoin *r)
{
	clf_blocks_put(blocks, r->buf);
	clf_blocks_put(blocks, r->other);
	*r = (struct clf_rejoin){ 0 };
}
