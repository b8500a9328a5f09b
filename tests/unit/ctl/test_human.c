/* SPDX-License-Identifier: Apache-2.0 */
/* What a person reads and writes: sizes, spans, relative times. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "ctl/cli.h"

static void
test_sizes(void **state)
{
	char b[CTL_HUMAN_MAX];

	(void)state;
	assert_string_equal(ctl_human_bytes(0, b), "0 B");
	assert_string_equal(ctl_human_bytes(999, b), "999 B");
	assert_string_equal(ctl_human_bytes(1000, b), "1.0 kB");
	assert_string_equal(ctl_human_bytes(1234567, b), "1.2 MB");
	assert_string_equal(ctl_human_bytes(98765432, b), "99 MB");
	assert_string_equal(ctl_human_bytes(999999, b), "1.0 MB");
	assert_string_equal(ctl_human_bytes(UINT64_MAX, b), "18 EB");
	assert_string_equal(ctl_human_count(1500, b), "1.5 k");
	assert_string_equal(ctl_human_span(59, b), "59s");
	assert_string_equal(ctl_human_span(3700, b), "1h 1m");
	assert_string_equal(ctl_human_span(90000, b), "1d 1h");
	assert_string_equal(ctl_human_time(0, b), "");
	assert_string_equal(ctl_human_time(1795389322123456, b), "2026-11-22 23:15:22Z");
}

static void
test_when(void **state)
{
	const uint64_t now = 1795389322123456, hour = 3600ULL * 1000000;
	uint64_t us = 0;

	(void)state;
	assert_int_equal(ctl_when("12h", now, &us), 0);
	assert_int_equal(us, now - 12 * hour);
	assert_int_equal(ctl_when("30d", now, &us), 0);
	assert_int_equal(us, now - 30 * 24 * hour);
	assert_int_equal(ctl_when("90m", now, &us), 0);
	assert_int_equal(us, now - hour * 3 / 2);
	assert_int_equal(ctl_when("2w", now, &us), 0);
	assert_int_equal(us, now - 14 * 24 * hour);
	assert_int_equal(ctl_when("now", now, &us), 0);
	assert_int_equal(us, now);
	assert_int_equal(ctl_when("today", now, &us), 0);
	assert_int_equal(us, 1795305600000000);
	assert_int_equal(ctl_when("yesterday", now, &us), 0);
	assert_int_equal(us, 1795305600000000 - 24 * hour);
	assert_int_equal(ctl_when("2026-11-22", now, &us), 0);
	assert_int_equal(us, 1795305600000000);
	assert_int_equal(ctl_when("100y", now, &us), 0);
	assert_int_equal(us, 0);
	static const char *const bad[] = { "", "d", "30", "30x", "-3d", "3dd", "soon",
		"999999999999999999999d" };
	us = 5;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(ctl_when(bad[i], now, &us), -EINVAL);
	assert_int_equal(us, 5);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_when),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
