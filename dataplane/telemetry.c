/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DPDK's telemetry socket: what its own tools may ask of us. The whole truth is in `status` of the
 * control socket; here are the frame counters, so that one collector serves all DPDK programs.
 */
#include <rte_telemetry.h>
#include <string.h>

#include "dataplane/plane.h"

static struct dp_plane *asked; /* callbacks take no context; one plane a process */

static int
frames(const char *cmd, const char *params, struct rte_tel_data *d)
{
	struct dp_counters each[DP_WORKERS_MAX], sum;
	struct dp_port_count total;

	(void)cmd, (void)params;
	dp_plane_count(asked, each, &sum);
	dp_counters_total(&sum, &total);
	rte_tel_data_start_dict(d);
	rte_tel_data_add_dict_u64(d, "rx", total.rx);
	rte_tel_data_add_dict_u64(d, "forwarded", total.tx - sum.injected);
	rte_tel_data_add_dict_u64(d, "observed", total.observed);
	rte_tel_data_add_dict_u64(d, "dropped", dp_dropped(&total));
	rte_tel_data_add_dict_u64(d, "in_flight", dp_counters_in_flight(&sum));
	rte_tel_data_add_dict_u64(d, "injected", sum.injected);
	rte_tel_data_add_dict_u64(d, "uninspected", sum.uninspected);
	return 0;
}

void
dp_telemetry_start(struct dp_plane *plane)
{
	if (plane->config->telemetry == DP_OFF)
		return;
	asked = plane;
	(void)rte_telemetry_register_cmd("/phonehome/frames", frames,
	    "Frames of all ports: received, forwarded, observed, dropped, in flight.");
}
