/* SPDX-License-Identifier: Apache-2.0 */
/* Checks of NICs: which driver holds them, MTU, offloads that hide packets from a kernel port. */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ctl/doctor.h"

enum { DEVICES_MAX = 64 };

/* PCI network devices: class 0x02. */
static unsigned
each_pci(struct doctor_case *c, void (*fn)(struct doctor_case *, const char *))
{
	char path[512], class[32];
	DIR *d;
	unsigned n = 0;

	snprintf(path, sizeof(path), "%s/sys/bus/pci/devices", c->root);
	d = opendir(path);
	for (struct dirent *e; d && (e = readdir(d)) && n < DEVICES_MAX;) {
		if (e->d_name[0] == '.')
			continue;
		if (doctor_read(
			c, class, sizeof(class), "/sys/bus/pci/devices/%s/class", e->d_name) < 0 ||
		    strncmp(class, "0x02", 4) != 0)
			continue;
		n++;
		fn(c, e->d_name);
	}
	if (d)
		closedir(d);
	return n;
}

static void
say_driver(struct doctor_case *c, const char *address)
{
	char path[512], link[PATH_MAX], mend[256];

	snprintf(path, sizeof(path), "%s/sys/bus/pci/devices/%s/driver", c->root, address);
	ssize_t n = readlink(path, link, sizeof(link) - 1);
	if (n < 0) {
		snprintf(mend, sizeof(mend), "dpdk-devbind.py --bind=vfio-pci %s", address);
		doctor_say(c, DOCTOR_WARN, mend, "%s has no driver", address);
		return;
	}
	link[n] = '\0';
	const char *driver = strrchr(link, '/') ? strrchr(link, '/') + 1 : link;
	if (strcmp(driver, "vfio-pci") == 0 || strncmp(driver, "mlx5", 4) == 0) {
		doctor_say(c, DOCTOR_OK, NULL, "%s is bound to %s", address, driver);
	} else if (strcmp(driver, "igb_uio") == 0 || strcmp(driver, "uio_pci_generic") == 0) {
		snprintf(mend, sizeof(mend), "dpdk-devbind.py --bind=vfio-pci %s", address);
		doctor_say(c, DOCTOR_WARN, mend, "%s is bound to %s: no IOMMU protects memory",
		    address, driver);
	} else {
		snprintf(mend, sizeof(mend),
		    "to give it to the daemon: dpdk-devbind.py --bind=vfio-pci %s", address);
		doctor_say(c, DOCTOR_NOTE, mend, "%s belongs to the kernel (%s)", address, driver);
	}
}

void
doctor_drivers(struct doctor_case *c)
{
	if (each_pci(c, say_driver) == 0)
		doctor_say(c, DOCTOR_NOTE, NULL, "no PCI network device: virtual ports only");
}

/* Interfaces of the kernel, loopback left out; only the named ones when any were named. */
static unsigned
each_interface(struct doctor_case *c, void (*fn)(struct doctor_case *, const char *))
{
	char path[512];
	DIR *d;
	unsigned n = 0;

	snprintf(path, sizeof(path), "%s/sys/class/net", c->root);
	d = opendir(path);
	for (struct dirent *e; d && (e = readdir(d)) && n < DEVICES_MAX;) {
		bool wanted = !c->devices[0];
		for (unsigned i = 0; c->devices[i]; i++)
			wanted |= strcmp(c->devices[i], e->d_name) == 0;
		if (e->d_name[0] == '.' || strcmp(e->d_name, "lo") == 0 || !wanted)
			continue;
		n++;
		fn(c, e->d_name);
	}
	if (d)
		closedir(d);
	return n;
}

static void
say_mtu(struct doctor_case *c, const char *name)
{
	long *common = c->ctx, mtu = doctor_number(c, 0, "/sys/class/net/%s/mtu", name);

	if (mtu == 0)
		return;
	if (*common == 0)
		*common = mtu;
	if (*common != mtu) {
		char mend[128];
		snprintf(mend, sizeof(mend),
		    "ip link set %s mtu %ld   (if it is one side of a pair)", name, *common);
		doctor_say(c, DOCTOR_WARN, mend, "%s has MTU %ld, another interface %ld", name, mtu,
		    *common);
	} else {
		doctor_say(c, DOCTOR_OK, NULL, "%s has MTU %ld", name, mtu);
	}
}

void
doctor_mtu(struct doctor_case *c)
{
	long common = 0;
	void *outer = c->ctx;

	c->ctx = &common;
	each_interface(c, say_mtu);
	c->ctx = outer;
}

/* GRO and LRO join packets before af_packet or a mirror shows them: they are larger than the MTU
 * and were never on the wire like that. */
static bool
offload_on(int fd, const char *name, unsigned command)
{
	struct ethtool_value v = { .cmd = command };
	struct ifreq r = { .ifr_data = (void *)&v };

	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name);
	return ioctl(fd, SIOCETHTOOL, &r) == 0 && v.data != 0;
}

static void
say_offloads(struct doctor_case *c, const char *name)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	char mend[128];

	if (fd < 0)
		return;
	bool gro = offload_on(fd, name, ETHTOOL_GGRO);
	struct ethtool_value flags = { .cmd = ETHTOOL_GFLAGS };
	struct ifreq r = { .ifr_data = (void *)&flags };
	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name);
	bool lro = ioctl(fd, SIOCETHTOOL, &r) == 0 && (flags.data & ETH_FLAG_LRO);
	close(fd);
	snprintf(mend, sizeof(mend), "ethtool -K %s gro off lro off", name);
	if (gro || lro)
		doctor_say(c, DOCTOR_WARN, mend,
		    "%s joins packets (%s%s%s): harmful on a port given to the daemon", name,
		    gro ? "GRO" : "", gro && lro ? ", " : "", lro ? "LRO" : "");
	else
		doctor_say(c, DOCTOR_OK, NULL, "%s shows packets as they came", name);
}

void
doctor_offloads(struct doctor_case *c)
{
	if (c->root[0] == '\0')
		each_interface(c, say_offloads);
}
