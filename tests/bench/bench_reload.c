/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a reload does to the packets of a worker at half load, seen from the worker itself.
 *
 *   bench_reload PACKS [ROUNDS]
 *
 * One thread does what a worker does in a round, without ports: takes the active rules, classifies
 * the frames that are due, tells that it is quiescent. Frames of decided flows fall due at half of
 * the rate that it sustains; a frame's latency is counted from then until its burst is classified.
 * On another processor the packs are
 *
 *   left alone,
 *   compiled and thrown away, one time after the other (what any busy neighbour would cost), or
 *   reloaded: compiled, published, the old ones freed when the worker has let go.
 *
 * The three take turns in short rounds, so that what the machine does meanwhile meets all alike,
 * and each round of one kind is compared with the other kinds' of the same turn. Nobody sends or
 * receives: a sender would share the reload's processor, and it would be the sender's delay that is
 * measured.
 */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "dataplane/rules_slot.h"
#include "tests/bench/bench.h"

enum { FLOWS = 65536, BURST = 32, ROUND_MS = 100, MOST_ROUNDS = 1000 };
enum { STEPS = 1 << 20, STEP_TICKS = 32 }; /* of the histogram; the last one holds all beyond */
enum { KINDS = 3, SHARES = 4, P99 = 2, GAP_US = 10 };

enum kind { ALONE, COMPILED, RELOADED };
static const char *const kind_name[KINDS] = { "left alone", "compiled, not used", "reloaded" };
static const double share[SHARES] = { 0.5, 0.9, 0.99, 0.999 };

struct worker {
	struct dp_rules_slot slot;
	struct clf_engine *engine;
	uint8_t *frames;
	uint32_t generation;
	uint64_t at; /* frames so far: the next one is at % FLOWS */
	double ticks_per_us, ticks_per_frame;
	uint32_t histogram[STEPS];
};

struct round {
	double us[SHARES], worst_us;
	unsigned gaps; /* the worker did nothing for GAP_US or more */
};

static struct worker worker;
static const char *packs;
static _Atomic enum kind wanted;
static _Atomic bool idle, stop; /* idle: the neighbour has seen that it is to leave them alone */
static unsigned reloads, compiles;

static uint64_t
ticks(void)
{
#if defined(__x86_64__)
	return __builtin_ia32_rdtsc();
#else
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
#endif
}

static double
wall_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void
run_on(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	(void)pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
}

/* As worker_round.c. */
static void
take_rules(void)
{
	struct dp_rules *rules = dp_rules_active(&worker.slot);

	if (__builtin_expect(rules->generation == worker.generation, 1))
		return;
	if (clf_engine_set_rules(worker.engine, rules->rules, rules->policy) != 0)
		exit(1);
	worker.generation = rules->generation;
}

static void
classify(unsigned n)
{
	struct clf_frame burst[BURST];
	struct clf_result results[BURST];

	bench_clock_us += 3;
	for (unsigned i = 0; i < n; i++)
		burst[i] = (struct clf_frame){
			.data = worker.frames + (worker.at + i) % FLOWS * BENCH_FRAME,
			.ts_us = bench_clock_us,
			.len = 60,
			.wire_len = 60,
		};
	clf_burst(worker.engine, burst, n, bench_clock_us, results);
	worker.at += n;
}

static void
find_rate(void)
{
	enum { TRIES = 7, FRAMES = 1 << 21 };
	double best = 0;

	for (unsigned r = 0; r < TRIES; r++) {
		uint64_t t0 = ticks();
		double us = wall_us();
		for (unsigned i = 0; i < FRAMES; i += BURST)
			classify(BURST);
		double took = (double)(ticks() - t0);
		worker.ticks_per_us = took / (wall_us() - us);
		if (best == 0 || took < best)
			best = took;
	}
	worker.ticks_per_frame = 2 * best / FRAMES;
}

