/* SPDX-License-Identifier: Apache-2.0 */
/* phonehome status: is it well, what does it lose, what can it not see. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/print.h"
#include "ctl/proto/json.h"
#include "ctl/source.h"
#include "ctl/verbs.h"

static const struct ctl_opt opts[] = { CTL_OPT_SOCKET, CTL_OPT_JSON, CTL_OPT_HELP, { 0 } };

static void line(const char *label, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void
line(const char *label, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	char *clean = proto_printable(text);
	printf("%-11s %s\n", label, clean ? clean : "");
	free(clean);
}

static uint64_t
num(const json_t *o, const char *key)
{
	json_int_t v = json_integer_value(json_object_get(o, key));

	return v > 0 ? (uint64_t)v : 0;
}

static const char *
str(const json_t *o, const char *key, const char *otherwise)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : otherwise;
}

/* "reason 3, other 2" of an object of numbers; zeroes left out, codes in words where there are
 * some.
 */
static const char *
reasons(const json_t *o, char out[static 512])
{
	static const struct {
		const char *code, *words;
	} said[] = {
		{ "reset", "policy (reset)" },
		{ "tx-full", "other port full" },
		{ "no-port", "other port unplugged" },
		{ "ring-full", "worker behind" },
		{ "stop", "daemon stopping" },
	};
	const char *key;
	json_t *v;
	size_t n = 0;

	out[0] = '\0';
	json_object_foreach((json_t *)o, key, v)
	{
		if (json_integer_value(v) <= 0 || n >= 512)
			continue;
		for (unsigned i = 0; i < sizeof(said) / sizeof(said[0]); i++)
			if (strcmp(key, said[i].code) == 0)
				key = said[i].words;
		n += (size_t)snprintf(out + n, 512 - n, "%s%s %lld", n ? ", " : "", key,
		    (long long)json_integer_value(v));
	}
	return n ? out : "none";
}

static uint64_t
sum(const json_t *o)
{
	const char *key;
	json_t *v;
	uint64_t total = 0;

	json_object_foreach((json_t *)o, key, v) total += (uint64_t)json_integer_value(v);
	return total;
}

static void
print_head(const json_t *s)
{
	const json_t *packs = json_object_get(s, "packs"), *policy = json_object_get(s, "policy");
	char up[CTL_HUMAN_MAX];

	line("phonehomed", "%s, sensor %s, %s, up %s, %s", str(s, "version", "?"),
	    str(s, "sensor", "?"),
	    json_is_true(json_object_get(s, "drained")) ? "capture read to its end"
	    : json_is_true(json_object_get(s, "ready")) ? "ready"
							: "not ready",
	    ctl_human_span(num(s, "uptime_s"), up), str(s, "memory", "?"));
	line("mode", "%s%s", str(s, "mode", "?"),
	    json_is_true(json_object_get(s, "shedding"))
		? ", OVERLOAD: inspection is lifted for a while"
	    : json_is_true(json_object_get(s, "bypass")) ? ", BYPASS: nothing is inspected"
							 : "");
	line("packs", "%llu signatures of %llu vendors, %s, digest %.12s",
	    (unsigned long long)num(packs, "signatures"), (unsigned long long)num(packs, "vendors"),
	    str(packs, "origin", "?"), str(packs, "digest", "?"));
	line("policy", "%llu rule%s, digest %.12s", (unsigned long long)num(policy, "rules"),
	    num(policy, "rules") == 1 ? "" : "s", str(policy, "digest", "?"));
}

/* Every frame that came in is in exactly one of these. */
static void
print_frames(const json_t *f)
{
	char read[64] = "";
	uint64_t rx = num(f, "rx"), sent = num(f, "forwarded"), observed = num(f, "observed");
	uint64_t dropped = num(f, "dropped_total"), flying = num(f, "in_flight");

	if (!json_is_object(f))
		return;
	if (observed)
		snprintf(read, sizeof(read), " + %llu only read", (unsigned long long)observed);
	line("frames", "%llu in = %llu sent on%s + %llu dropped + %llu under way%s",
	    (unsigned long long)rx, (unsigned long long)sent, read, (unsigned long long)dropped,
	    (unsigned long long)flying,
	    rx == sent + observed + dropped + flying ? "" : " (DOES NOT ADD UP)");
	if (num(f, "injected") != 0)
		line("resets", "%llu frames of our own sent to end connections",
		    (unsigned long long)num(f, "injected"));
}

