/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The watchdog: sees that workers go on, and keeps the wire a wire when one does not.
 *
 * A worker says once a burst whether it is at its queues or in the engine (`hold`). One that has
 * not begun a round for a second while in the engine loses its queues to the stand-in here, which
 * forwards without a look; the compare-and-swap on `hold` is the fence: the worker cannot come back
 * to its queues before the stand-in has let go. A worker stuck in a driver cannot be helped from
 * outside: it is told (status, systemd's watchdog), and not touched.
 *
 * Also here: shedding. When ports keep losing frames because workers are behind, inspection is
 * lifted for a while and counted, rather than losing traffic.
 */
#include <errno.h>
#include <pthread.h>
#include <rte_ethdev.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "dataplane/plane.h"
#include "dataplane/spread.h"
#include "dataplane/tx.h"

enum {
	LOOK_EVERY_US = 20000,
	STALLED_US = 100000, /* noticed */
	TAKEN_US = 1000000,  /* acted on */
	SECOND_US = 1000000,
	SHED_LOOK_US = 100000,
	SHED_AFTER = 5, /* looks in a row with losses */
	SHED_FOR_US = 2000000,
	STANDBY_NAP_NS = 50000,
};

struct seen { /* of one worker */
	uint64_t beat, since_us;
	bool stalled, stuck, taken;
	uint64_t rounds, idle_rounds; /* as of the last full second */
};

struct dp_watchdog {
	struct dp_plane *plane;
	pthread_t thread;
	_Atomic bool stop;
	struct seen seen[DP_WORKERS_MAX];
	uint64_t lost, shed_until_us;
	unsigned lossy_looks;
	pthread_mutex_t lock; /* of stats */
	struct dp_watchdog_stats stats;
};

static void *run(void *arg);

int
dp_watchdog_start(struct dp_plane *plane)
{
	struct dp_watchdog *d = calloc(1, sizeof(*d));

	if (!d)
		return -ENOMEM;
	d->plane = plane;
	pthread_mutex_init(&d->lock, NULL);
	int rc = pthread_create(&d->thread, NULL, run, d);
	if (rc != 0) {
		free(d);
		return -rc;
	}
	pthread_setname_np(d->thread, "watchdog");
	plane->watchdog = d;
	return 0;
}

/* The thread ends; the struct stays until the process does, so that `status` may still ask. */
void
dp_watchdog_stop(struct dp_plane *plane)
{
	struct dp_watchdog *d = plane->watchdog;

	if (!d || atomic_exchange(&d->stop, true))
		return;
	pthread_join(d->thread, NULL);
}

void
dp_watchdog_stats(struct dp_plane *plane, struct dp_watchdog_stats *ret)
{
	struct dp_watchdog *d = plane->watchdog;

	memset(ret, 0, sizeof(*ret));
	if (!d)
		return;
	pthread_mutex_lock(&d->lock);
	*ret = d->stats;
	pthread_mutex_unlock(&d->lock);
}

static void
take_over(struct dp_watchdog *d, struct dp_worker *w, struct seen *s)
{
	uint32_t expect = DP_HOLD_ENGINE;

	if (atomic_compare_exchange_strong(&w->hold, &expect, DP_HOLD_STANDBY)) {
		s->taken = true;
		d->stats.takeovers++;
		fprintf(stderr,
		    "phonehomed: worker %u hangs in the engine: its frames go on uninspected\n",
		    w->id);
	} else if (!s->stuck) {
		s->stuck = true;
		d->stats.stuck_in_driver++;
		fprintf(stderr, "phonehomed: worker %u hangs in a driver\n", w->id);
	}
}

static void
look_at(struct dp_watchdog *d, struct dp_worker *w, uint64_t now)
{
	struct seen *s = &d->seen[w->id];

	/* In replay a worker may wait for the recorder, and nobody waits for frames. */
	if (d->plane->ports.replay)
		return;
	uint64_t beat = atomic_load_explicit(&w->beat, memory_order_relaxed);

	if (beat != s->beat || s->since_us == 0) {
		if (s->stuck)
			fprintf(stderr, "phonehomed: worker %u goes on\n", w->id);
		s->beat = beat;
		s->since_us = now;
		s->stalled = s->taken;
		s->stuck = false;
	} else if (now - s->since_us >= STALLED_US && !s->stalled) {
		s->stalled = true;
		d->stats.stalls++;
	}
	if (s->stalled && !s->taken && now - s->since_us >= TAKEN_US)
		take_over(d, w, s);
	d->stats.stalled[w->id] = s->stalled;
	d->stats.standby[w->id] = s->taken;
}

/* One round over a worker's queues in its stead. Returns frames moved. */
static unsigned
stand_in(struct dp_worker *w)
{
	struct rte_mbuf *mbufs[CLF_BURST_MAX];
	struct dp_counters *c = &w->standby;
	unsigned moved = 0, n;

	for (unsigned i = 0; i < w->n_sources; i++) {
		const struct dp_source *src = &w->sources[i];
		const struct dp_port *p = &w->ports->port[src->index];
		if (atomic_load(&p->gone))
			continue;
		n = rte_eth_rx_burst(p->id, src->queue, mbufs, CLF_BURST_MAX);
		if (n == 0)
			continue;
		for (unsigned k = 0; k < n; k++)
			c->rx_bytes += mbufs[k]->pkt_len;
		c->port[src->index].rx += n;
		c->uninspected += n;
		dp_tx_forward(w, src->index, mbufs, n, c);
		moved += n;
	}
	for (unsigned from = 0; w->ports->spread && from < w->n_workers; from++) {
		struct dp_spread_burst b;
		if (from == w->id)
			continue;
		dp_spread_take(w, from, &b, c);
		c->uninspected += b.n;
		if (b.n != 0)
			dp_spread_end(w, &b, NULL, c);
		n = rte_ring_sc_dequeue_burst(
		    w->all[from].back[w->id], (void **)mbufs, CLF_BURST_MAX, NULL);
		c->ring_in += n;
		dp_spread_forward(w, mbufs, n, c);
		moved += b.n + n;
	}
	return moved;
}

static bool
stand_in_for_all(struct dp_watchdog *d)
{
	unsigned moved = 0;
	bool any = false;

	for (unsigned i = 0; i < d->plane->n_workers; i++) {
		struct dp_worker *w = &d->plane->workers[i];
		struct seen *s = &d->seen[i];
		if (!s->taken)
			continue;
		any = true;
		moved += stand_in(w);
		uint32_t expect = DP_HOLD_WANTED;
		if (atomic_compare_exchange_strong(&w->hold, &expect, DP_HOLD_WORKER)) {
			s->taken = false;
			fprintf(stderr, "phonehomed: worker %u is back\n", w->id);
		}
	}
	if (any && moved == 0) {
		struct timespec ts = { .tv_nsec = STANDBY_NAP_NS };
		nanosleep(&ts, NULL);
	}
	return any;
}

static void
look_at_losses(struct dp_watchdog *d, uint64_t now)
{
	struct dp_plane *p = d->plane;
	uint64_t lost = 0;

	for (unsigned i = 0; i < p->ports.n; i++) {
		struct dp_port_stats st;
		dp_port_stats(&p->ports, &p->ports.port[i], &st);
		lost += st.missed + st.no_mbuf;
	}
	d->lossy_looks = lost > d->lost ? d->lossy_looks + 1 : 0;
	d->lost = lost;
	if (d->lossy_looks >= SHED_AFTER && !p->ports.replay) {
		if (!d->stats.shedding) {
			d->stats.shed_periods++;
			fprintf(stderr, "phonehomed: overload: inspection is lifted for a while\n");
		}
		d->stats.shedding = true;
		d->shed_until_us = now + SHED_FOR_US;
	} else if (d->stats.shedding && now >= d->shed_until_us) {
		d->stats.shedding = false;
	}
	atomic_store(&p->bypass, atomic_load(&p->bypass_wanted) || d->stats.shedding);
}

static void
each_second(struct dp_watchdog *d)
{
	bool stuck = false;

	for (unsigned i = 0; i < d->plane->n_workers; i++) {
		struct seen *s = &d->seen[i];
		const struct dp_counters *c = &d->plane->workers[i].count;
		uint64_t rounds = c->rounds - s->rounds, idle = c->idle_rounds - s->idle_rounds;
		d->stats.busy_percent[i] = rounds != 0 && idle <= rounds
					       ? 100.0F * (float)(rounds - idle) / (float)rounds
					       : 0;
		s->rounds += rounds;
		s->idle_rounds += idle;
		stuck = stuck || s->stuck;
	}
	if (!stuck)
		dp_sd_notify("WATCHDOG=1");
}

static void *
run(void *arg)
{
	struct dp_watchdog *d = arg;
	uint64_t look = 0, losses = 0, second = 0;

	while (!atomic_load(&d->stop)) {
		uint64_t now = dp_clock_read(CLOCK_MONOTONIC);
		pthread_mutex_lock(&d->lock);
		if (now - look >= LOOK_EVERY_US) {
			look = now;
			for (unsigned i = 0; i < d->plane->n_workers; i++)
				look_at(d, &d->plane->workers[i], now);
		}
		if (now - losses >= SHED_LOOK_US) {
			losses = now;
			look_at_losses(d, now);
		}
		if (now - second >= SECOND_US) {
			second = now;
			each_second(d);
		}
		pthread_mutex_unlock(&d->lock);
		if (!stand_in_for_all(d)) {
			struct timespec ts = { .tv_nsec = LOOK_EVERY_US * 1000L };
			nanosleep(&ts, NULL);
		}
	}
	/* Workers are asked to stop next: each must get its queues back first. */
	for (unsigned i = 0; i < d->plane->n_workers; i++) {
		struct dp_worker *w = &d->plane->workers[i];
		uint32_t expect = DP_HOLD_STANDBY;
		if (d->seen[i].taken &&
		    !atomic_compare_exchange_strong(&w->hold, &expect, DP_HOLD_ENGINE))
			atomic_store(&w->hold, DP_HOLD_WORKER);
		d->seen[i].taken = false;
	}
	return NULL;
}
