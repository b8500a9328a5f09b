/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A worker: one thread that owns an engine and some queues of the ports.
 *
 *   receive burst -> (pass on by ring what another worker owns) -> clf_burst() -> send or free
 *
 * Made and freed by the main thread; the struct belongs to the worker's thread while it runs, but
 * for the fields that say otherwise. Nothing here allocates, locks, logs or formats once it runs.
 */
#ifndef DATAPLANE_WORKER_H
#define DATAPLANE_WORKER_H

#include <rte_ring.h>
#include <stdatomic.h>

#include "classifier/engine.h"
#include "dataplane/byte_ring.h"
#include "dataplane/clock.h"
#include "dataplane/port.h"
#include "dataplane/rules_slot.h"

/* Why a frame was not sent on. Adding one: a row here and a name in counters.c. */
enum dp_drop {
	DP_DROP_POLICY,	   /* verdict drop */
	DP_DROP_RESET,	   /* verdict reset */
	DP_DROP_TX_FULL,   /* the other port took no more, after some patience */
	DP_DROP_NO_PORT,   /* the other port was unplugged */
	DP_DROP_RING_FULL, /* the worker that inspects it, or owns the transmit queue, is behind */
	DP_DROP_LATE,	   /* held up by a worker that hangs: later ones went before it */
	DP_DROP_STOP,	   /* still in a ring when the daemon stopped */
	DP_DROP_MAX
};
const char *dp_drop_name(enum dp_drop d);

/* Frames of one port: what came in on it, what was sent out of it (ours included), and what came in
 * on it and was freed instead of sent on. */
struct dp_port_count {
	uint64_t rx, tx, observed, dropped[DP_DROP_MAX];
};

/*
 * Frames, exactly, summed over ports: rx + ring_in + injected = tx + observed + dropped + ring_out
 * for each worker between two rounds; hence for the whole
 * rx = (tx - injected) + observed + dropped + in flight, in flight being what lies in rings, and
 * what a worker that was read amid its round has in its hands.
 *
 * rx begins where a driver gives a frame to us. What a NIC stopped by a rule of ours (offload.h,
 * `offload_dropped`) came to us as little as what it missed: it is in none of these, and never
 * counted twice.
 *
 * One writer, the worker; they only grow. 64-bit words only: dp_counters_add() relies on it.
 */
struct dp_counters {
	struct dp_port_count port[DP_PORTS_MAX];
	uint64_t rx_bytes;
	uint64_t ring_out, ring_in;	  /* passed to and taken from other workers */
	uint64_t uninspected;		  /* forwarded without a look: another worker was behind */
	uint64_t injected, inject_failed; /* RSTs and ICMP errors that we made */
	uint64_t rounds, idle_rounds, tx_waits;
	uint64_t pool_empty; /* polls that gave nothing while no packet buffer was free */
	uint64_t in_hand;    /* only in a copy: see dp_plane_count() */
	uint64_t evidence, evidence_lost;
};
void dp_counters_add(struct dp_counters *sum, const struct dp_counters *c);
/* All ports as one. */
void dp_counters_total(const struct dp_counters *c, struct dp_port_count *ret);
uint64_t dp_dropped(const struct dp_port_count *c);
/* Frames that came in and went nowhere yet: 0 between two rounds. */
int64_t dp_counters_open(const struct dp_counters *c);
/* Of the sum of all workers. */
uint64_t dp_counters_in_flight(const struct dp_counters *sum);

/* Who may touch a worker's queues (watchdog.c). One compare-and-swap a burst, none a packet. */
enum dp_hold {
	DP_HOLD_WORKER,	 /* the worker is at its queues */
	DP_HOLD_ENGINE,	 /* the worker is in the engine: the watchdog may take its queues */
	DP_HOLD_STANDBY, /* the watchdog's stand-in has them */
	DP_HOLD_WANTED,	 /* ... and the worker has come back and waits for them */
};

