/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the benchmarks of the engine share: rules, an engine, frames of many clients, flows that are
 * decided. Any thread may run an engine of its own; the clock is the thread's.
 */
#ifndef TESTS_BENCH_BENCH_H
#define TESTS_BENCH_BENCH_H

#include "classifier/engine.h"

enum {
	BENCH_SIGNATURES = 20000,
	BENCH_FRAME = 64, /* room for one frame without payload */
	BENCH_SLOT = 512, /* room for one with a hello */
};
enum { BENCH_FIN = 1, BENCH_SYN = 2, BENCH_PUSH = 8, BENCH_ACK = 16 };

extern uint64_t bench_events; /* so that no event is optimized away */
extern _Thread_local uint64_t bench_clock_us;

uint64_t bench_random(void);
uint64_t bench_ns(void); /* of the thread's own time */
double bench_resident_mb(void);
double bench_median(double *v, unsigned n);

/* These end the program when they fail. */
struct sig_ruleset *bench_rules(unsigned signatures);
struct clf_engine *
bench_engine(const struct sig_ruleset *rules, const struct clf_policy *policy, uint32_t flows);

/* Ethernet, IPv4, TCP; `up` from client number `i`. Returns the frame's length. */
uint32_t bench_tcp_frame(uint8_t *out, uint32_t i, bool up, uint8_t flags, uint32_t seq,
    const void *payload, uint32_t n);
/* A ClientHello in a record, for the name `number`; fewer than BENCH_SLOT bytes. */
uint32_t bench_hello(uint8_t *out, uint64_t number);
/* n frames, `stride` apart, in bursts of 32. lens NULL: 60 bytes each. */
void bench_run(
    struct clf_engine *e, const uint8_t *frames, const uint32_t *lens, size_t stride, size_t n);
/* Decides the flows of clients first .. first + flows - 1; nobody watches them after. */
void bench_decide(struct clf_engine *e, uint32_t first, uint32_t flows);

#endif
