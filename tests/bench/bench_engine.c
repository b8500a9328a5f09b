/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine alone, without ports: what a packet of a decided flow costs, how many new flows are
 * decided a second, what memory a flow takes.
 *
 *   bench_engine              the tables, medians of several rounds
 *   bench_engine --callgrind  few packets of decided flows only, for instruction counts:
 *       valgrind --tool=callgrind --toggle-collect=decided_run bench_engine --callgrind
 *
 * Frames lie in memory in the order of arrival, flows in random order.
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "classifier/engine.h"
#include "tests/unit/classifier/frames.h"
#include "tests/unit/classifier/quic_build.h"

enum {
	ROUNDS = 7,
	SIGNATURES = 20000,
	FRAME = 64,
	SLOT = 512,
	NEW_BATCH = 16384,
	QUIC_SLOT = 1536
};
enum { SYN = 2, ACK = 16, FIN = 1, PUSH = 8 };

static uint64_t rng = 0x9e3779b97f4a7c15ULL;
static uint64_t events;

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

static double
median(double *v, unsigned n)
{
	qsort(v, n, sizeof(*v), by_value);
	return v[n / 2];
}

static bool
sink(void *ctx, const struct clf_event *event)
{
	(void)ctx;
	events += event->type;
	return true;
}

static struct sig_ruleset *
make_rules(unsigned n)
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

