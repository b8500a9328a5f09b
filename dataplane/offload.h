/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Drop verdicts handed to the NIC by rte_flow, where a port takes them: then dropped frames cost
 * nothing. Validated first and silently left out where not. Recorder thread only.
 *
 * The engine does not see such a flow's frames any more, so its record ends by idling, and the rule
 * goes with it.
 */
#ifndef DATAPLANE_OFFLOAD_H
#define DATAPLANE_OFFLOAD_H

#include "classifier/event.h"
#include "dataplane/port.h"

struct dp_offload;

struct dp_offload_stats {
	bool enabled;
	uint64_t rules_now, made, removed, refused, full;
};

struct dp_offload *dp_offload_new(const struct dp_ports *ports, bool enabled);
void dp_offload_free(struct dp_offload *o); /* takes all rules out of the NICs */
void dp_offload_event(struct dp_offload *o, const struct clf_event *event);
const struct dp_offload_stats *dp_offload_stats(const struct dp_offload *o);

#endif
