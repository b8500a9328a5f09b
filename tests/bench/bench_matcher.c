/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one name costs, by the number of host patterns: bench_matcher [PATTERNS...].
 *
 * A pack of that many patterns is written as YAML, loaded, compiled and freed; then names are
 * looked up one by one in random order, from a working set much larger than the caches: known ones,
 * unknown ones, and a mix. Each look-up is timed alone; the timer's own cost is taken off.
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "signatures/ruleset.h"

enum { NAME_CAP = 64, QUERIES = 400000, PER_SIGNATURE = 50 };

static uint64_t rng = 0x9e3779b97f4a7c15ULL;

static uint64_t
next_random(void)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return rng;
}

static uint64_t
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000ULL + (uint64_t)t.tv_nsec;
}

static double
resident_mb(void)
{
	long pages = 0, unused;
	FILE *f = fopen("/proc/self/statm", "r");

	if (!f || fscanf(f, "%ld %ld", &unused, &pages) != 2)
		pages = 0;
	if (f)
		fclose(f);
	return (double)pages * (double)sysconf(_SC_PAGESIZE) / 1048576.0;
}

/* The i-th of n vendors' hosts; a tenth are wildcards, a quarter suffixes, the rest exact. */
static void
pattern(size_t i, char out[static NAME_CAP])
{
	if (i % 10 == 0)
		snprintf(out, NAME_CAP, "ts#-*.pool%zu.vendor-%zu.net", i, i / 100);
	else if (i % 4 == 0)
		snprintf(out, NAME_CAP, ".zone%zu.vendor-%zu.com", i, i / 100);
	else
		snprintf(out, NAME_CAP, "update%zu.eu-west.vendor%zu.com", i, i / 100);
}

static void
known_name(size_t i, char out[static NAME_CAP])
{
	if (i % 10 == 0)
		snprintf(out, NAME_CAP, "ts%zu-b.pool%zu.vendor-%zu.net", i % 97, i, i / 100);
	else if (i % 4 == 0)
		snprintf(out, NAME_CAP, "sensor.zone%zu.vendor-%zu.com", i, i / 100);
	else
		snprintf(out, NAME_CAP, "update%zu.eu-west.vendor%zu.com", i, i / 100);
}

static char *
write_pack(size_t n, size_t *ret_len)
{
	char *text = NULL, p[NAME_CAP];
	FILE *f = open_memstream(&text, ret_len);

	if (!f)
		exit(1);
	fprintf(f, "format: 1\npack: bench\nversion: 1\nvendor: {name: B, owner: B, country: US, "
		   "as_of: 2026-01-01, source: none}\nproducts:\n  - {id: p, name: P, category: "
		   "other}\nsignatures:\n");
	for (size_t i = 0; i < n; i++) {
		if (i % PER_SIGNATURE == 0)
			fprintf(f,
			    "  - id: s%zu\n    product: p\n    function: update\n    "
			    "confidence: high\n    source: none\n    reviewed: 2026-01-01\n"
			    "    match:\n      - host:\n",
			    i / PER_SIGNATURE);
		pattern(i, p);
		fprintf(f, "          - \"%s\"\n", p);
	}
	fclose(f);
	return text;
}

static int
by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

#if defined(__x86_64__)
static inline uint64_t
ticks(void)
{
	unsigned aux;

	return __builtin_ia32_rdtscp(&aux);
}
#else
static inline uint64_t
ticks(void)
{
	return now_ns();
}
#endif

static double
ns_per_tick(void)
{
	uint64_t t0 = now_ns(), c0 = ticks();

	while (now_ns() - t0 < 50000000)
		;
	return (double)(now_ns() - t0) / (double)(ticks() - c0);
}

static uint32_t
timer_cost(void)
{
	uint32_t best = UINT32_MAX;

	for (int i = 0; i < 100000; i++) {
		uint64_t a = ticks(), b = ticks();

		if (b - a < best)
			best = (uint32_t)(b - a);
	}
	return best;
}

enum kind { KNOWN, UNKNOWN, MIXED };

struct figures {
	double median, p99;
};

