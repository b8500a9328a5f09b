/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Drop verdicts handed to the NIC by rte_flow, where a port takes such rules (offload_rule.h): then
 * dropped frames cost nothing. Where not, the workers go on dropping them, and `status` says why.
 *
 * The engine does not see a handed-over flow's frames, and would think it idle. So a rule is a
 * lease: after LEASE_S it is taken out, for a second, in which the flow's frames come to the engine
 * and show it alive; it goes in again if it was worth it. It goes for good when the flow ends (its
 * FIN, RST and a SYN on the same ports always come to the engine), on a reload and in bypass: from
 * then on the engine's own latched verdict holds.
 *
 *   recorder thread: dp_offload_event(), dp_offload_work()
 *   any thread but workers: dp_offload_withdraw(), dp_offload_hold(), dp_offload_stats() (they
 * lock)
 */
#ifndef DATAPLANE_OFFLOAD_H
#define DATAPLANE_OFFLOAD_H

#include "dataplane/offload_rule.h"
#include "dataplane/port.h"

struct dp_offload;

struct dp_offload_port {
	bool tcp4, udp4, tcp6, udp6; /* what it takes; none: see why */
	char why[DP_OFFLOAD_WHY];
	uint64_t dropped; /* frames that its rules stopped, as of the last second */
};

struct dp_offload_stats {
	bool enabled;
	/* flows in the NIC now; handed over, leases that followed, taken out for good; not taken by
	 * a driver that had said it would; not tried for want of room in our table */
	uint64_t flows_now, made, renewed, removed, refused, full;
	struct dp_offload_port port[DP_PORTS_MAX];
};

/* NULL: no memory. */
struct dp_offload *dp_offload_new(const struct dp_ports *ports, bool enabled);
void dp_offload_free(struct dp_offload *o); /* takes all rules out of the NICs */
/* Notes what is to be done; dp_offload_work() does it. */
void dp_offload_event(struct dp_offload *o, const struct clf_event *event);
/* Every few milliseconds; now: monotonic. */
void dp_offload_work(struct dp_offload *o, uint64_t now_us);
/* All rules go, at once: each flow's own verdict decides again. */
void dp_offload_withdraw(struct dp_offload *o);
/* The same; and while on, none is made. */
void dp_offload_hold(struct dp_offload *o, bool on);
void dp_offload_stats(struct dp_offload *o, struct dp_offload_stats *ret);

#endif
