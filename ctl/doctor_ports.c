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

typedef void name_fn(struct doctor_case *c, const char *name);

/* The names in a folder that `wanted` takes, each to fn; how many. */
static unsigned
each_name(struct doctor_case *c, const char *folder,
    bool (*wanted)(const struct doctor_case *, const char *), name_fn *fn)
{
	char path[512];
	DIR *d;
	unsigned n = 0;

	snprintf(path, sizeof(path), "%s%s", c->root, folder);
	d = opendir(path);
	for (struct dirent *e; d && (e = readdir(d)) && n < DEVICES_MAX;) {
		if (e->d_name[0] == '.' || !wanted(c, e->d_name))
			continue;
		n++;
		fn(c, e->d_name);
	}
	if (d)
		closedir(d);
	return n;
}

static bool
named(const struct doctor_case *c, const char *name)
{
	for (unsigned i = 0; c->devices[i]; i++)
		if (strcmp(c->devices[i], name) == 0)
			return true;
	return false;
}

/* The sensor's port of that name (a PCI address, or a kernel's interface), or NULL. */
static const struct doctor_port *
port_of(const struct doctor_case *c, const char *name)
{
	for (unsigned i = 0; i < c->site->n_ports; i++) {
		const struct doctor_port *p = &c->site->ports[i];
		if (strcmp(p->pci ? p->name : p->iface, name) == 0)
			return p;
	}
	return NULL;
}

/* PCI network devices: class 0x02. */
static bool
is_nic(const struct doctor_case *c, const char *address)
{
	char class[32];

	return (!c->devices[0] || named(c, address)) &&
	       doctor_read(c, class, sizeof(class), "/sys/bus/pci/devices/%s/class", address) ==
		   0 &&
	       strncmp(class, "0x02", 4) == 0;
}

static void
say_driver(struct doctor_case *c, const char *address)
{
	char path[512], link[PATH_MAX], mend[320];
	bool ours = port_of(c, address) != NULL;

	snprintf(path, sizeof(path), "%s/sys/bus/pci/devices/%s/driver", c->root, address);
	ssize_t n = readlink(path, link, sizeof(link) - 1);
	if (n < 0) {
		snprintf(mend, sizeof(mend), "dpdk-devbind.py --bind=vfio-pci %s", address);
		doctor_say(c, ours ? DOCTOR_FAIL : DOCTOR_WARN, mend, "%s has no driver", address);
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
		/* Once the ports are known, the others are somebody else's: our own way in, maybe.
		 */
		bool known = c->site->n_ports != 0 && !named(c, address);
		snprintf(mend, sizeof(mend),
		    "modprobe vfio-pci; dpdk-devbind.py --bind=vfio-pci %s", address);
		if (ours)
			doctor_say(c, DOCTOR_FAIL, mend,
			    "%s belongs to the kernel (%s): the daemon cannot open it", address,
			    driver);
		else
			doctor_say(c, known ? DOCTOR_OK : DOCTOR_NOTE, known ? NULL : mend,
			    "%s belongs to the kernel (%s)%s", address, driver,
			    known ? "" : ": bound so, the daemon could have it");
	}
}

static bool
is_there(const struct doctor_case *c, const char *folder, const char *name)
{
	char path[512];

	snprintf(path, sizeof(path), "%s%s/%s", c->root, folder, name);
	return access(path, F_OK) == 0;
}

void
doctor_drivers(struct doctor_case *c)
{
	for (unsigned i = 0; c->devices[i]; i++)
		if (!is_there(c, "/sys/bus/pci/devices", c->devices[i]) &&
		    !is_there(c, "/sys/class/net", c->devices[i]))
			doctor_say(c, DOCTOR_FAIL, "ip -br link; lspci -D",
			    "%s: no such interface, and no such PCI device", c->devices[i]);
	if (each_name(c, "/sys/bus/pci/devices", is_nic, say_driver) == 0)
		doctor_say(c, DOCTOR_NOTE, NULL, "no PCI network device: virtual ports only");
	for (unsigned i = 0; i < c->site->n_ports; i++) {
		const struct doctor_port *p = &c->site->ports[i];
		if (p->pci && !is_there(c, "/sys/bus/pci/devices", p->name))
			doctor_say(c, DOCTOR_FAIL, "lspci -D   (and put its address in the config)",
			    "%s: no such PCI device", p->name);
	}
}

