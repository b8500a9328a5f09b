/* SPDX-License-Identifier: Apache-2.0 */
/* Notices that a port is gone, closes it when nobody uses it, and takes it back. */
#include "dataplane/unplug.h"

#include <stdio.h>
#include <string.h>

#include "dataplane/kernel_port.h"
#include "dataplane/link.h"

static bool
comes_back(const struct dp_port *p)
{
	return strcmp(p->driver, "net_af_packet") == 0;
}

/* The kernel's interface is looked for; of a card DPDK's interrupt thread has said it. */
static void
notice(struct dp_plane *plane, struct dp_port *p)
{
	if (!atomic_load(&p->gone) && dp_kernel_is(p) && !dp_kernel_there(p))
		atomic_store(&p->gone, true);
	if (!atomic_load(&p->gone) || p->unplug_token != 0)
		return;
	p->unplug_token = rte_rcu_qsbr_start(plane->slot.qsbr);
	atomic_fetch_add(&p->unplugged, 1);
	dp_link_lost(&plane->ports, p);
	fprintf(stderr,
	    "phonehomed: port %s is unplugged: what should go out of it is dropped; %s\n",
	    p->device,
	    comes_back(p) ? "it is used again once an interface of that name is there"
			  : "restart phonehomed when it is back");
}

/* Workers do not look at a port that is gone; one may have been amid a round, or the watchdog's
 * stand-in for it. */
static bool
unused(struct dp_plane *plane, const struct dp_port *p)
{
	if (rte_rcu_qsbr_check(plane->slot.qsbr, p->unplug_token, false) != 1)
		return false;
	for (unsigned i = 0; i < plane->n_workers; i++) {
		uint32_t hold = atomic_load(&plane->workers[i].hold);
		if (hold == DP_HOLD_STANDBY || hold == DP_HOLD_WANTED)
			return false;
	}
	return true;
}

static void
take_back(struct dp_plane *plane, struct dp_port *p)
{
	struct sig_diag diag = { 0 };

	if (dp_port_reopen(&plane->ports, p, plane->config, &diag) == 0) {
		p->unplug_token = 0;
		p->unplug_said = false;
		atomic_store(&p->link_up, false); /* a change, to be passed on */
		atomic_store(&p->gone, false);
		fprintf(stderr, "phonehomed: port %s is back\n", p->device);
	} else if (!p->unplug_said) {
		p->unplug_said = true;
		fprintf(stderr,
		    "phonehomed: port %s is there again and cannot be opened; tried on:\n",
		    p->device);
		sig_diag_print(&diag, stderr);
	}
	sig_diag_free(&diag);
}

void
dp_unplug_poll(struct dp_plane *plane)
{
	for (unsigned i = 0; i < plane->ports.n; i++) {
		struct dp_port *p = &plane->ports.port[i];
		notice(plane, p);
		if (!atomic_load(&p->gone))
			continue;
		if (atomic_load(&p->open) && comes_back(p) && unused(plane, p))
			dp_port_close(&plane->ports, p);
		if (!atomic_load(&p->open) && dp_kernel_named(p))
			take_back(plane, p);
	}
}
