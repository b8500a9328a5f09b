/* SPDX-License-Identifier: Apache-2.0 */
/* A worker's rare moments. */
#include "dataplane/worker_round.h"

#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>
#include <rte_pause.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
	EMPTY_IS_END = 8,	/* polls in a row of a file that gave nothing */
	SPIN_ROUNDS = 2000,	/* idle rounds before a sleepy worker sleeps */
	NAP_NS = 50000,		/* two hundredths of a receive ring's worth at 1 Gbit/s */
	LOSSLESS_WAIT_US = 200, /* between two tries to hand an event over in replay */
};

static void
nap(long ns)
{
	struct timespec ts = { .tv_nsec = ns };

	nanosleep(&ts, NULL);
}

void
dp_round_begin(struct dp_worker *w)
{
	rte_rcu_qsbr_thread_register(w->slot->qsbr, w->id);
	rte_rcu_qsbr_thread_online(w->slot->qsbr, w->id);
	atomic_store(&w->hold, DP_HOLD_WORKER);
}

/* Cleared first: who asks from here on gets one of his own. */
static void
answer(struct dp_worker *w)
{
	atomic_fetch_and(&w->asked, ~(uint32_t)DP_ASK_SNAPSHOT);
	dp_worker_take_snapshot(w);
}

/* For the tests of the watchdog: an engine that does not come back. */
static void
stall(struct dp_worker *w)
{
	uint32_t ms = atomic_load(&w->stall_ms);

	atomic_fetch_and(&w->asked, ~(uint32_t)DP_ASK_STALL);
	dp_hold_enter(w);
	for (uint32_t i = 0; i < ms; i++)
		nap(1000000);
	dp_hold_leave(w);
}

bool
dp_round_asked(struct dp_worker *w)
{
	uint32_t asked = atomic_load_explicit(&w->asked, memory_order_relaxed);
	struct dp_rules *rules = dp_rules_active(w->slot);
	bool bypass = atomic_load_explicit(w->bypass, memory_order_relaxed);

	atomic_store_explicit(&w->beat, w->count.rounds + 1, memory_order_relaxed);
	/* By generation: the old pair may have been freed since, and the new one lie in its place.
	 */
	if (unlikely(rules->generation != w->generation)) {
		int rc = clf_engine_set_rules(w->engine, rules->rules, rules->policy);
		if (rc == 0)
			w->generation = rules->generation;
		/* No memory for the new scratch: the engine goes on with the old pair, which must
		 * not be freed under it. */
		w->holds_old = rc < 0;
	}
	if (unlikely(bypass != w->bypassed)) {
		clf_engine_bypass(w->engine, bypass);
		w->bypassed = bypass;
	}
	if (likely(asked == 0))
		return false;
	if (asked & DP_ASK_SNAPSHOT)
		answer(w);
	if (asked & DP_ASK_STALL)
		stall(w);
	return (asked & DP_ASK_STOP) != 0;
}

void
dp_round_idle(struct dp_worker *w)
{
	w->count.idle_rounds++;
	if (!w->sleepy || ++w->idle < SPIN_ROUNDS) {
		rte_pause();
		return;
	}
	nap(NAP_NS);
}

void
dp_round_end(struct dp_worker *w)
{
	w->lossless = true; /* no frame waits behind us any more: take the time that events need */
	dp_hold_enter(w);
	clf_flush(w->engine, w->now_us);
	dp_hold_leave(w);
	rte_rcu_qsbr_thread_offline(w->slot->qsbr, w->id);
	rte_rcu_qsbr_thread_unregister(w->slot->qsbr, w->id);
	dp_worker_take_snapshot(w);
	atomic_store(&w->ended, true);
}

/*
 * A driver gives nothing when nothing has come, and when there was no mbuf. net_pcap's file has
 * ended when it lasts while buffers are there.
 */
void
dp_source_empty(struct dp_worker *w, struct dp_source *src)
{
	void *one;

	if (rte_mempool_get(w->ports->pool, &one) < 0)
		w->count.pool_empty++;
	else
		rte_mempool_put(w->ports->pool, one); /* and the cache has some now */
	if (!src->replay)
		return;
	if (rte_mempool_avail_count(w->ports->pool) < CLF_BURST_MAX) {
		src->empty = 0;
		return;
	}
	if (++src->empty < EMPTY_IS_END)
		return;
	src->done = true;
	atomic_fetch_or(&w->ports->port[src->index].drained, 1u << src->queue);
}

void
dp_hold_wait(struct dp_worker *w)
{
	uint32_t expect = DP_HOLD_STANDBY;

	/* The stand-in gives the queues back at the end of its round and says so. */
	atomic_compare_exchange_strong(&w->hold, &expect, DP_HOLD_WANTED);
	while (atomic_load_explicit(&w->hold, memory_order_acquire) != DP_HOLD_WORKER)
		rte_pause();
	w->stood_in = true;
}

bool
dp_worker_sink(void *ctx, const struct clf_event *event)
{
	struct dp_worker *w = ctx;

	if (likely(dp_byte_ring_put(w->events, event, event->size, NULL, 0)))
		return true;
	while (w->lossless && !atomic_load(w->recorder_gone)) {
		nap(LOSSLESS_WAIT_US * 1000);
		if (dp_byte_ring_put(w->events, event, event->size, NULL, 0))
			return true;
	}
	return false;
}

uint32_t
dp_worker_flatten(const struct clf_frame *frame, uint8_t *buf, uint32_t cap)
{
	uint32_t at = 0;

	for (const struct rte_mbuf *m = frame->cookie; m && at < cap; m = m->next) {
		uint32_t n = RTE_MIN((uint32_t)m->data_len, cap - at);
		memcpy(buf + at, rte_pktmbuf_mtod(m, const void *), n);
		at += n;
	}
	return at;
}
