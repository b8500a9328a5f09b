/* SPDX-License-Identifier: Apache-2.0 */
/* Capture files as ports: what net_pcap would swallow in silence is said here. */
#include <errno.h>
#include <pcap/pcap.h>
#include <rte_ethdev.h>
#include <string.h>

#include "dataplane/port.h"

int
dp_replay_check(const char *device, struct sig_diag *diag)
{
	char path[4096], why[PCAP_ERRBUF_SIZE] = "";

	if (strncmp(device, "net_pcap", 8) != 0)
		return 0;
	for (unsigned i = 0; dp_device_arg(device, "rx_pcap", i, path, sizeof(path)); i++) {
		pcap_t *pcap = pcap_open_offline(path, why);
		if (!pcap) {
			/* libpcap names the file itself where the system refused it. */
			bool named = strncmp(why, path, strlen(path)) == 0;
			sig_diag_add(diag, SIG_ERROR, named ? NULL : path, 0, 0, "%s", why);
			return -ENOENT;
		}
		int link = pcap_datalink(pcap);
		pcap_close(pcap);
		if (link != DLT_EN10MB) {
			sig_diag_add(diag, SIG_ERROR, path, 0, 0,
			    "link type %s: a port replays Ethernet only; phonehome scan reads it",
			    pcap_datalink_val_to_name(link) ? pcap_datalink_val_to_name(link)
							    : "unknown");
			return -EINVAL;
		}
	}
	return 0;
}

bool
dp_ports_replay_fault(const struct dp_ports *ports, char *text, size_t cap)
{
	char path[4096], why[PCAP_ERRBUF_SIZE];
	struct pcap_pkthdr *header;
	const u_char *bytes;
	int rc;

	for (unsigned i = 0; i < ports->n; i++) {
		const struct dp_port *p = &ports->port[i];
		struct rte_eth_stats stats;
		if (!p->replay || rte_eth_stats_get(p->id, &stats) != 0 || stats.ierrors == 0)
			continue;
		for (unsigned f = 0; dp_device_arg(p->device, "rx_pcap", f, path, sizeof(path));
		     f++) {
			unsigned long n = 0;
			pcap_t *pcap = pcap_open_offline(path, why);
			if (!pcap)
				continue;
			while ((rc = pcap_next_ex(pcap, &header, &bytes)) == 1)
				n++;
			if (rc == PCAP_ERROR)
				snprintf(text, cap, "%s: after packet %lu: %s", path, n,
				    pcap_geterr(pcap));
			pcap_close(pcap);
			if (rc == PCAP_ERROR)
				return true;
		}
	}
	return false;
}
