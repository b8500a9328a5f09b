/* SPDX-License-Identifier: Apache-2.0 */
/* Checks of the machine itself: memory, IOMMU, cores. */
#include <dirent.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl/doctor.h"

/* Huge pages of all sizes, free ones, in bytes. */
static unsigned long long
huge_bytes(const struct doctor_case *c, const char *file)
{
	static const long sizes_kb[] = { 2048, 1048576 };
	unsigned long long sum = 0;

	for (unsigned i = 0; i < 2; i++) {
		long n = doctor_number(
		    c, 0, "/sys/kernel/mm/hugepages/hugepages-%ldkB/%s", sizes_kb[i], file);
		sum += (unsigned long long)n * (unsigned long long)sizes_kb[i] * 1024;
	}
	return sum;
}

void
doctor_hugepages(struct doctor_case *c)
{
	unsigned long long all = huge_bytes(c, "nr_hugepages"),
			   unused = huge_bytes(c, "free_hugepages");
	char mounts[65536] = "";

	if (all == 0) {
		doctor_say(c, DOCTOR_WARN,
		    "sysctl -w vm.nr_hugepages=1024   (and vm.nr_hugepages in /etc/sysctl.d to "
		    "keep it)",
		    "no huge pages: the daemon runs with no_huge only, slower");
		return;
	}
	if (all < 512ULL << 20)
		doctor_say(c, DOCTOR_WARN, "sysctl -w vm.nr_hugepages=1024",
		    "%llu MB of huge pages: little for a million flows", all >> 20);
	else
		doctor_say(c, unused == 0 ? DOCTOR_WARN : DOCTOR_OK,
		    unused == 0 ? "stop what holds them, or raise vm.nr_hugepages" : NULL,
		    "%llu MB of huge pages, %llu MB free", all >> 20, unused >> 20);
	doctor_read(c, mounts, sizeof(mounts), "/proc/mounts");
	if (!strstr(mounts, " hugetlbfs "))
		doctor_say(c, DOCTOR_WARN,
		    "mkdir -p /dev/hugepages; mount -t hugetlbfs nodev /dev/hugepages",
		    "hugetlbfs is not mounted");
}

void
doctor_iommu(struct doctor_case *c)
{
	char path[512], cmdline[4096] = "";
	DIR *groups;
	unsigned n = 0;

	snprintf(path, sizeof(path), "%s/sys/kernel/iommu_groups", c->root);
	groups = opendir(path);
	for (struct dirent *e; groups && (e = readdir(groups));)
		n += e->d_name[0] != '.';
	if (groups)
		closedir(groups);
	doctor_read(c, cmdline, sizeof(cmdline), "/proc/cmdline");
	if (n > 0) {
		doctor_say(c, DOCTOR_OK, NULL, "IOMMU is on, %u groups: vfio-pci can be used", n);
		snprintf(path, sizeof(path), "%s/sys/bus/pci/drivers/vfio-pci", c->root);
		if (access(path, F_OK) < 0)
			doctor_say(c, DOCTOR_NOTE,
			    "modprobe vfio-pci; echo vfio-pci > /etc/modules-load.d/vfio-pci.conf",
			    "vfio-pci is not loaded: PCI NICs need it");
		return;
	}
	if (doctor_read(c, path, sizeof(path),
		"/sys/module/vfio/parameters/enable_unsafe_noiommu_mode") == 0 &&
	    path[0] == 'Y')
		doctor_say(c, DOCTOR_WARN,
		    "switch VT-d/AMD-Vi on in the firmware; put intel_iommu=on iommu=pt into "
		    "GRUB_CMDLINE_LINUX of /etc/default/grub; update-grub; reboot",
		    "no IOMMU; vfio runs in its unsafe no-IOMMU mode");
	else
		doctor_say(c, DOCTOR_NOTE,
		    "for PCI NICs: switch VT-d/AMD-Vi on in the firmware; put intel_iommu=on "
		    "iommu=pt "
		    "into GRUB_CMDLINE_LINUX of /etc/default/grub; update-grub; reboot",
		    "no IOMMU: PCI NICs cannot be bound to vfio-pci safely (af_packet, af_xdp, tap "
		    "need none)");
}

void
doctor_numa(struct doctor_case *c)
{
	char online[256];

	if (doctor_read(c, online, sizeof(online), "/sys/devices/system/node/online") < 0) {
		doctor_say(c, DOCTOR_OK, NULL, "one NUMA node");
		return;
	}
	if (strcmp(online, "0") == 0) {
		doctor_say(c, DOCTOR_OK, NULL, "one NUMA node");
		return;
	}
	doctor_say(c, DOCTOR_NOTE, "give workers lcores of the node that the NIC is on",
	    "NUMA nodes %s", online);
	for (unsigned i = 0; c->devices[i]; i++) {
		long node = doctor_number(
		    c, -1, "/sys/bus/pci/devices/%s/numa_node", c->devices[i]);
		if (node >= 0)
			doctor_say(c, DOCTOR_OK, NULL, "%s is on node %ld", c->devices[i], node);
	}
}

void
doctor_isolation(struct doctor_case *c)
{
	char isolated[1024] = "", mend[320];
	long cores = sysconf(_SC_NPROCESSORS_ONLN);

	doctor_read(c, isolated, sizeof(isolated), "/sys/devices/system/cpu/isolated");
	if (isolated[0]) {
		doctor_say(c, DOCTOR_OK, NULL, "cores %s are kept free for workers", isolated);
		return;
	}
	char list[32] = "1";
	if (cores > 2)
		snprintf(list, sizeof(list), "1-%ld", cores - 1);
	snprintf(mend, sizeof(mend),
	    "put isolcpus=%s nohz_full=%s rcu_nocbs=%s into GRUB_CMDLINE_LINUX of "
	    "/etc/default/grub; update-grub; reboot",
	    list, list, list);
	doctor_say(c, cores > 1 ? DOCTOR_NOTE : DOCTOR_WARN,
	    cores > 1 ? mend : "use a machine with two cores or more",
	    cores > 1 ? "no core is isolated: other work may delay a worker" : "one core only");
}

void
doctor_governor(struct doctor_case *c)
{
	char governor[64];

	if (doctor_read(c, governor, sizeof(governor),
		"/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor") < 0)
		doctor_say(c, DOCTOR_OK, NULL, "the kernel does not scale the cores' frequency");
	else if (strcmp(governor, "performance") == 0)
		doctor_say(c, DOCTOR_OK, NULL, "cores run at full speed");
	else
		doctor_say(c, DOCTOR_WARN,
		    "apt install linux-cpupower; cpupower frequency-set -g performance",
		    "cores scale their frequency (%s): latency varies", governor);
}
