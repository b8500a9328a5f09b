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

/* "reason 3, other 2" of an object of numbers; zeroes left out. */
static const char *
reasons(const json_t *o, char out[static 512])
{
	const char *key;
	json_t *v;
	size_t n = 0;

	out[0] = '\0';
	json_object_foreach((json_t *)o, key, v) if (json_integer_value(v) > 0 && n < 512)
	    n += (size_t)snprintf(out + n, 512 - n, "%s%s %lld", n ? ", " : "", key,
		(long long)json_integer_value(v));
	return out;
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

	line("phonehomed", "%s, sensor %s, %s, up %s", str(s, "version", "?"),
	    str(s, "sensor", "?"),
	    json_is_true(json_object_get(s, "ready")) ? "ready" : "not ready",
	    ctl_human_span(num(s, "uptime_s"), up));
	line("mode", "%s%s", str(s, "mode", "?"),
	    json_is_true(json_object_get(s, "bypass")) ? ", BYPASS: nothing is inspected" : "");
	line("packs", "%llu signatures of %llu vendors, %s, digest %.12s",
	    (unsigned long long)num(packs, "signatures"), (unsigned long long)num(packs, "vendors"),
	    str(packs, "origin", "?"), str(packs, "digest", "?"));
	line("policy", "%llu rules, digest %.12s", (unsigned long long)num(policy, "rules"),
	    str(policy, "digest", "?"));
}

static void
print_ports(const json_t *ports)
{
	static const struct ctl_column columns[] = {
		{ "name", "PORT", 0, 0 },
		{ "role", "ROLE", 0, 0 },
		{ "rx", "RX", 0, 0 },
		{ "tx", "TX", 0, 0 },
		{ "dropped", "DROPPED", 0, 0 },
		{ "missed", "NIC MISSED", 0, 0 },
		{ "nombuf", "NO MBUF", 0, 0 },
		{ "errors", "ERRORS", 0, 0 },
		{ "why", "DROPPED FOR", 0, 0 },
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
			ctl_number(CTL_K_UINT, num(port, "rx")),
			ctl_number(CTL_K_UINT, num(port, "tx")),
			ctl_number(CTL_K_UINT, sum(dropped)),
			ctl_number(CTL_K_UINT, num(port, "nic_missed")),
			ctl_number(CTL_K_UINT, num(port, "rx_nombuf")),
			ctl_number(CTL_K_UINT, num(port, "errors")),
			ctl_text(reasons(dropped, why)),
		};
		for (unsigned k = 5; k < 8; k++)
			v[k].tone = v[k].u ? CTL_WARN : CTL_PLAIN;
		ctl_print_row(p, v);
	}
	ctl_print_end(p);
}

static void
print_workers(const json_t *workers)
{
	static const struct ctl_column columns[] = {
		{ "id", "WORKER", 0, 0 },
		{ "lcore", "LCORE", 0, 0 },
		{ "packets", "PACKETS", 0, 0 },
		{ "flows", "FLOWS NOW", 0, 0 },
		{ "inspecting", "INSPECTING", 0, 0 },
		{ "busy", "BUSY %", 0, 0 },
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
		struct ctl_value v[] = {
			ctl_number(CTL_K_UINT, num(w, "id")),
			ctl_number(CTL_K_UINT, num(w, "lcore")),
			ctl_number(CTL_K_UINT, num(w, "packets")),
			ctl_number(CTL_K_UINT, num(w, "flows_now")),
			ctl_number(CTL_K_UINT, num(w, "inspecting_now")),
			ctl_number(CTL_K_UINT, busy > 0 ? (uint64_t)(busy + 0.5) : 0),
		};
		v[5].tone = busy > 90 ? CTL_ALARM : busy > 70 ? CTL_WARN : CTL_PLAIN;
		ctl_print_row(p, v);
	}
	ctl_print_end(p);
}

static void
print_engine(const json_t *e)
{
	char text[512];

	putchar('\n');
	line("flows", "%llu seen, %llu matched, %llu now, %llu under inspection, %llu gave up",
	    (unsigned long long)num(e, "flows_new"), (unsigned long long)num(e, "flows_matched"),
	    (unsigned long long)num(e, "flows_now"), (unsigned long long)num(e, "inspecting_now"),
	    (unsigned long long)num(e, "flows_gave_up"));
	line("names", "%s", reasons(json_object_get(e, "names_by_source"), text));
	line("frames", "%s", reasons(json_object_get(e, "parse"), text));
	line("verdicts", "%s", reasons(json_object_get(e, "verdicts"), text));
	line("limits",
	    "flow table full %llu, inspection full %llu, streams full %llu, fragments full %llu, "
	    "crypto over budget %llu, evicted %llu, uninspected %llu, events lost %llu",
	    (unsigned long long)num(e, "table_full"), (unsigned long long)num(e, "inspect_full"),
	    (unsigned long long)num(e, "stream_full"), (unsigned long long)num(e, "fragments_full"),
	    (unsigned long long)num(e, "crypto_over_budget"), (unsigned long long)num(e, "evicted"),
	    (unsigned long long)num(e, "uninspected"), (unsigned long long)num(e, "events_lost"));
}

static void
print_keeping(const json_t *s)
{
	const json_t *r = json_object_get(s, "recorder"), *st = json_object_get(s, "store");
	const json_t *b = json_object_get(s, "blindness"), *named = json_object_get(b, "named");
	char text[512], bytes[CTL_HUMAN_MAX];

	line("recorder",
	    "%llu events, %llu records, %llu rows, %llu pending; rows full %llu, orphans %llu",
	    (unsigned long long)num(r, "events"), (unsigned long long)num(r, "records"),
	    (unsigned long long)num(r, "rows_now"), (unsigned long long)num(r, "pending_now"),
	    (unsigned long long)num(r, "rows_full"), (unsigned long long)num(r, "orphans"));
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
	    reasons(json_object_get(b, "flows"), text));
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
	print_ports(json_object_get(status, "ports"));
	print_workers(json_object_get(status, "workers"));
	print_engine(json_object_get(status, "engine"));
	print_keeping(status);
	json_decref(status);
	return ctl_finish(CTL_OK);
}

const struct ctl_verb ctl_verb_status = {
	.name = "status",
	.group = "run",
	.usage = "[--json]",
	.summary = "the daemon's health: ports, workers, losses by reason, packs, store, blindness",
	.examples = "phonehome status\nphonehome status --json | jq .blindness",
	.opts = opts,
	.run = run,
};