static void
print_ports(const json_t *ports)
{
	static const struct ctl_column columns[] = {
		{ "name", "PORT", 0, 0 },
		{ "role", "ROLE", 0, 2 },
		{ "link", "LINK", 0, 0 },
		{ "rx", "RX", 0, 0 },
		{ "tx", "TX", 0, 0 },
		{ "dropped", "DROPPED", 0, 0 },
		{ "missed", "NIC MISSED", 0, 0 },
		{ "nombuf", "NO BUFFER", 0, 0 },
		{ "errors", "ERRORS", 0, 0 },
		{ "why", "DROPPED FOR", 12, 3 },
		{ 0 },
	};
	struct ctl_print *p;
	json_t *port;
	size_t i;

	if (json_array_size(ports) == 0)
		return;
	putchar('\n');
	p = ctl_print_new(stdout, CTL_TABLE, columns);
	json_array_foreach((json_t *)ports, i, port)
	{
		const json_t *dropped = json_object_get(port, "dropped");
		char why[512];
		struct ctl_value v[] = {
			ctl_text(str(port, "name", "")),
			ctl_text(str(port, "role", "")),
			ctl_text(str(port, "link", "")),
			ctl_number(CTL_K_UINT, num(port, "rx")),
			ctl_number(CTL_K_UINT, num(port, "tx")),
			ctl_number(CTL_K_UINT, sum(dropped)),
			ctl_number(CTL_K_UINT, num(port, "nic_missed")),
			ctl_number(CTL_K_UINT, num(port, "rx_nombuf")),
			ctl_number(CTL_K_UINT, num(port, "errors")),
			ctl_text(sum(dropped) ? reasons(dropped, why) : ""),
		};
		v[2].tone = strcmp(str(port, "link", "up"), "up") == 0 ? CTL_PLAIN : CTL_ALARM;
		for (unsigned k = 6; k < 9; k++)
			v[k].tone = v[k].u ? CTL_WARN : CTL_PLAIN;
		ctl_print_row(p, v);
	}
	ctl_print_end(p);
}

/* What a port leaves to the workers, and why. */
static void
print_abilities(const json_t *s)
{
	const json_t *ports = json_object_get(s, "ports"),
		     *o = json_object_get(json_object_get(s, "recorder"), "offload");
	uint64_t stopped = 0;
	bool any = false;
	json_t *port;
	size_t i;

	json_array_foreach((json_t *)ports, i, port)
	{
		const char *how = str(port, "spreading", "none"), *name = str(port, "name", "");
		if (strcmp(how, "rss") == 0)
			line("spreading", "%s: by the NIC (RSS)", name);
		else if (strcmp(how, "none") != 0)
			line("spreading", "%s: by the workers: %s", name,
			    str(port, "spreading_why", "no reason given"));
	}
	json_array_foreach((json_t *)ports, i, port)
	{
		bool takes = json_array_size(json_object_get(port, "offload_takes")) != 0;
		stopped += num(port, "offload_dropped");
		any = any || takes;
		if (json_object_get(port, "offload_takes") && !takes)
			line("offload", "%s takes no drop rules: %s", str(port, "name", ""),
			    str(port, "offload_refuses", "no reason given"));
	}
	if (any)
		line("offload",
		    "%llu dropped flows are with the NICs now, %llu frames stopped there",
		    (unsigned long long)num(o, "flows_now"), (unsigned long long)stopped);
}

