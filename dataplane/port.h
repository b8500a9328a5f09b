/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ports: DPDK devices set up as inline pairs and mirror ports, and which worker owns which queue.
 *
 * Set up and torn down by the main thread. Workers read `struct dp_port` (constant while they run,
 * but for the atomics at its end); only the owner of a queue touches it.
 *
 * Both directions of a flow meet at one worker: either the NIC spreads by a symmetric key that was
 * read back and checked, the same on both ports of a pair, or the workers spread by ring
 * (worker.h). A mirror port has no transmit queue that anybody uses.
 */
#ifndef DATAPLANE_PORT_H
#define DATAPLANE_PORT_H

#include <pthread.h>
#include <rte_ethdev.h>
#include <stdatomic.h>

#include "dataplane/config.h"
#include "dataplane/eal.h"

enum { DP_PORTS_MAX = 2 * DP_LINKS_MAX, DP_NO_PORT = 0xffff, DP_KERNEL_QUEUES_MAX = 16 };

/* What a driver says of frames that never came to us, and of those that it took and could not send.
 */
struct dp_port_stats {
	uint64_t missed, no_mbuf, rx_errors, tx_errors;
};

/* The kernel's interface behind a port of net_af_packet or net_af_xdp (kernel_port.h). */
struct dp_kernel_port {
	unsigned index; /* 0: there is none */
	unsigned n_sockets;
	int sockets[DP_KERNEL_QUEUES_MAX]; /* the driver's, of net_af_packet: asked what they lost
					    */
	uint64_t lost;			   /* told by them so far; under stats_lock */
};

struct dp_port {
	uint16_t id;   /* DPDK's; another one when the port has come back (unplug.h) */
	uint16_t peer; /* index in dp_ports of the other port of the pair, DP_NO_PORT: mirror */
	uint16_t link; /* index in the config's links */
	uint16_t n_rx, n_tx; /* queues; rx queue q belongs to worker q % workers, tx queue q to q */
	bool symmetric;	     /* the NIC spreads both directions alike */
	bool replay;	     /* net_pcap that reads files once */
	bool promiscuous;
	uint16_t mtu;
	uint64_t rx_offloads, tx_offloads;
	uint64_t rss_functions; /* what the NIC hashes by */
	uint8_t rss_key_len;
	const char *rss_why; /* why it does not spread, in words; NULL where it does */
	uint16_t rx_desc, tx_desc;
	const char *device; /* the config's string */
	char name[64], driver[32];

	/* changed while running */
	_Atomic bool gone;	    /* unplugged: nobody touches its queues */
	_Atomic bool link_up;	    /* as last told; main thread writes */
	_Atomic bool open;	    /* DPDK has it, though it may be gone; main thread writes */
	_Atomic uint32_t unplugged; /* so many times; main thread writes */
	_Atomic bool held_down;	    /* by us, to show the other port's state; main thread writes */
	_Atomic uint32_t link_changes;
	_Atomic uint32_t drained; /* bit q: rx queue q has reached the end of its file */

	/* main thread */
	uint64_t unplug_token; /* of QSBR: no worker has its queues in hand any more; 0: not told */
	bool unplug_said;      /* why it cannot be opened again */
	struct dp_kernel_port kernel;
	/* under dp_ports.stats_lock: what devices counted that were this port before */
	struct dp_port_stats past;
};

struct dp_ports {
	/* Held while a driver is asked for its statistics, and while a port is exchanged. */
	pthread_mutex_t stats_lock;
	struct dp_port port[DP_PORTS_MAX];
	unsigned n;
	uint16_t by_id[RTE_MAX_ETHPORTS]; /* DPDK's id -> index here, DP_NO_PORT */
	struct rte_mempool *pool;
	int ts_offset; /* of the receive time stamp in an mbuf, -1: no driver gives one */
	uint64_t ts_flag;
	bool spread; /* some port cannot spread: workers pass mbufs on by ring */
	bool replay; /* every port reads files once: time is the frames' own */
};

/* Opens, sets up and starts all. 0, or -errno and one message in diag; then nothing is left open.
 */
int dp_ports_open(const struct dp_config *config, const struct dp_eal *eal,
    struct dp_ports *ret_ports, struct sig_diag *diag);
/* Stops traffic; the workers have ended. */
void dp_ports_close(struct dp_ports *ports);
/* One port that was unplugged, and is there again. Nobody touches its queues: it is still `gone`.
 * 0, or -errno and a message; then it is not open. */
int dp_port_reopen(struct dp_ports *ports, struct dp_port *p, const struct dp_config *config,
    struct sig_diag *diag);
void dp_port_close(struct dp_ports *ports, struct dp_port *p);

/* What the port's driver has counted, in all. Any thread but workers. */
void dp_port_stats(struct dp_ports *ports, struct dp_port *p, struct dp_port_stats *ret);

/* All files were read to their end. */
bool dp_ports_drained(const struct dp_ports *ports);
/* After draining: the first file that did not end well. False, or true and what is wrong. */
bool dp_ports_replay_fault(const struct dp_ports *ports, char *text, size_t cap);

/* port_replay.c: a capture file that can be replayed, or one message that says why not. */
int dp_replay_check(const char *device, struct sig_diag *diag);

#endif
