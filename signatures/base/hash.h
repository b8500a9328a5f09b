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
sig_hash_load8(const uint8_t *p)
{
	uint64_t v;
	memcpy(&v, p, 8);
	return v;
}

static inline uint64_t
sig_hash_load4(const uint8_t *p)
{
	uint32_t v;
	memcpy(&v, p, 4);
	return v;
}

static inline uint64_t
sig_hash(const void *data, size_t len, uint64_t seed)
{
	const uint64_t k0 = 0xa0761d6478bd642fULL, k1 = 0xe7037ed1a0b428dbULL;
	const uint8_t *p = data;
	uint64_t h = seed ^ sig_hash_mix(seed ^ k0, k1 ^ len), a, b;
	size_t n = len;

	for (; n > 16; n -= 16, p += 16)
		h = sig_hash_mix(sig_hash_load8(p) ^ k1, sig_hash_load8(p + 8) ^ h);
	/* The rest in two loads of fixed size that may overlap: no call, no loop over bytes. */
	if (n >= 8) {
		a = sig_hash_load8(p);
		b = sig_hash_load8(p + n - 8);
	} else if (n >= 4) {
		a = sig_hash_load4(p);
		b = sig_hash_load4(p + n - 4);
	} else {
		a = n > 0 ? (uint64_t)p[0] << 16 | (uint64_t)p[n / 2] << 8 | p[n - 1] : 0;
		b = 0;
	}
	return sig_hash_mix(k1 ^ len, sig_hash_mix(a ^ k1, b ^ h));
}

/* 16 random bytes from the kernel as two seeds. 0 or -errno. */
int sig_hash_seed(uint64_t ret_seed[2]);

#endif
