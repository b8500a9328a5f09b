/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine alone, without ports: what a packet of a decided flow costs, how many new flows are
 * decided a second, what a second worker adds.
 *
 *   bench_engine decided      medians of several rounds, in the thread's own time
 *   bench_engine new
 *   bench_engine workers      one thread, then two on two processors
 *   bench_engine --callgrind  few packets of decided flows only, for instruction counts:
 *       valgrind --tool=callgrind --toggle-collect=decided_run bench_engine --callgrind
 *
 * Frames lie in memory in the order of arrival, flows in random order.
 */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/bench/bench.h"
#include "tests/unit/classifier/frames.h"
#include "tests/unit/classifier/quic_build.h"

enum { ROUNDS = 7, NEW_BATCH = 16384, QUIC_SLOT = 1536 };
enum { WORKERS = 2, WORKER_FLOWS = 65536, WORKER_PASSES = 32, TURNS = 61 };

#if __has_attribute(noclone) /* GCC alone would make a copy under another name */
#define ALONE __attribute__((noinline, noclone))
#else
#define ALONE __attribute__((noinline))
#endif

/* A name of its own for callgrind to count in; the count holds the few instructions of bench_run()
 * too.
 */
static void ALONE
decided_run(struct clf_engine *e, const uint8_t *frames, size_t n)
{
	bench_run(e, frames, NULL, BENCH_FRAME, n);
}

static void
decided_path(const struct sig_ruleset *rules, const struct clf_policy *policy, uint32_t flows,
    bool count_only)
{
	struct clf_engine *e = bench_engine(rules, policy, flows + flows / 8);
	size_t n = count_only ? 65536 : flows < (1u << 20) ? 1u << 20 : flows;
	uint8_t *frames = malloc(n * BENCH_FRAME);
	double ns[ROUNDS];

	bench_decide(e, 0, flows);
	for (size_t i = 0; i < n; i++)
		(void)bench_tcp_frame(frames + i * BENCH_FRAME, (uint32_t)(bench_random() % flows),
		    i & 1, BENCH_ACK, 1, NULL, 0);
	for (unsigned r = 0; r < (count_only ? 1 : ROUNDS); r++) {
		uint64_t t0 = bench_ns();
		decided_run(e, frames, n);
		ns[r] = (double)(bench_ns() - t0) / (double)n;
	}
	if (!count_only) {
		double m = bench_median(ns, ROUNDS);
		printf("| %9u | %6.1f | %6.2f |\n", flows, m, 1000.0 / m);
		fflush(stdout);
	}
	free(frames);
	clf_engine_free(e);
}

/* A TLS 1.3 ServerHello in a record: random of zeros, TLS_AES_128_GCM_SHA256. */
static const uint8_t server_hello[5 + 4 + 46] = { 0x16, 3, 3, 0, 50, 2, 0, 0, 46, 3,
	3, [43] = 0, [44] = 0x13, [45] = 1, [47] = 0, [48] = 6, [49] = 0, [50] = 43, [51] = 0,
	[52] = 2, [53] = 3, [54] = 4 };

/* BENCH_SYN, BENCH_SYN-BENCH_ACK, BENCH_ACK, hello, server hello, BENCH_FIN both ways. */
static size_t
tls_connection(uint8_t *frames, uint32_t *lens, uint32_t i, uint64_t name)
{
	uint8_t hello[BENCH_SLOT];
	uint32_t n = bench_hello(hello, name), k = 0;

	lens[k] = bench_tcp_frame(frames + (size_t)k * BENCH_SLOT, i, true, BENCH_SYN, 0, NULL, 0),
	k++;
	lens[k] = bench_tcp_frame(
	    frames + (size_t)k * BENCH_SLOT, i, false, BENCH_SYN | BENCH_ACK, 6, NULL, 0),
	k++;
	lens[k] = bench_tcp_frame(frames + (size_t)k * BENCH_SLOT, i, true, BENCH_ACK, 1, NULL, 0),
	k++;
	lens[k] = bench_tcp_frame(
	    frames + (size_t)k * BENCH_SLOT, i, true, BENCH_ACK | BENCH_PUSH, 1, hello, n),
	k++;
	lens[k] = bench_tcp_frame(frames + (size_t)k * BENCH_SLOT, i, false, BENCH_ACK, 7,
	    server_hello, sizeof(server_hello)),
	k++;
	lens[k] = bench_tcp_frame(
	    frames + (size_t)k * BENCH_SLOT, i, true, BENCH_ACK | BENCH_FIN, 1 + n, NULL, 0),
	k++;
	lens[k] = bench_tcp_frame(frames + (size_t)k * BENCH_SLOT, i, false, BENCH_ACK | BENCH_FIN,
	    7 + sizeof(server_hello), NULL, 0),
	k++;
	return k;
}

