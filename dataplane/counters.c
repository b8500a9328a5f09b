/* SPDX-License-Identifier: Apache-2.0 */
/* Frames, exactly: a worker's counters as of one moment, and the sum of all. */
#include <rte_pause.h>
#include <string.h>
#include <time.h>

#include "dataplane/plane.h"

enum {
	SNAPSHOT_WAIT_US = 20000,
	SNAPSHOT_NAP_US = 50,
	STILL_TRIES = 64,  /* looks at a worker that does not answer */
	COUNT_TRIES = 16,  /* looks at all, until none has taken what another is yet to have put */
	IN_HAND_MAX = 256, /* of a worker and its stand-in: a burst each, and their resets */
};

static const char *const drop_names[DP_DROP_MAX] = {
	[DP_DROP_POLICY] = "policy",
	[DP_DROP_RESET] = "reset",
	[DP_DROP_TX_FULL] = "tx-full",
	[DP_DROP_NO_PORT] = "no-port",
	[DP_DROP_RING_FULL] = "ring-full",
	[DP_DROP_LATE] = "late",
	[DP_DROP_STOP] = "stop",
};

const char *
dp_drop_name(enum dp_drop d)
{
	return d < DP_DROP_MAX ? drop_names[d] : NULL;
}

uint64_t
dp_dropped(const struct dp_port_count *c)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < DP_DROP_MAX; i++)
		sum += c->dropped[i];
	return sum;
}

void
dp_counters_total(const struct dp_counters *c, struct dp_port_count *ret)
{
	memset(ret, 0, sizeof(*ret));
	for (unsigned p = 0; p < DP_PORTS_MAX; p++) {
		ret->rx += c->port[p].rx;
		ret->tx += c->port[p].tx;
		ret->observed += c->port[p].observed;
		for (unsigned i = 0; i < DP_DROP_MAX; i++)
			ret->dropped[i] += c->port[p].dropped[i];
	}
}

void
dp_counters_add(struct dp_counters *sum, const struct dp_counters *c)
{
	uint64_t *to = (uint64_t *)sum;
	const uint64_t *from = (const uint64_t *)c;

	_Static_assert(sizeof(*c) % sizeof(uint64_t) == 0, "counters are 64 bits each");
	for (size_t i = 0; i < sizeof(*c) / sizeof(uint64_t); i++)
		to[i] += from[i];
}

int64_t
dp_counters_open(const struct dp_counters *c)
{
	struct dp_port_count t;

	dp_counters_total(c, &t);
	return (int64_t)(t.rx + c->ring_in + c->injected - t.tx - t.observed - dp_dropped(&t) -
			 c->ring_out - c->in_hand);
}

void
dp_worker_take_snapshot(struct dp_worker *w)
{
	uint64_t seq = atomic_load_explicit(&w->snapshots, memory_order_relaxed);

	/* Odd while it is written: a seqlock, so that any number of threads may read. */
	atomic_store_explicit(&w->snapshots, seq + 1, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	w->snapshot = w->count;
	atomic_store_explicit(&w->snapshots, seq + 2, memory_order_release);
}

/* A snapshot that was begun after it was number `before`. */
static bool
read_snapshot(const struct dp_worker *w, uint64_t before, struct dp_counters *ret)
{
	uint64_t wanted = before + 2 + (before & 1), seq, again;

	do {
		seq = atomic_load_explicit(&w->snapshots, memory_order_acquire);
		if (seq < wanted && !atomic_load(&w->ended))
			return false;
		*ret = w->snapshot;
		atomic_thread_fence(memory_order_acquire);
		again = atomic_load_explicit(&w->snapshots, memory_order_relaxed);
	} while ((seq & 1) != 0 || seq != again);
	return true;
}

static void
nap_us(long us)
{
	struct timespec ts = { .tv_nsec = us * 1000 };

	nanosleep(&ts, NULL);
}

bool
dp_worker_snapshot(struct dp_worker *w, struct dp_counters *ret)
{
	uint64_t before = atomic_load_explicit(&w->snapshots, memory_order_acquire);
	uint64_t begin = dp_clock_read(CLOCK_MONOTONIC);

	atomic_fetch_or(&w->asked, DP_ASK_SNAPSHOT);
	while (!read_snapshot(w, before, ret)) {
		if (dp_clock_read(CLOCK_MONOTONIC) - begin > SNAPSHOT_WAIT_US)
			return false;
		nap_us(SNAPSHOT_NAP_US);
	}
	return true;
}

/*
 * A worker that does not answer: it hangs, or has no CPU. Its counters only grow, so that two looks
 * that are alike show what they were in between. What came in and went nowhere yet is in its hands.
 */
static void
read_still(const struct dp_worker *w, struct dp_counters *ret)
{
	struct dp_counters again;

	for (unsigned i = 0; i < STILL_TRIES; i++) {
		*ret = w->count;
		dp_counters_add(ret, &w->standby);
		atomic_thread_fence(memory_order_acquire);
		again = w->count;
		dp_counters_add(&again, &w->standby);
		int64_t open = dp_counters_open(ret);
		if (memcmp(ret, &again, sizeof(again)) == 0 && open >= 0 && open <= IN_HAND_MAX)
			break;
		nap_us(SNAPSHOT_NAP_US);
	}
	ret->in_hand = (uint64_t)dp_counters_open(ret);
}

static void
count_all(struct dp_plane *plane, struct dp_counters *each, struct dp_counters *ret_sum)
{
	for (unsigned i = 0; i < plane->n_workers; i++) {
		struct dp_worker *w = &plane->workers[i];
		if (dp_worker_snapshot(w, &each[i]))
			dp_counters_add(&each[i], &w->standby);
		else
			read_still(w, &each[i]);
	}
	memset(ret_sum, 0, sizeof(*ret_sum));
	for (unsigned i = 0; i < plane->n_workers; i++)
		dp_counters_add(ret_sum, &each[i]);
}

void
dp_plane_count(struct dp_plane *plane, struct dp_counters *each, struct dp_counters *ret_sum)
{
	for (unsigned i = 0; i < COUNT_TRIES; i++) {
		count_all(plane, each, ret_sum);
		if ((int64_t)dp_counters_in_flight(ret_sum) >= 0)
			return;
	}
}

uint64_t
dp_counters_in_flight(const struct dp_counters *sum)
{
	return sum->ring_out + sum->in_hand - sum->ring_in;
}
