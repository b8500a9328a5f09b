/* SPDX-License-Identifier: Apache-2.0 */
/* signatures/base/hash.h: keyed, spread, and no collisions among names that differ little. */
#include "pack_text.h"
#include "signatures/base/hash.h"

enum { N = 200000 };

static int
by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void
no_collisions(void **state)
{
	uint64_t *h = malloc(N * sizeof(*h));
	char key[40];

	(void)state;
	assert_non_null(h);
	for (unsigned i = 0; i < N; i++) {
		int n = snprintf(key, sizeof(key), "%*u", 1 + (int)(i % 30), i);

		h[i] = sig_hash(key, (size_t)n, 42);
	}
	qsort(h, N, sizeof(*h), by_value);
	/* "%*u" repeats no text: i decides it. */
	for (unsigned i = 1; i < N; i++)
		assert_true(h[i] != h[i - 1]);
	free(h);
}

static void
keyed(void **state)
{
	uint64_t seed[2] = { 0 }, other[2] = { 0 };
	unsigned low[64] = { 0 };

	(void)state;
	assert_int_equal(sig_hash_seed(seed), 0);
	assert_int_equal(sig_hash_seed(other), 0);
	assert_memory_not_equal(seed, other, sizeof(seed));
	for (size_t n = 0; n < 40; n++) {
		static const char zero[40];

		assert_true(sig_hash(zero, n, 1) != sig_hash(zero, n, 2));
		assert_true(n == 0 || sig_hash(zero, n, 1) != sig_hash(zero, n - 1, 1));
	}
	for (unsigned i = 0; i < 64000; i++)
		low[sig_hash(&i, sizeof(i), seed[0]) % 64]++;
	for (unsigned i = 0; i < 64; i++)
		assert_in_range(low[i], 800, 1200);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(no_collisions),
		cmocka_unit_test(keyed) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