/* MIXED: one name in twenty is known. */
static size_t
make_names(char (*v)[NAME_CAP], size_t patterns, enum kind kind)
{
	size_t known = 0;

	for (size_t i = 0; i < QUERIES; i++) {
		size_t at = next_random() % patterns;
		bool is_known = kind == KNOWN || (kind == MIXED && next_random() % 20 == 0);

		known += is_known;
		if (is_known)
			known_name(at, v[i]);
		else
			snprintf(v[i], NAME_CAP, "cdn%zu.static.site%zu.org", at, at / 7);
	}
	return known;
}

static struct figures
look_up(
    const struct sig_ruleset *rules, struct sig_scratch *scratch, size_t patterns, enum kind kind)
{
	char(*v)[NAME_CAP] = malloc((size_t)QUERIES * NAME_CAP);
	uint32_t *cost = malloc(QUERIES * sizeof(*cost)), own = timer_cost();
	double tick = ns_per_tick();
	struct figures fig;
	size_t hits = 0, known;

	if (!v || !cost)
		exit(1);
	known = make_names(v, patterns, kind);
	for (size_t i = 0; i < QUERIES; i++) {
		struct sig_result r;
		size_t len = strlen(v[i]);
		uint64_t a = ticks(), d;

		sig_match_name(rules, scratch, v[i], len, &r);
		d = ticks() - a;
		cost[i] = d > own ? (uint32_t)(d - own) : 0;
		hits += r.n_hits > 0;
	}
	if (hits != known) {
		fprintf(stderr, "bench_matcher: %zu of %zu known names found\n", hits, known);
		exit(1);
	}
	qsort(cost, QUERIES, sizeof(*cost), by_value);
	fig = (struct figures){ cost[QUERIES / 2] * tick, cost[QUERIES / 100 * 99] * tick };
	free(v);
	free(cost);
	return fig;
}

static double
bench(size_t patterns, double first)
{
	struct sig_diag diag = { 0 };
	struct sig_packs *packs;
	struct sig_ruleset *rules;
	struct sig_scratch *scratch;
	struct figures fig[3];
	uint64_t t0, t1, t2;
	double before, mb;
	size_t len;
	char *text;

	malloc_trim(0);
	before = resident_mb();
	text = write_pack(patterns, &len);
	t0 = now_ns();
	if (sig_packs_load_text("bench.yaml", text, len, &packs, &diag) != 0)
		goto fail;
	free(text);
	t1 = now_ns();
	if (sig_compile(packs, &rules, &diag) != 0)
		goto fail;
	t2 = now_ns();
	sig_packs_free(packs);
	malloc_trim(0);
	mb = resident_mb() - before;
	if (sig_scratch_new(rules, &scratch) != 0)
		goto fail;
	(void)look_up(rules, scratch, patterns, MIXED);
	for (int k = KNOWN; k <= MIXED; k++)
		fig[k] = look_up(rules, scratch, patterns, (enum kind)k);
	printf("| %9zu | %8.0f | %8.0f | %8.0f | %8.0f | %8.0f | %8.0f | %5.2f | %6.2f | %7.2f "
	       "| %6.1f |\n",
	    patterns, fig[MIXED].median, fig[MIXED].p99, fig[KNOWN].median, fig[KNOWN].p99,
	    fig[UNKNOWN].median, fig[UNKNOWN].p99, first > 0 ? fig[MIXED].median / first : 1.0,
	    (double)(t1 - t0) / 1e9, (double)(t2 - t1) / 1e9, mb);
	sig_scratch_free(scratch);
	sig_ruleset_free(rules);
	return fig[MIXED].median;
fail:
	sig_diag_print(&diag, stderr);
	exit(1);
}

int
main(int argc, char **argv)
{
	static const size_t sizes[] = { 1000, 20000, 100000, 1000000 };
	double first = 0;

	printf("nanoseconds a name; mixed: 5 %% known\n\n"
	       "| patterns  | mixed    | p99      | known    | p99      | unknown  | p99      | "
	       "ratio | load s | compile | MB     |\n"
	       "|-----------|----------|----------|----------|----------|----------|----------|"
	       "-------|--------|---------|--------|\n");
	for (int i = 1; i < argc; i++) {
		double m = bench(strtoul(argv[i], NULL, 10), first);

		first = first > 0 ? first : m;
	}
	for (size_t i = 0; argc < 2 && i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		double m = bench(sizes[i], first);

		first = first > 0 ? first : m;
	}
	return 0;
}
