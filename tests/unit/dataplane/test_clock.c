/* SPDX-License-Identifier: Apache-2.0 */
/* The burst's clock: a wall clock that is set does not move it, and it never goes back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <rte_cycles.h>
#include <time.h>

#include <cmocka.h>

enum { SECOND = 1000000 };
#define DAY (86400LL * SECOND)
#define HZ 1000000000ULL

/* The machine's clocks, as the test has them. */
static uint64_t wall_us, mono_us, tsc, tsc_hz;

static int
fake_gettime(clockid_t id, struct timespec *ts)
{
	uint64_t us = id == CLOCK_REALTIME ? wall_us : mono_us;

	ts->tv_sec = (time_t)(us / SECOND);
	ts->tv_nsec = (long)(us % SECOND * 1000);
	return 0;
}

static uint64_t
fake_tsc(void)
{
	return tsc;
}

static uint64_t
fake_hz(void)
{
	return tsc_hz;
}

#define clock_gettime fake_gettime
#define rte_rdtsc fake_tsc
#define rte_get_tsc_hz fake_hz
#include "dataplane/clock.h"

#define START (1700000000ULL * SECOND)

static void
begin(struct dp_clock *c)
{
	wall_us = START;
	mono_us = 5ULL * SECOND;
	tsc = 77;
	tsc_hz = HZ;
	dp_clock_init(c, dp_clock_wall_offset());
}

/* Time passes; the TSC runs at `hz`. */
static void
pass(uint64_t us, uint64_t hz)
{
	wall_us += us;
	mono_us += us;
	tsc += us * (hz / SECOND);
}

static void
test_follows(void **state)
{
	struct dp_clock c;

	(void)state;
	begin(&c);
	assert_int_equal(dp_clock_now(&c), START);
	pass(50, HZ);
	assert_int_equal(dp_clock_now(&c), START + 50);
	pass(3600ULL * SECOND, HZ);
	assert_int_equal(dp_clock_now(&c), START + 3600ULL * SECOND + 50);
}

/* NTP's first answer, or a person with `date`: a day ahead, a day back. */
static void
test_set_wall_clock(void **state)
{
	const int64_t steps[] = { DAY, -2 * DAY };
	struct dp_clock c;
	uint64_t want = START;

	(void)state;
	begin(&c);
	for (unsigned i = 0; i < 2; i++) {
		wall_us += (uint64_t)steps[i];
		for (unsigned round = 0; round < 100; round++) {
			pass(7000, HZ);
			want += 7000;
			assert_int_equal(dp_clock_now(&c), want);
		}
	}
}

/* A TSC whose rate was measured wrongly: tied to the monotonic clock ten times a second, and what
 * was told once is not taken back. */
static void
test_wrong_tsc(void **state)
{
	const uint64_t rates[] = { HZ * 2, HZ / 2 };

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct dp_clock c;
		uint64_t last = 0;

		begin(&c);
		for (unsigned round = 0; round < 100000; round++) {
			pass(100, rates[i]);
			uint64_t now = dp_clock_now(&c), real = START + (round + 1) * 100;
			assert_true(now >= last);
			assert_true(now <= real + SECOND / 5 && now + SECOND / 5 >= real);
			last = now;
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_follows),
		cmocka_unit_test(test_set_wall_clock),
		cmocka_unit_test(test_wrong_tsc),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
