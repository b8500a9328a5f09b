/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One `rte_flow` rule: a port drops the frames of one direction of one flow, and counts them.
 *
 * It must match what the verdict means and nothing else, or the port is not asked to: no tagged
 * frames, and of TCP no SYN, FIN or RST, which the engine needs to see where a connection ends and
 * another begins on the same ports. Any thread but workers, one at a time.
 */
#ifndef DATAPLANE_OFFLOAD_RULE_H
#define DATAPLANE_OFFLOAD_RULE_H

#include <rte_flow.h>

#include "classifier/event.h"

struct dp_offload_key {
	struct clf_addr src, dst;
	uint16_t src_port, dst_port;
	uint8_t ip_version, protocol; /* 4 or 6; TCP or UDP */
};

enum { DP_OFFLOAD_WHY = 96 };

/* 0; or -errno, and in `why` the driver's words. */
int dp_offload_rule_check(
    uint16_t port_id, const struct dp_offload_key *key, char why[static DP_OFFLOAD_WHY]);
/* down: from dst to src. Validated first. NULL: the port does not take it, or has no room. */
struct rte_flow *
dp_offload_rule_make(uint16_t port_id, const struct dp_offload_key *key, bool down);
/* Frames dropped since it was made, in *ret_hits. 0 or -errno. */
int dp_offload_rule_hits(uint16_t port_id, struct rte_flow *rule, uint64_t *ret_hits);

#endif
