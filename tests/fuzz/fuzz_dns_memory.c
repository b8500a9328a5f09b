/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The DNS memory's image as a stranger may have left it: as it stands, and with its check sum put
 * right so that the fuzzer gets past it. What is taken in must come out again.
 */
#include <stdlib.h>

#include "classifier/dns_memory.h"
#include "signatures/base/hash.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TAIL = 8, CHECK_SEED = 1 };

static void
load_and_save(const uint8_t *image, size_t len)
{
	struct clf_dns_memory *a = clf_dns_memory_new(32, 1), *b = clf_dns_memory_new(32, 2);
	uint8_t *saved;
	size_t n;
	int taken;

	if (!a || !b)
		abort();
	taken = clf_dns_memory_load(a, image, len, 1);
	n = clf_dns_memory_save(a, NULL, 0);
	saved = malloc(n);
	if (!saved || clf_dns_memory_save(a, saved, n) != n)
		abort();
	if (taken >= 0 && clf_dns_memory_load(b, saved, n, 1) < 0)
		abort();
	free(saved);
	clf_dns_memory_free(a);
	clf_dns_memory_free(b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *fixed;
	uint64_t sum;

	load_and_save(data, size);
	if (size < TAIL)
		return 0;
	fixed = malloc(size);
	if (!fixed)
		abort();
	memcpy(fixed, data, size);
	sum = sig_hash(fixed, size - TAIL, CHECK_SEED);
	for (unsigned i = 0; i < TAIL; i++)
		fixed[size - 1 - i] = (uint8_t)(sum >> (8 * i));
	load_and_save(fixed, size);
	free(fixed);
	return 0;
}
