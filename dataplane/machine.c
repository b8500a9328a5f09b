/* SPDX-License-Identifier: Apache-2.0 */
/* CPUs, interfaces and PCI devices, as the kernel has them. */
#include "dataplane/machine.h"

#include <errno.h>
#include <limits.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { NAME_MAX_LEN = 64 };

/* "0-3,6": the CPUs that this process may use. */
static void
list_cpus(const cpu_set_t *set, char *out, size_t cap)
{
	size_t n = 0;

	out[0] = '\0';
	for (int i = 0; i < CPU_SETSIZE && n < cap; i++) {
		int last = i;
		if (!CPU_ISSET(i, set))
			continue;
		while (last + 1 < CPU_SETSIZE && CPU_ISSET(last + 1, set))
			last++;
		n += (size_t)snprintf(
		    out + n, cap - n, last > i ? "%s%d-%d" : "%s%d", n ? "," : "", i, last);
		i = last;
	}
}

static void
check_cpus(const struct dp_config *config, struct sig_diag *diag)
{
	char may[256];
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) < 0)
		return;
	list_cpus(&set, may, sizeof(may));
	for (unsigned i = 0; i < config->cpus_count; i++)
		if (config->cpus[i] >= CPU_SETSIZE || !CPU_ISSET(config->cpus[i], &set))
			sig_diag_add(diag, SIG_ERROR, NULL, 0, 0,
			    "cpus (--lcores): there is no CPU %u for us, only %s", config->cpus[i],
			    may);
}

/* By DPDK's name, or by the kernel's interface: sent out where it came in, a frame would go round.
 */
static void
check_twice(const struct dp_config *config, struct sig_diag *diag)
{
	char names[2 * DP_LINKS_MAX][NAME_MAX_LEN], ifaces[2 * DP_LINKS_MAX][NAME_MAX_LEN];
	unsigned n = 0;

	for (unsigned i = 0; i < config->links_count; i++) {
		const struct dp_link_config *l = &config->links[i];
		for (unsigned k = 0; k < (l->mirror ? 1 : l->pair_count); k++) {
			const char *device = l->mirror ? l->mirror : l->pair[k];
			if (n == 2 * DP_LINKS_MAX ||
			    dp_device_name(device, names[n], NAME_MAX_LEN) == 0)
				continue;
			if (!dp_device_arg(device, "iface", 0, ifaces[n], NAME_MAX_LEN))
				ifaces[n][0] = '\0';
			for (unsigned j = 0; j < n; j++)
				if (strcmp(names[j], names[n]) == 0)
					sig_diag_add(diag, SIG_ERROR, NULL, 0, 0,
					    "links[%u]: device %s is given twice", i, names[n]);
				else if (ifaces[n][0] != '\0' && strcmp(ifaces[j], ifaces[n]) == 0)
					sig_diag_add(diag, SIG_ERROR, NULL, 0, 0,
					    "links[%u]: interface %s is given twice", i, ifaces[n]);
			n++;
		}
	}
}

int
dp_machine_check(const struct dp_config *config, struct sig_diag *diag)
{
	unsigned before = diag->errors;

	check_cpus(config, diag);
	check_twice(config, diag);
	return diag->errors == before ? 0 : -EINVAL;
}

static bool
pci_why(const char *name, char *out, size_t cap)
{
	char path[128], link[PATH_MAX];
	const char *domain = strlen(name) < 10 ? "0000:" : "";

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s%s", domain, name);
	if (access(path, F_OK) < 0) {
		snprintf(out, cap, "no such PCI device (lspci -D lists them)");
		return true;
	}
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s%s/driver", domain, name);
	ssize_t n = readlink(path, link, sizeof(link) - 1);
	link[n > 0 ? n : 0] = '\0';
	const char *driver = n > 0 && strrchr(link, '/') ? strrchr(link, '/') + 1 : NULL;
	if (driver && (strcmp(driver, "vfio-pci") == 0 || strncmp(driver, "mlx", 3) == 0 ||
			  strncmp(driver, "uio", 3) == 0 || strcmp(driver, "igb_uio") == 0))
		return false;
	snprintf(out, cap, "it is bound to %s: dpdk-devbind.py --bind=vfio-pci %s%s",
	    driver ? driver : "no driver", domain, name);
	return true;
}

/* net_af_packet, net_af_xdp: what they need of the kernel. */
static bool
interface_why(const char *device, char *out, size_t cap)
{
	char iface[NAME_MAX_LEN];

	if (!dp_device_arg(device, "iface", 0, iface, sizeof(iface)))
		snprintf(out, cap, "it needs an interface: %.*s,iface=NAME",
		    (int)strcspn(device, ","), device);
	else if (if_nametoindex(iface) == 0)
		snprintf(out, cap, "there is no interface %s here (ip link lists them)", iface);
	else if (geteuid() != 0)
		snprintf(out, cap, "run it as root, or with CAP_NET_RAW and CAP_NET_ADMIN");
	else
		return false;
	return true;
}

bool
dp_machine_why(const char *device, char *out, size_t cap)
{
	char name[NAME_MAX_LEN];

	if (dp_device_name(device, name, sizeof(name)) == 0)
		return false;
	if (dp_device_is_pci(device))
		return pci_why(name, out, cap);
	if (strncmp(name, "net_af_packet", 13) == 0 || strncmp(name, "net_af_xdp", 10) == 0)
		return interface_why(device, out, cap);
	if (if_nametoindex(name) != 0) {
		snprintf(out, cap,
		    "it is an interface of the kernel: say net_af_xdp0,iface=%s or "
		    "net_af_packet0,iface=%s",
		    name, name);
		return true;
	}
	if (strncmp(name, "net_tap", 7) == 0 && geteuid() != 0) {
		snprintf(out, cap, "run it as root, or with CAP_NET_ADMIN");
		return true;
	}
	return false;
}
