/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon's configuration: what it takes, what it refuses and how it says where. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dataplane/config.h"

static const char whole[] = "sensor: edge-1\n"
			    "links:\n"
			    "  - pair: [\"0000:01:00.0\", \"0000:01:00.1\"]\n"
			    "    mtu: 9000\n"
			    "  - mirror: \"net_af_packet0,iface=eth2\"\n"
			    "workers: 2\n"
			    "cpus: [2, 3]\n"
			    "memory: huge\n"
			    "memory_mb: 512\n"
			    "idle: poll\n"
			    "rss: ports\n"
			    "ndpi: all\n"
			    "telemetry: on\n"
			    "pdump: off\n"
			    "offload: on\n"
			    "trust_checksums: on\n"
			    "tunnels: on\n"
			    "ja3: on\n"
			    "packs: /p\n"
			    "policy: /q.yaml\n"
			    "state_dir: /var/lib/p\n"
			    "inside: [10.0.0.0/8, \"2001:db8::/32\"]\n"
			    "forwarders: [10.0.0.53]\n"
			    "store:\n"
			    "  url: redis://h\n"
			    "  password_file: /pw\n"
			    "  timeout_ms: 500\n"
			    "  max_events: 10\n"
			    "  spool_events: 10\n"
			    "control:\n"
			    "  socket: /s\n"
			    "  group: adm\n"
			    "  connections: 9\n"
			    "  idle_s: 5\n"
			    "  read_for_all: true\n"
			    "limits:\n"
			    "  flows: 1000\n"
			    "  inspecting: 100\n"
			    "  stream_mb: 8\n"
			    "  fragments: 10\n"
			    "  dns_memory: 10\n"
			    "  crypto_per_ms: 10\n"
			    "  tcp_idle_s: 10\n"
			    "  udp_idle_s: 10\n"
			    "  tcp_closed_s: 10\n"
			    "  inspect_s: 10\n"
			    "  event_mb: 1\n"
			    "  recent_records: 10\n"
			    "  rows: 100\n"
			    "  pending: 100\n"
			    "  mbufs: 4096\n"
			    "evidence:\n"
			    "  folder: /e\n"
			    "  packets_per_flow: 3\n"
			    "  snaplen: 100\n"
			    "  file_mb: 1\n"
			    "  files: 2\n"
			    "test_hooks: true\n";

static int
load(const char *text, const struct dp_options *o, struct dp_config **ret, struct sig_diag *diag)
{
	static const struct dp_options none;

	return dp_config_load_text("t.yaml", text, strlen(text), o ? o : &none, ret, diag);
}

static void
refused(const char *text, const char *message)
{
	struct dp_config *c = NULL;
	struct sig_diag diag = { 0 };

	assert_true(load(text, NULL, &c, &diag) < 0);
	assert_null(c);
	assert_true(diag.n >= 1);
	if (!strstr(diag.msgs[0].text, message))
		fail_msg("\"%s\" does not say \"%s\"", diag.msgs[0].text, message);
	sig_diag_free(&diag);
}

static void
test_whole(void **state)
{
	struct dp_config *c = NULL;
	struct sig_diag diag = { 0 };

	(void)state;
	if (load(whole, NULL, &c, &diag) < 0)
		fail_msg("%s", diag.msgs[0].text);
	assert_string_equal(c->sensor, "edge-1");
	assert_int_equal(c->links_count, 2);
	assert_string_equal(c->links[0].pair[1], "0000:01:00.1");
	assert_int_equal(c->links[0].mtu, 9000);
	assert_null(c->links[0].mirror);
	assert_string_equal(c->links[1].mirror, "net_af_packet0,iface=eth2");
	assert_int_equal(c->workers, 2);
	assert_int_equal(c->cpus[1], 3);
	assert_int_equal(c->memory, DP_MEM_HUGE);
	assert_int_equal(c->rss, DP_RSS_PORTS);
	assert_int_equal(c->ndpi, DP_NDPI_ALL);
	assert_int_equal(c->pdump, DP_OFF);
	assert_int_equal(c->offload, DP_ON);
	assert_int_equal(c->inside_count, 2);
	assert_string_equal(c->state_dir, "/var/lib/p");
	assert_string_equal(c->store.password_file, "/pw");
	assert_int_equal(c->limits.mbufs, 4096);
	assert_int_equal(c->evidence.files, 2);
	assert_true(c->control.read_for_all && c->test_hooks);
	dp_config_free(c);
	sig_diag_free(&diag);
}

