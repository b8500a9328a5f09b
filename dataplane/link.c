/* SPDX-License-Identifier: Apache-2.0 */
/* Links of DPDK's ports and of the kernel's. */
#include "dataplane/link.h"

#include "dataplane/kernel_port.h"

static bool
set_link(const struct dp_port *p, bool up)
{
	if (dp_kernel_is(p))
		return dp_kernel_set_link(p, up);
	return (up ? rte_eth_dev_set_link_up(p->id) : rte_eth_dev_set_link_down(p->id)) == 0;
}

static bool
get_link(const struct dp_port *p, bool *ret_up)
{
	struct rte_eth_link link = { 0 };

	if (dp_kernel_is(p))
		return dp_kernel_link(p, ret_up);
	if (rte_eth_link_get_nowait(p->id, &link) != 0)
		return false;
	*ret_up = link.link_status == RTE_ETH_LINK_UP;
	return true;
}

void
dp_link_begin(struct dp_port *p)
{
	bool up;

	if (dp_kernel_is(p))
		(void)set_link(p, true);
	if (get_link(p, &up))
		atomic_store(&p->link_up, up);
}

void
dp_link_release(struct dp_port *p)
{
	if (p->held_down && !atomic_load(&p->gone))
		(void)set_link(p, true);
	p->held_down = false;
}

/* A port that we hold down ourselves tells nothing of its own cable, so it is not asked until we
 * let go. */
static void
pass_on(struct dp_port *other, bool up)
{
	if (atomic_load(&other->gone))
		return;
	if (!up)
		other->held_down = set_link(other, false);
	else if (other->held_down && set_link(other, true))
		other->held_down = false;
}

static void
changed(struct dp_ports *ports, struct dp_port *p, bool up)
{
	atomic_store(&p->link_up, up);
	atomic_fetch_add(&p->link_changes, 1);
	if (p->peer != DP_NO_PORT)
		pass_on(&ports->port[p->peer], up);
}

void
dp_link_lost(struct dp_ports *ports, struct dp_port *p)
{
	p->held_down = false;
	changed(ports, p, false);
}

void
dp_ports_poll_links(struct dp_ports *ports)
{
	for (unsigned i = 0; i < ports->n; i++) {
		struct dp_port *p = &ports->port[i];
		bool up;
		if (!atomic_load(&p->gone) && !p->held_down && get_link(p, &up) &&
		    up != atomic_load(&p->link_up))
			changed(ports, p, up);
	}
}
