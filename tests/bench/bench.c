/* SPDX-License-Identifier: Apache-2.0 */
/* What the benchmarks of the engine share: see bench.h. */
#include "tests/bench/bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/unit/classifier/frames.h"
#include "tests/unit/classifier/quic_build.h"

uint64_t bench_events;
_Thread_local uint64_t bench_clock_us = 1700000000000000ULL;

static uint64_t rng = 0x9e3779b97f4a7c15ULL;
uint64_t
bench_random(void)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return rng;
}

uint64_t
bench_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t); /* others may use the machine */
	return (uint64_t)t.tv_sec * 1000000000ULL + (uint64_t)t.tv_nsec;
}

double
bench_resident_mb(void)
{
	FILE *f = fopen("/proc/self/statm", "r");
	long pages = 0, rss = 0;

	if (!f || fscanf(f, "%ld %ld", &pages, &rss) != 2)
		rss = 0;
	if (f)
		fclose(f);
	return (double)rss * (double)sysconf(_SC_PAGESIZE) / 1e6;
}

static int
by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

double
bench_median(double *v, unsigned n)
{
	qsort(v, n, sizeof(*v), by_value);
	return v[n / 2];
}

static bool
sink(void *ctx, const struct clf_event *event)
{
	(void)ctx;
	bench_events += event->type;
	return true;
}

struct sig_ruleset *
bench_rules(unsigned n)
{
	struct sig_diag diag = { 0 };
	struct sig_packs *packs = NULL;
	struct sig_ruleset *rules = NULL;
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		exit(1);
	fprintf(f, "format: 1\npack: bench\nversion: 1\nvendor: {name: B, owner: B, country: US, "
		   "as_of: 2026-01-01, source: none}\nproducts:\n  - {id: p, name: P, category: "
		   "other}\nsignatures:\n");
	for (unsigned i = 0; i < n; i++)
		fprintf(f,
		    "  - id: s%u\n    product: p\n    function: update\n    confidence: high\n"
		    "    source: none\n    reviewed: 2026-01-01\n    match:\n      - host:\n"
		    "          - \"*.v%u.example.com\"\n",
		    i, i);
	fclose(f);
	if (sig_packs_load_text("bench.yaml", text, len, &packs, &diag) != 0 ||
	    sig_compile(packs, &rules, &diag) != 0) {
		sig_diag_print(&diag, stderr);
		exit(1);
	}
	sig_packs_free(packs);
	free(text);
	return rules;
}

struct clf_engine *
bench_engine(const struct sig_ruleset *rules, const struct clf_policy *policy, uint32_t flows)
{
	struct clf_engine_config c;
	struct clf_engine *e = NULL;
	struct sig_diag diag = { 0 };

	clf_engine_config_default(&c);
	c.max_flows = flows;
	c.sink = sink;
	c.seed[0] = 1;
	c.seed[1] = 2;
	if (clf_engine_new(&c, rules, policy, &e, &diag) != 0) {
		sig_diag_print(&diag, stderr);
		exit(1);
	}
	return e;
}

/* Ethernet, IPv4, TCP; `up` from client number `i`. Returns the frame's length. */
uint32_t
bench_tcp_frame(
    uint8_t *out, uint32_t i, bool up, uint8_t flags, uint32_t seq, const void *payload, uint32_t n)
{
	struct fb b = { .len = 0 };
	uint32_t client = 0x0a000000 + i / 16384, server = 0xc0000201 + (i & 3);
	uint16_t port = (uint16_t)(20000 + i % 16384);

	fb_eth(&b, 0x0800);
	fb_ip4(&b, 6, 20 + n, 1, 0);
	uint32_t ip = b.len - 20;
	fb_tcp(&b, flags, seq, payload, n);
	uint32_t src = up ? client : server, dst = up ? server : client;
	for (int k = 0; k < 4; k++) {
		b.data[ip + 12 + k] = (uint8_t)(src >> (24 - 8 * k));
		b.data[ip + 16 + k] = (uint8_t)(dst >> (24 - 8 * k));
	}
	uint16_t sp = up ? port : 443, dp = up ? 443 : port;
	b.data[ip + 20] = (uint8_t)(sp >> 8);
	b.data[ip + 21] = (uint8_t)sp;
	b.data[ip + 22] = (uint8_t)(dp >> 8);
	b.data[ip + 23] = (uint8_t)dp;
	b.data[ip + 10] = 0;
	b.data[ip + 11] = 0;
	uint16_t sum = fb_fold(fb_sum(b.data + ip, 20, 0));
	b.data[ip + 10] = (uint8_t)(sum >> 8);
	b.data[ip + 11] = (uint8_t)sum;
	while (b.len < 60)
		b.data[b.len++] = 0;
	memcpy(out, b.data, b.len);
	return b.len;
}

uint32_t
bench_hello(uint8_t *out, uint64_t number)
{
	struct buf msg = { 0 }, rec = { 0 };
	char name[64];

	snprintf(name, sizeof(name), "h%llu.v%llu.example.com", (unsigned long long)number,
	    (unsigned long long)(number % (4 * BENCH_SIGNATURES)));
	put_hello(&msg, &(struct hello_spec){ .sni = name, .pad = 100 });
	put_records(&rec, msg.data, msg.len, 16384);
	uint32_t n = (uint32_t)rec.len;
	memcpy(out, rec.data, n);
	buf_free(&msg);
	buf_free(&rec);
	return n;
}

void
bench_run(
    struct clf_engine *e, const uint8_t *frames, const uint32_t *lens, size_t stride, size_t n)
{
	struct clf_frame burst[32];
	struct clf_result results[32];

	for (size_t i = 0; i < n; i += 32) {
		unsigned k = n - i < 32 ? (unsigned)(n - i) : 32;
		bench_clock_us += 3;
		for (unsigned j = 0; j < k; j++)
			burst[j] = (struct clf_frame){ .data = frames + (i + j) * stride,
				.ts_us = bench_clock_us,
				.len = lens ? lens[i + j] : 60,
				.wire_len = lens ? lens[i + j] : 60 };
		clf_burst(e, burst, k, bench_clock_us, results);
	}
}

/* A hello and rubbish from the server: the flow is decided and nobody watches it. */
void
bench_decide(struct clf_engine *e, uint32_t first, uint32_t flows)
{
	uint8_t *frames = malloc((size_t)BENCH_SLOT * 64), hello[BENCH_SLOT];
	uint32_t lens[64];

	for (uint32_t i = first; i < first + flows; i += 32) {
		unsigned k = 0;
		for (uint32_t j = i; j < i + 32 && j < first + flows; j++) {
			uint32_t n = bench_hello(hello, j);
			lens[k] = bench_tcp_frame(frames + (size_t)k * BENCH_SLOT, j, true,
			    BENCH_ACK | BENCH_PUSH, 1, hello, n);
			k++;
			lens[k] = bench_tcp_frame(
			    frames + (size_t)k * BENCH_SLOT, j, false, BENCH_ACK, 7, "rubbish", 7);
			k++;
		}
		bench_run(e, frames, lens, BENCH_SLOT, k);
	}
	free(frames);
}
