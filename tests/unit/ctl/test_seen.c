/* SPDX-License-Identifier: Apache-2.0 */
/* The set behind "how many hosts": each key once, however many there are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ctl/seen.h"

static void
test_each_once(void **state)
{
	struct ctl_seen s = { 0 };
	size_t n = 0;

	(void)state;
	for (unsigned round = 0; round < 3; round++)
		for (uint64_t i = 1; i <= 100000; i++)
			n += ctl_seen_add(&s, i * 0x9e3779b97f4a7c15ULL);
	assert_int_equal(n, 100000);
	assert_int_equal(s.n, 100000);
	assert_true(s.cap <= 4 * s.n); /* 8 bytes a slot: 32 bytes a key at most */
	ctl_seen_free(&s);
	assert_int_equal(s.n, 0);
	assert_true(ctl_seen_add(&s, 5));
	ctl_seen_free(&s);
}

/* Keys that all want one slot, and the key that marks an empty one. */
static void
test_crowded(void **state)
{
	struct ctl_seen s = { 0 };

	(void)state;
	assert_true(ctl_seen_add(&s, 0));
	assert_false(ctl_seen_add(&s, 0));
	for (uint64_t i = 1; i <= 2000; i++)
		assert_true(ctl_seen_add(&s, i << 32));
	for (uint64_t i = 1; i <= 2000; i++)
		assert_false(ctl_seen_add(&s, i << 32));
	ctl_seen_free(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_once),
		cmocka_unit_test(test_crowded),
	};

	return cmocka_run_group_tests_name("ctl/seen", tests, NULL, NULL);
}