/* The interfaces that were named, else those that the sensor reads, else all but loopback. */
static bool
is_interface(const struct doctor_case *c, const char *name)
{
	bool any = false;

	for (unsigned i = 0; i < c->site->n_ports; i++)
		any = any || c->site->ports[i].iface[0] != '\0';
	if (c->devices[0])
		return named(c, name);
	return any ? port_of(c, name) != NULL : strcmp(name, "lo") != 0;
}

static long
mtu_of(const struct doctor_case *c, const struct doctor_port *p)
{
	if (p->iface[0])
		return doctor_number(c, 0, "/sys/class/net/%s/mtu", p->iface);
	return (long)json_integer_value(json_object_get(p->status, "mtu"));
}

/* Both ports of a pair are one wire: what fits into one must fit out of the other. */
static bool
say_pair_mtu(struct doctor_case *c, const struct doctor_port *a, const struct doctor_port *b)
{
	long one = mtu_of(c, a), other = mtu_of(c, b);
	const struct doctor_port *low = one < other ? a : b;
	const char *name_a = a->iface[0] ? a->iface : a->name,
		   *name_b = b->iface[0] ? b->iface : b->name;
	char mend[256];

	if (one == 0 || other == 0)
		return false;
	if (one == other) {
		doctor_say(c, DOCTOR_OK, NULL, "%s and %s have MTU %ld", name_a, name_b, one);
		return true;
	}
	if (low->iface[0])
		snprintf(mend, sizeof(mend), "ip link set %s mtu %ld", low->iface,
		    one > other ? one : other);
	else
		snprintf(mend, sizeof(mend), "give the pair `mtu: %ld` in the config",
		    one > other ? one : other);
	doctor_say(c, DOCTOR_FAIL, mend,
	    "%s has MTU %ld, %s of the same pair %ld: larger frames are lost", name_a, one, name_b,
	    other);
	return true;
}

static void
say_mtu(struct doctor_case *c, const char *name)
{
	long mtu = doctor_number(c, 0, "/sys/class/net/%s/mtu", name);
	const struct doctor_port *p = port_of(c, name);
	long ours = p ? (long)json_integer_value(json_object_get(p->status, "mtu")) : 0;

	if (ours != 0 && ours < mtu)
		doctor_say(c, DOCTOR_WARN,
		    "systemctl restart phonehomed   (it takes the interface's)",
		    "%s has MTU %ld, the daemon opened it with %ld", name, mtu, ours);
	else if (mtu != 0 && (!p || p->peer < 0))
		doctor_say(c, DOCTOR_OK, NULL, "%s has MTU %ld", name, mtu);
}

void
doctor_mtu(struct doctor_case *c)
{
	for (unsigned i = 0; !c->devices[0] && i < c->site->n_ports; i++) {
		const struct doctor_port *p = &c->site->ports[i];
		if (p->peer > (int)i && p->peer < (int)c->site->n_ports)
			(void)say_pair_mtu(c, p, &c->site->ports[p->peer]);
	}
	if (c->devices[0] && c->devices[1] && !c->devices[2]) {
		struct doctor_port two[2] = { { .peer = -1 }, { .peer = -1 } };
		for (unsigned i = 0; i < 2; i++)
			snprintf(two[i].iface, sizeof(two[i].iface), "%s", c->devices[i]);
		if (say_pair_mtu(c, &two[0], &two[1]))
			return;
	}
	each_name(c, "/sys/class/net", is_interface, say_mtu);
}

/* An ethtool question that is one number. False: the interface does not know it. */
static bool
ethtool(const char *name, void *command)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq r = { .ifr_data = command };

	if (fd < 0)
		return false;
	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name);
	bool ok = ioctl(fd, SIOCETHTOOL, &r) == 0;
	close(fd);
	return ok;
}

/* GRO and LRO join packets before af_packet or a mirror shows them: they are larger than the MTU
 * and were never on the wire like that. */
static void
say_offloads(struct doctor_case *c, const char *name)
{
	struct ethtool_value gro_on = { .cmd = ETHTOOL_GGRO }, flags = { .cmd = ETHTOOL_GFLAGS };
	const struct doctor_port *p = port_of(c, name);
	char mend[128];

	bool gro = ethtool(name, &gro_on) && gro_on.data != 0;
	bool lro = ethtool(name, &flags) && (flags.data & ETH_FLAG_LRO);
	snprintf(mend, sizeof(mend), "ethtool -K %s gro off lro off", name);
	if (gro || lro)
		doctor_say(c, p || c->devices[0] ? DOCTOR_WARN : DOCTOR_NOTE, mend,
		    "%s joins packets (%s%s%s): harmful on a port given to the daemon", name,
		    gro ? "GRO" : "", gro && lro ? ", " : "", lro ? "LRO" : "");
	else
		doctor_say(c, DOCTOR_OK, NULL, "%s shows packets as they came", name);
}