static void
test_defaults(void **state)
{
	struct dp_config *c = NULL;
	struct sig_diag diag = { 0 };

	(void)state;
	assert_int_equal(load("links: [{mirror: net_null0}]\n", NULL, &c, &diag), 0);
	assert_true(c->sensor[0] != '\0');
	assert_int_equal(c->workers, 1);
	assert_string_equal(c->control.socket, "/run/phonehome/control.sock");
	assert_int_equal(c->limits.flows, 1 << 20);
	assert_int_equal(c->store.timeout_ms, 1000);
	assert_false(c->control.read_for_all);
	dp_config_free(c);
}

/* Each key with each of its characters changed: refused at its own line, and the key is named. */
static void
test_mutated_keys(void **state)
{
	char text[sizeof(whole)], place[64];
	unsigned line = 0, tried = 0;

	(void)state;
	for (const char *at = whole; *at; at = strchr(at, '\n') + 1) {
		const char *key = at + strspn(at, " -"), *end = strchr(key, ':');
		line++;
		for (const char *p = key; p < end; p++) {
			struct dp_config *c = NULL;
			struct sig_diag diag = { 0 };
			memcpy(text, whole, sizeof(whole));
			text[p - whole] = 'Q';
			snprintf(place, sizeof(place), "t.yaml:%u:", line);
			assert_int_equal(load(text, NULL, &c, &diag), -EINVAL);
			if (strncmp(diag.msgs[0].text, place, strlen(place)) != 0)
				fail_msg("%s is not at %s", diag.msgs[0].text, place);
			snprintf(place, sizeof(place), "%.*s", (int)(end - key), key);
			/* One letter of a short key is more than a third of it: no guess. */
			if (end - key >= 4 && !strstr(diag.msgs[0].text, place))
				fail_msg("%s does not name %s", diag.msgs[0].text, place);
			sig_diag_free(&diag);
			tried++;
		}
	}
	assert_true(tried > 300);
}

static void
test_refusals(void **state)
{
	(void)state;
	refused("workers: 1\n", "no ports");
	refused("links: [{mirror: net_null0}]\nstate_dir: here\n", "t.yaml:2:");
	refused("links: [{mirror: net_null0}]\nworkers: 17\n", "t.yaml:2:");
	refused("links: [{mirror: net_null0}]\nworkers: 17\n", "1 to 16 is allowed");
	refused("links: [{mirror: net_null0}]\nworkers: two\n", "t.yaml:2:");
	refused("links:\n  - {mirror: net_null0, pair: [a, b]}\n", "either \"pair\" or \"mirror\"");
	refused("links:\n  - {mtu: 1500}\n", "t.yaml:2:");
	refused("links:\n  - pair: [net_null0]\n", "t.yaml:2:");
	refused("links:\n  - mirror: \"../x\"\n", "t.yaml:2:");
	refused("links: [{mirror: net_null0, mtu: 20000}]\n", "68 to 16000");
	refused("links: [{mirror: net_memif0, queues: 17}]\n", "1 to 16");
	refused("links: [{mirror: net_null0, queues: 2}]\n", "net_memif");
	refused("links: [{mirror: net_null0}]\ninside: [10.0.0.0/33]\n", "no address or network");
	refused("links: [{mirror: net_null0}]\nsensor: \"a b\"\n", "t.yaml:2:");
	refused("links: [{mirror: net_null0}]\nmemory: giant\n", "t.yaml:2:");
	refused("links: [{mirror: net_null0}]\nlimits: {flows: 3}\n", "limits.flows");
}

static void
test_options_over_file(void **state)
{
	struct dp_options o = {
		.links = { { "net_pcap0,rx_pcap=a.pcap", NULL } },
		.n_links = 1,
		.workers = 3,
		.store = "x.db",
		.lcores = "0,4-5",
		.no_huge = true,
		.exit_when_drained = true,
	};
	struct dp_config *c = NULL;
	struct sig_diag diag = { 0 };

	(void)state;
	assert_int_equal(load("workers: 1\nstore: {url: y.db}\n", &o, &c, &diag), 0);
	assert_int_equal(c->workers, 3);
	assert_string_equal(c->store.url, "x.db");
	assert_int_equal(c->memory, DP_MEM_NO_HUGE);
	assert_int_equal(c->cpus_count, 3);
	assert_int_equal(c->cpus[2], 5);
	assert_true(dp_config_is_replay(c));
	dp_config_free(c);
	o.links[0][0] = "net_null0";
	assert_int_equal(load("{}\n", &o, &c, &diag), -EINVAL);
	assert_non_null(strstr(diag.msgs[0].text, "--exit-when-drained"));
	sig_diag_free(&diag);
	o.exit_when_drained = false;
	o.lcores = "1-";
	assert_int_equal(load("{}\n", &o, &c, &diag), -EINVAL);
	sig_diag_free(&diag);
}