static void
print_workers(const json_t *workers)
{
	static const struct ctl_column columns[] = {
		{ "id", "WORKER", 0, 0 },
		{ "cpu", "CPU", 0, 0 },
		{ "packets", "PACKETS", 0, 0 },
		{ "flows", "FLOWS NOW", 0, 0 },
		{ "inspecting", "INSPECTING", 0, 0 },
		{ "busy", "BUSY %", 0, 0 },
		{ "state", "STATE", 0, 0 },
		{ 0 },
	};
	struct ctl_print *p;
	json_t *w;
	size_t i;

	if (json_array_size(workers) == 0)
		return;
	putchar('\n');
	p = ctl_print_new(stdout, CTL_TABLE, columns);
	json_array_foreach((json_t *)workers, i, w)
	{
		double busy = json_number_value(json_object_get(w, "busy_percent"));
		bool stalled = json_is_true(json_object_get(w, "stalled"));
		bool standby = json_is_true(json_object_get(w, "standby"));
		struct ctl_value v[] = {
			ctl_number(CTL_K_UINT, num(w, "id")),
			ctl_number(CTL_K_UINT, num(w, "cpu")),
			ctl_number(CTL_K_UINT, num(w, "packets")),
			ctl_number(CTL_K_UINT, num(w, "flows_now")),
			ctl_number(CTL_K_UINT, num(w, "inspecting_now")),
			ctl_number(CTL_K_UINT, busy > 0 ? (uint64_t)(busy + 0.5) : 0),
			ctl_text(standby   ? "hangs: its frames go on uninspected"
				 : stalled ? "stalled"
					   : "well"),
		};
		v[5].tone = busy > 90 ? CTL_ALARM : busy > 70 ? CTL_WARN : CTL_PLAIN;
		v[6].tone = standby || stalled ? CTL_ALARM : CTL_PLAIN;
		ctl_print_row(p, v);
	}
	ctl_print_end(p);
}

static void
print_engine(const json_t *e)
{
	char text[512];

	putchar('\n');
	line("flows", "%llu seen, %llu matched, %llu now, %llu under inspection, %llu given up",
	    (unsigned long long)num(e, "flows_new"), (unsigned long long)num(e, "flows_matched"),
	    (unsigned long long)num(e, "flows_now"), (unsigned long long)num(e, "inspecting_now"),
	    (unsigned long long)num(e, "flows_gave_up"));
	line("names from", "%s", reasons(json_object_get(e, "names_by_source"), text));
	line("packets", "%s", reasons(json_object_get(e, "parse"), text));
	line("verdicts", "%s", reasons(json_object_get(e, "verdicts"), text));
}

/* All that was not done, by reason: where it is counted, what it means, what raises the limit. */
static const struct {
	const char *part, *key, *means;
} given_up[] = {
	{ "engine", "table_full", "packets of flows that found no room (limits.flows)" },
	{ "engine", "evicted", "flows ended early to make room for others (limits.flows)" },
	{ "engine", "inspect_full", "flows not inspected: all places taken (limits.inspecting)" },
	{ "engine", "stream_full", "flows read no further: no room to reorder (limits.stream_mb)" },
	{ "engine", "fragments_full", "fragments read singly: no room to join (limits.fragments)" },
	{ "engine", "crypto_over_budget", "QUIC hellos left unread (limits.crypto_per_ms)" },
	{ "engine", "uninspected", "packets passed on without a look, in bypass or overload" },
	{ "frames", "uninspected", "frames passed on without a look: their worker was behind" },
	{ "engine", "events_lost", "records lost on their way to the store (limits.event_mb)" },
	{ "recorder", "pending_full", "records closed before their flow (limits.pending)" },
	{ "recorder", "orphans", "ends of flows whose beginning was lost" },
	{ "recorder", "invalid", "records that made no sense" },
	{ "recorder", "rows_full", "sightings not in the inventory: it is full (limits.rows)" },
	{ "recorder", "hosts_full", "hosts not watched for speaking for others (limits.rows)" },
	{ "recorder", "records_errors", "records not written to the --records file" },
	{ "store", "lost_spool_full",
	    "records lost while the store was away (store.spool_events)" },
	{ "store", "lost_refused", "records that the store did not take" },
	{ "evidence", "lost", "frames not kept as evidence: the disk was behind" },
	{ "evidence", "errors", "evidence files that could not be written" },
	{ "frames", "inject_failed", "resets that could not be sent" },
	{ "watchdog", "stalls", "times that a worker made no round for 120 ms" },
	{ "watchdog", "takeovers", "times that a hanging worker's frames went on without it" },
	{ "watchdog", "stuck_in_driver", "times that a worker hung in a driver" },
	{ "watchdog", "shed_periods", "times that inspection was lifted for overload" },
	{ "offload", "refused", "drop rules that a NIC had no room for" },
};