void
doctor_offloads(struct doctor_case *c)
{
	if (c->root[0] == '\0')
		each_name(c, "/sys/class/net", is_interface, say_offloads);
}

/* --- RSS --- */

static const struct {
	const char *why, *mend; /* the daemon's words for why a port does not spread by itself */
	enum doctor_level level;
} rss_mends[] = {
	{ "fewer receive queues", "set workers to no more than the port's queues", DOCTOR_WARN },
	{ "addresses alone", "set `rss: ports` in the config, and restart phonehomed",
	    DOCTOR_WARN },
	{ "spread it differently", "use two ports of one card for a pair", DOCTOR_WARN },
	{ "key of its own", "none: the driver does not take a key", DOCTOR_NOTE },
	{ "has no RSS", "none is needed; a PCI NIC with RSS is quicker", DOCTOR_NOTE },
};

/* What the daemon found when it set the port up and read it back. */
static void
say_spreading(struct doctor_case *c, const struct doctor_port *p)
{
	const char *how = json_string_value(json_object_get(p->status, "spreading"));
	const char *why = json_string_value(json_object_get(p->status, "spreading_why"));
	long queues = (long)json_integer_value(json_object_get(p->status, "rx_queues"));
	unsigned i = 0;

	if (how && strcmp(how, "rss") == 0) {
		doctor_say(c, DOCTOR_OK, NULL,
		    "%s spreads over %ld queues, both directions alike (key and table were read "
		    "back)",
		    p->name, queues);
	} else if (!how || strcmp(how, "none") == 0) {
		doctor_say(c, DOCTOR_OK, NULL, "%s: one worker, nothing to spread", p->name);
	} else {
		while (i + 1 < sizeof(rss_mends) / sizeof(rss_mends[0]) &&
		       !(why && strstr(why, rss_mends[i].why)))
			i++;
		doctor_say(c, rss_mends[i].level, rss_mends[i].mend,
		    "%s: the workers spread frames themselves: %s", p->name,
		    why ? why : "no reason given");
	}
}

/* A kernel's interface: which of its queues the daemon reads. AF_PACKET sees all of them. */
static void
say_queues(struct doctor_case *c, const struct doctor_port *p)
{
	struct ethtool_channels ch = { .cmd = ETHTOOL_GCHANNELS };
	struct ethtool_rxfh rxfh = { .cmd = ETHTOOL_GRSSH };
	const char *asked = strstr(p->device, "queue_count=");
	unsigned read = asked ? (unsigned)atoi(asked + strlen("queue_count=")) : 1;
	char key[64] = "no RSS", mend[128];

	if (ethtool(p->iface, &rxfh) && rxfh.key_size != 0)
		snprintf(key, sizeof(key), "RSS with a key of %u bytes, a table of %u",
		    rxfh.key_size, rxfh.indir_size);
	unsigned queues = ethtool(p->iface, &ch) ? ch.combined_count + ch.rx_count : 1;
	if (strncmp(p->name, "net_af_xdp", 10) == 0 && queues > read) {
		snprintf(mend, sizeof(mend),
		    ch.combined_count ? "ethtool -L %s combined %u" : "ethtool -L %s rx %u",
		    p->iface, read);
		doctor_say(c, DOCTOR_FAIL, mend,
		    "%s has %u queues and AF_XDP reads %u: what comes in on the others is not seen",
		    p->iface, queues, read);
	} else {
		doctor_say(c, DOCTOR_OK, NULL, "%s: %u queue%s, %s; all of it is read", p->iface,
		    queues, queues == 1 ? "" : "s", key);
	}
}

void
doctor_rss(struct doctor_case *c)
{
	unsigned said = 0;

	for (unsigned i = 0; c->root[0] == '\0' && i < c->site->n_ports; i++) {
		const struct doctor_port *p = &c->site->ports[i];
		if (p->iface[0])
			say_queues(c, p);
		if (p->status)
			say_spreading(c, p);
		else if (p->pci)
			doctor_say(c, DOCTOR_NOTE, "start phonehomed, and ask again",
			    "%s: what it can spread is known once the daemon has it", p->name);
		said += p->iface[0] || p->status || p->pci;
	}
	if (said == 0)
		doctor_say(c, DOCTOR_NOTE, "phonehome doctor --config FILE",
		    "no port is known: no daemon answers, and there is no config");
}
