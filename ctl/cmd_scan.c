/* SPDX-License-Identifier: Apache-2.0 */
/* phonehome scan: what calls home in a capture. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl/packs.h"
#include "ctl/proto/filter.h"
#include "ctl/proto/json.h"
#include "ctl/proto/status.h"
#include "ctl/report.h"
#include "ctl/rows.h"
#include "ctl/scan.h"
#include "ctl/verbs.h"

enum { LOCAL_MAX = 256, FLUSH_EVERY = 8192, FLUSH_MS = 5000 };

enum scan_opt { O_FLOWS = 1, O_LOCAL, O_NDPI, O_GROUP_BY, O_SORT, O_TRUST, O_COUNTERS };

static const struct ctl_opt opts[] = {
	{ "flows", 0, NULL, O_FLOWS, "one record a flow instead of the inventory" },
	{ "counters", 0, NULL, O_COUNTERS,
	    "what was counted instead: frames by fate, what was ignored, limits, blindness" },
	CTL_OPT_JSON,
	CTL_OPT_CSV,
	CTL_OPT_POLICY,
	CTL_OPT_PACKS,
	{ "local", 'l', "NET,...", O_LOCAL, "the inside networks (default: private addresses)" },
	{ "ndpi", 0, "MODE", O_NDPI, "which flows nDPI sees: undecided (default), all, off" },
	{ "trust-checksums", 0, NULL, O_TRUST,
	    "ignore packets with wrong checksums (not for captures taken on the sending host)" },
	{ "group-by", 'g', "WHAT", O_GROUP_BY, "add the inventory up by " CTL_GROUP_NAMES },
	{ "sort", 0, "WHAT", O_SORT, "by " CTL_SORT_NAMES },
	CTL_OPT_LIMIT,
	{ "store", 's', "URL", CTL_O_STORE, "also add the result to this store" },
	{ "password-file", 0, "FILE", CTL_O_PASSWORD_FILE, "the store's password (mode 0600)" },
	{ "sensor", 0, "NAME", CTL_O_SENSOR, "the sensor's name in the result (default: scan)" },
	CTL_OPTS_FILTER,
	CTL_OPT_FORWARDERS,
	CTL_OPT_HELP,
	{ 0 },
};

struct scan_run {
	struct ctl_common common;
	struct ctl_report_config report;
	struct clf_engine_config engine;
	struct clf_net local[LOCAL_MAX];
	unsigned n_local;
	const char **files;
	unsigned n_files;
	bool flows, counters, bar, bar_shown;
	bool stop;	     /* whoever read the records went away, or their disk is full */
	const char *of_rows; /* an option that only the inventory has */
	struct ctl_print *print;
	struct store *store;
	uint64_t put, flows_printed; /* records */
};

/* "10.0.0.0/8,2001:db8::/32" */
static bool
take_local(struct scan_run *r, const char *list)
{
	char one[64];

	while (*list) {
		size_t n = strcspn(list, ",");
		struct clf_net *net = &r->local[r->n_local];
		if (n == 0 || n >= sizeof(one) || r->n_local == LOCAL_MAX)
			return false;
		memcpy(one, list, n);
		one[n] = '\0';
		char *slash = strchr(one, '/'), *end = NULL;
		if (slash)
			*slash++ = '\0';
		net->ip_version = strchr(one, ':') ? 6 : 4;
		unsigned long max = net->ip_version == 6 ? 128 : 32;
		unsigned long prefix = slash ? strtoul(slash, &end, 10) : max;
		if (inet_pton(net->ip_version == 6 ? AF_INET6 : AF_INET, one, net->addr) != 1 ||
		    (slash && (*slash < '0' || *slash > '9' || *end)) || prefix > max)
			return false;
		net->prefix = (uint8_t)prefix;
		r->n_local++;
		list += n + (list[n] == ',');
	}
	return r->n_local > 0;
}