static double
quantile_us(double q, uint64_t total)
{
	uint64_t seen = 0, want = (uint64_t)(q * (double)total);
	unsigned i = 0;

	while (i < STEPS - 1 && (seen += worker.histogram[i]) <= want)
		i++;
	return (i + 0.5) * STEP_TICKS / worker.ticks_per_us;
}

/* One round: frames fall due for ROUND_MS; all of them are classified, late or not. */
static void
forward(struct round *ret_round)
{
	uint64_t start, last, now, done = 0, worst = 0;
	uint64_t gap = (uint64_t)(GAP_US * worker.ticks_per_us);
	uint64_t total = (uint64_t)(ROUND_MS * 1e3 * worker.ticks_per_us / worker.ticks_per_frame);
	double per_tick = 1 / worker.ticks_per_frame;

	memset(worker.histogram, 0, sizeof(worker.histogram));
	ret_round->gaps = 0;
	start = last = ticks();
	while (done < total) {
		take_rules();
		now = ticks();
		ret_round->gaps += now - last > gap;
		last = now;
		uint64_t due = (uint64_t)((double)(now - start) * per_tick);
		unsigned n = due - done < BURST ? (unsigned)(due - done) : BURST;
		if (n > 0) {
			classify(n);
			now = ticks() - start;
			for (unsigned i = 0; i < n; i++) {
				uint64_t was = (uint64_t)((double)(done + i) *
							  worker.ticks_per_frame);
				uint64_t late = now > was ? now - was : 0;
				worst = late > worst ? late : worst;
				late /= STEP_TICKS;
				worker.histogram[late < STEPS ? late : STEPS - 1]++;
			}
			done += n;
		}
		dp_rules_quiescent(&worker.slot, 0);
	}
	for (unsigned s = 0; s < SHARES; s++)
		ret_round->us[s] = quantile_us(share[s], total);
	ret_round->worst_us = (double)worst / worker.ticks_per_us;
}

static struct dp_rules *
compiled(void)
{
	struct sig_diag diag = { 0 };
	struct dp_rules *rules = NULL;

	if (dp_rules_load(packs, NULL, &rules, &diag) != 0) {
		sig_diag_print(&diag, stderr);
		exit(1);
	}
	sig_diag_free(&diag);
	return rules;
}

/* The other processor: as reload.c. */
static void *
neighbour(void *arg)
{
	run_on(*(const int *)arg);
	while (!stop) {
		enum kind k = wanted;
		idle = k == ALONE;
		if (k == ALONE) {
			usleep(2000);
			continue;
		}
		struct dp_rules *rules = compiled();
		if (k == COMPILED) {
			dp_rules_free(rules);
			compiles++;
			continue;
		}
		if (dp_rules_publish(&worker.slot, rules) != 0)
			exit(1);
		reloads++;
		while (dp_rules_reap(&worker.slot) > 0)
			usleep(50);
	}
	return NULL;
}

/* The median over the turns of p99 of one kind to that of another, and the quarters' ends. */
static void
print_ratio(struct round (*rounds)[KINDS], unsigned n, enum kind a, enum kind b)
{
	static double v[MOST_ROUNDS];

	for (unsigned i = 0; i < n; i++)
		v[i] = rounds[i][a].us[P99] / rounds[i][b].us[P99];
	double m = bench_median(v, n); /* sorts */
	printf("| p99 %s / %s | %.3f | %.3f | %.3f |\n", kind_name[a], kind_name[b], m, v[n / 4],
	    v[n - 1 - n / 4]);
}