static void
print_given_up(const json_t *s)
{
	const char *label = "given up";

	for (unsigned i = 0; i < sizeof(given_up) / sizeof(given_up[0]); i++) {
		const char *part = given_up[i].part;
		const json_t *o = json_object_get(s, part);
		if (strcmp(part, "evidence") == 0 || strcmp(part, "offload") == 0)
			o = json_object_get(json_object_get(s, "recorder"), part);
		uint64_t n = num(o, given_up[i].key);
		if (n == 0)
			continue;
		line(label, "%llu %s", (unsigned long long)n, given_up[i].means);
		label = "";
	}
	if (label[0] != '\0')
		line(label, "nothing");
}

static void
print_keeping(const json_t *s)
{
	const json_t *r = json_object_get(s, "recorder"), *st = json_object_get(s, "store");
	const json_t *b = json_object_get(s, "blindness"), *named = json_object_get(b, "named");
	char text[512], bytes[CTL_HUMAN_MAX];

	line("records", "%llu flows recorded, %llu still open, %llu rows in the inventory",
	    (unsigned long long)num(r, "records"), (unsigned long long)num(r, "pending_now"),
	    (unsigned long long)num(r, "rows_now"));
	if (json_is_object(st))
		line("store", "%s: %s, %llu stored, %llu queued, %llu lost%s%s",
		    str(st, "url", "?"), json_is_true(json_object_get(st, "up")) ? "up" : "DOWN",
		    (unsigned long long)num(st, "stored"), (unsigned long long)num(st, "queued"),
		    (unsigned long long)(num(st, "lost_spool_full") + num(st, "lost_refused")),
		    json_is_true(json_object_get(st, "up")) ? "" : ": ",
		    json_is_true(json_object_get(st, "up"))
			? ""
			: str(st, "last_error", "no reason given"));
	line("named", "%llu flows, %s", (unsigned long long)num(named, "flows"),
	    ctl_human_bytes(num(named, "bytes"), bytes));
	line("blind to", "%llu flows, %s%s%s", (unsigned long long)sum(json_object_get(b, "flows")),
	    ctl_human_bytes(sum(json_object_get(b, "bytes")), bytes),
	    json_object_size(json_object_get(b, "flows")) ? ": " : "",
	    json_object_size(json_object_get(b, "flows"))
		? reasons(json_object_get(b, "flows"), text)
		: "");
}

static int
run(int argc, char **argv)
{
	struct proto_client *daemon;
	struct ctl_common c;
	json_t *status;
	int code;

	ctl_common_init(&c, &ctl_verb_status);
	code = ctl_common_args(&c, argc, argv, NULL, 0, NULL);
	if (code >= 0)
		return code;
	code = ctl_daemon_open(&c, &daemon);
	if (code != CTL_OK)
		return code;
	code = ctl_daemon_call(daemon, "status", NULL, &status);
	proto_client_close(daemon);
	if (code != CTL_OK)
		return code;
	if (c.format == CTL_JSON) {
		ctl_print_json(stdout, status);
		return ctl_finish(CTL_OK);
	}
	print_head(status);
	print_frames(json_object_get(status, "frames"));
	print_ports(json_object_get(status, "ports"));
	print_abilities(status);
	print_workers(json_object_get(status, "workers"));
	print_engine(json_object_get(status, "engine"));
	print_keeping(status);
	print_given_up(status);
	json_decref(status);
	return ctl_finish(CTL_OK);
}

const struct ctl_verb ctl_verb_status = {
	.name = "status",
	.group = "run",
	.usage = "[--json]",
	.summary = "the daemon's health: ports, workers, losses, packs, store, blindness",
	.examples = "phonehome status\nphonehome status --json | jq .blindness",
	.opts = opts,
	.run = run,
};
