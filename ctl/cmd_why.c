/* SPDX-License-Identifier: Apache-2.0 */
/* phonehome why: the evidence behind a host or a flow, step by step. */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "ctl/packs.h"
#include "ctl/print.h"
#include "ctl/proto/filter.h"
#include "ctl/proto/json.h"
#include "ctl/source.h"
#include "ctl/verbs.h"
#include "signatures/base/text.h"

enum { FLOWS_MAX = 32, SIGNATURES_MAX = 1024, TEXT_MAX = 1100 };

static const struct ctl_opt opts[] = {
	CTL_OPTS_FILTER,
	CTL_OPT_LIMIT,
	CTL_OPT_PACKS,
	CTL_OPTS_SOURCE,
	CTL_OPT_JSON,
	CTL_OPT_HELP,
	{ 0 },
};

struct why {
	struct ctl_common common;
	const char *what;
	char src[80], dst[80]; /* "ip:port" ends of a flow; "" any */
	bool is_host, is_flow; /* else a name */
	struct clf_event
	    *kept;	/* the newest of each signature, for a host; the newest, for a flow */
	char **sensors; /* of each */
	unsigned n, max;
	struct store_row *rows;
	unsigned n_rows, cap_rows;
	struct ctl_print *json; /* NULL: text */
};

/* --- which records --- */

static void
end_text(const struct clf_event *e, bool dst, char out[static 80])
{
	char ip[INET6_ADDRSTRLEN];

	proto_addr_text(e, dst, ip);
	snprintf(
	    out, 80, e->ip_version == 6 ? "[%s]:%u" : "%s:%u", ip, dst ? e->dst_port : e->src_port);
}

static bool
name_is(const struct clf_event *e, const char *want)
{
	size_t len = strlen(want);
	char name[TEXT_MAX];

	len -= len > 1 && want[len - 1] == '.'; /* the root's, as resolvers write it */
	for (unsigned i = 0; i <= e->n_names && i <= CLF_NAMES_MAX; i++) {
		struct clf_str s = i < e->n_names ? e->names[i] : e->name;
		sig_text_escape(name, sizeof(name), clf_event_str(e, s), s.len);
		if (strlen(name) == len && strncasecmp(name, want, len) == 0)
			return true;
	}
	return false;
}

static bool
asked_for(const struct why *w, const struct clf_event *e)
{
	char src[80], dst[80];

	if (w->is_host)
		return e->signature.len > 0;
	if (!w->is_flow)
		return name_is(e, w->what);
	end_text(e, false, src);
	end_text(e, true, dst);
	if (w->dst[0] == '\0')
		return strcmp(w->src, src) == 0 || strcmp(w->src, dst) == 0;
	return (strcmp(w->src, src) == 0 && strcmp(w->dst, dst) == 0) ||
	       (strcmp(w->src, dst) == 0 && strcmp(w->dst, src) == 0);
}

static bool
same_signature(const struct clf_event *a, const struct clf_event *b)
{
	return a->signature.len == b->signature.len &&
	       memcmp(clf_event_str(a, a->signature), clf_event_str(b, b->signature),
		   a->signature.len) == 0;
}

static bool
on_record(void *ctx, const struct clf_event *e, const char *sensor)
{
	struct why *w = ctx;
	unsigned at = 0;

	if (!asked_for(w, e))
		return true;
	while (at < w->n && !(w->is_host && same_signature(&w->kept[at], e)))
		at++;
	if (at == w->max) { /* full: the oldest goes */
		free(w->sensors[0]);
		memmove(w->kept, w->kept + 1, (w->max - 1) * sizeof(*w->kept));
		memmove(w->sensors, w->sensors + 1, (w->max - 1) * sizeof(w->sensors[0]));
		at = w->max - 1;
		w->n--;
		w->sensors[at] = NULL;
	}
	if (at < w->n)
		free(w->sensors[at]);
	else
		w->n++;
	memcpy(&w->kept[at], e, sizeof(*e));
	w->sensors[at] = sensor ? strdup(sensor) : NULL;
	return true;
}

/* --- telling it --- */

static const char *
show(const struct clf_event *e, struct clf_str s, char out[static TEXT_MAX])
{
	sig_text_escape(out, TEXT_MAX, clf_event_str(e, s), s.len);
	return out;
}

