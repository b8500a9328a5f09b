/* SPDX-License-Identifier: Apache-2.0 */
/* Starts DPDK from our config: its command line is made here, nobody else writes one. */
#include "dataplane/eal.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <rte_debug.h>
#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_log.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dataplane/eal_folder.h"
#include "signatures/base/hash.h"

enum { ARGS_MAX = 24 + DP_LINKS_MAX * 4 };

struct args {
	char *argv[ARGS_MAX];
	int argc;
};

static struct {
	FILE *stream;
	bool verbose;
	char last_error[300];
} dpdk_log;

static void add(struct args *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* DPDK logs line by line through this stream. What looks like an error is kept for messages. */
static ssize_t
log_write(void *cookie, const char *buf, size_t len)
{
	size_t n = len < sizeof(dpdk_log.last_error) - 1 ? len : sizeof(dpdk_log.last_error) - 1;

	(void)cookie;
	if (dpdk_log.verbose)
		fwrite(buf, 1, len, stderr);
	if (rte_log_cur_msg_loglevel() <= (int)RTE_LOG_ERR && len > 1) {
		memcpy(dpdk_log.last_error, buf, n);
		dpdk_log.last_error[n] = '\0';
		for (char *p = dpdk_log.last_error; *p; p++)
			if (!isprint((unsigned char)*p))
				*p = p[1] == '\0' ? '\0' : ' ';
	}
	return (ssize_t)len;
}

const char *
dp_eal_last_error(void)
{
	return dpdk_log.last_error;
}

void
dp_eal_forget_error(void)
{
	dpdk_log.last_error[0] = '\0';
}

static void
open_log(bool verbose)
{
	cookie_io_functions_t io = { .write = log_write };

	dpdk_log.verbose = verbose;
	dpdk_log.stream = fopencookie(NULL, "w", io);
	if (!dpdk_log.stream)
		return;
	setvbuf(dpdk_log.stream, NULL, _IOLBF, 0);
	rte_openlog_stream(dpdk_log.stream);
}

static void
add(struct args *a, const char *fmt, ...)
{
	char *s = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (a->argc < ARGS_MAX - 1 && vasprintf(&s, fmt, ap) >= 0)
		a->argv[a->argc++] = s;
	va_end(ap);
}

/* Free hugepages in MB, over all sizes. */
static unsigned
free_huge_mb(void)
{
	const char *root = "/sys/kernel/mm/hugepages";
	DIR *d = opendir(root);
	unsigned long total = 0;

	for (struct dirent *e; d && (e = readdir(d));) {
		char path[400];
		unsigned long kb, pages = 0;
		if (sscanf(e->d_name, "hugepages-%lukB", &kb) != 1)
			continue;
		snprintf(path, sizeof(path), "%s/%s/free_hugepages", root, e->d_name);
		FILE *f = fopen(path, "re");
		if (f && fscanf(f, "%lu", &pages) == 1)
			total += pages * kb / 1024;
		if (f)
			fclose(f);
	}
	if (d)
		closedir(d);
	return (unsigned)total;
}

static bool
hugetlbfs_mounted(void)
{
	FILE *f = fopen("/proc/mounts", "re");
	char line[1024];
	bool found = false;

	while (f && !found && fgets(line, sizeof(line), f))
		found = strstr(line, " hugetlbfs ") != NULL;
	if (f)
		fclose(f);
	return found;
}

/* net_af_packet wants the frames of its ring to fit into one buffer. */
static unsigned
frame_room(const char *device)
{
	char size[16];

	if (!device || strncmp(device, "net_af_packet", 13) != 0 ||
	    !dp_device_arg(device, "framesz", 0, size, sizeof(size)))
		return 0;
	unsigned long bytes = strtoul(size, NULL, 10) + RTE_PKTMBUF_HEADROOM;
	return bytes <= UINT16_MAX ? (unsigned)bytes : 0;
}

/* How many mbufs the ports' queues, the workers' bursts and the rings between them can hold. */
static void
size_mbufs(const struct dp_config *config, struct dp_eal *e)
{
	uint32_t ports = 0;

	/* Frames up to 2 KB in one piece; above, in segments of this size. */
	e->mbuf_room = RTE_MBUF_DEFAULT_BUF_SIZE;
	for (unsigned i = 0; i < config->links_count; i++) {
		const struct dp_link_config *l = &config->links[i];
		ports += l->mirror ? 1 : 2;
		e->mbuf_room = RTE_MAX(e->mbuf_room, frame_room(l->mirror));
		for (unsigned k = 0; k < l->pair_count; k++)
			e->mbuf_room = RTE_MAX(e->mbuf_room, frame_room(l->pair[k]));
	}
	e->mbufs = config->limits.mbufs != 0 ? config->limits.mbufs
					     : 4096 + ports * config->workers * 4096;
	if (e->mbufs < 2048)
		e->mbufs = 2048;
}

static int
choose_memory(
    const struct dp_config *config, struct dp_eal *e, struct args *a, struct sig_diag *diag)
{
	unsigned need = config->memory_mb, mb = free_huge_mb();

	e->huge = config->memory != DP_MEM_NO_HUGE;
	/* Without hugepages a buffer that fits into a page of 4 KB does not cross one. */
	unsigned each = e->mbuf_room + 384;
	if (!e->huge && each < 4160)
		each = 4160;
	if (need == 0)
		need = 48 + (unsigned)((uint64_t)e->mbufs * each >> 20);
	if (e->huge && mb < need) {
		if (config->memory == DP_MEM_AUTO && mb == 0)
			sig_diag_add(diag, SIG_ERROR, NULL, 0, 0,
			    "no hugepages: reserve them (sysctl vm.nr_hugepages=%u) or run with "
			    "--no-huge",
			    need / 2 + 64);
		else
			sig_diag_add(diag, SIG_ERROR, NULL, 0, 0,
			    "%u MB of hugepages are free and %u MB are needed: reserve more "
			    "(sysctl vm.nr_hugepages=%u), set memory_mb or limits.mbufs lower, or "
			    "run with --no-huge",
			    mb, need, need / 2 + 64);
		return -ENOMEM;
	}
	/* DPDK would map more than there is, and meet the end of it later. */
	uint64_t has = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE) >> 20;
	if (!e->huge && need > has) {
		sig_diag_add(diag, SIG_ERROR, NULL, 0, 0,
		    "%u MB are wanted for packet buffers and the machine has %llu MB: set "
		    "memory_mb "
		    "or limits.mbufs lower",
		    need, (unsigned long long)has);
		return -ENOMEM;
	}
	if (!e->huge) {
		add(a, "--no-huge");
		add(a, "-m");
		add(a, "%u", need);
		strcpy(e->memory, "no hugepages");
	} else if (!hugetlbfs_mounted()) {
		add(a, "--in-memory");
		strcpy(e->memory, "hugepages, in memory");
	} else {
		strcpy(e->memory, "hugepages");
	}
	return 0;
}

