/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon's command line. Everything else is in the config file. */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/config.h"
#include "signatures/base/yaml.h"

enum {
	OPT_PAIR = 256,
	OPT_MIRROR,
	OPT_NO_HUGE,
	OPT_WORKERS,
	OPT_LCORES,
	OPT_PACKS,
	OPT_POLICY,
	OPT_STORE,
	OPT_SOCKET,
	OPT_SENSOR,
	OPT_DRAIN,
	OPT_LINGER,
	OPT_RECORDS,
	OPT_CHECK,
	OPT_VERSION
};

static const struct option long_options[] = {
	{ "config", required_argument, NULL, 'c' },
	{ "pair", required_argument, NULL, OPT_PAIR },
	{ "mirror", required_argument, NULL, OPT_MIRROR },
	{ "port", required_argument, NULL, OPT_MIRROR },
	{ "no-huge", no_argument, NULL, OPT_NO_HUGE },
	{ "workers", required_argument, NULL, OPT_WORKERS },
	{ "lcores", required_argument, NULL, OPT_LCORES },
	{ "packs", required_argument, NULL, OPT_PACKS },
	{ "policy", required_argument, NULL, OPT_POLICY },
	{ "store", required_argument, NULL, OPT_STORE },
	{ "socket", required_argument, NULL, OPT_SOCKET },
	{ "sensor", required_argument, NULL, OPT_SENSOR },
	{ "exit-when-drained", no_argument, NULL, OPT_DRAIN },
	{ "linger", no_argument, NULL, OPT_LINGER },
	{ "records", required_argument, NULL, OPT_RECORDS },
	{ "check", no_argument, NULL, OPT_CHECK },
	{ "verbose", no_argument, NULL, 'v' },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

static int take(struct dp_options *o, int opt, char *arg, struct sig_diag *diag);
static void unknown(char *const *argv, int at, int opt, struct sig_diag *diag);

int
dp_options_parse(int argc, char **argv, struct dp_options *ret, struct sig_diag *diag)
{
	struct dp_options o = { 0 };
	int opt, at;

	optind = 0; /* starts over: tests parse more than once */
	opterr = 0;
	while (at = optind != 0 ? optind : 1,
	    (opt = getopt_long(argc, argv, ":c:vh", long_options, NULL)) != -1) {
		int rc = 0;
		if (opt == '?' || opt == ':') {
			unknown(argv, at, opt, diag);
			rc = -EINVAL;
		} else {
			rc = take(&o, opt, optarg, diag);
		}
		if (rc < 0)
			return rc;
	}
	if (optind < argc) {
		sig_diag_add(diag, SIG_ERROR, NULL, 0, 0, "\"%s\" is not an option; see --help",
		    argv[optind]);
		return -EINVAL;
	}
	*ret = o;
	return 0;
}

const char *
dp_usage(void)
{
	return "Usage: phonehomed [-c FILE] [OPTION]...\n"
	       "Watches the ports of a network's edge for security products that call home.\n"
	       "\n"
	       "  -c, --config FILE      configuration, see phonehomed.yaml(5)\n"
	       "      --pair A,B         an inline pair of two DPDK devices (devices with "
	       "arguments\n"
	       "                         of their own are set apart by a blank: \"A,x=1 B,x=2\")\n"
	       "      --mirror DEVICE    a mirror port: read, never sent to (--port is the same)\n"
	       "      --workers N        worker threads, one CPU each (1)\n"
	       "      --lcores LIST      the workers' CPUs in turn, such as 2,3 or 2-5\n"
	       "      --no-huge          run without hugepages\n"
	       "      --packs DIR        signature packs\n"
	       "      --policy FILE      the owner's policy; none: report, drop nothing\n"
	       "      --store URL        a file, sqlite:PATH, redis://HOST..., unix:PATH\n"
	       "      --socket PATH      control socket (/run/phonehome/control.sock)\n"
	       "      --sensor NAME      this sensor's name (the host's)\n"
	       "      --records FILE     write finished flow records there as JSON lines\n"
	       "      --exit-when-drained  end when every capture file was read\n"
	       "      --linger           with it: stay until stopped, so that it can be asked\n"
	       "      --check            check config, packs and policy, then exit\n"
	       "  -v, --verbose          let DPDK talk\n"
	       "      --version, --help\n"
	       "\n"
	       "Devices: a PCI address (0000:01:00.0), or net_af_xdp0,iface=eth1  "
	       "net_af_packet0,iface=eth1\n"
	       "  net_tap0,iface=tap0  net_memif0,...  net_pcap0,rx_pcap=FILE  net_ring0  "
	       "net_null0\n"
	       "Signals: TERM and INT stop, HUP reloads packs and policy.\n"
	       "Exit codes: 0 done, 1 failed at run time, 2 the command line or a file is wrong.\n"
	       "\n"
	       "Examples:\n"
	       "  phonehomed --mirror net_pcap0,rx_pcap=office.pcap --no-huge --exit-when-drained\n"
	       "  phonehomed --pair 0000:01:00.0,0000:01:00.1 --policy "
	       "/etc/phonehome/policy.yaml\n";
}

/* "A,B" for devices without arguments, "A,x=1 B,x=2" for those with. Cuts arg in place. */
static int
take_pair(struct dp_options *o, char *arg, struct sig_diag *diag)
{
	char *cut = strchr(arg, ' ');

	if (!cut) {
		cut = strchr(arg, ',');
		if (cut && (strchr(cut + 1, ',') || strchr(arg, '=')))
			cut = NULL;
	}
	if (!cut || cut == arg || cut[1] == '\0') {
		sig_diag_add(diag, SIG_ERROR, NULL, 0, 0,
		    "--pair %s: two devices are wanted, A,B or \"A,key=value B,key=value\"", arg);
		return -EINVAL;
	}
	*cut = '\0';
	o->links[o->n_links][0] = arg;
	o->links[o->n_links++][1] = cut + 1;
	return 0;
}

static int
take_number(uint32_t *at, const char *arg, const char *name, uint32_t max, struct sig_diag *diag)
{
	char *end;
	unsigned long v = strtoul(arg, &end, 10);

	if (arg[0] < '0' || arg[0] > '9' || *end != '\0' || v == 0 || v > max) {
		sig_diag_add(diag, SIG_ERROR, NULL, 0, 0,
		    "--%s %s: a number from 1 to %u is wanted", name, arg, max);
		return -EINVAL;
	}
	*at = (uint32_t)v;
	return 0;
}

static int
take(struct dp_options *o, int opt, char *arg, struct sig_diag *diag)
{
	/* A shell's variable that is not set. */
	if (arg && arg[0] == '\0') {
		for (const struct option *l = long_options; l->name; l++)
			if (l->val == opt)
				sig_diag_add(diag, SIG_ERROR, NULL, 0, 0,
				    "--%s: a value is wanted; see --help", l->name);
		return -EINVAL;
	}
	if ((opt == OPT_PAIR || opt == OPT_MIRROR) && o->n_links == DP_LINKS_MAX) {
		sig_diag_add(diag, SIG_ERROR, NULL, 0, 0, "more than %d links", DP_LINKS_MAX);
		return -EINVAL;
	}
	switch (opt) {
	case 'c': o->config = arg; break;
	case OPT_PAIR: return take_pair(o, arg, diag);
	case OPT_MIRROR: o->links[o->n_links++][0] = arg; break;
	case OPT_NO_HUGE: o->no_huge = true; break;
	case OPT_WORKERS: return take_number(&o->workers, arg, "workers", DP_WORKERS_MAX, diag);
	case OPT_LCORES: o->lcores = arg; break;
	case OPT_PACKS: o->packs = arg; break;
	case OPT_POLICY: o->policy = arg; break;
	case OPT_STORE: o->store = arg; break;
	case OPT_SOCKET: o->socket = arg; break;
	case OPT_SENSOR: o->sensor = arg; break;
	case OPT_DRAIN: o->exit_when_drained = true; break;
	case OPT_LINGER: o->linger = true; break;
	case OPT_RECORDS: o->records = arg; break;
	case OPT_CHECK: o->check = true; break;
	case 'v': o->verbose = true; break;
	case OPT_VERSION: o->version = true; break;
	case 'h': o->help = true; break;
	default: break;
	}
	return 0;
}

static void
unknown(char *const *argv, int at, int opt, struct sig_diag *diag)
{
	const char *words[sizeof(long_options) / sizeof(long_options[0])], *near = NULL;
	size_t n = 0;

	if (opt == ':') {
		sig_diag_add(
		    diag, SIG_ERROR, NULL, 0, 0, "%s: a value is wanted; see --help", argv[at]);
		return;
	}
	for (; long_options[n].name; n++)
		words[n] = long_options[n].name;
	if (strncmp(argv[at], "--", 2) == 0)
		near = sig_nearest(argv[at] + 2, words, n);
	if (near)
		sig_diag_add(diag, SIG_ERROR, NULL, 0, 0, "%s is not an option; did you mean --%s?",
		    argv[at], near);
	else
		sig_diag_add(
		    diag, SIG_ERROR, NULL, 0, 0, "%s is not an option; see --help", argv[at]);
}
