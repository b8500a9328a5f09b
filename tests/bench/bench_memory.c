/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What memory a flow takes in each state, and that nothing grows under a flood of new ones.
 *
 *   bench_memory states [FLOWS...]    default 1,048,576 and 10,000,000
 *   bench_memory flood
 *
 * Resident memory, each row in a process of its own. What is there before the first flow and does
 * not grow with their number (pools, nDPI, the first huge page of each) is shown apart: it is what
 * an engine with a table for few flows has once it has had them.
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/bench/bench.h"

enum {
	SMALL = 1024,
	BORROWERS = 20000,
	INSPECTED = 4000,
	FLOOD_TABLE = 1 << 20,
	FLOOD_TIMES = 10,
	BATCH = 4096
};

static const struct sig_ruleset *rules;
static const struct clf_policy *policy;
static double start_mb; /* before any engine */

/* Clients first .. first + n - 1 send one segment each. */
static void
send_all(struct clf_engine *e, uint32_t first, uint32_t n, uint8_t flags, bool half_hello)
{
	uint8_t *frames = malloc((size_t)BATCH * BENCH_SLOT), hello[BENCH_SLOT];
	uint32_t *lens = malloc(BATCH * sizeof(*lens));

	if (!frames || !lens)
		exit(1);
	for (uint32_t i = 0; i < n; i += BATCH) {
		uint32_t k = n - i < BATCH ? n - i : BATCH;
		for (uint32_t j = 0; j < k; j++)
			lens[j] = bench_tcp_frame(frames + (size_t)j * BENCH_SLOT, first + i + j,
			    true, flags, half_hello, hello,
			    half_hello ? bench_hello(hello, i + j) / 2 : 0);
		bench_run(e, frames, lens, BENCH_SLOT, k);
	}
	free(frames);
	free(lens);
}

/* In a process of its own: a heap that others have used gives memory that is there already. */
static void
apart(void (*row)(uint32_t), uint32_t arg)
{
	int status;

	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) {
		/* What the first engine of a process touches beyond itself: libraries' data. */
		bench_decide(bench_engine(rules, policy, SMALL), 0, SMALL);
		start_mb = bench_resident_mb();
		row(arg);
		fflush(stdout);
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
		exit(1);
}

static void
print_row(const char *state, uint32_t flows, uint32_t few, double all, double fixed)
{
	printf("| %s | %u | %.1f | %.1f | %.1f |\n", state, flows, all, fixed,
	    (all - fixed) * 1e6 / (flows - few));
}

static void
decided_row(uint32_t flows)
{
	struct clf_engine *few = bench_engine(rules, policy, SMALL);

	bench_decide(few, 0, SMALL);
	double fixed = bench_resident_mb() - start_mb, before = bench_resident_mb();
	struct clf_engine *e = bench_engine(rules, policy, flows);
	bench_decide(e, 0, flows);
	if (clf_engine_stats(e)->flows_now != flows)
		exit(1);
	print_row("decided", flows, SMALL, bench_resident_mb() - before, fixed);
}

/* Each new flow borrows a context until another needs it: the pool of them is fixed too. */
static void
new_row(uint32_t flows)
{
	struct clf_engine *few = bench_engine(rules, policy, BORROWERS);

	send_all(few, 0, BORROWERS, BENCH_SYN, false);
	double fixed = bench_resident_mb() - start_mb, before = bench_resident_mb();
	struct clf_engine *e = bench_engine(rules, policy, flows);
	send_all(e, 0, flows, BENCH_SYN, false);
	print_row("new: a SYN was seen", flows, BORROWERS, bench_resident_mb() - before, fixed);
}

static void
inspecting_row(uint32_t flows)
{
	struct clf_engine *e = bench_engine(rules, policy, flows + SMALL);

	bench_decide(e, 0, SMALL);
	double fixed = bench_resident_mb();
	send_all(e, SMALL, flows, BENCH_ACK | BENCH_PUSH, true);
	flows = (uint32_t)clf_engine_stats(e)->inspecting_now;
	print_row("inspecting: half a hello was read", flows, 0, bench_resident_mb() - start_mb,
	    fixed - start_mb);
}

/* Half the table is decided flows, the rest of it is full; then ten tables' worth of new ones. */
static void
flood(uint32_t unused)
{
	struct clf_engine *e = bench_engine(rules, policy, FLOOD_TABLE);
	const struct clf_engine_stats *s = clf_engine_stats(e);
	const uint32_t kept = FLOOD_TABLE / 2;

	(void)unused;
	bench_decide(e, 0, kept);
	send_all(e, kept, FLOOD_TABLE - kept, BENCH_SYN, false);
	double before = bench_resident_mb(), most = before;
	uint64_t passed = s->verdicts[CLF_PASS];
	for (uint32_t i = 0; i < FLOOD_TIMES; i++) {
		bench_clock_us += 1000000; /* a second of silence: what was not answered may go */
		send_all(e, (i + 1) * FLOOD_TABLE, FLOOD_TABLE, BENCH_SYN, false);
		most = bench_resident_mb() > most ? bench_resident_mb() : most;
	}
	passed = s->verdicts[CLF_PASS] - passed;
	uint64_t made = s->flows_new, evicted = s->evicted, full = s->table_full;
	send_all(e, 0, kept, BENCH_ACK, false);
	printf("| what | value |\n|---|---|\n");
	printf("| flows in the table before, half of them decided | %u |\n", FLOOD_TABLE);
	printf("| new flows that then came | %u |\n", FLOOD_TIMES * FLOOD_TABLE);
	printf("| MB before | %.1f |\n| MB at most in the flood | %.1f |\n", before, most);
	printf("| MB grown | %.1f |\n", most - before);
	printf("| frames of the flood forwarded | %llu |\n", (unsigned long long)passed);
	printf("| unanswered flows that made room | %llu |\n", (unsigned long long)evicted);
	printf("| forwarded untracked, counted | %llu |\n", (unsigned long long)full);
	printf("| decided flows still known after it | %.2f %% |\n",
	    100.0 * (double)(kept - (s->flows_new - made) - (s->table_full - full)) / kept);
}

int
main(int argc, char **argv)
{
	struct sig_diag diag = { 0 };
	struct clf_policy *p = NULL;

	/* Fixed, or else it moves by what was freed before, and calloc() writes what it would map.
	 */
	(void)mallopt(M_MMAP_THRESHOLD, 128 << 10);
	if (argc < 2 || clf_policy_load(NULL, &p, &diag) != 0)
		return 2;
	policy = p;
	rules = bench_rules(BENCH_SIGNATURES);
	if (strcmp(argv[1], "flood") == 0) {
		apart(flood, 0);
		return 0;
	}
	printf("| state | flows | MB | of it fixed | bytes a flow |\n|---|---|---|---|---|\n");
	for (int i = 2; i < argc; i++)
		apart(decided_row, (uint32_t)strtoul(argv[i], NULL, 10));
	if (argc == 2) {
		apart(decided_row, 1u << 20);
		apart(decided_row, 10000000);
		apart(new_row, 1u << 20);
		apart(inspecting_row, INSPECTED);
	}
	return 0;
}
