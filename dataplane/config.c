/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon's configuration: YAML schema, defaults, and the checks that a schema cannot make. */
#include "dataplane/config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "ctl/store/record.h"
#include "signatures/base/yaml.h"
#include "signatures/ruleset.h"

#define OPT (CYAML_FLAG_OPTIONAL)
#define U32(key, type, field, min, max) CYAML_FIELD_UINT(key, OPT, type, field)
#define STR(key, type, field) \
	CYAML_FIELD_STRING_PTR(key, CYAML_FLAG_POINTER | OPT, type, field, 1, 4096)

static const cyaml_strval_t memory_words[] = { { "auto", DP_MEM_AUTO }, { "huge", DP_MEM_HUGE },
	{ "no-huge", DP_MEM_NO_HUGE } };
static const cyaml_strval_t idle_words[] = { { "auto", DP_IDLE_AUTO }, { "poll", DP_IDLE_POLL },
	{ "sleep", DP_IDLE_SLEEP } };
static const cyaml_strval_t rss_words[] = { { "addresses", DP_RSS_ADDRESSES },
	{ "ports", DP_RSS_PORTS } };
static const cyaml_strval_t ndpi_words[] = { { "undecided", DP_NDPI_UNDECIDED },
	{ "all", DP_NDPI_ALL }, { "off", DP_NDPI_OFF } };
static const cyaml_strval_t switch_words[] = { { "default", DP_DEFAULT }, { "on", DP_ON },
	{ "off", DP_OFF } };
#define WORDS(key, type, field, words) \
	CYAML_FIELD_ENUM(key, OPT | CYAML_FLAG_STRICT, type, field, words, CYAML_ARRAY_LEN(words))
#define SWITCH(key, field) WORDS(key, struct dp_config, field, switch_words)

static const cyaml_schema_value_t string_entry = { CYAML_VALUE_STRING(
    CYAML_FLAG_POINTER, char, 1, 4096) };
static const cyaml_schema_value_t u32_entry = { CYAML_VALUE_UINT(CYAML_FLAG_DEFAULT, uint32_t) };

static const cyaml_schema_field_t link_fields[] = {
	CYAML_FIELD_SEQUENCE(
	    "pair", CYAML_FLAG_POINTER | OPT, struct dp_link_config, pair, &string_entry, 2, 2),
	STR("mirror", struct dp_link_config, mirror),
	U32("mtu", struct dp_link_config, mtu, 0, 0),
	U32("queues", struct dp_link_config, queues, 0, 0),
	CYAML_FIELD_END,
};
static const cyaml_schema_value_t link_entry = { CYAML_VALUE_MAPPING(
    CYAML_FLAG_DEFAULT, struct dp_link_config, link_fields) };

