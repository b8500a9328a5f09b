/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two DPDK ports at the ends of a wire under test, 0 and 1, for programs that send and receive
 * there themselves: wire_load.c and tests/bench/wire_clock.c.
 */
#ifndef TESTS_LIVE_WIRE_END_H
#define TESTS_LIVE_WIRE_END_H

#include <rte_ethdev.h>
#include <unistd.h>

enum { WIRE_END_DESC = 1024, WIRE_END_WAIT_MS = 60000 };

/* Started with so many queues each way; 0 or DPDK's -errno. */
static int
wire_end_open(uint16_t port, uint16_t queues, struct rte_mempool *pool)
{
	struct rte_eth_conf conf = { 0 };
	int rc = rte_eth_dev_configure(port, queues, queues, &conf);

	for (uint16_t q = 0; q < queues; q++) {
		rc = rc < 0 ? rc : rte_eth_rx_queue_setup(port, q, WIRE_END_DESC, 0, NULL, pool);
		rc = rc < 0 ? rc : rte_eth_tx_queue_setup(port, q, WIRE_END_DESC, 0, NULL);
	}
	return rc < 0 ? rc : rte_eth_dev_start(port);
}

/* 0: both ends have a link; -1: not in time. */
static int
wire_ends_wait(void)
{
	for (unsigned ms = 0; ms < WIRE_END_WAIT_MS; ms += 10) {
		struct rte_eth_link link[2] = { 0 };
		if (rte_eth_link_get_nowait(0, &link[0]) == 0 &&
		    rte_eth_link_get_nowait(1, &link[1]) == 0 && link[0].link_status &&
		    link[1].link_status)
			return 0;
		usleep(10000);
	}
	return -1;
}

#endif
