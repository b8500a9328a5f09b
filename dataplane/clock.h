/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The burst's clock: microseconds since 1970 that never go back and never jump.
 *
 * Wall time once at start, monotonic time from there on, so that a clock set by a day expires no
 * flow wrongly. Read from the TSC (a few nanoseconds), tied to CLOCK_MONOTONIC ten times a second.
 * Each worker has its own; the recorder shifts what it shows by how far the wall clock was set
 * since.
 */
#ifndef DATAPLANE_CLOCK_H
#define DATAPLANE_CLOCK_H

#include <rte_cycles.h>
#include <stdint.h>
#include <time.h>

struct dp_clock {
	uint64_t base_tsc, base_us, last_us;
	uint64_t retie_tsc; /* TSC ticks between two looks at CLOCK_MONOTONIC */
	double us_per_tick;
	int64_t wall_offset_us; /* CLOCK_REALTIME - CLOCK_MONOTONIC at start */
};

static inline uint64_t
dp_clock_read(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

/* wall_offset_us: one value for all clocks of the process. */
static inline void
dp_clock_init(struct dp_clock *c, int64_t wall_offset_us)
{
	c->wall_offset_us = wall_offset_us;
	c->base_tsc = rte_rdtsc();
	c->base_us = dp_clock_read(CLOCK_MONOTONIC) + (uint64_t)wall_offset_us;
	c->last_us = c->base_us;
	c->us_per_tick = 1e6 / (double)rte_get_tsc_hz();
	c->retie_tsc = rte_get_tsc_hz() / 10;
}

static inline int64_t
dp_clock_wall_offset(void)
{
	return (int64_t)(dp_clock_read(CLOCK_REALTIME) - dp_clock_read(CLOCK_MONOTONIC));
}

static inline uint64_t
dp_clock_now(struct dp_clock *c)
{
	uint64_t ticks = rte_rdtsc() - c->base_tsc;

	if (__builtin_expect(ticks > c->retie_tsc, 0)) {
		c->base_tsc += ticks;
		c->base_us = dp_clock_read(CLOCK_MONOTONIC) + (uint64_t)c->wall_offset_us;
		ticks = 0;
	}
	uint64_t now = c->base_us + (uint64_t)((double)ticks * c->us_per_tick);
	if (now > c->last_us)
		c->last_us = now;
	return c->last_us;
}

#endif
