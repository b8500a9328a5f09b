/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The daemon's configuration: phonehomed.yaml(5), then the command line's few flags over it.
 *
 * Made once at start by the main thread and read-only afterwards; every thread may read it. Knows
 * neither DPDK nor files other than the config itself.
 */
#ifndef DATAPLANE_CONFIG_H
#define DATAPLANE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "signatures/base/diag.h"

enum { DP_LINKS_MAX = 16, DP_WORKERS_MAX = 16 };

/* 0 in every enum is what an absent key means. */
enum dp_memory { DP_MEM_AUTO, DP_MEM_HUGE, DP_MEM_NO_HUGE };
enum dp_idle { DP_IDLE_AUTO, DP_IDLE_POLL, DP_IDLE_SLEEP };
enum dp_rss { DP_RSS_ADDRESSES, DP_RSS_PORTS };
enum dp_ndpi { DP_NDPI_UNDECIDED, DP_NDPI_ALL, DP_NDPI_OFF };
enum dp_switch { DP_DEFAULT, DP_ON, DP_OFF };

/* One inline pair or one mirror port: exactly one of the two keys is given. */
struct dp_link_config {
	char **pair; /* two DPDK device strings */
	unsigned pair_count;
	char *mirror;
	uint32_t mtu;	 /* 0: the device's own */
	uint32_t queues; /* of net_memif, each way; 0: one */
};

struct dp_limits_config {
	uint32_t flows, inspecting, stream_mb, fragments, dns_memory, crypto_per_ms;
	uint32_t tcp_idle_s, udp_idle_s, tcp_closed_s, inspect_s;
	uint32_t event_mb;	 /* each worker's ring of events */
	uint32_t recent_records; /* kept in memory for `phonehome flows` */
	uint32_t rows, pending;	 /* of the fold */
	uint32_t mbufs;
};

struct dp_store_config {
	char *url, *password_file;
	uint32_t timeout_ms, max_events, spool_events;
};

struct dp_control_config {
	char *socket, *group;
	uint32_t connections, idle_s;
	bool read_for_all; /* any local user may read; admin stays root and our own uid */
};

struct dp_evidence_config {
	char *folder; /* NULL: no evidence is captured */
	uint32_t packets_per_flow, snaplen, file_mb, files;
};

struct dp_config {
	char *sensor;
	struct dp_link_config *links;
	unsigned links_count;
	uint32_t workers;
	uint32_t *cpus; /* worker i runs on cpus[i % n]; none: the last ones allowed */
	unsigned cpus_count;
	enum dp_memory memory;
	uint32_t memory_mb; /* 0: computed */
	enum dp_idle idle;
	enum dp_rss rss;
	enum dp_ndpi ndpi;
	enum dp_switch telemetry, pdump, offload, trust_checksums, tunnels, ja3;
	char *packs, *policy;
	char *state_dir; /* NULL: nothing is kept over a restart */
	char **inside;
	unsigned inside_count;
	char **forwarders;
	unsigned forwarders_count;
	struct dp_store_config store;
	struct dp_control_config control;
	struct dp_limits_config limits;
	struct dp_evidence_config evidence;
	bool test_hooks; /* the control methods that tests need: never on a real sensor */

	/* the command line alone */
	char *records; /* finished records as JSON lines */
	bool exit_when_drained, linger, check, verbose;
};

/* What the command line said, before anything was read: applied over the file. */
struct dp_options {
	const char *config;
	const char *links[DP_LINKS_MAX][2]; /* [1] NULL: a mirror port */
	unsigned n_links;
	const char *packs, *policy, *store, *socket, *sensor, *records, *lcores;
	uint32_t workers;
	bool no_huge, exit_when_drained, linger, check, verbose, version, help;
};

/* 0; or -EINVAL and one message in diag. argv's strings are borrowed. */
int dp_options_parse(int argc, char **argv, struct dp_options *ret, struct sig_diag *diag);
const char *dp_usage(void);

/*
 * Reads options->config (or nothing), lays the options over it, fills in the defaults, checks all.
 * 0 and the config, or -errno with at least one error in diag.
 */
int dp_config_load(
    const struct dp_options *options, struct dp_config **ret_config, struct sig_diag *diag);
/* The same with the file's text already there: for tests and fuzzing. */
int dp_config_load_text(const char *name, const char *text, size_t len,
    const struct dp_options *options, struct dp_config **ret_config, struct sig_diag *diag);
void dp_config_free(struct dp_config *config);

/* "net_pcap0" out of "net_pcap0,rx_pcap=f": the device's name in a device string; its length. */
size_t dp_device_name(const char *device, char *out, size_t cap);
/* The value of a device string's argument (`rx_pcap`), the n-th of that name; false when none. */
bool dp_device_arg(const char *device, const char *key, unsigned nth, char *out, size_t cap);
/* True for a PCI address: "0000:01:00.0" or "01:00.0". */
bool dp_device_is_pci(const char *device);
/* Every port reads capture files once, so that an end comes. */
bool dp_config_is_replay(const struct dp_config *config);

/* "10.0.0.0/8", "2001:db8::1": 0 or -EINVAL. addr: IPv4 as its 4 bytes. */
int dp_parse_net(const char *s, uint8_t addr[16], uint8_t *ret_version, uint8_t *ret_prefix);

#endif