static bool
has_worker(const struct dp_config *config, const struct dp_eal *e, int cpu)
{
	for (unsigned w = 0; w < config->workers; w++)
		if (e->cpus[w] == cpu)
			return true;
	return false;
}

/* Workers sit on CPUs of their own where there are enough; the main lcore, and with it recorder,
 * control and reload, floats over the others: compiling packs must not take time from a worker. */
static void
choose_cpus(const struct dp_config *config, struct dp_eal *e, struct args *a)
{
	char map[1024], others[512] = "";
	int allowed[CPU_SETSIZE], n = 0, n_others = 0;
	cpu_set_t set;
	size_t at;

	CPU_ZERO(&set);
	if (sched_getaffinity(0, sizeof(set), &set) < 0)
		CPU_SET(0, &set);
	for (int i = 0; i < CPU_SETSIZE; i++)
		if (CPU_ISSET(i, &set))
			allowed[n++] = i;
	for (unsigned w = 0; w < config->workers; w++) {
		e->lcores[w] = w + 1;
		if (config->cpus_count != 0)
			e->cpus[w] = (int)config->cpus[w % config->cpus_count];
		else
			e->cpus[w] = allowed[n - 1 - (int)(w % (unsigned)n)];
	}
	for (int i = 0; i < n; i++)
		n_others += !has_worker(config, e, allowed[i]);
	for (int i = 0; i < n && strlen(others) < sizeof(others) - 8; i++)
		if (n_others == 0 || !has_worker(config, e, allowed[i]))
			snprintf(others + strlen(others), sizeof(others) - strlen(others), "%s%d",
			    others[0] ? "," : "", allowed[i]);
	at = (size_t)snprintf(map, sizeof(map), "0@(%s)", others);
	for (unsigned w = 0; w < config->workers; w++)
		at += (size_t)snprintf(map + at, sizeof(map) - at, ",%u@%d", w + 1, e->cpus[w]);
	add(a, "--lcores");
	add(a, "%s", map);
}

