/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The NIC's own spreading: a key that gives both directions of a flow one hash, asked for before a
 * port starts and read back once it has. Set-up alone, main thread.
 *
 * Both directions of a flow of a pair come in on different ports, and a tap's two fibres on
 * different mirror ports: such ports must hash by the same fields and lead each hash to the same
 * queue, or none of them is relied on and the workers spread (spread.h).
 */
#ifndef DATAPLANE_RSS_H
#define DATAPLANE_RSS_H

#include "dataplane/port.h"

/* Asks for spreading over the workers' queues, where the port seems able to. False, and why not in
 * p->rss_why, where it cannot. `conf` points to a key of ours. */
bool dp_rss_ask(struct dp_port *p, const struct dp_config *config,
    const struct rte_eth_dev_info *info, struct rte_eth_conf *conf);
/* All ports have started: reads back what they do, and sets `symmetric` and `rss_why`
 * of each, and `spread` of all. */
void dp_rss_check(struct dp_ports *ports, const struct dp_config *config);

#endif