static double
new_tls(const struct sig_ruleset *rules, const struct clf_policy *policy)
{
	enum { PER = 7 };
	struct clf_engine *e = bench_engine(rules, policy, 1 << 20);
	uint8_t *frames = malloc((size_t)NEW_BATCH * PER * BENCH_SLOT);
	uint32_t *lens = malloc((size_t)NEW_BATCH * PER * sizeof(*lens));
	double rate[ROUNDS];

	for (unsigned r = 0; r < ROUNDS; r++) {
		for (uint32_t i = 0; i < NEW_BATCH; i++)
			tls_connection(frames + (size_t)i * PER * BENCH_SLOT,
			    lens + (size_t)i * PER, r * NEW_BATCH + i, bench_random());
		uint64_t before = clf_engine_stats(e)->flows_decided, t0 = bench_ns();
		bench_run(e, frames, lens, BENCH_SLOT, (size_t)NEW_BATCH * PER);
		rate[r] = (double)(clf_engine_stats(e)->flows_decided - before) * 1e9 /
			  (double)(bench_ns() - t0);
	}
	free(frames);
	free(lens);
	clf_engine_free(e);
	return bench_median(rate, ROUNDS);
}

/* Kept out of line: inlined, the builders' lengths lose their bounds in the compiler's eyes. */
static uint32_t __attribute__((noinline)) quic_frame(uint8_t *out, uint32_t i, uint64_t name)
{
	uint8_t cid[8];
	struct buf msg = { 0 }, payload = { 0 }, datagram = { 0 };
	struct quic_side side = { 0 };
	struct fb b = { .len = 0 };
	char text[64];

	snprintf(text, sizeof(text), "q%llu.v%llu.example.com", (unsigned long long)name,
	    (unsigned long long)(name % (4 * BENCH_SIGNATURES)));
	memcpy(cid, &name, 8);
	quic_side_init(&side, 1, cid, 8);
	put_hello(&msg, &(struct hello_spec){ .sni = text });
	if (msg.len < BENCH_SLOT)
		put_crypto_frame(&payload, 0, msg.data, msg.len);
	while (payload.len < 1162)
		put_be(&payload, 0, 1);
	put_initial(&datagram, &side, 0, &payload);
	fb_eth(&b, 0x0800);
	fb_ip4(&b, 17, 8 + (uint32_t)datagram.len, 1, 0);
	uint32_t ip = b.len - 20;
	fb_udp(&b, 443, (uint32_t)datagram.len);
	fb_add(&b, datagram.data, (uint32_t)datagram.len);
	b.data[ip + 14] = (uint8_t)(i >> 8);
	b.data[ip + 15] = (uint8_t)i;
	b.data[ip + 13] = (uint8_t)(i >> 16);
	b.data[ip + 10] = 0;
	b.data[ip + 11] = 0;
	uint16_t sum = fb_fold(fb_sum(b.data + ip, 20, 0));
	b.data[ip + 10] = (uint8_t)(sum >> 8);
	b.data[ip + 11] = (uint8_t)sum;
	memcpy(out, b.data, b.len);
	buf_free(&msg);
	buf_free(&payload);
	buf_free(&datagram);
	return b.len;
}