static void
print(struct round (*rounds)[KINDS], unsigned n)
{
	static double v[MOST_ROUNDS];
	const unsigned times[KINDS] = { 0, compiles, reloads };

	printf("| packs meanwhile | Mpps | p50 us | p90 us | p99 us | p99.9 us | worst us | gaps a "
	       "second | "
	       "times |\n|---|---|---|---|---|---|---|---|---|\n");
	for (unsigned k = 0; k < KINDS; k++) {
		unsigned gaps = 0;
		printf("| %s | %.2f |", kind_name[k], worker.ticks_per_us / worker.ticks_per_frame);
		for (unsigned s = 0; s <= SHARES; s++) {
			for (unsigned i = 0; i < n; i++)
				v[i] = s < SHARES ? rounds[i][k].us[s] : rounds[i][k].worst_us;
			printf(" %.2f |", bench_median(v, n));
		}
		for (unsigned i = 0; i < n; i++)
			gaps += rounds[i][k].gaps;
		printf(" %.0f | %u |\n", gaps * 1e3 / ((double)n * ROUND_MS), times[k]);
	}
	printf("\nMedians of %u rounds of %u ms of each kind in turn, %u flows; gap: the worker "
	       "did not "
	       "run for %u us or more.\n\n| of each turn | median | a quarter is below | above |\n"
	       "|---|---|---|---|\n",
	    n, (unsigned)ROUND_MS, (unsigned)FLOWS, (unsigned)GAP_US);
	print_ratio(rounds, n, RELOADED, ALONE);
	print_ratio(rounds, n, COMPILED, ALONE);
	print_ratio(rounds, n, RELOADED, COMPILED);
}

static void
set_up(void)
{
	struct dp_rules *rules = compiled();

	if (dp_rules_slot_init(&worker.slot, 1) != 0 || dp_rules_publish(&worker.slot, rules) != 0)
		exit(1);
	worker.engine = bench_engine(rules->rules, rules->policy, FLOWS + FLOWS / 8);
	worker.generation = rules->generation;
	worker.frames = malloc((size_t)FLOWS * BENCH_FRAME);
	if (!worker.frames)
		exit(1);
	bench_decide(worker.engine, 0, FLOWS);
	for (uint32_t i = 0; i < FLOWS; i++)
		(void)bench_tcp_frame(worker.frames + (size_t)i * BENCH_FRAME,
		    (uint32_t)(bench_random() % FLOWS), i & 1, BENCH_ACK, 1, NULL, 0);
	rte_rcu_qsbr_thread_register(worker.slot.qsbr, 0);
	rte_rcu_qsbr_thread_online(worker.slot.qsbr, 0);
	find_rate();
}

int
main(int argc, char **argv)
{
	static struct round rounds[MOST_ROUNDS][KINDS];
	unsigned n = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 60;
	int cpu[2], found = 0;
	pthread_t other;
	cpu_set_t set;

	if (argc < 2 || n == 0 || n > MOST_ROUNDS) {
		fprintf(stderr, "usage: bench_reload PACKS [ROUNDS]\n");
		return 2;
	}
	packs = argv[1];
	(void)sched_getaffinity(0, sizeof(set), &set);
	for (int c = 0; c < CPU_SETSIZE && found < 2; c++)
		if (CPU_ISSET(c, &set))
			cpu[found++] = c;
	if (found < 2) {
		printf("one processor: left out\n");
		return 0;
	}
	run_on(cpu[1]);
	set_up();
	if (pthread_create(&other, NULL, neighbour, &cpu[0]) != 0)
		return 1;
	for (unsigned i = 0; i < n; i++)
		for (unsigned k = 0; k < KINDS; k++) {
			wanted = (enum kind)((k + i) % KINDS);
			while (wanted == ALONE && !idle)
				dp_rules_quiescent(&worker.slot, 0), take_rules();
			forward(&rounds[i][wanted]);
		}
	stop = true;
	rte_rcu_qsbr_thread_offline(worker.slot.qsbr, 0);
	pthread_join(other, NULL);
	print(rounds, n);
	rte_rcu_qsbr_thread_unregister(worker.slot.qsbr, 0);
	clf_engine_free(worker.engine);
	dp_rules_slot_fini(&worker.slot);
	free(worker.frames);
	return bench_events == 0;
}
