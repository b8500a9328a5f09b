/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What only the kernel knows of a port of net_af_packet or net_af_xdp: its cable, whether its
 * interface is still there, and how many frames its sockets have lost. DPDK's drivers tell none of
 * it. Main thread, but for dp_kernel_lost().
 *
 * An interface is held by its index: it keeps it when it is renamed, and one that is made anew with
 * the same name has another.
 */
#ifndef DATAPLANE_KERNEL_PORT_H
#define DATAPLANE_KERNEL_PORT_H

#include "dataplane/port.h"

/* A driver that reads an interface of the kernel. */
bool dp_kernel_is(const struct dp_port *p);
/* The port has just started. */
void dp_kernel_begin(struct dp_port *p);

/* False: the interface is not there, or not in this network namespace any more. */
bool dp_kernel_there(const struct dp_port *p);
/* There is one of the name that the config gives (again). */
bool dp_kernel_named(const struct dp_port *p);
/* False: not to be told, or not ours to set. */
bool dp_kernel_link(const struct dp_port *p, bool *ret_up);
bool dp_kernel_set_link(const struct dp_port *p, bool up);
/* 0: not known. */
unsigned dp_kernel_mtu(const struct dp_port *p);
/* False, and errno. */
bool dp_kernel_set_mtu(const struct dp_port *p, unsigned mtu);
/* An inline port must be able to give us every frame that its interface may bring, whole: with this
 * MTU (0: the one that it has), and packet buffers of so many bytes. 0, or -EINVAL and a message.
 */
int
dp_kernel_check_mtu(const struct dp_port *p, unsigned mtu, unsigned room, struct sig_diag *diag);

/* Frames that found the socket's ring full, so far. Under stats_lock. */
uint64_t dp_kernel_lost(struct dp_port *p);

#endif