static int
take_option(void *ctx, int id, const char *value)
{
	struct scan_run *r = ctx;
	static const char *const modes[] = { "undecided", "all", "off" };

	switch (id) {
	case O_FLOWS: r->flows = true; return -1;
	case O_COUNTERS: r->counters = true; return -1;
	case O_TRUST: r->engine.trust_checksums = true; return -1;
	case O_LOCAL:
		if (take_local(r, value))
			return -1;
		return ctl_usage(
		    r->common.verb, "--local %s: want networks such as 10.0.0.0/8,fd00::/8", value);
	case O_NDPI:
		for (unsigned i = 0; i < 3; i++)
			if (strcmp(value, modes[i]) == 0) {
				r->engine.ndpi = i;
				return -1;
			}
		return ctl_usage(r->common.verb, "--ndpi %s: one of undecided, all, off", value);
	case O_GROUP_BY:
		r->of_rows = "--group-by";
		r->report.group = ctl_group_parse(value);
		if (r->report.group != CTL_BY_MAX)
			return -1;
		return ctl_usage(r->common.verb, "--group-by %s: one of " CTL_GROUP_NAMES, value);
	case O_SORT:
		r->of_rows = "--sort";
		r->report.sort = ctl_sort_parse(value);
		if (r->report.sort != CTL_SORT_MAX)
			return -1;
		return ctl_usage(r->common.verb, "--sort %s: one of " CTL_SORT_NAMES, value);
	default: r->files[r->n_files++] = value; return -1;
	}
}

static int
read_args(struct scan_run *r, int argc, char **argv)
{
	int code = ctl_args_read(&r->common, argc, argv, take_option, r);

	if (code >= 0)
		return code;
	if (r->counters && (r->flows || r->common.format == CTL_CSV))
		return ctl_usage(r->common.verb, "--counters: as lines or --json, without --flows");
	if (r->of_rows && (r->flows || r->counters))
		return ctl_usage(r->common.verb,
		    "%s: for the inventory, without --flows and --counters", r->of_rows);
	if (r->n_files == 0)
		return ctl_usage(r->common.verb, "name a capture, or - for stdin");
	return -1;
}

static void
on_record(void *ctx, const struct clf_event *record)
{
	struct scan_run *r = ctx;
	const struct store_filter *f = &r->common.filter;

	if (r->store) {
		store_put_record(r->store, record);
		if (++r->put % FLUSH_EVERY == 0)
			(void)store_flush(r->store, FLUSH_MS); /* the spool is bounded */
	}
	if (!r->print || !proto_filter_record(f, record, NULL))
		return;
	if (f->limit && r->flows_printed++ >= f->limit)
		return;
	ctl_print_flow(r->print, record, NULL);
	r->stop = !r->store && ferror(stdout);
}

static void
on_progress(void *ctx, const char *path, uint64_t done, uint64_t size)
{
	struct scan_run *r = ctx;
	char a[CTL_HUMAN_MAX], b[CTL_HUMAN_MAX];

	char *shown = r->bar ? proto_printable(path) : NULL;
	if (!shown)
		return;
	r->bar_shown = true;
	if (size > 0)
		fprintf(stderr, "\r\033[K%.40s: %3llu %% of %s", shown,
		    (unsigned long long)(done * 100 / size), ctl_human_bytes(size, b));
	else
		fprintf(stderr, "\r\033[K%.40s: %s", shown, ctl_human_bytes(done, a));
	free(shown);
}

static void
clear_bar(struct scan_run *r)
{
	if (r->bar_shown)
		fputs("\r\033[K", stderr);
	r->bar_shown = false;
}

struct row_out {
	struct scan_run *run;
	struct ctl_report *report;
};

static bool
row_out(void *ctx, const struct store_row *row)
{
	struct row_out *o = ctx;

	if (!proto_filter_row(&o->run->common.filter, row))
		return true;
	return ctl_report_row(o->report, row);
}

