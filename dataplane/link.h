/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Link state: shown, and passed on, so that those at both ends of a pair see what one cable would
 * show. Main thread.
 *
 * A port of the kernel (net_af_packet, net_af_xdp) tells DPDK nothing of its cable: the kernel is
 * asked, and the interface is set down and up there.
 */
#ifndef DATAPLANE_LINK_H
#define DATAPLANE_LINK_H

#include "dataplane/port.h"

/* A port that has just started: an interface that a killed daemon left down is up again. */
void dp_link_begin(struct dp_port *p);
/* Passes a change on to the other port of its pair, where the driver can. */
void dp_ports_poll_links(struct dp_ports *ports);
/* At the end: no port stays down for our sake. */
void dp_link_release(struct dp_port *p);

#endif