/* Why it is as sure as it says: the evidence alone, or the pack, which may be less sure. */
static const char *
sure_because(const struct clf_event *e)
{
	static const char *const why[SIG_CONF_MAX] = {
		[SIG_CONF_GUESS] = "a port alone or nDPI's guess; never acted on",
		[SIG_CONF_INFERRED] =
		    "from a DNS answer to this client, or the vendor's published addresses",
		[SIG_CONF_STRONG] =
		    "a certificate, a payload pattern or a fingerprint of the product",
		[SIG_CONF_CERTAIN] = "the name itself was read in the flow",
	};

	unsigned confidence = e->confidence;

	for (unsigned i = 0; i < e->n_evidence && i < CLF_EVIDENCE_MAX; i++)
		if (sig_field_grade(e->evidence[i].field) > confidence)
			return "what was read is surer than that, the pack's signature is not";
	return confidence < SIG_CONF_MAX && why[confidence] ? why[confidence] : "no evidence";
}

static void
tell_evidence(const struct clf_event *e, unsigned *step)
{
	char value[PROTO_EVIDENCE_MAX];

	if (e->n_evidence == 0 && e->name.len > 0)
		printf("  %u. the name %s was read (%s)\n", (*step)++, show(e, e->name, value),
		    sig_field_name(e->name_source));
	for (unsigned i = 0; i < e->n_evidence && i < CLF_EVIDENCE_MAX; i++) {
		const struct clf_evidence *ev = &e->evidence[i];
		proto_evidence_text(e, ev, value);
		printf("  %u. packet %u of the flow showed %s = %s\n", (*step)++, ev->packet,
		    sig_field_name(ev->field), value);
	}
}

/* What the pack itself adds: source and traps. Packs are optional here. */
static void
tell_source(const struct sig_ruleset *rules, const char *id)
{
	for (uint32_t i = 1; rules && i <= sig_ruleset_count(rules); i++) {
		const struct sig_info *info = sig_ruleset_info(rules, i);
		if (strcmp(info->id, id) != 0)
			continue;
		printf("     source: %s, reviewed %s\n", info->source ? info->source : "not said",
		    info->reviewed ? info->reviewed : "never");
		if (info->note)
			printf("     note: %s\n", info->note);
		return;
	}
}

static void
tell_signature(const struct clf_event *e, const struct sig_ruleset *rules, unsigned *step)
{
	char id[TEXT_MAX], version[TEXT_MAX], vendor[TEXT_MAX], product[TEXT_MAX],
	    country[TEXT_MAX];
	char other[TEXT_MAX];

	if (e->signature.len == 0) {
		printf("  %u. no signature matched%s%s\n", (*step)++,
		    e->blind ? "; it could not be named: " : "",
		    e->blind ? clf_blind_name(e->blind) : "");
		return;
	}
	show(e, e->signature, id);
	char *said = ctl_product_shown(show(e, e->vendor, vendor), show(e, e->product, product));
	printf("  %u. signature %s (pack %s) says: %s, %s, seat %s\n", (*step)++, id,
	    show(e, e->pack_version, version), said ? said : "?", sig_function_name(e->function),
	    show(e, e->country, country));
	free(said);
	tell_source(rules, id);
	for (unsigned i = 0; i < e->n_others && i < CLF_OTHERS_MAX; i++)
		printf("     also matched, and lost: %s\n", show(e, e->others[i], other));
	printf("  %u. that is %s: %s\n", (*step)++, sig_confidence_name(e->confidence),
	    sure_because(e));
}

static void
tell_verdict(const struct clf_event *e, unsigned *step)
{
	char rule[TEXT_MAX];
	bool any = false;

	for (unsigned bit = 0; bit < 32; bit++)
		if ((e->flags & (1u << bit)) && clf_flag_name(bit)) {
			printf("%s%s", any ? ", " : "     flags: ", clf_flag_name(bit));
			any = true;
		}
	if (any)
		putchar('\n');
	printf("  %u. verdict %s", (*step)++, clf_verdict_name(e->verdict));
	if (e->rule.len > 0)
		printf(", by rule %s", show(e, e->rule, rule));
	putchar('\n');
}

