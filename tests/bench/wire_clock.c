/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long frames take through an inline pair: sends at a steady rate into both ends, each frame
 * with the time at which it was due, and looks at the clock when it comes out of the other end.
 *
 *   wire_clock EAL-ARGUMENTS < ROUNDS
 *
 * Each line of ROUNDS is "RATE SECONDS". RATE: frames a second over both directions; 0: as many as
 * come back. No more than WINDOW are under way in a direction, fewer than a ring holds: what is
 * missing was lost by the wire. The two DPDK ports that the EAL arguments make are the wire's ends.
 * A frame counts from when it was due, so that a wire that lets its sender wait does not look fast.
 * 64-byte frames (60 without FCS) of FLOWS flows, UDP. One thread sends and receives, at real-time
 * priority where it may, and sleeps between two batches, so that other threads of its processor
 * have their turn. Prints one line of JSON: frames sent and lost, and when the first of these was
 * sent; frames a second; microseconds at some shares; and `away`, the share of the time in which
 * the clock itself did not look: it had no processor for AWAY_US or more, and what it tells of
 * these moments is its own lateness.
 */
#include <inttypes.h>
#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_ip.h>
#include <rte_udp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "tests/live/wire_end.h"

enum { FLOWS = 1024, BURST = 32, BUFFERS = 8192, FRAME = 60, WINDOW = 448 };
enum { BATCH_NS = 20000, WARM_MS = 300, GIVE_UP_S = 5 };
enum { STEPS = 2000000 }; /* of the histogram, STEP_NS each; the last one holds all beyond */
enum { STEP_NS = 100, AWAY_US = 500 };
enum { AT_DUE = 42, AT_NUMBER = 50 }; /* in a frame, behind the UDP header */

static uint32_t histogram[STEPS];
static uint64_t sent[2], received[2], next[2], out_of_order, most;
static uint64_t missing_due; /* of the first that did not come, 0: none */
static double ns_per_tick;

static void
make_frame(uint8_t *f, unsigned dir, uint64_t n)
{
	rte_be32_t inside = rte_cpu_to_be_32(RTE_IPV4(10, 1, 0, 1) + (uint32_t)(n % FLOWS));
	rte_be32_t outside = rte_cpu_to_be_32(RTE_IPV4(198, 18, 0, 1));
	rte_be16_t from = rte_cpu_to_be_16(40000), to = rte_cpu_to_be_16(4500);
	struct rte_ether_hdr eth = { .ether_type = rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4) };
	struct rte_ipv4_hdr ip = { .version_ihl = 0x45,
		.total_length = rte_cpu_to_be_16(FRAME - 14),
		.time_to_live = 64,
		.next_proto_id = 17,
		.src_addr = dir == 0 ? inside : outside,
		.dst_addr = dir == 0 ? outside : inside };
	struct rte_udp_hdr udp = { .src_port = dir == 0 ? from : to,
		.dst_port = dir == 0 ? to : from,
		.dgram_len = rte_cpu_to_be_16(FRAME - 34) };

	eth.src_addr.addr_bytes[0] = eth.dst_addr.addr_bytes[0] = 2;
	ip.hdr_checksum = rte_ipv4_cksum(&ip);
	memset(f, 0, FRAME);
	memcpy(f, &eth, 14);
	memcpy(f + 14, &ip, 20);
	memcpy(f + 34, &udp, 8);
}

/* Frames of a direction come in the order in which they were sent; a gap tells which one is
 * missing. */
static void
check_number(unsigned dir, const uint8_t *frame, uint64_t due)
{
	uint64_t number;

	memcpy(&number, frame + AT_NUMBER, sizeof(number));
	if (number > next[dir] && missing_due == 0)
		missing_due = due;
	out_of_order += number < next[dir];
	next[dir] = number + 1;
}

static unsigned
take(unsigned dir, bool count)
{
	struct rte_mbuf *m[BURST];
	unsigned n = rte_eth_rx_burst((uint16_t)!dir, 0, m, BURST);
	uint64_t now = rte_rdtsc();

	for (unsigned i = 0; i < n; i++) {
		const uint8_t *f = rte_pktmbuf_mtod(m[i], const uint8_t *);
		uint64_t due;

		memcpy(&due, f + AT_DUE, sizeof(due));
		check_number(dir, f, due);
		uint64_t ns = now > due ? (uint64_t)((double)(now - due) * ns_per_tick) : 0;
		if (!count)
			continue;
		histogram[ns / STEP_NS < STEPS ? ns / STEP_NS : STEPS - 1]++;
		most = ns > most ? ns : most;
	}
	if (n != 0)
		rte_pktmbuf_free_bulk(m, n);
	received[dir] += n;
	return n;
}

/* Sends up to n frames, the first of them due at `due`; returns how many went out. */
static unsigned
give(unsigned dir, struct rte_mempool *pool, unsigned n, uint64_t due, double gap)
{
	struct rte_mbuf *m[BURST];

	n = n < BURST ? n : BURST;
	if (n == 0 || rte_pktmbuf_alloc_bulk(pool, m, n) != 0)
		return 0;
	for (unsigned i = 0; i < n; i++) {
		uint8_t *f = (uint8_t *)rte_pktmbuf_append(m[i], FRAME);
		uint64_t at = due + (uint64_t)(i * gap), number = sent[dir] + i;

		make_frame(f, dir, number);
		memcpy(f + AT_DUE, &at, sizeof(at));
		memcpy(f + AT_NUMBER, &number, sizeof(number));
	}
	unsigned out = rte_eth_tx_burst((uint16_t)dir, 0, m, (uint16_t)n);
	rte_pktmbuf_free_bulk(m + out, n - out);
	sent[dir] += out;
	return out;
}