static int
parse(struct dp_options *o, struct sig_diag *diag, const char *a, const char *b)
{
	static char first[128], second[128];
	char *argv[] = { (char *)"phonehomed", first, b ? second : NULL, NULL };

	snprintf(first, sizeof(first), "%s", a);
	snprintf(second, sizeof(second), "%s", b ? b : "");
	memset(o, 0, sizeof(*o));
	return dp_options_parse(b ? 3 : 2, argv, o, diag);
}

static void
test_command_line(void **state)
{
	struct dp_options o;
	struct sig_diag diag = { 0 };

	(void)state;
	assert_int_equal(parse(&o, &diag, "--pair", "0000:01:00.0,0000:01:00.1"), 0);
	assert_string_equal(o.links[0][1], "0000:01:00.1");
	assert_int_equal(parse(&o, &diag, "--pair", "net_tap0,iface=a net_tap1,iface=b"), 0);
	assert_string_equal(o.links[0][0], "net_tap0,iface=a");
	assert_string_equal(o.links[0][1], "net_tap1,iface=b");
	assert_int_equal(parse(&o, &diag, "--pair", "net_tap0,iface=a,net_tap1"), -EINVAL);
	assert_int_equal(parse(&o, &diag, "--workers", "0"), -EINVAL);
	assert_int_equal(parse(&o, &diag, "--check", NULL), 0);
	assert_true(o.check);
	sig_diag_free(&diag);
	assert_int_equal(parse(&o, &diag, "--polici", "x"), -EINVAL);
	assert_non_null(strstr(diag.msgs[0].text, "did you mean --policy?"));
	sig_diag_free(&diag);
	assert_int_equal(parse(&o, &diag, "--sensor", ""), -EINVAL);
	assert_non_null(strstr(diag.msgs[0].text, "--sensor: a value is wanted"));
	sig_diag_free(&diag);
	assert_int_equal(parse(&o, &diag, "stray", NULL), -EINVAL);
	assert_int_equal(parse(&o, &diag, "--config", NULL), -EINVAL);
	sig_diag_free(&diag);
}

static void
test_devices(void **state)
{
	char out[64];

	(void)state;
	assert_true(dp_device_is_pci("0000:01:00.0"));
	assert_true(dp_device_is_pci("81:1f.7,arg=1"));
	assert_false(dp_device_is_pci("net_pcap0"));
	assert_false(dp_device_is_pci("0000:01:00.0x"));
	assert_int_equal(dp_device_name("net_pcap0,rx_pcap=a,b=c", out, sizeof(out)), 9);
	assert_string_equal(out, "net_pcap0");
	assert_int_equal(dp_device_name("", out, sizeof(out)), 0);
	assert_int_equal(dp_device_name("a/b", out, sizeof(out)), 0);
	assert_true(dp_device_arg("d,rx_pcap=a,rx_pcap=b", "rx_pcap", 1, out, sizeof(out)));
	assert_string_equal(out, "b");
	assert_false(dp_device_arg("d,rx_pcap=a", "rx_pcap", 1, out, sizeof(out)));
	assert_false(dp_device_arg("d,xrx_pcap=a", "rx_pcap", 0, out, sizeof(out)));
	assert_false(dp_device_arg("d,rx_pcap=abc", "rx_pcap", 0, out, 3));
}

static void
test_nets(void **state)
{
	uint8_t addr[16], version, prefix;

	(void)state;
	assert_int_equal(dp_parse_net("10.1.0.0/16", addr, &version, &prefix), 0);
	assert_true(version == 4 && prefix == 16 && addr[0] == 10 && addr[1] == 1);
	assert_int_equal(dp_parse_net("fd00::", addr, &version, &prefix), 0);
	assert_true(version == 6 && prefix == 128 && addr[0] == 0xfd);
	const char *bad[] = { "", "10.1/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/8x", "::/129",
		"x" };
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(dp_parse_net(bad[i], addr, &version, &prefix), -EINVAL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_mutated_keys),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_options_over_file),
		cmocka_unit_test(test_command_line),
		cmocka_unit_test(test_devices),
		cmocka_unit_test(test_nets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
