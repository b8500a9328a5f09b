/* SPDX-License-Identifier: Apache-2.0 */
/* Interfaces of the kernel, by ioctl, and the sockets that DPDK's driver reads them by. */
#include "dataplane/kernel_port.h"

#include <dirent.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <rte_mbuf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* As the config gives it. */
static bool
config_name(const struct dp_port *p, char name[static IFNAMSIZ])
{
	return dp_device_arg(p->device, "iface", 0, name, IFNAMSIZ);
}

bool
dp_kernel_is(const struct dp_port *p)
{
	return strcmp(p->driver, "net_af_packet") == 0 || strcmp(p->driver, "net_af_xdp") == 0;
}

/* The driver keeps its sockets to itself: they are those of ours that are bound to the interface.
 */
static void
find_sockets(struct dp_kernel_port *k)
{
	DIR *d = opendir("/proc/self/fd");

	k->n_sockets = 0;
	for (struct dirent *e; d && (e = readdir(d)) && k->n_sockets < DP_KERNEL_QUEUES_MAX;) {
		struct sockaddr_ll at = { 0 };
		int fd = atoi(e->d_name), domain = 0;
		socklen_t len = sizeof(domain);
		if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) < 0 || domain != AF_PACKET)
			continue;
		len = sizeof(at);
		if (getsockname(fd, (struct sockaddr *)&at, &len) == 0 &&
		    at.sll_ifindex == (int)k->index)
			k->sockets[k->n_sockets++] = fd;
	}
	if (d)
		closedir(d);
}

void
dp_kernel_begin(struct dp_port *p)
{
	char name[IFNAMSIZ];

	p->kernel = (struct dp_kernel_port){ 0 };
	if (!dp_kernel_is(p) || !config_name(p, name))
		return;
	p->kernel.index = if_nametoindex(name);
	if (strcmp(p->driver, "net_af_packet") == 0)
		find_sockets(&p->kernel);
}

/* The kernel starts anew after each answer. */
uint64_t
dp_kernel_lost(struct dp_port *p)
{
	struct dp_kernel_port *k = &p->kernel;

	for (unsigned i = 0; i < k->n_sockets; i++) {
		struct tpacket_stats st = { 0 };
		socklen_t len = sizeof(st);
		if (getsockopt(k->sockets[i], SOL_PACKET, PACKET_STATISTICS, &st, &len) == 0)
			k->lost += st.tp_drops;
	}
	return k->lost;
}

bool
dp_kernel_there(const struct dp_port *p)
{
	char name[IFNAMSIZ];

	return p->kernel.index != 0 && if_indextoname(p->kernel.index, name);
}

bool
dp_kernel_named(const struct dp_port *p)
{
	char name[IFNAMSIZ];

	return config_name(p, name) && if_nametoindex(name) != 0;
}

/* One question about an interface. */
static bool
ask(unsigned long what, struct ifreq *r)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool ok = fd >= 0 && ioctl(fd, what, r) == 0;

	if (fd >= 0)
		close(fd);
	return ok;
}

bool
dp_kernel_link(const struct dp_port *p, bool *ret_up)
{
	struct ifreq r = { 0 };

	if (!if_indextoname(p->kernel.index, r.ifr_name) || !ask(SIOCGIFFLAGS, &r))
		return false;
	*ret_up = (r.ifr_flags & IFF_UP) && (r.ifr_flags & IFF_RUNNING);
	return true;
}

bool
dp_kernel_set_link(const struct dp_port *p, bool up)
{
	struct ifreq r = { 0 };

	if (!if_indextoname(p->kernel.index, r.ifr_name) || !ask(SIOCGIFFLAGS, &r))
		return false;
	short wanted = (short)(up ? r.ifr_flags | IFF_UP : r.ifr_flags & ~IFF_UP);
	if (wanted == r.ifr_flags)
		return true;
	r.ifr_flags = wanted;
	return ask(SIOCSIFFLAGS, &r);
}

unsigned
dp_kernel_mtu(const struct dp_port *p)
{
	struct ifreq r = { 0 };

	return config_name(p, r.ifr_name) && ask(SIOCGIFMTU, &r) && r.ifr_mtu > 0
		   ? (unsigned)r.ifr_mtu
		   : 0;
}

bool
dp_kernel_set_mtu(const struct dp_port *p, unsigned mtu)
{
	struct ifreq r = { 0 };

	if (!config_name(p, r.ifr_name))
		return false;
	r.ifr_mtu = (int)mtu;
	return dp_kernel_mtu(p) == mtu || ask(SIOCSIFMTU, &r);
}

/* The kernel cuts a frame that does not fit into the ring of net_af_packet, whose driver hands it
 * on like that; AF_XDP loses it. */
int
dp_kernel_check_mtu(const struct dp_port *p, unsigned mtu, unsigned room, struct sig_diag *diag)
{
	/* net_af_packet's own; and before its frames: a header, and what aligns IP. */
	enum { RING_FRAME = 2048, RING_BEFORE = 66, XDP_HEADROOM = 256, ETHERNET_AND_TAG = 18 };
	char name[IFNAMSIZ], size[16];
	unsigned long holds, ring = RING_FRAME;

	if (p->peer == DP_NO_PORT || !dp_kernel_is(p) || !config_name(p, name))
		return 0;
	if (strcmp(p->driver, "net_af_xdp") == 0) {
		holds = room - RTE_PKTMBUF_HEADROOM - XDP_HEADROOM;
	} else {
		if (dp_device_arg(p->device, "framesz", 0, size, sizeof(size)))
			ring = strtoul(size, NULL, 10);
		holds = ring > RING_BEFORE ? ring - RING_BEFORE : 0;
	}
	mtu = mtu != 0 ? mtu : dp_kernel_mtu(p);
	if (mtu + ETHERNET_AND_TAG <= holds)
		return 0;
	sig_diag_add(diag, SIG_ERROR, NULL, 0, 0,
	    "port %s: MTU %u, and it takes frames of %lu bytes: longer ones would be %s: %s, or ip "
	    "link set %s mtu 1500",
	    p->device, mtu, holds, strcmp(p->driver, "net_af_xdp") == 0 ? "lost" : "cut",
	    strcmp(p->driver, "net_af_xdp") == 0
		? "read both ports of the pair by net_af_packet with framesz=16384,blocksz=16384"
		: "give both ports of the pair framesz=16384,blocksz=16384",
	    name);
	return -EINVAL;
}
