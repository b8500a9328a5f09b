/* SPDX-License-Identifier: Apache-2.0 */
/* The ring of blocks: order, wrap, bounds, and two threads at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <pthread.h>
#include <string.h>

#include <cmocka.h>

#include "dataplane/byte_ring.h"

enum { SIZE = 64 << 10, BLOCKS = 300000 };

static void
test_order_and_parts(void **state)
{
	struct dp_byte_ring *r = dp_byte_ring_new(1);
	const char *got;
	size_t len;

	(void)state;
	assert_null(dp_byte_ring_peek(r, &len));
	assert_true(dp_byte_ring_put(r, "ab", 2, "cde", 3));
	assert_true(dp_byte_ring_put(r, "x", 1, NULL, 0));
	got = dp_byte_ring_peek(r, &len);
	assert_int_equal(len, 5);
	assert_memory_equal(got, "abcde", 5);
	dp_byte_ring_take(r);
	got = dp_byte_ring_peek(r, &len);
	assert_int_equal(len, 1);
	assert_memory_equal(got, "x", 1);
	dp_byte_ring_take(r);
	assert_null(dp_byte_ring_peek(r, &len));
	assert_int_equal(dp_byte_ring_used(r), 0);
	dp_byte_ring_free(r);
	dp_byte_ring_free(NULL);
}

/* A full ring refuses and keeps what it has; room comes back as blocks are taken. */
static void
test_full(void **state)
{
	struct dp_byte_ring *r = dp_byte_ring_new(SIZE);
	static uint8_t block[1000], big[SIZE];
	size_t len;
	unsigned n = 0, taken = 0;

	(void)state;
	assert_false(dp_byte_ring_put(r, big, sizeof(big), NULL, 0));
	for (; dp_byte_ring_put(r, block, sizeof(block), NULL, 0); n++)
		block[0] = (uint8_t)(n + 1);
	assert_in_range(n, SIZE / 1008 - 1, SIZE / 1008);
	assert_false(dp_byte_ring_put(r, block, sizeof(block), NULL, 0));
	for (const uint8_t *got; (got = dp_byte_ring_peek(r, &len)) != NULL; taken++) {
		assert_int_equal(got[0], (uint8_t)taken);
		dp_byte_ring_take(r);
	}
	assert_int_equal(taken, n);
	assert_true(dp_byte_ring_put(r, block, sizeof(block), NULL, 0));
	dp_byte_ring_free(r);
}

static void *
produce(void *arg)
{
	struct dp_byte_ring *r = arg;
	uint32_t block[64];

	for (uint32_t i = 0; i < BLOCKS; i++) {
		uint32_t words = 1 + i * 2654435761U % 63;
		for (uint32_t k = 0; k < words; k++)
			block[k] = i + k;
		while (!dp_byte_ring_put(r, block, words * 4, NULL, 0))
			sched_yield();
	}
	return NULL;
}

static void
test_two_threads(void **state)
{
	struct dp_byte_ring *r = dp_byte_ring_new(SIZE);
	pthread_t thread;
	size_t len;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, produce, r), 0);
	for (uint32_t i = 0; i < BLOCKS;) {
		const uint32_t *got = dp_byte_ring_peek(r, &len);
		if (!got) {
			sched_yield();
			continue;
		}
		if (len != 4 * (1 + i * 2654435761U % 63) || got[0] != i ||
		    got[len / 4 - 1] != i + len / 4 - 1)
			fail_msg("block %u came out as %zu bytes, first %u", i, len, got[0]);
		dp_byte_ring_take(r);
		i++;
	}
	pthread_join(thread, NULL);
	assert_null(dp_byte_ring_peek(r, &len));
	dp_byte_ring_free(r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order_and_parts),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_two_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