static const cyaml_schema_field_t limits_fields[] = {
	U32("flows", struct dp_limits_config, flows, 0, 0),
	U32("inspecting", struct dp_limits_config, inspecting, 0, 0),
	U32("stream_mb", struct dp_limits_config, stream_mb, 0, 0),
	U32("fragments", struct dp_limits_config, fragments, 0, 0),
	U32("dns_memory", struct dp_limits_config, dns_memory, 0, 0),
	U32("crypto_per_ms", struct dp_limits_config, crypto_per_ms, 0, 0),
	U32("tcp_idle_s", struct dp_limits_config, tcp_idle_s, 0, 0),
	U32("udp_idle_s", struct dp_limits_config, udp_idle_s, 0, 0),
	U32("tcp_closed_s", struct dp_limits_config, tcp_closed_s, 0, 0),
	U32("inspect_s", struct dp_limits_config, inspect_s, 0, 0),
	U32("event_mb", struct dp_limits_config, event_mb, 0, 0),
	U32("recent_records", struct dp_limits_config, recent_records, 0, 0),
	U32("rows", struct dp_limits_config, rows, 0, 0),
	U32("pending", struct dp_limits_config, pending, 0, 0),
	U32("mbufs", struct dp_limits_config, mbufs, 0, 0),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t store_fields[] = {
	STR("url", struct dp_store_config, url),
	STR("password_file", struct dp_store_config, password_file),
	U32("timeout_ms", struct dp_store_config, timeout_ms, 0, 0),
	U32("max_events", struct dp_store_config, max_events, 0, 0),
	U32("spool_events", struct dp_store_config, spool_events, 0, 0),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t control_fields[] = {
	STR("socket", struct dp_control_config, socket),
	STR("group", struct dp_control_config, group),
	U32("connections", struct dp_control_config, connections, 0, 0),
	U32("idle_s", struct dp_control_config, idle_s, 0, 0),
	CYAML_FIELD_BOOL("read_for_all", OPT, struct dp_control_config, read_for_all),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t evidence_fields[] = {
	STR("folder", struct dp_evidence_config, folder),
	U32("packets_per_flow", struct dp_evidence_config, packets_per_flow, 0, 0),
	U32("snaplen", struct dp_evidence_config, snaplen, 0, 0),
	U32("file_mb", struct dp_evidence_config, file_mb, 0, 0),
	U32("files", struct dp_evidence_config, files, 0, 0),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t config_fields[] = {
	STR("sensor", struct dp_config, sensor),
	CYAML_FIELD_SEQUENCE("links", CYAML_FLAG_POINTER | OPT, struct dp_config, links,
	    &link_entry, 0, DP_LINKS_MAX),
	U32("workers", struct dp_config, workers, 0, 0),
	CYAML_FIELD_SEQUENCE("cpus", CYAML_FLAG_POINTER | OPT, struct dp_config, cpus, &u32_entry,
	    0, DP_WORKERS_MAX),
	WORDS("memory", struct dp_config, memory, memory_words),
	U32("memory_mb", struct dp_config, memory_mb, 0, 0),
	WORDS("idle", struct dp_config, idle, idle_words),
	WORDS("rss", struct dp_config, rss, rss_words),
	WORDS("ndpi", struct dp_config, ndpi, ndpi_words),
	SWITCH("telemetry", telemetry),
	SWITCH("pdump", pdump),
	SWITCH("offload", offload),
	SWITCH("trust_checksums", trust_checksums),
	SWITCH("tunnels", tunnels),
	SWITCH("ja3", ja3),
	STR("packs", struct dp_config, packs),
	STR("policy", struct dp_config, policy),
	STR("state_dir", struct dp_config, state_dir),
	CYAML_FIELD_SEQUENCE(
	    "inside", CYAML_FLAG_POINTER | OPT, struct dp_config, inside, &string_entry, 0, 4096),
	CYAML_FIELD_SEQUENCE("forwarders", CYAML_FLAG_POINTER | OPT, struct dp_config, forwarders,
	    &string_entry, 0, 4096),
	CYAML_FIELD_MAPPING("store", OPT, struct dp_config, store, store_fields),
	CYAML_FIELD_MAPPING("control", OPT, struct dp_config, control, control_fields),
	CYAML_FIELD_MAPPING("limits", OPT, struct dp_config, limits, limits_fields),
	CYAML_FIELD_MAPPING("evidence", OPT, struct dp_config, evidence, evidence_fields),
	CYAML_FIELD_BOOL("test_hooks", OPT, struct dp_config, test_hooks),
	CYAML_FIELD_END,
};
static const cyaml_schema_value_t config_schema = { CYAML_VALUE_MAPPING(
    CYAML_FLAG_POINTER, struct dp_config, config_fields) };

/* A number's default and range; 0 in the file or no key at all gives the default. */
static const struct number {
	const char *key; /* as sig_yaml_locate() wants it */
	size_t offset;
	uint32_t preset, min, max;
} numbers[] = {
#define N(key, field, preset, min, max)                                  \
	{                                                                \
		key, offsetof(struct dp_config, field), preset, min, max \
	}
	N("workers", workers, 1, 1, DP_WORKERS_MAX),
	N("memory_mb", memory_mb, 0, 0, 1 << 20),
	N("limits.flows", limits.flows, 1 << 20, 64, 100000000),
	N("limits.inspecting", limits.inspecting, 32768, 16, 10000000),
	N("limits.stream_mb", limits.stream_mb, 64, 1, 1 << 16),
	N("limits.fragments", limits.fragments, 4096, 1, 1 << 20),
	N("limits.dns_memory", limits.dns_memory, 65536, 1, 1 << 26),
	N("limits.crypto_per_ms", limits.crypto_per_ms, 200, 1, 1000000),
	N("limits.tcp_idle_s", limits.tcp_idle_s, 0, 0, 7 * 86400),
	N("limits.udp_idle_s", limits.udp_idle_s, 0, 0, 7 * 86400),
	N("limits.tcp_closed_s", limits.tcp_closed_s, 0, 0, 86400),
	N("limits.inspect_s", limits.inspect_s, 0, 0, 86400),
	N("limits.event_mb", limits.event_mb, 8, 1, 1024),
	N("limits.recent_records", limits.recent_records, 20000, 1, 10000000),
	N("limits.rows", limits.rows, 1000000, 16, 100000000),
	N("limits.pending", limits.pending, 65536, 16, 10000000),
	N("limits.mbufs", limits.mbufs, 0, 0, 1 << 24),
	N("store.timeout_ms", store.timeout_ms, 1000, 10, 60000),
	N("store.max_events", store.max_events, 1000000, 1, 1000000000),
	N("store.spool_events", store.spool_events, 20000, 1, 10000000),
	N("control.connections", control.connections, 64, 1, 4096),
	N("control.idle_s", control.idle_s, 60, 1, 86400),
	N("evidence.packets_per_flow", evidence.packets_per_flow, 8, 1, 10000),
	N("evidence.snaplen", evidence.snaplen, 2048, 64, 65535),
	N("evidence.file_mb", evidence.file_mb, 16, 1, 4096),
	N("evidence.files", evidence.files, 4, 1, 1000),
#undef N
};

struct text { /* the file as it was read, for messages */
	const char *name, *text;
	size_t len;
};

static int apply_options(struct dp_config *c, const struct dp_options *o, struct sig_diag *diag);
static int check(struct dp_config *c, const struct text *t, struct sig_diag *diag);

int
dp_config_load(
    const struct dp_options *options, struct dp_config **ret_config, struct sig_diag *diag)
{
	char *text = NULL;
	size_t len = 0;

	if (!options->config)
		return dp_config_load_text("command line", "{}\n", 3, options, ret_config, diag);
	int rc = sig_file_read(options->config, SIG_YAML_MAX_BYTES, &text, &len, diag);
	if (rc < 0)
		return rc;
	rc = dp_config_load_text(options->config, text, len, options, ret_config, diag);
	free(text);
	return rc;
}

int
dp_config_load_text(const char *name, const char *text, size_t len,
    const struct dp_options *options, struct dp_config **ret_config, struct sig_diag *diag)
{
	struct text t = { name, text, len };
	cyaml_data_t *data = NULL;
	int rc = sig_yaml_load(name, text, len, &config_schema, &data, NULL, diag);

	if (rc < 0)
		return rc;
	struct dp_config *c = data;
	rc = apply_options(c, options, diag);
	if (rc == 0)
		rc = check(c, &t, diag);
	if (rc < 0) {
		dp_config_free(c);
		return rc;
	}
	*ret_config = c;
	return 0;
}

void
dp_config_free(struct dp_config *config)
{
	if (!config)
		return;
	sig_yaml_free(config);
}

/* A value of the command line, kept with the config and freed with it. */
static int
set_string(struct dp_config *c, char **at, const char *value)
{
	if (!value)
		return 0;
	char *copy = sig_yaml_make(c, strlen(value) + 1, 1);
	if (!copy)
		return -ENOMEM;
	strcpy(copy, value);
	*at = copy;
	return 0;
}

static int
add_link(struct dp_config *c, const char *const dev[2])
{
	struct dp_link_config *links = sig_yaml_make(c, c->links_count + 1, sizeof(*links));

	if (!links)
		return -ENOMEM;
	if (c->links_count > 0)
		memcpy(links, c->links, c->links_count * sizeof(*links));
	c->links = links;
	struct dp_link_config *l = &links[c->links_count++];
	if (!dev[1])
		return set_string(c, &l->mirror, dev[0]);
	l->pair = sig_yaml_make(c, 2, sizeof(*l->pair));
	if (!l->pair)
		return -ENOMEM;
	l->pair_count = 2;
	int rc = set_string(c, &l->pair[0], dev[0]);
	return rc < 0 ? rc : set_string(c, &l->pair[1], dev[1]);
}

/* "1,3-5": the CPUs of workers in turn. */
static int
parse_cpus(struct dp_config *c, const char *s, struct sig_diag *diag)
{
	uint32_t *cpus = sig_yaml_make(c, DP_WORKERS_MAX, sizeof(*cpus));
	unsigned n = 0;

	if (!cpus)
		return -ENOMEM;
	for (const char *p = s; *p != '\0';) {
		char *end;
		unsigned long lo = strtoul(p, &end, 10), hi = lo;
		if (end == p)
			goto bad;
		if (*end == '-') {
			p = end + 1;
			hi = strtoul(p, &end, 10);
			if (end == p || hi < lo)
				goto bad;
		}
		if ((*end != '\0' && *end != ',') || hi > 1023)
			goto bad;
		for (unsigned long i = lo; i <= hi && n < DP_WORKERS_MAX; i++)
			cpus[n++] = (uint32_t)i;
		p = *end == ',' ? end + 1 : end;
	}
	if (n == 0)
		goto bad;
	c->cpus = cpus;
	c->cpus_count = n;
	return 0;
bad:
	sig_diag_add(diag, SIG_ERROR, NULL, 0, 0,
	    "--lcores %s: a list of CPUs such as 2,3 or 2-5 is wanted", s);
	return -EINVAL;
}

static int
apply_options(struct dp_config *c, const struct dp_options *o, struct sig_diag *diag)
{
	int rc = set_string(c, &c->sensor, o->sensor);

	rc = rc < 0 ? rc : set_string(c, &c->packs, o->packs);
	rc = rc < 0 ? rc : set_string(c, &c->policy, o->policy);
	rc = rc < 0 ? rc : set_string(c, &c->store.url, o->store);
	rc = rc < 0 ? rc : set_string(c, &c->control.socket, o->socket);
	rc = rc < 0 ? rc : set_string(c, &c->records, o->records);
	for (unsigned i = 0; rc == 0 && i < o->n_links; i++) {
		if (c->links_count == DP_LINKS_MAX) {
			sig_diag_add(
			    diag, SIG_ERROR, NULL, 0, 0, "more than %d links", DP_LINKS_MAX);
			return -EINVAL;
		}
		rc = add_link(c, o->links[i]);
	}
	if (rc == 0 && o->lcores)
		rc = parse_cpus(c, o->lcores, diag);
	if (o->workers != 0)
		c->workers = o->workers;
	if (o->no_huge)
		c->memory = DP_MEM_NO_HUGE;
	c->exit_when_drained = o->exit_when_drained;
	c->linger = o->linger;
	c->check = o->check;
	c->verbose = o->verbose;
	if (rc == -ENOMEM)
		sig_diag_add(diag, SIG_ERROR, NULL, 0, 0, "no memory");
	return rc;
}

static void __attribute__((format(printf, 4, 5)))
fault(const struct text *t, const char *where, struct sig_diag *diag, const char *fmt, ...)
{
	char what[400];
	unsigned line = 0, col = 0;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	(void)sig_yaml_locate(t->text, t->len, where, &line, &col);
	/* What no line of the file says came from the command line. */
	sig_diag_add(diag, SIG_ERROR, line != 0 ? t->name : NULL, line, col, "%s: %s", where, what);
}

static void
check_numbers(struct dp_config *c, const struct text *t, struct sig_diag *diag)
{
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		const struct number *n = &numbers[i];
		uint32_t *at = (uint32_t *)((char *)c + n->offset);
		if (*at == 0)
			*at = n->preset;
		else if (*at < n->min || *at > n->max)
			fault(t, n->key, diag, "%u is out of range, %u to %u is allowed", *at,
			    n->min, n->max);
	}
}

static void
check_device(const char *dev, const char *where, const struct text *t, struct sig_diag *diag)
{
	char name[64];

	if (dp_device_name(dev, name, sizeof(name)) == 0)
		fault(t, where, diag,
		    "\"%s\" is no DPDK device string, which is a PCI address or "
		    "net_DRIVERn,key=value,...",
		    dev);
}

static void
check_links(struct dp_config *c, const struct text *t, struct sig_diag *diag)
{
	char where[64];

	for (unsigned i = 0; i < c->links_count; i++) {
		const struct dp_link_config *l = &c->links[i];
		snprintf(where, sizeof(where), "links[%u]", i);
		if ((l->pair != NULL) == (l->mirror != NULL))
			fault(t, where, diag, "give either \"pair\" or \"mirror\"");
		if (l->mtu != 0 && (l->mtu < 68 || l->mtu > 16000))
			fault(t, where, diag, "mtu %u is out of range, 68 to 16000 is allowed",
			    l->mtu);
		if (l->queues > DP_WORKERS_MAX)
			fault(t, where, diag, "queues %u is out of range, 1 to %d is allowed",
			    l->queues, DP_WORKERS_MAX);
		for (unsigned k = 0; l->queues != 0 && k < (l->mirror ? 1 : l->pair_count); k++)
			if (strncmp(l->mirror ? l->mirror : l->pair[k], "net_memif", 9) != 0)
				fault(t, where, diag,
				    "queues is for net_memif; other drivers are told in the device "
				    "string, or take one a worker");
		for (unsigned k = 0; k < l->pair_count; k++) {
			snprintf(where, sizeof(where), "links[%u].pair[%u]", i, k);
			check_device(l->pair[k], where, t, diag);
		}
		if (l->mirror) {
			snprintf(where, sizeof(where), "links[%u].mirror", i);
			check_device(l->mirror, where, t, diag);
		}
	}
	if (c->links_count == 0)
		sig_diag_add(diag, SIG_ERROR, NULL, 0, 0,
		    "no ports: give \"links\" in the config file, or --pair A,B or --mirror "
		    "DEVICE");
}

static void
check_nets(char **nets, unsigned n, const char *key, const struct text *t, struct sig_diag *diag)
{
	uint8_t addr[16], version, prefix;
	char where[64];

	for (unsigned i = 0; i < n; i++) {
		snprintf(where, sizeof(where), "%s[%u]", key, i);
		if (dp_parse_net(nets[i], addr, &version, &prefix) < 0)
			fault(t, where, diag, "\"%s\" is no address or network", nets[i]);
	}
}

static int
check_strings(struct dp_config *c, const struct text *t, struct sig_diag *diag)
{
	char host[STORE_SENSOR_MAX];

	if (!c->sensor) {
		if (gethostname(host, sizeof(host)) < 0 || host[0] == '\0')
			strcpy(host, "sensor");
		host[sizeof(host) - 1] = '\0';
		if (set_string(c, &c->sensor, host) < 0)
			return -ENOMEM;
	}
	if (strlen(c->sensor) >= STORE_SENSOR_MAX)
		fault(t, "sensor", diag, "longer than %d bytes", STORE_SENSOR_MAX - 1);
	for (const char *p = c->sensor; *p; p++)
		if (!strchr(
			"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-", *p)) {
			fault(t, "sensor", diag,
			    "only letters, digits, '.', '_' and '-' are allowed");
			break;
		}
	if (!c->control.socket &&
	    set_string(c, &c->control.socket, "/run/phonehome/control.sock") < 0)
		return -ENOMEM;
	if (strlen(c->control.socket) >= sizeof(((struct sockaddr_un *)0)->sun_path))
		fault(t, "control.socket", diag, "the path is too long for a Unix socket");
	if (!c->packs && set_string(c, &c->packs, sig_packs_default_dir()) < 0)
		return -ENOMEM;
	if (!c->store.url && set_string(c, &c->store.url, PHONEHOME_STORE_DEFAULT) < 0)
		return -ENOMEM;
	/* systemd's StateDirectory=; started by hand, nothing is kept unless a folder is named. */
	const char *dir = getenv("STATE_DIRECTORY");
	if (!c->state_dir && dir && dir[0] == '/' && !strchr(dir, ':') &&
	    set_string(c, &c->state_dir, dir) < 0)
		return -ENOMEM;
	if (c->state_dir && c->state_dir[0] != '/')
		fault(t, "state_dir", diag, "an absolute path is wanted");
	return 0;
}

static int
check(struct dp_config *c, const struct text *t, struct sig_diag *diag)
{
	unsigned before = diag->errors;
	int rc = check_strings(c, t, diag);

	if (rc < 0) {
		sig_diag_add(diag, SIG_ERROR, NULL, 0, 0, "no memory");
		return rc;
	}
	check_numbers(c, t, diag);
	check_links(c, t, diag);
	check_nets(c->inside, c->inside_count, "inside", t, diag);
	check_nets(c->forwarders, c->forwarders_count, "forwarders", t, diag);
	if ((c->exit_when_drained || c->linger) && diag->errors == before &&
	    !dp_config_is_replay(c)) {
		sig_diag_add(diag, SIG_ERROR, NULL, 0, 0,
		    "--exit-when-drained: every port must be a net_pcap with rx_pcap=FILE and "
		    "without infinite_rx");
		return -EINVAL;
	}
	return diag->errors == before ? 0 : -EINVAL;
}