static void
add_devices(const struct dp_config *config, struct args *a)
{
	char name[64];
	unsigned pci = 0;

	for (unsigned i = 0; i < config->links_count; i++) {
		const struct dp_link_config *l = &config->links[i];
		const char *devs[2] = { l->mirror ? l->mirror : l->pair[0],
			l->mirror ? NULL : l->pair[1] };
		for (int k = 0; k < 2; k++)
			if (devs[k] && dp_device_is_pci(devs[k]) &&
			    dp_device_name(devs[k], name, sizeof(name)) != 0) {
				add(a, "-a");
				add(a, "%s", devs[k]);
				pci++;
			}
	}
	if (pci == 0)
		add(a, "--no-pci");
}

int
dp_eal_start(const struct dp_config *config, struct dp_eal *ret_eal, struct sig_diag *diag)
{
	struct dp_eal e = { 0 };
	static struct args a;		     /* EAL keeps pointers into its strings */
	static char *permuted[ARGS_MAX + 1]; /* ... and moves these about */
	uint64_t id = sig_hash(config->control.socket, strlen(config->control.socket), 1);
	int rc;

	size_mbufs(config, &e);
	snprintf(e.prefix, sizeof(e.prefix), DP_EAL_PREFIX "%08x", (unsigned)(id ^ (id >> 32)));
	add(&a, "phonehomed");
	rc = choose_memory(config, &e, &a, diag);
	if (rc < 0)
		return rc;
	choose_cpus(config, &e, &a);
	add_devices(config, &a);
	add(&a, "--file-prefix");
	add(&a, "%s", e.prefix);
	if (config->telemetry == DP_OFF)
		add(&a, "--no-telemetry");
	if (!config->verbose)
		add(&a, "--log-level=*:4");
	open_log(config->verbose);
	/* One program a device is all we load: no dispatcher, which would want a bpffs. */
	(void)setenv("LIBXDP_SKIP_DISPATCHER", "1", 0);
	memcpy(permuted, a.argv, sizeof(a.argv));
	rc = rte_eal_init(a.argc, permuted);
	if (rc < 0) {
		sig_diag_add(diag, SIG_ERROR, NULL, 0, 0, "DPDK does not start: %s%s",
		    dpdk_log.last_error[0] ? dpdk_log.last_error : rte_strerror(rte_errno),
		    config->verbose ? "" : " (--verbose lets DPDK tell more)");
		return -EIO;
	}
	(void)dp_eal_sweep(rte_eal_get_runtime_dir());
	*ret_eal = e;
	return 0;
}

void
dp_eal_stop(void)
{
	const char *folder = rte_eal_get_runtime_dir();

	rte_eal_cleanup();
	if (strstr(folder, "/" DP_EAL_PREFIX))
		dp_eal_remove_folder(folder);
	rte_openlog_stream(NULL);
	if (dpdk_log.stream)
		fclose(dpdk_log.stream);
	dpdk_log.stream = NULL;
}