/* How much of the capture nobody could have named: the honest other half of a report. */
static void
print_blindness(const struct clf_engine_stats *s, uint64_t packets)
{
	uint64_t flows = 0, bytes = 0;
	char a[CTL_HUMAN_MAX], list[512] = "";
	size_t n = 0;

	for (unsigned i = 1; i < CLF_BLIND_MAX; i++) {
		flows += s->blind_flows[i];
		bytes += s->blind_bytes[i];
		if (s->blind_flows[i] > 0 && n < sizeof(list))
			n += (size_t)snprintf(list + n, sizeof(list) - n, "%s%s %llu",
			    n ? ", " : "", clf_blind_name(i),
			    (unsigned long long)s->blind_flows[i]);
	}
	fprintf(stderr, "%llu packets, %llu flows; named %llu; blind to %llu (%s)%s%s\n",
	    (unsigned long long)packets, (unsigned long long)s->flows_ended,
	    (unsigned long long)s->blind_flows[CLF_BLIND_NONE], (unsigned long long)flows,
	    ctl_human_bytes(bytes, a), n ? ": " : "", list);
	if (s->parse[CLF_P_UNSUPPORTED] > 0)
		fprintf(stderr,
		    "%llu packets were not read: encrypted below IP (MACsec), or of a kind "
		    "that is not walked\n",
		    (unsigned long long)s->parse[CLF_P_UNSUPPORTED]);
	uint64_t full = s->table_full + s->inspect_full + s->stream_full + s->fragments_full;
	if (full + s->events_lost > 0)
		fprintf(stderr, "limits were reached %llu times, %llu events lost\n",
		    (unsigned long long)full, (unsigned long long)s->events_lost);
}

static int
open_store(struct scan_run *r, const char *sensor)
{
	struct sig_diag diag = { 0 };
	struct store_config config = {
		.url = r->common.store,
		.sensor = sensor,
		.mode = STORE_WRITE,
		.timeout_ms = 5000,
		.max_events = 1000000,
		.spool_events = 1 << 16,
		.password_file = r->common.password_file,
	};
	int err = store_open(&config, &r->store, &diag);
	char shown[STORE_URL_MAX];

	store_url_shown(r->common.store, shown);
	if (err < 0 && diag.n > 0)
		ctl_diag(&diag, 0);
	else if (err < 0)
		ctl_error("store %s: %s", shown, strerror(-err));
	sig_diag_free(&diag);
	return err < 0 ? CTL_FAILED : CTL_OK;
}

/*
 * The scan's rows on top of what the store has of this sensor, and everything out of the spool; or
 * the truth about what stayed behind.
 */
static int
close_store(struct scan_run *r, struct store_fold *fold, int code)
{
	struct store_stats stats;
	char shown[STORE_URL_MAX];

	if (!r->store)
		return code;
	store_url_shown(r->common.store, shown);
	for (unsigned i = 0; i < 100; i++) {
		(void)store_sync(r->store, fold, FLUSH_MS);
		store_stats(r->store, &stats);
		if (!stats.up || stats.queued + stats.rows_pending == 0)
			break;
	}
	if (!store_loaded(r->store)) {
		ctl_error("store %s: what it has cannot be read, so no row was added: %s", shown,
		    store_error(r->store));
		code = CTL_FAILED;
	}
	if (stats.queued + stats.rows_pending + stats.lost_spool_full + stats.lost_refused > 0) {
		ctl_error("store %s: %llu records and %llu rows were not stored: %s", shown,
		    (unsigned long long)(stats.queued + stats.lost_spool_full + stats.lost_refused),
		    (unsigned long long)stats.rows_pending,
		    stats.last_error[0] ? stats.last_error : "no reason given");
		code = CTL_FAILED;
	}
	store_close(r->store);
	return code;
}

/* A line a counter: "engine.parse.ok 17". */
static void
print_lines(const char *path, const json_t *o)
{
	char longer[128];
	const char *key;
	json_t *v;

	json_object_foreach((json_t *)o, key, v)
	{
		(void)snprintf(longer, sizeof(longer), "%s%s%s", path, *path ? "." : "", key);
		if (json_is_object(v))
			print_lines(longer, v);
		else
			printf("%-40s %" JSON_INTEGER_FORMAT "\n", longer, json_integer_value(v));
	}
}

/* The counters of `status`, under the same names. */
static void
print_counters(const struct scan_run *r, struct ctl_scan *scan)
{
	const struct clf_engine_stats *s = ctl_scan_stats(scan);
	json_t *o = json_pack("{s:I, s:o, s:o}", "packets", (json_int_t)ctl_scan_packets(scan),
	    "engine", proto_engine_json(s), "blindness", proto_blindness_json(s));

	if (r->common.format == CTL_JSON)
		json_dumpf(o, stdout, JSON_COMPACT);
	else
		print_lines("", o);
	if (r->common.format == CTL_JSON)
		putchar('\n');
	json_decref(o);
}

