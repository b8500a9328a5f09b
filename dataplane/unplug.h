/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ports that are unplugged while the daemon runs, and those that come back. Main thread.
 *
 * A port that is gone costs its own link alone: nobody touches its queues, what should go out of it
 * is dropped as `no-port`, the pair's other port loses its link as on one cable. Once no worker and
 * no stand-in can have its queues in hand any more, DPDK closes it. An interface read by
 * net_af_packet is opened again when one of its name is there; others need a restart: the driver of
 * AF_XDP loses the packet buffers that it had lent to the kernel, and a card's state is unknown.
 */
#ifndef DATAPLANE_UNPLUG_H
#define DATAPLANE_UNPLUG_H

#include "dataplane/plane.h"

/* Ten times a second, before dp_ports_poll_links(). */
void dp_unplug_poll(struct dp_plane *plane);

#endif