static void
tell(const struct clf_event *e, const char *sensor, const struct sig_ruleset *rules)
{
	char src[80], dst[80], when[CTL_HUMAN_MAX];
	const char *transport = proto_transport_name(e->protocol);
	unsigned step = 1;

	end_text(e, false, src);
	end_text(e, true, dst);
	printf("%s -> %s %s, %s%s%s\n", src, dst, transport ? transport : "ip",
	    ctl_human_time(e->first_us, when), sensor ? ", seen by " : "", sensor ? sensor : "");
	tell_evidence(e, &step);
	tell_signature(e, rules, &step);
	tell_verdict(e, &step);
	putchar('\n');
}

/* Rows outlive records: what is left to say when the flows themselves are gone. */
static void
tell_row(const struct store_row *row)
{
	char first[CTL_HUMAN_MAX], last[CTL_HUMAN_MAX];
	char *product = ctl_product_shown(row->vendor, row->product);

	ctl_human_time(row->first_seen_us, first);
	ctl_human_time(row->last_seen_us, last);
	bool once = strcmp(first, last) == 0;
	printf("%s %s %s (%s), %s: %llu flow%s %s %s%s%s, %s, by signature %s%s\n", row->host,
	    row->function == SIG_FN_PORTAL ? "runs nothing by that: somebody there reads pages of"
					   : "runs",
	    product ? product : "?", row->country ? row->country : "?",
	    sig_function_name(row->function), (unsigned long long)row->flows,
	    row->flows == 1 ? "" : "s", once ? "at" : "from", first, once ? "" : " to ",
	    once ? "" : last, sig_confidence_name(row->confidence),
	    row->signature ? row->signature : "?",
	    row->forwarder ? "; it speaks for other hosts (forwarder)" : "");
	free(product);
	if (row->dns_only)
		printf(
		    "     only DNS questions were seen: it asked for the name, no more is known\n");
	for (unsigned i = 0; i < row->n_names; i++)
		printf("     %s\n", row->names[i]);
}

static bool
on_row(void *ctx, const struct store_row *row)
{
	struct why *w = ctx;

	if (w->n_rows == w->cap_rows) {
		unsigned cap = w->cap_rows ? w->cap_rows * 2 : 64;
		struct store_row *more = reallocarray(w->rows, cap, sizeof(*more));
		if (!more)
			return false;
		w->rows = more;
		w->cap_rows = cap;
	}
	if (store_row_copy(row, &w->rows[w->n_rows]) < 0)
		return false;
	w->n_rows++;
	return true;
}

/* One order, wherever the rows come from. */
static int
by_product(const void *pa, const void *pb)
{
	const struct store_row *a = pa, *b = pb;
	int c = ctl_host_compare(a->host, b->host);

	c = c ? c : strcmp(a->vendor_id ? a->vendor_id : "", b->vendor_id ? b->vendor_id : "");
	c = c ? c : strcmp(a->product_id ? a->product_id : "", b->product_id ? b->product_id : "");
	c = c ? c : (int)a->function - (int)b->function;
	return c ? c : strcmp(a->sensor ? a->sensor : "", b->sensor ? b->sensor : "");
}

static void
tell_rows(struct why *w)
{
	if (w->n_rows > 0)
		qsort(w->rows, w->n_rows, sizeof(*w->rows), by_product);
	for (unsigned i = 0; i < w->n_rows; i++) {
		if (w->json)
			ctl_print_object(w->json, proto_row_json(&w->rows[i]), NULL);
		else
			tell_row(&w->rows[i]);
		store_row_free(&w->rows[i]);
	}
	free(w->rows);
	if (w->n_rows > 0 && !w->json)
		putchar('\n');
}

/* --- the argument --- */

/* "10.1.2.3:443", "[2001:db8::1]:443", however spelled: as end_text() spells it. */
static bool
is_end(const char *s, char out[static 80])
{
	char ip[64], *end;
	const char *colon = strrchr(s, ':');
	size_t n = colon ? (size_t)(colon - s) : 0;
	bool six = s[0] == '[';
	uint8_t addr[16];

	if (!colon || n < 2 || n >= sizeof(ip) || colon[1] < '0' || colon[1] > '9')
		return false;
	unsigned long port = strtoul(colon + 1, &end, 10);
	if (*end || port > 65535 || (six && s[n - 1] != ']'))
		return false;
	snprintf(ip, sizeof(ip), "%.*s", (int)n - 2 * six, s + six);
	if (inet_pton(six ? AF_INET6 : AF_INET, ip, addr) != 1 ||
	    !inet_ntop(six ? AF_INET6 : AF_INET, addr, ip, sizeof(ip)))
		return false;
	snprintf(out, 80, six ? "[%s]:%lu" : "%s:%lu", ip, port);
	return true;
}

