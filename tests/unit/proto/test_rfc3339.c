/* SPDX-License-Identifier: Apache-2.0 */
/* Times: known instants (from `date -u -d ... +%s`), both ways. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "ctl/proto/rfc3339.h"

static const struct {
	const char *text;
	uint64_t us;
} known[] = {
	{ "1970-01-01T00:00:00.000000Z", 0 },
	{ "2000-02-29T12:34:56.000001Z", 951827696000001 },
	{ "2026-11-22T23:15:22.123456Z", 1795389322123456 },
	{ "2100-03-01T00:00:00.999999Z", 4107542400999999 },
	{ "9999-12-31T23:59:59.999999Z", 253402300799999999 },
};

static void
test_known(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		char text[PROTO_TIME_LEN];
		uint64_t us = 1;
		proto_time_format(known[i].us, text);
		assert_string_equal(text, known[i].text);
		assert_int_equal(proto_time_parse(known[i].text, &us), 0);
		assert_int_equal(us, known[i].us);
	}
}

static void
test_spellings(void **state)
{
	static const char *const same[] = { "2026-11-22T23:15:22Z", "2026-11-22 23:15:22",
		"2026-11-23T00:15:22+01:00", "2026-11-22T18:45:22-04:30",
		"2026-11-22T23:15:22.0000009Z" };
	uint64_t us;

	(void)state;
	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
		assert_int_equal(proto_time_parse(same[i], &us), 0);
		assert_int_equal(us, 1795389322000000);
	}
	assert_int_equal(proto_time_parse("2026-11-22", &us), 0);
	assert_int_equal(us, 1795305600000000);
	assert_int_equal(proto_time_parse("2026-11-22T23:15", &us), 0);
	assert_int_equal(us, 1795389300000000);
}

static void
test_refused(void **state)
{
	static const char *const bad[] = { "", "2026", "2026-13-01", "2026-02-29", "2026-00-10",
		"2026-01-32", "2026-01-01T24:00", "2026-01-01T00:60", "2026-01-01T00:00:00.",
		"2026-01-01T00:00:00Zx", "2026-01-01T00:00+25:00", "1969-12-31T23:59:59Z",
		"2026-1-01", "+026-01-01", "2026-01-01T" };
	uint64_t us = 7;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(proto_time_parse(bad[i], &us), -EINVAL);
	assert_int_equal(us, 7);
}

static void
test_every_day(void **state)
{
	(void)state;
	for (int64_t day = 0; day < 400 * 366; day++) {
		int64_t y;
		unsigned m, d;
		proto_civil_from_days(day, &y, &m, &d);
		assert_in_range(m, 1, 12);
		assert_in_range(d, 1, 31);
		assert_int_equal(proto_days_from_civil(y, m, d), day);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known),
		cmocka_unit_test(test_spellings),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_every_day),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
