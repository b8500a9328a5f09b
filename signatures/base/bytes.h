/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bounded cursor over bytes that somebody else wrote.
 *
 * Every parser of outside bytes (wire, capture, pack, socket) reads through this header. A cursor
 * never moves past its end: a read that does not fit sets `bad`, returns 0 and leaves the cursor
 * at its end, so that a parser may read a whole header and check `sig_bytes_ok()` once.
 * Multi-byte integers are big-endian (network order) unless the name says `le`.
 *
 * Ownership: a cursor borrows the bytes; it never frees them. Any thread, no shared state.
 */
#ifndef SIGNATURES_BASE_BYTES_H
#define SIGNATURES_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct sig_bytes {
	const uint8_t *p;   /* next byte to read */
	const uint8_t *end; /* one past the last readable byte */
	bool bad;	    /* a read did not fit */
};

static inline struct sig_bytes
sig_bytes_of(const void *data, size_t len)
{
	const uint8_t *p = data;
	return (struct sig_bytes){ .p = p, .end = p ? p + len : p, .bad = false };
}

static inline size_t
sig_bytes_left(const struct sig_bytes *b)
{
	return (size_t)(b->end - b->p);
}

static inline bool
sig_bytes_ok(const struct sig_bytes *b)
{
	return !b->bad;
}

/* The next n bytes, or NULL (and `bad`) when fewer are left. n == 0 gives the cursor itself. */
static inline const uint8_t *
sig_bytes_take(struct sig_bytes *b, size_t n)
{
	const uint8_t *at = b->p;

	if (__builtin_expect(sig_bytes_left(b) < n, 0)) {
		b->bad = true;
		b->p = b->end;
		return NULL;
	}
	if (n != 0)
		b->p += n;
	return at;
}

static inline bool
sig_bytes_skip(struct sig_bytes *b, size_t n)
{
	(void)sig_bytes_take(b, n);
	return !b->bad;
}

/* A cursor of its own over the next n bytes; the parent moves past them. Too few: empty and bad. */
static inline struct sig_bytes
sig_bytes_sub(struct sig_bytes *b, size_t n)
{
	const uint8_t *at = sig_bytes_take(b, n);
	struct sig_bytes sub = sig_bytes_of(b->bad ? NULL : at, b->bad ? 0 : n);

	sub.bad = b->bad;
	return sub;
}

static inline uint8_t
sig_bytes_u8(struct sig_bytes *b)
{
	const uint8_t *p = sig_bytes_take(b, 1);
	return p ? p[0] : 0;
}

static inline uint16_t
sig_bytes_u16(struct sig_bytes *b)
{
	const uint8_t *p = sig_bytes_take(b, 2);
	return p ? (uint16_t)((p[0] << 8) | p[1]) : 0;
}

static inline uint32_t
sig_bytes_u24(struct sig_bytes *b)
{
	const uint8_t *p = sig_bytes_take(b, 3);
	return p ? ((uint32_t)p[0] << 16) | ((uint32_t)p[1] << 8) | p[2] : 0;
}

static inline uint32_t
sig_bytes_u32(struct sig_bytes *b)
{
	const uint8_t *p = sig_bytes_take(b, 4);
	return p ? ((uint32_t)p[0] << 24) | ((uint32_t)p[1] << 16) | ((uint32_t)p[2] << 8) | p[3]
		 : 0;
}

static inline uint64_t
sig_bytes_u64(struct sig_bytes *b)
{
	uint64_t hi = sig_bytes_u32(b);
	return (hi << 32) | sig_bytes_u32(b);
}

/* Little-endian, of 1 to 4 bytes. All or nothing, as the others. */
static inline uint32_t
sig_bytes_le(struct sig_bytes *b, unsigned bytes)
{
	const uint8_t *p = sig_bytes_take(b, bytes);
	uint32_t v = 0;

	for (unsigned i = 0; p && i < bytes; i++)
		v |= (uint32_t)p[i] << (8 * i);
	return v;
}

/* Peek without moving: the byte at offset i, or -1. */
static inline int
sig_bytes_at(const struct sig_bytes *b, size_t i)
{
	return i < sig_bytes_left(b) ? b->p[i] : -1;
}

#endif