static double
new_quic(const struct sig_ruleset *rules, const struct clf_policy *policy)
{
	struct clf_engine *e = bench_engine(rules, policy, 1 << 20);
	uint8_t *frames = malloc((size_t)NEW_BATCH * QUIC_SLOT);
	uint32_t *lens = malloc(NEW_BATCH * sizeof(*lens));
	double rate[3];

	for (unsigned r = 0; r < 3; r++) {
		for (uint32_t i = 0; i < NEW_BATCH; i++)
			lens[i] = quic_frame(
			    frames + (size_t)i * QUIC_SLOT, r * NEW_BATCH + i, bench_random());
		uint64_t before = clf_engine_stats(e)->flows_decided, t0 = bench_ns();
		bench_run(e, frames, lens, QUIC_SLOT, NEW_BATCH);
		rate[r] = (double)(clf_engine_stats(e)->flows_decided - before) * 1e9 /
			  (double)(bench_ns() - t0);
	}
	free(frames);
	free(lens);
	clf_engine_free(e);
	return bench_median(rate, 3);
}

/* --- two workers --- */

struct lane {
	struct clf_engine *engine;
	uint8_t *frames;
	int cpu;
	pthread_t thread;
	pthread_barrier_t *begin;
	bool no_memory; /* a loop in registers instead: what this machine gives to two */
	double wall,
	    cpu_rate; /* million frames a second of the clock, and of the thread's own time */
};

