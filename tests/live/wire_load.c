/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Source and sink of the lossless check: sends numbered frames into both ends of an inline pair and
 * holds what comes out of the other ends against what went in.
 *
 *   wire_load EAL-ARGUMENTS -- SECONDS WINDOW [QUEUES]
 *
 * The two DPDK ports that the EAL arguments make are the wire's two ends. In each direction no more
 * than WINDOW frames are under way (fewer than a memif ring holds, so that whatever is missing was
 * lost by the wire); the rate is what the wire sustains. Frames are of RFC 2544's sizes, of many
 * flows, both directions of each. Frame n is made from n alone, so that one that comes back is
 * compared in every byte. WINDOW 0: as many as the rings take, whatever comes back. SIGTERM ends
 * the sending early. QUEUES: how many each end has each way; a flow stays with its own. The outcome
 * is one line of JSON; the ports stay until stdin ends.
 */
#include <inttypes.h>
#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_ip.h>
#include <rte_udp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/live/wire_end.h"

enum { FLOWS = 97, BURST = 32, BUFFERS = 4096, LONGEST = 1514, HEAD = 14 + 20 + 8 };
/* Nothing came back for so long: lost, and not held up by a busy machine. Without a window what is
 * missing is nobody's proof of anything. */
enum { GIVE_UP_S = 20, GIVE_UP_OPEN_S = 2 };

/* RFC 2544 9.1, without the frame check sequence. */
static const uint16_t sizes[] = { 60, 124, 252, 508, 1020, 1276, 1514 };

static struct direction {
	uint64_t sent, received, reordered, missing, changed, bytes;
	uint64_t next[FLOWS]; /* the frame of each flow that comes next */
} way[2];
static volatile sig_atomic_t enough;
static uint16_t queues = 1;

static void
stop_sending(int sig)
{
	(void)sig;
	enough = 1;
}

static unsigned
make_frame(uint8_t *f, unsigned dir, uint64_t n)
{
	unsigned flow = (unsigned)(n % FLOWS);
	unsigned len = sizes[n / FLOWS % RTE_DIM(sizes)];
	rte_be32_t inside = rte_cpu_to_be_32(RTE_IPV4(10, 1, flow % 7, flow));
	rte_be32_t outside = rte_cpu_to_be_32(RTE_IPV4(198, 18, flow % 5, flow));
	rte_be16_t from = rte_cpu_to_be_16((uint16_t)(40000 + flow)), to = rte_cpu_to_be_16(7);
	struct rte_ether_hdr eth = { .ether_type = rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4) };
	struct rte_ipv4_hdr ip = { .version_ihl = 0x45,
		.total_length = rte_cpu_to_be_16((uint16_t)(len - 14)),
		.packet_id = rte_cpu_to_be_16((uint16_t)n),
		.time_to_live = 64,
		.next_proto_id = 17,
		.src_addr = dir == 0 ? inside : outside,
		.dst_addr = dir == 0 ? outside : inside };
	struct rte_udp_hdr udp = { .src_port = dir == 0 ? from : to,
		.dst_port = dir == 0 ? to : from,
		.dgram_len = rte_cpu_to_be_16((uint16_t)(len - 34)) };

	eth.src_addr.addr_bytes[0] = eth.dst_addr.addr_bytes[0] = 2;
	eth.src_addr.addr_bytes[5] = (uint8_t)dir;
	eth.dst_addr.addr_bytes[5] = (uint8_t)!dir;
	ip.hdr_checksum = rte_ipv4_cksum(&ip);
	memcpy(f, &eth, 14);
	memcpy(f + 14, &ip, 20);
	memcpy(f + 34, &udp, 8);
	memset(f + HEAD, (int)(n * 31 + dir), len - HEAD);
	memcpy(f + HEAD, &n, sizeof(n));
	return len;
}

static void
check_frame(unsigned dir, const struct rte_mbuf *m)
{
	const uint8_t *got = rte_pktmbuf_mtod(m, const uint8_t *);
	struct direction *w = &way[dir];
	uint8_t want[LONGEST];
	uint64_t n = 0;

	w->received++;
	w->bytes += m->pkt_len;
	if (m->data_len >= HEAD + sizeof(n))
		memcpy(&n, got + HEAD, sizeof(n));
	unsigned len = make_frame(want, dir, n);
	if (m->nb_segs != 1 || m->data_len != len || memcmp(got, want, len) != 0) {
		w->changed++;
		return;
	}
	uint64_t *next = &w->next[n % FLOWS];
	if (n / FLOWS < *next) {
		w->reordered++; /* it was missing when a later one came */
		return;
	}
	w->missing += n / FLOWS - *next;
	*next = n / FLOWS + 1;
}