static void
nap(void)
{
	struct timespec t = { .tv_nsec = BATCH_NS };

	nanosleep(&t, NULL);
}

/* Sends what is due by now, in both directions; `gap`: ticks between two frames of a direction. */
static void
send_due(struct rte_mempool *pool, uint64_t begin, uint64_t end, double gap)
{
	for (unsigned dir = 0; dir < 2; dir++) {
		for (;;) {
			uint64_t now = rte_rdtsc(), until = now < end ? now : end;
			uint64_t should = (uint64_t)((double)(until - begin) / gap);
			uint64_t due = begin + (uint64_t)((double)sent[dir] * gap);

			if (should <= sent[dir] || sent[dir] - received[dir] + BURST > WINDOW ||
			    give(dir, pool, (unsigned)RTE_MIN(should - sent[dir], (uint64_t)BURST),
				due, gap) == 0)
				break;
		}
	}
}

static void
send_window(struct rte_mempool *pool, uint64_t end)
{
	for (unsigned dir = 0; dir < 2 && rte_rdtsc() < end; dir++)
		if (sent[dir] - received[dir] + BURST <= WINDOW)
			(void)give(dir, pool, BURST, rte_rdtsc(), 0);
}

/* What a run was like, beyond the frames. */
struct took {
	double seconds;
	double away;	  /* a share of these */
	double missing_s; /* after the start: when the first that is missing was due */
};

static struct took
run(struct rte_mempool *pool, double rate, double seconds)
{
	const uint64_t hz = rte_get_tsc_hz(), begin = rte_rdtsc();
	const uint64_t end = begin + (uint64_t)(seconds * (double)hz);
	const uint64_t warm = begin + hz * WARM_MS / 1000;
	uint64_t last = begin, now = begin, before, away = 0;

	while (now < end || sent[0] != received[0] || sent[1] != received[1]) {
		unsigned got = 0;

		if (rate > 0)
			send_due(pool, begin, end, 2 * (double)hz / rate);
		else
			send_window(pool, end);
		for (unsigned dir = 0; dir < 2; dir++)
			for (unsigned n; (n = take(dir, now > warm)) != 0;)
				got += n;
		before = now;
		now = rte_rdtsc();
		if (now - before > hz / 1000000 * AWAY_US)
			away += now - before;
		if (got != 0)
			last = now;
		else if (now - last > GIVE_UP_S * hz)
			break;
		if (rate > 0)
			nap();
	}
	double took = (double)((last < end ? end : last) - begin) / (double)hz;
	return (struct took){ .seconds = took,
		.away = (double)away / (double)hz / took,
		.missing_s = missing_due ? (double)(missing_due - begin) / (double)hz : 0 };
}

static double
share(double part)
{
	uint64_t all = 0, sum = 0;

	for (unsigned i = 0; i < STEPS; i++)
		all += histogram[i];
	for (unsigned i = 0; i < STEPS; i++) {
		sum += histogram[i];
		if ((double)sum >= part * (double)all)
			return (i + 1) * STEP_NS / 1e3;
	}
	return 0;
}

static void
one_round(struct rte_mempool *pool, double rate, double seconds)
{
	struct sched_param first = { .sched_priority = 10 }, usual = { 0 };

	memset(histogram, 0, sizeof(histogram));
	memset(sent, 0, sizeof(sent));
	memset(received, 0, sizeof(received));
	memset(next, 0, sizeof(next));
	out_of_order = most = missing_due = 0;
	if (rate > 0)
		(void)sched_setscheduler(0, SCHED_FIFO, &first);
	struct took took = run(pool, rate, seconds);
	(void)sched_setscheduler(0, SCHED_OTHER, &usual);
	uint64_t all = sent[0] + sent[1], back = received[0] + received[1];
	printf("{\"sent\": %" PRIu64 ", \"back\": %" PRIu64 ", \"lost\": %" PRIu64
	       ", \"first_lost_s\": %.4f, \"out_of_order\": %" PRIu64
	       ", \"rate\": %.0f, \"p50\": %.1f, \"p99\": %.1f, \"p999\": %.1f, \"max\": %.1f"
	       ", \"away\": %.5f}\n",
	    all, back, all - back, took.missing_s, out_of_order, (double)back / took.seconds,
	    share(0.5), share(0.99), share(0.999), (double)most / 1e3, took.away);
	fflush(stdout);
}

int
main(int argc, char **argv)
{
	struct rte_mempool *pool = NULL;
	int used = rte_eal_init(argc, argv);
	double rate, seconds;

	if (used >= 0 && rte_eth_dev_count_avail() == 2)
		pool = rte_pktmbuf_pool_create(
		    "clock", BUFFERS, 256, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	if (!pool || wire_end_open(0, 1, pool) < 0 || wire_end_open(1, 1, pool) < 0 ||
	    wire_ends_wait() < 0) {
		fprintf(stderr, "wire_clock: no two ports, or no links\n");
		return 1;
	}
	ns_per_tick = 1e9 / (double)rte_get_tsc_hz();
	(void)mlockall(MCL_CURRENT);
	while (scanf("%lf %lf", &rate, &seconds) == 2)
		one_round(pool, rate, seconds);
	for (uint16_t port = 0; port < 2; port++) {
		(void)rte_eth_dev_stop(port);
		(void)rte_eth_dev_close(port);
	}
	return rte_eal_cleanup() == 0 ? 0 : 1;
}