static struct clf_engine *
make_engine(const struct sig_ruleset *rules, const struct clf_policy *policy, uint32_t flows)
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
static uint32_t
tcp_frame(
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

static uint64_t clock_us = 1700000000000000ULL;

static void
run(struct clf_engine *e, const uint8_t *frames, const uint32_t *lens, size_t stride, size_t n)
{
	struct clf_frame burst[32];
	struct clf_result results[32];

	for (size_t i = 0; i < n; i += 32) {
		unsigned k = n - i < 32 ? (unsigned)(n - i) : 32;
		clock_us += 3;
		for (unsigned j = 0; j < k; j++)
			burst[j] = (struct clf_frame){ .data = frames + (i + j) * stride,
				.ts_us = clock_us,
				.len = lens ? lens[i + j] : 60,
				.wire_len = lens ? lens[i + j] : 60 };
		clf_burst(e, burst, k, clock_us, results);
	}
}

static uint32_t
make_hello(uint8_t *out, uint64_t number)
{
	struct buf msg = { 0 }, rec = { 0 };
	char name[64];

	snprintf(name, sizeof(name), "h%llu.v%llu.example.com", (unsigned long long)number,
	    (unsigned long long)(number % (4 * SIGNATURES)));
	put_hello(&msg, &(struct hello_spec){ .sni = name, .pad = 100 });
	put_records(&rec, msg.data, msg.len, 16384);
	uint32_t n = (uint32_t)rec.len;
	memcpy(out, rec.data, n);
	buf_free(&msg);
	buf_free(&rec);
	return n;
}

/* A hello and rubbish from the server: the flow is decided and nobody watches it. */
static void
decide_flows(struct clf_engine *e, uint32_t flows)
{
	uint8_t *frames = malloc((size_t)SLOT * 64), hello[SLOT];
	uint32_t lens[64];

	for (uint32_t i = 0; i < flows; i += 32) {
		unsigned k = 0;
		for (uint32_t j = i; j < i + 32 && j < flows; j++) {
			uint32_t n = make_hello(hello, j);
			lens[k] = tcp_frame(
			    frames + (size_t)k * SLOT, j, true, ACK | PUSH, 1, hello, n);
			k++;
			lens[k] = tcp_frame(
			    frames + (size_t)k * SLOT, j, false, ACK, 7, "rubbish", 7);
			k++;
		}
		run(e, frames, lens, SLOT, k);
	}
	free(frames);
}

/* A name of its own for callgrind to count in; the count holds the few instructions of run() too.
 */
static void __attribute__((noinline, noclone))
decided_run(struct clf_engine *e, const uint8_t *frames, size_t n)
{
	run(e, frames, NULL, FRAME, n);
}

static void
decided_path(const struct sig_ruleset *rules, const struct clf_policy *policy, uint32_t flows,
    bool count_only)
{
	struct clf_engine *e = make_engine(rules, policy, flows + flows / 8);
	size_t n = count_only ? 65536 : flows < (1u << 20) ? 1u << 20 : flows;
	uint8_t *frames = malloc(n * FRAME);
	double ns[ROUNDS];

	decide_flows(e, flows);
	for (size_t i = 0; i < n; i++)
		(void)tcp_frame(
		    frames + i * FRAME, (uint32_t)(next_random() % flows), i & 1, ACK, 1, NULL, 0);
	for (unsigned r = 0; r < (count_only ? 1 : ROUNDS); r++) {
		uint64_t t0 = now_ns();
		decided_run(e, frames, n);
		ns[r] = (double)(now_ns() - t0) / (double)n;
	}
	if (!count_only) {
		double m = median(ns, ROUNDS);
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

/* SYN, SYN-ACK, ACK, hello, server hello, FIN both ways. */
static size_t
tls_connection(uint8_t *frames, uint32_t *lens, uint32_t i, uint64_t name)
{
	uint8_t hello[SLOT];
	uint32_t n = make_hello(hello, name), k = 0;

	lens[k] = tcp_frame(frames + (size_t)k * SLOT, i, true, SYN, 0, NULL, 0), k++;
	lens[k] = tcp_frame(frames + (size_t)k * SLOT, i, false, SYN | ACK, 6, NULL, 0), k++;
	lens[k] = tcp_frame(frames + (size_t)k * SLOT, i, true, ACK, 1, NULL, 0), k++;
	lens[k] = tcp_frame(frames + (size_t)k * SLOT, i, true, ACK | PUSH, 1, hello, n), k++;
	lens[k] = tcp_frame(
	    frames + (size_t)k * SLOT, i, false, ACK, 7, server_hello, sizeof(server_hello)),
	k++;
	lens[k] = tcp_frame(frames + (size_t)k * SLOT, i, true, ACK | FIN, 1 + n, NULL, 0), k++;
	lens[k] = tcp_frame(
	    frames + (size_t)k * SLOT, i, false, ACK | FIN, 7 + sizeof(server_hello), NULL, 0),
	k++;
	return k;
}

static double
new_tls(const struct sig_ruleset *rules, const struct clf_policy *policy)
{
	enum { PER = 7 };
	struct clf_engine *e = make_engine(rules, policy, 1 << 20);
	uint8_t *frames = malloc((size_t)NEW_BATCH * PER * SLOT);
	uint32_t *lens = malloc((size_t)NEW_BATCH * PER * sizeof(*lens));
	double rate[ROUNDS];

	for (unsigned r = 0; r < ROUNDS; r++) {
		for (uint32_t i = 0; i < NEW_BATCH; i++)
			tls_connection(frames + (size_t)i * PER * SLOT, lens + (size_t)i * PER,
			    r * NEW_BATCH + i, next_random());
		uint64_t before = clf_engine_stats(e)->flows_decided, t0 = now_ns();
		run(e, frames, lens, SLOT, (size_t)NEW_BATCH * PER);
		rate[r] = (double)(clf_engine_stats(e)->flows_decided - before) * 1e9 /
			  (double)(now_ns() - t0);
	}
	free(frames);
	free(lens);
	clf_engine_free(e);
	return median(rate, ROUNDS);
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
	    (unsigned long long)(name % (4 * SIGNATURES)));
	memcpy(cid, &name, 8);
	quic_side_init(&side, 1, cid, 8);
	put_hello(&msg, &(struct hello_spec){ .sni = text });
	if (msg.len < SLOT)
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
	struct clf_engine *e = make_engine(rules, policy, 1 << 20);
	uint8_t *frames = malloc((size_t)NEW_BATCH * QUIC_SLOT);
	uint32_t *lens = malloc(NEW_BATCH * sizeof(*lens));
	double rate[3];

	for (unsigned r = 0; r < 3; r++) {
		for (uint32_t i = 0; i < NEW_BATCH; i++)
			lens[i] = quic_frame(
			    frames + (size_t)i * QUIC_SLOT, r * NEW_BATCH + i, next_random());
		uint64_t before = clf_engine_stats(e)->flows_decided, t0 = now_ns();
		run(e, frames, lens, QUIC_SLOT, NEW_BATCH);
		rate[r] = (double)(clf_engine_stats(e)->flows_decided - before) * 1e9 /
			  (double)(now_ns() - t0);
	}
	free(frames);
	free(lens);
	clf_engine_free(e);
	return median(rate, 3);
}

static void
memory(const struct sig_ruleset *rules, const struct clf_policy *policy, uint32_t flows)
{
	struct clf_engine *idle = make_engine(rules, policy, 1024);
	malloc_trim(0);
	double before = resident_mb();
	struct clf_engine *e = make_engine(rules, policy, flows);

	double made = resident_mb();
	decide_flows(e, flows);
	double full = resident_mb();
	printf("| %9u | %7llu | %8.1f | %8.1f | %6.1f |\n", flows,
	    (unsigned long long)clf_engine_stats(e)->flows_now, made - before, full - before,
	    (full - before) * 1e6 / flows);
	clf_engine_free(e);
	clf_engine_free(idle);
}

int
main(int argc, char **argv)
{
	struct sig_ruleset *rules = make_rules(SIGNATURES);
	struct clf_policy *policy = NULL;
	struct sig_diag diag = { 0 };

	if (clf_policy_load(NULL, &policy, &diag) != 0)
		return 1;
	if (argc > 1 && strcmp(argv[1], "--callgrind") == 0) {
		decided_path(rules, policy, 1024, true);
		return 0;
	}
	printf("Decided path, 60-byte TCP frames, random order, one worker\n\n"
	       "| flows     | ns     | Mpps   |\n|-----------|--------|--------|\n");
	for (unsigned i = 10; i <= 20; i += i == 10 ? 6 : 4)
		decided_path(rules, policy, 1u << i, false);
	printf("\nNew flows decided a second, %d signatures\n\n| kind | flows/s "
	       "|\n|------|---------|\n",
	    SIGNATURES);
	printf("| TLS, 7 packets each | %.0f |\n", new_tls(rules, policy));
	printf("| QUIC, one Initial of 1,200 bytes each | %.0f |\n", new_quic(rules, policy));
	printf(
	    "\nMemory: resident MB above an idle engine\n\n| flows     | live    | made     | full "
	    "    | bytes a flow |\n|-----------|---------|----------|----------|--------|\n");
	memory(rules, policy, 1u << 20);
	memory(rules, policy, 10000000);
	clf_policy_free(policy);
	sig_ruleset_free(rules);
	return events == 0;
}
