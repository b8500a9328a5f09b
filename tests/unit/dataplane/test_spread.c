/* SPDX-License-Identifier: Apache-2.0 */
/* Software spreading: both directions and all fragments of a flow to one worker, and evenly. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dataplane/spread.h"

/* Ethernet, `tags` 802.1Q tags, IPv4 or IPv6 with these addresses; the rest is noise. */
static unsigned
frame(uint8_t *out, unsigned tags, bool v6, const uint8_t src[16], const uint8_t dst[16])
{
	unsigned at = 12, size = v6 ? 16 : 4;

	for (unsigned i = 0; i < 128; i++)
		out[i] = (uint8_t)rand();
	for (unsigned i = 0; i < tags; i++, at += 4) {
		out[at] = 0x81;
		out[at + 1] = 0;
	}
	out[at++] = v6 ? 0x86 : 0x08;
	out[at++] = v6 ? 0xdd : 0x00;
	memcpy(out + at + (v6 ? 8 : 12), src, size);
	memcpy(out + at + (v6 ? 8 : 12) + size, dst, size);
	return at + (v6 ? 40 : 20);
}

static void
test_both_directions(void **state)
{
	unsigned count[4] = { 0 };
	uint8_t a[16], b[16], there[128], back[128];

	(void)state;
	srand(1);
	for (unsigned i = 0; i < 4000; i++) {
		for (unsigned k = 0; k < 16; k++) {
			a[k] = (uint8_t)rand();
			b[k] = (uint8_t)rand();
		}
		bool v6 = i & 1;
		unsigned n = frame(there, i % 3, v6, a, b), m = frame(back, i / 3 % 3, v6, b, a);
		unsigned w = dp_spread_worker(there, n, 4);
		assert_in_range(w, 0, 3);
		assert_int_equal(w, dp_spread_worker(back, m, 4));
		count[w]++;
	}
	for (unsigned w = 0; w < 4; w++)
		assert_in_range(count[w], 850, 1150);
}

/* What is no IP, or is cut before its addresses end, goes to the first worker. */
static void
test_others(void **state)
{
	uint8_t bytes[128] = { 0 }, a[16] = { 1 }, b[16] = { 2 };
	unsigned n = frame(bytes, 0, false, a, b);

	(void)state;
	for (unsigned cut = 0; cut < n; cut++) {
		uint8_t *part = test_malloc(cut + 1);
		memcpy(part, bytes, cut);
		assert_int_equal(dp_spread_worker(part, cut, 8), 0);
		test_free(part);
	}
	bytes[12] = 0x88;
	bytes[13] = 0xcc;
	assert_int_equal(dp_spread_worker(bytes, n, 8), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_both_directions),
		cmocka_unit_test(test_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
