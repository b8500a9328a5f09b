/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keyed hashing of short byte strings: names, flow keys.
 *
 * Folded 64x64->128 multiplies over 16-byte steps (the construction known from wyhash), keyed by a
 * seed drawn at start, so that nobody outside can build keys that collide. Not a MAC.
 * Any thread; no state.
 */
#ifndef SIGNATURES_BASE_HASH_H
#define SIGNATURES_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint64_t
sig_hash_mix(uint64_t a, uint64_t b)
{
	__extension__ typedef unsigned __int128 u128;
	u128 m = (u128)a * b;
	return (uint64_t)m ^ (uint64_t)(m >> 64);
}

static inline uint64_t
sig_hash_load(const uint8_t *p, size_t n)
{
	uint64_t v = 0;
	memcpy(&v, p, n);
	return v;
}

static inline uint64_t
sig_hash(const void *data, size_t len, uint64_t seed)
{
	const uint64_t k0 = 0xa0761d6478bd642fULL, k1 = 0xe7037ed1a0b428dbULL;
	const uint8_t *p = data;
	uint64_t h = seed ^ sig_hash_mix(seed ^ k0, k1 ^ len);
	size_t n = len;

	for (; n > 16; n -= 16, p += 16)
		h = sig_hash_mix(sig_hash_load(p, 8) ^ k1, sig_hash_load(p + 8, 8) ^ h);
	uint64_t a = n > 8 ? sig_hash_load(p, 8) : sig_hash_load(p, n);
	uint64_t b = n > 8 ? sig_hash_load(p + 8, n - 8) : 0;
	return sig_hash_mix(k1 ^ len, sig_hash_mix(a ^ k1, b ^ h));
}

/* 16 random bytes from the kernel as two seeds. 0 or -errno. */
int sig_hash_seed(uint64_t ret_seed[2]);

#endif
