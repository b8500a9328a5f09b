/* SPDX-License-Identifier: Apache-2.0 */
/* Links of DPDK's ports and of the kernel's. */
#include "dataplane/link.h"

#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* The kernel's interface behind a port; false when there is none. */
static bool
kernel_name(const struct dp_port *p, char name[static IFNAMSIZ])
{
	return (strcmp(p->driver, "net_af_packet") == 0 || strcmp(p->driver, "net_af_xdp") == 0) &&
	       dp_device_arg(p->device, "iface", 0, name, IFNAMSIZ);
}

/* The interface's flags; sets and clears some first. False: it is not there, or not ours to set. */
static bool
flags(const char *name, short set, short clear, short *ret)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq r = { 0 };

	if (fd < 0)
		return false;
	memcpy(r.ifr_name, name, strlen(name));
	bool ok = ioctl(fd, SIOCGIFFLAGS, &r) == 0;
	short wanted = (short)((r.ifr_flags | set) & ~clear);
	if (ok && wanted != r.ifr_flags) {
		r.ifr_flags = wanted;
		ok = ioctl(fd, SIOCSIFFLAGS, &r) == 0;
	}
	close(fd);
	if (ok)
		*ret = r.ifr_flags;
	return ok;
}

static bool
set_link(const struct dp_port *p, bool up)
{
	char name[IFNAMSIZ];
	short now;

	if (kernel_name(p, name))
		return flags(name, up ? IFF_UP : 0, up ? 0 : IFF_UP, &now);
	return (up ? rte_eth_dev_set_link_up(p->id) : rte_eth_dev_set_link_down(p->id)) == 0;
}

static bool
get_link(const struct dp_port *p, bool *ret_up)
{
	struct rte_eth_link link = { 0 };
	char name[IFNAMSIZ];
	short now;

	if (kernel_name(p, name)) {
		if (!flags(name, 0, 0, &now))
			return false;
		*ret_up = (now & IFF_UP) && (now & IFF_RUNNING);
		return true;
	}
	if (rte_eth_link_get_nowait(p->id, &link) != 0)
		return false;
	*ret_up = link.link_status == RTE_ETH_LINK_UP;
	return true;
}

void
dp_link_begin(struct dp_port *p)
{
	char name[IFNAMSIZ];
	bool up;

	if (kernel_name(p, name))
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

void
dp_ports_poll_links(struct dp_ports *ports)
{
	for (unsigned i = 0; i < ports->n; i++) {
		struct dp_port *p = &ports->port[i];
		bool up;
		if (atomic_load(&p->gone) || p->held_down || !get_link(p, &up) ||
		    up == atomic_load(&p->link_up))
			continue;
		atomic_store(&p->link_up, up);
		atomic_fetch_add(&p->link_changes, 1);
		if (p->peer != DP_NO_PORT)
			pass_on(&ports->port[p->peer], up);
	}
}