static void
print_rows(struct scan_run *r, struct ctl_scan *scan)
{
	struct row_out out = { .run = r, .report = ctl_report_new(&r->report) };

	store_fold_rows(ctl_scan_fold(scan), false, false, row_out, &out);
	ctl_report_end(out.report);
}

static int
scan_files(struct scan_run *r, struct ctl_scan *scan)
{
	int code = CTL_OK;

	if (r->flows)
		r->print = ctl_print_new(stdout,
		    r->common.format == CTL_JSON ? CTL_JSON_LINES : r->common.format,
		    ctl_flow_columns(false));
	for (unsigned i = 0; i < r->n_files && !r->stop; i++) {
		int one = ctl_scan_file(scan, r->files[i]);
		clear_bar(r);
		code = one > code ? one : code;
	}
	ctl_scan_finish(scan);
	if (r->print)
		ctl_print_end(r->print);
	else if (r->counters)
		print_counters(r, scan);
	else
		print_rows(r, scan);
	fflush(stdout);
	if ((ctl_scan_packets(scan) > 0 || code == CTL_OK) &&
	    (r->common.format == CTL_TABLE || r->bar))
		print_blindness(ctl_scan_stats(scan), ctl_scan_packets(scan));
	return code;
}

static int
run_with_rules(struct scan_run *r, struct sig_ruleset *rules)
{
	struct clf_policy *policy = NULL;
	struct ctl_scan *scan;
	const char *sensor = r->common.filter.sensor ? r->common.filter.sensor : "scan";
	int code = ctl_policy_load(r->common.policy, rules, &policy);

	r->common.filter.sensor = NULL;
	r->engine.inside = r->local;
	r->engine.n_inside = r->n_local;
	r->report.to = stdout;
	r->report.format = r->common.format;
	r->report.limit = r->common.filter.limit;
	r->bar = isatty(STDERR_FILENO);
	struct ctl_scan_config config = {
		.engine = r->engine,
		.rules = rules,
		.policy = policy,
		.sensor = sensor,
		.on_record = on_record,
		.on_progress = on_progress,
		.ctx = r,
		.stop = &r->stop,
	};
	if (code == CTL_OK && r->common.store)
		code = open_store(r, sensor);
	if (code == CTL_OK)
		code = ctl_scan_new(&config, &scan);
	if (code == CTL_OK) {
		code = scan_files(r, scan);
		code = close_store(r, ctl_scan_fold(scan), code);
		ctl_scan_free(scan);
	}
	clf_policy_free(policy);
	return code;
}

static int
run(int argc, char **argv)
{
	struct scan_run *r = calloc(1, sizeof(*r));
	struct sig_ruleset *rules = NULL;

	if (!r || !(r->files = calloc((size_t)argc, sizeof(*r->files)))) {
		free(r);
		ctl_error("out of memory");
		return CTL_FAILED;
	}
	ctl_common_init(&r->common, &ctl_verb_scan);
	clf_engine_config_default(&r->engine);
	int code = read_args(r, argc, argv);
	if (code < 0) {
		code = ctl_packs_load(r->common.packs, &rules);
		if (code == CTL_OK)
			code = run_with_rules(r, rules);
		sig_ruleset_free(rules);
		code = ctl_finish(code);
	}
	free(r->files);
	free(r);
	return code;
}

const struct ctl_verb ctl_verb_scan = {
	.name = "scan",
	.group = "look",
	.usage = "FILE... [--flows] [--json|--csv] [--policy FILE] [--local NET,...]",
	.summary = "what calls home in a capture; needs no daemon and no rights",
	.about =
	    "Reads captures of any usual link type (- = stdin) and prints the inventory: which "
	    "inside host\n"
	    "runs which security product, by what evidence. With --flows, one record a flow; with\n"
	    "--flows --json, one JSON object a line. How much could not be named goes to stderr.\n"
	    "Files whose times follow one another are read as one stream.",
	.examples = "phonehome scan office.pcap\n"
		    "phonehome scan --flows --json office.pcap | jq 'select(.vendor)'\n"
		    "timeout 60 tcpdump -U -w - -i eth0 | phonehome scan -\n"
		    "phonehome scan --policy policy.yaml --flows rotated-*.pcap\n"
		    "phonehome scan --group-by vendor --local 192.0.2.0/24 edge.pcapng",
	.opts = opts,
	.run = run,
};