/* What other threads ask a worker for, as bits of `asked`. */
enum dp_ask { DP_ASK_STOP = 1, DP_ASK_SNAPSHOT = 2, DP_ASK_STALL = 4 };

struct dp_source {
	uint16_t queue;
	uint16_t index; /* in dp_ports */
	bool replay, done;
	uint32_t empty; /* polls in a row that gave nothing */
};

struct dp_worker {
	/* --- constant while running --- */
	unsigned id, n_workers;
	struct dp_ports *ports;
	struct dp_rules_slot *slot;
	struct clf_engine *engine;
	struct dp_byte_ring *events;		 /* to the recorder */
	struct dp_byte_ring *evidence;		 /* to the recorder; NULL: no evidence is wanted */
	struct rte_ring *spread[DP_WORKERS_MAX]; /* [to]: frames for that worker to inspect */
	struct rte_ring *back[DP_WORKERS_MAX];	 /* [to]: frames for that worker to send */
	struct dp_worker *all;			 /* every worker, for the rings that lead here */
	struct dp_source sources[DP_PORTS_MAX * DP_WORKERS_MAX];
	unsigned n_sources;
	bool sleepy;   /* sleeps when idle, against latency */
	bool lossless; /* replay: waits for the recorder rather than lose an event */
	uint16_t evidence_packets, evidence_snaplen;
	const _Atomic bool *bypass; /* wanted by control or the watchdog */
	const _Atomic bool *recorder_gone;
	const struct rte_mempool_cache *cache; /* packet buffers at hand; the thread sets it */

	/* --- the worker's own --- */
	/* Of the rules that the engine runs on: an address may come back, a generation does not. */
	_Alignas(RTE_CACHE_LINE_SIZE) uint32_t generation;
	bool holds_old; /* those are not the active ones any more: no quiescent state is told */
	uint64_t now_us;
	struct dp_clock clock;
	bool bypassed;
	unsigned idle;
	uint64_t reject_tokens, reject_us; /* rate of ICMP errors */
	struct dp_counters count;
	struct dp_evidence_seen *seen;
	uint64_t spread_put[DP_WORKERS_MAX];   /* [to]: frames passed on so far */
	uint64_t spread_taken[DP_WORKERS_MAX]; /* [from]: frames taken; who holds the queues */
	bool stood_in;			       /* the stand-in had the queues since the burst */

	/* --- shared: who writes is said --- */
	_Alignas(RTE_CACHE_LINE_SIZE) _Atomic uint32_t hold; /* enum dp_hold: worker and watchdog */
	_Atomic uint64_t beat;				     /* rounds begun; worker */
	_Atomic uint32_t asked;	    /* enum dp_ask: others set, the worker clears */
	_Atomic uint32_t stall_ms;  /* test hook */
	_Atomic bool ended;	    /* the worker has flushed and left */
	_Atomic uint64_t snapshots; /* twice as many as were taken; odd: being written; worker */
	_Atomic uint64_t
	    spread_stale[DP_WORKERS_MAX]; /* [to]: of spread_put, to be dropped; worker */
	_Atomic bool spread_sending[DP_WORKERS_MAX]; /* [from]; who holds the queues */
	struct dp_counters snapshot;		     /* under the seqlock `snapshots` */

	/* the stand-in's, while it holds the queues */
	_Alignas(RTE_CACHE_LINE_SIZE) struct dp_counters standby;
};

/* The thread: returns when asked to stop, the engine flushed. arg: struct dp_worker. */
int dp_worker_main(void *arg);
/* counters.c. Counters as of between two rounds, both begun after the call; any thread. False: the
 * worker did not answer in 20 ms, and *ret is not to be used. */
bool dp_worker_snapshot(struct dp_worker *w, struct dp_counters *ret);
/* The worker's own: copies its counters for others. */
void dp_worker_take_snapshot(struct dp_worker *w);

/* The engine's callbacks. */
bool dp_worker_sink(void *ctx, const struct clf_event *event);
uint32_t dp_worker_flatten(const struct clf_frame *frame, uint8_t *buf, uint32_t cap);

#endif
