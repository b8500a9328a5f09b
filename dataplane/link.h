/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Link state: shown, and passed on, so that those at both ends of a pair see what one cable would
 * show. Main thread.
 *
 * A port of the kernel (net_af_packet, net_af_xdp) tells DPDK nothing of its cable: the kernel is
 * asked, and the interface is set down and up there (kernel_port.h).
 */
#ifndef DATAPLANE_LINK_H
#define DATAPLANE_LINK_H

#include "dataplane/port.h"

/* A port that has just started: an interface that a killed daemon left down is up again. */
void dp_link_begin(struct dp_port *p);
/* Passes a change on to the other port of its pair, where the driver can. */
void dp_ports_poll_links(struct dp_ports *ports);
/* A port that is gone: its cable is as good as pulled. */
void dp_link_lost(struct dp_ports *ports, struct dp_port *p);
/* At the end: no port stays down for our sake. */
void dp_link_release(struct dp_port *p);

#endif