static unsigned
take(unsigned dir, uint16_t port)
{
	struct rte_mbuf *m[BURST];
	unsigned got = 0;

	for (uint16_t q = 0; q < queues; q++) {
		unsigned n = rte_eth_rx_burst(port, q, m, BURST);
		for (unsigned i = 0; i < n; i++)
			check_frame(dir, m[i]);
		if (n != 0)
			rte_pktmbuf_free_bulk(m, n);
		got += n;
	}
	return got;
}

/* As many of BURST frames, the first of which has number `first`, as go in a row. */
static unsigned
send_frames(uint16_t port, uint64_t first, struct rte_mbuf **m)
{
	unsigned sent = 0;

	if (queues == 1)
		return rte_eth_tx_burst(port, 0, m, BURST);
	while (sent < BURST && rte_eth_tx_burst(port, (uint16_t)((first + sent) % FLOWS % queues),
				   m + sent, 1) == 1)
		sent++;
	return sent;
}

static void
give(unsigned dir, uint16_t port, struct rte_mempool *pool, uint64_t window)
{
	struct direction *w = &way[dir];
	struct rte_mbuf *m[BURST];
	uint8_t frame[LONGEST];

	if ((window != 0 && w->sent - w->received + BURST > window) ||
	    rte_pktmbuf_alloc_bulk(pool, m, BURST) != 0)
		return;
	for (unsigned i = 0; i < BURST; i++) {
		unsigned len = make_frame(frame, dir, w->sent + i);
		memcpy(rte_pktmbuf_append(m[i], (uint16_t)len), frame, len);
	}
	unsigned sent = send_frames(port, w->sent, m);
	w->sent += sent;
	rte_pktmbuf_free_bulk(m + sent, BURST - sent);
}

/* Until the time is up and all is back, or nothing has come for long. */
static double
run(struct rte_mempool *pool, double seconds, uint64_t window)
{
	const uint64_t hz = rte_get_timer_hz(), begin = rte_get_timer_cycles();
	const uint64_t end = begin + (uint64_t)(seconds * (double)hz);
	const uint64_t patience = (window != 0 ? GIVE_UP_S : GIVE_UP_OPEN_S) * hz;
	uint64_t last = begin, now = begin;

	/* A memif's rings have no free buffers before they were read once. */
	for (unsigned dir = 0; dir < 2; dir++)
		(void)take(dir, (uint16_t)!dir);
	for (;;) {
		unsigned got = 0;
		bool sending = now < end && !enough;
		for (unsigned dir = 0; dir < 2; dir++) {
			if (sending)
				give(dir, (uint16_t)dir, pool, window);
			got += take(dir, (uint16_t)!dir);
		}
		now = rte_get_timer_cycles();
		if (got != 0)
			last = now;
		else
			usleep(20);
		if ((now - last > patience && (!sending || window != 0)) ||
		    (!sending && way[0].sent == way[0].received && way[1].sent == way[1].received))
			return (double)(last - begin) / (double)hz;
	}
}

int
main(int argc, char **argv)
{
	int used = rte_eal_init(argc, argv);
	struct rte_mempool *pool = NULL;

	if (used >= 0 && argc - used == 4)
		queues = (uint16_t)atoi(argv[used + 3]);
	if (used >= 0 && argc - used >= 3 && rte_eth_dev_count_avail() == 2)
		pool = rte_pktmbuf_pool_create(
		    "load", BUFFERS, 256, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	if (!pool || wire_end_open(0, queues, pool) < 0 || wire_end_open(1, queues, pool) < 0 ||
	    wire_ends_wait() < 0) {
		fprintf(stderr, "wire_load: no two ports, or no links\n");
		return 1;
	}
	signal(SIGTERM, stop_sending);
	double took = run(pool, atof(argv[used + 1]), strtoull(argv[used + 2], NULL, 10));
	printf("{\"seconds\": %.3f, \"ways\": [", took);
	for (unsigned i = 0; i < 2; i++)
		printf("%s{\"sent\": %" PRIu64 ", \"received\": %" PRIu64
		       ", \"reordered\": %" PRIu64 ", \"missing\": %" PRIu64
		       ", \"changed\": %" PRIu64 ", \"bytes\": %" PRIu64 "}",
		    i != 0 ? ", " : "", way[i].sent, way[i].received, way[i].reordered,
		    way[i].missing, way[i].changed, way[i].bytes);
	printf("]}\n");
	fflush(stdout);
	while (getchar() != EOF)
		;
	for (uint16_t port = 0; port < 2; port++) {
		(void)rte_eth_dev_stop(port);
		(void)rte_eth_dev_close(port);
	}
	return rte_eal_cleanup() == 0 ? 0 : 1;
}