static double
seconds(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* About as long as a worker's turn. */
static void ALONE
count_in_registers(void)
{
	uint64_t x = 1;

	for (unsigned i = 0; i < WORKER_FLOWS * WORKER_PASSES * 10; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		__asm__ volatile("" : "+r"(x));
	}
}

static void *
one_lane(void *arg)
{
	struct lane *l = arg;
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(l->cpu, &set);
	(void)pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
	if (!l->no_memory)
		decided_run(
		    l->engine, l->frames, WORKER_FLOWS); /* caches are warm, its clock set */
	pthread_barrier_wait(l->begin);
	double wall = seconds(CLOCK_MONOTONIC), cpu = seconds(CLOCK_THREAD_CPUTIME_ID);
	if (l->no_memory)
		count_in_registers();
	for (unsigned i = 0; i < WORKER_PASSES && !l->no_memory; i++)
		decided_run(l->engine, l->frames, WORKER_FLOWS);
	double frames = (double)WORKER_FLOWS * WORKER_PASSES / 1e6;
	l->wall = frames / (seconds(CLOCK_MONOTONIC) - wall);
	l->cpu_rate = frames / (seconds(CLOCK_THREAD_CPUTIME_ID) - cpu);
	return NULL;
}

/* The sums over n lanes that run at once. */
static void
run_lanes(struct lane *lanes, unsigned n, double *ret_wall, double *ret_cpu)
{
	pthread_barrier_t begin;

	pthread_barrier_init(&begin, NULL, n);
	*ret_wall = *ret_cpu = 0;
	for (unsigned i = 0; i < n; i++) {
		lanes[i].begin = &begin;
		if (pthread_create(&lanes[i].thread, NULL, one_lane, &lanes[i]) != 0)
			exit(1);
	}
	for (unsigned i = 0; i < n; i++) {
		pthread_join(lanes[i].thread, NULL);
		*ret_wall += lanes[i].wall;
		*ret_cpu += lanes[i].cpu_rate;
	}
	pthread_barrier_destroy(&begin);
}

static void
make_lane(struct lane *l, const struct sig_ruleset *rules, const struct clf_policy *policy)
{
	l->engine = bench_engine(rules, policy, WORKER_FLOWS + WORKER_FLOWS / 8);
	l->frames = malloc((size_t)WORKER_FLOWS * BENCH_FRAME);
	if (!l->frames)
		exit(1);
	bench_decide(l->engine, 0, WORKER_FLOWS);
	for (size_t i = 0; i < WORKER_FLOWS; i++)
		(void)bench_tcp_frame(l->frames + i * BENCH_FRAME,
		    (uint32_t)(bench_random() % WORKER_FLOWS), i & 1, BENCH_ACK, 1, NULL, 0);
}

static int
two_workers(const struct sig_ruleset *rules, const struct clf_policy *policy)
{
	struct lane lanes[WORKERS] = { 0 };
	double wall[WORKERS][TURNS], cpu[WORKERS][TURNS], gain[3][TURNS];
	double one, two, idle;
	cpu_set_t set;
	unsigned n = 0;

	CPU_ZERO(&set);
	(void)sched_getaffinity(0, sizeof(set), &set);
	for (int c = 0; c < CPU_SETSIZE && n < WORKERS; c++)
		if (CPU_ISSET(c, &set))
			lanes[n++].cpu = c;
	if (n < WORKERS) {
		printf("one processor: left out\n");
		return 0;
	}
	for (unsigned i = 0; i < WORKERS; i++)
		make_lane(&lanes[i], rules, policy);
	for (unsigned r = 0; r < TURNS; r++) {
		for (unsigned k = 0; k < WORKERS; k++)
			run_lanes(lanes, k + 1, &wall[k][r], &cpu[k][r]);
		gain[0][r] = wall[1][r] / wall[0][r];
		gain[1][r] = cpu[1][r] / cpu[0][r];
		lanes[0].no_memory = lanes[1].no_memory = true;
		run_lanes(lanes, 1, &one, &idle);
		run_lanes(lanes, 2, &two, &idle);
		gain[2][r] = two / one;
		lanes[0].no_memory = lanes[1].no_memory = false;
	}
	printf("| workers | Mpps | of one | Mpps, CPU time | of one |\n|---|---|---|---|---|\n");
	for (unsigned k = 0; k < WORKERS; k++)
		printf("| %u | %.2f | %.2f | %.2f | %.2f |\n", k + 1, bench_median(wall[k], TURNS),
		    k ? bench_median(gain[0], TURNS) : 1.0, bench_median(cpu[k], TURNS),
		    k ? bench_median(gain[1], TURNS) : 1.0);
	double loops = bench_median(gain[2], TURNS); /* sorts */
	printf("\nMedians of %u turns, one worker and then two in each.\n\n"
	       "| gain of the second | median | a quarter is below | above |\n|---|---|---|---|\n"
	       "| worker | %.2f | %.2f | %.2f |\n| worker, by CPU time | %.2f | %.2f | %.2f |\n"
	       "| loop that touches no memory | %.2f | %.2f | %.2f |\n",
	    (unsigned)TURNS, bench_median(gain[0], TURNS), gain[0][TURNS / 4],
	    gain[0][TURNS - 1 - TURNS / 4], bench_median(gain[1], TURNS), gain[1][TURNS / 4],
	    gain[1][TURNS - 1 - TURNS / 4], loops, gain[2][TURNS / 4],
	    gain[2][TURNS - 1 - TURNS / 4]);
	for (unsigned i = 0; i < WORKERS; i++) {
		clf_engine_free(lanes[i].engine);
		free(lanes[i].frames);
	}
	return 0;
}

static void
decided_table(const struct sig_ruleset *rules, const struct clf_policy *policy)
{
	printf("| flows     | ns     | Mpps   |\n|-----------|--------|--------|\n");
	for (unsigned i = 10; i <= 20; i += i == 10 ? 6 : 4)
		decided_path(rules, policy, 1u << i, false);
}

static void
new_table(const struct sig_ruleset *rules, const struct clf_policy *policy)
{
	printf("| kind | flows/s |\n|------|---------|\n");
	printf("| TLS, 7 packets each | %.0f |\n", new_tls(rules, policy));
	printf("| QUIC, one Initial of 1,200 bytes each | %.0f |\n", new_quic(rules, policy));
}

int
main(int argc, char **argv)
{
	struct sig_ruleset *rules = bench_rules(BENCH_SIGNATURES);
	struct clf_policy *policy = NULL;
	struct sig_diag diag = { 0 };
	const char *what = argc > 1 ? argv[1] : "decided";

	if (clf_policy_load(NULL, &policy, &diag) != 0)
		return 1;
	if (strcmp(what, "--callgrind") == 0)
		decided_path(rules, policy, 1024, true);
	else if (strcmp(what, "new") == 0)
		new_table(rules, policy);
	else if (strcmp(what, "workers") == 0)
		two_workers(rules, policy);
	else
		decided_table(rules, policy);
	clf_policy_free(policy);
	sig_ruleset_free(rules);
	return bench_events == 0;
}