static void
understand(struct why *w)
{
	const char *dash;
	char first[80];

	w->is_host = proto_host_ok(w->what);
	if (w->is_host) {
		w->common.filter.host = w->what;
		return;
	}
	dash = strchr(w->what, '-');
	if (is_end(w->what, w->src)) {
		w->is_flow = true;
	} else if (dash && (size_t)(dash - w->what) < sizeof(first)) {
		snprintf(first, sizeof(first), "%.*s", (int)(dash - w->what), w->what);
		w->is_flow = is_end(first, w->src) && is_end(dash + 1, w->dst);
	}
}

static int
answer(struct why *w, struct ctl_source *source)
{
	struct sig_ruleset *rules = NULL;
	char after[64] = "";
	struct store_filter f = w->common.filter;

	f.limit = 0;
	f.forwarders = true;
	if (w->common.format == CTL_JSON)
		w->json = ctl_print_new(stdout, CTL_JSON, (const struct ctl_column[]){ { 0 } });
	int code = ctl_source_records(source, &f, after, on_record, w);
	if (code == CTL_OK && w->is_host)
		code = ctl_source_rows(source, &f, on_row, w);
	tell_rows(w);
	if (w->n > 0 && w->common.format == CTL_TABLE)
		(void)ctl_packs_load(w->common.packs, &rules);
	for (unsigned i = 0; i < w->n; i++) {
		if (w->json)
			ctl_print_object(
			    w->json, proto_record_json(&w->kept[i], w->sensors[i]), NULL);
		else
			tell(&w->kept[i], w->sensors[i], rules);
		free(w->sensors[i]);
	}
	if (w->json)
		ctl_print_end(w->json);
	if (w->n + w->n_rows == 0 && code == CTL_OK) {
		ctl_error("%s: nothing is known of %s", ctl_source_name(source), w->what);
		code = CTL_FAILED;
	}
	sig_ruleset_free(rules);
	return code;
}

static int
run(int argc, char **argv)
{
	struct why w = { .n = 0 };
	struct ctl_source *source;
	unsigned n;

	ctl_common_init(&w.common, &ctl_verb_why);
	int code = ctl_common_args(&w.common, argc, argv, &w.what, 1, &n);
	if (code >= 0)
		return code;
	if (n == 0)
		return ctl_usage(w.common.verb,
		    "name a host (10.1.2.3), a flow (10.1.2.3:50123) or a host name");
	understand(&w);
	w.max = w.is_host ? SIGNATURES_MAX : FLOWS_MAX;
	if (w.common.filter.limit > 0 && w.common.filter.limit < w.max)
		w.max = (unsigned)w.common.filter.limit;
	w.kept = calloc(w.max, sizeof(*w.kept));
	w.sensors = calloc(w.max, sizeof(*w.sensors));
	if (!w.kept || !w.sensors) {
		free(w.kept);
		ctl_error("out of memory");
		return CTL_FAILED;
	}
	code = ctl_source_open(&w.common, CTL_WANT_ANY, &source);
	if (code == CTL_OK) {
		code = answer(&w, source);
		ctl_source_close(source);
	}
	free(w.kept);
	free(w.sensors);
	return ctl_finish(code);
}

const struct ctl_verb ctl_verb_why = {
	.name = "why",
	.group = "look",
	.usage = "HOST | IP:PORT | IP:PORT-IP:PORT | NAME",
	.summary = "the evidence behind a host, a flow or a name, step by step",
	.about =
	    "For a host: its inventory and the newest flow of each signature. For a flow or a "
	    "name: the newest such flows. What the packs say of the signature (source, traps) "
	    "is added. With --json one list: of a host the rows as `report --json` gives them, "
	    "then flow records.",
	.examples = "phonehome why 10.1.2.3\n"
		    "phonehome why 10.1.2.3:50123\n"
		    "phonehome why 10.1.2.3:50123-203.0.113.7:443\n"
		    "phonehome why ts01-b.cloudsink.net --since 1d",
	.opts = opts,
	.run = run,
};
