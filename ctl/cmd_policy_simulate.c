/* SPDX-License-Identifier: Apache-2.0 */
/* phonehome policy simulate: what a policy would have done to recorded history. */
#include <stdlib.h>
#include <string.h>

#include "ctl/packs.h"
#include "ctl/policy_text.h"
#include "ctl/policy_verbs.h"
#include "ctl/print.h"
#include "ctl/proto/json.h"
#include "ctl/seen.h"
#include "ctl/source.h"
#include "ctl/verdicts.h"
#include "signatures/base/hash.h"
#include "signatures/base/text.h"

enum { NAMES_MAX = 4, IMPACTS_MAX = 4096, TEXT_MAX = 256 };

enum simulate_opt { O_ACTION = 1 };

static const struct ctl_opt opts[] = {
	CTL_OPT_POLICY,
	{ "action", 0, "WORD", O_ACTION,
	    "without --policy: drop (default) or reset what the filters name" },
	CTL_OPTS_FILTER,
	CTL_OPTS_SOURCE,
	CTL_OPT_JSON,
	CTL_OPT_CSV,
	CTL_OPT_HELP,
	{ 0 },
};

/* What happens to one product's function under one rule. */
struct impact {
	char rule[TEXT_MAX], vendor[TEXT_MAX], country[8], product[TEXT_MAX], spared[64];
	char *names[NAMES_MAX];
	unsigned n_names;
	uint8_t function;
	bool forwarder, reset;
	uint64_t hosts, flows, bytes, last_us;
};

struct simulation {
	struct ctl_common common;
	const char *action;
	struct clf_policy *policy;
	struct impact *impacts;
	unsigned n;
	uint64_t over_limit;
	struct ctl_seen seen; /* (impact, host) pairs that were counted */
	uint64_t records, first_us, hit_flows;
};

static void
text(const struct clf_event *e, struct clf_str s, char *out, size_t cap)
{
	sig_text_escape(out, cap, clf_event_str(e, s), s.len);
}

static struct impact *
impact_of(
    struct simulation *s, const struct clf_event *e, const struct clf_policy_answer *a, bool hit)
{
	struct impact want = { .function = e->function };

	snprintf(want.rule, sizeof(want.rule), "%s", a->rule ? a->rule : "");
	text(e, e->vendor, want.vendor, sizeof(want.vendor));
	text(e, e->country, want.country, sizeof(want.country));
	text(e, e->product, want.product, sizeof(want.product));
	if (!hit)
		snprintf(want.spared, sizeof(want.spared), "%s", a->kept);
	for (unsigned i = 0; i < s->n; i++) {
		struct impact *have = &s->impacts[i];
		if (have->function == want.function && strcmp(have->rule, want.rule) == 0 &&
		    strcmp(have->product, want.product) == 0 &&
		    strcmp(have->vendor, want.vendor) == 0 &&
		    strcmp(have->spared, want.spared) == 0)
			return have;
	}
	if (s->n == IMPACTS_MAX)
		return NULL;
	s->impacts[s->n] = want;
	return &s->impacts[s->n++];
}

/* Counts the host once for this impact. */
static void
count_host(struct simulation *s, struct impact *i, const struct clf_event *e)
{
	const struct clf_addr *host = e->dst_inside && !e->src_inside ? &e->dst : &e->src;

	if (ctl_seen_add(&s->seen,
		sig_hash(host->bytes, sizeof(host->bytes), (uint64_t)(i - s->impacts) + 1)))
		i->hosts++;
}

static void
add_name(struct impact *i, const struct clf_event *e)
{
	char name[TEXT_MAX];

	text(e, e->name, name, sizeof(name));
	if (name[0] == '\0' || i->n_names == NAMES_MAX)
		return;
	for (unsigned k = 0; k < i->n_names; k++)
		if (strcmp(i->names[k], name) == 0)
			return;
	i->names[i->n_names] = strdup(name);
	i->n_names += i->names[i->n_names] != NULL;
}

/* What the rule does where nothing keeps it from it: in a policy that only monitors too. */
static bool
resets(const struct clf_policy *policy, const struct clf_policy_answer *a)
{
	for (unsigned i = 0; i < clf_policy_rule_count(policy); i++)
		if (clf_policy_rule_name(policy, i) == a->rule)
			return clf_policy_rule_resets(policy, i);
	return false;
}

static bool
on_record(void *ctx, const struct clf_event *e, const char *sensor)
{
	struct simulation *s = ctx;
	struct clf_policy_answer a;

	(void)sensor;
	if (s->records++ == 0 || e->first_us < s->first_us)
		s->first_us = e->first_us;
	ctl_policy_ask(s->policy, e, &a);
	bool hit = ctl_policy_hits(&a);
	if (!hit && !a.kept)
		return true;
	struct impact *i = impact_of(s, e, &a, hit);
	if (!i) {
		s->over_limit++;
		return true;
	}
	i->reset = resets(s->policy, &a);
	i->flows++;
	i->bytes += e->bytes[CLF_UP] + e->bytes[CLF_DOWN];
	i->forwarder |= e->forwarder_hint || (e->flags & CLF_FL_FORWARDER);
	if (e->last_us > i->last_us)
		i->last_us = e->last_us;
	s->hit_flows += hit;
	count_host(s, i, e);
	add_name(i, e);
	return true;
}

/* --- a policy made of the filters --- */

/* A word, where the others are lists. */
static bool
at_least(char yaml[static CTL_POLICY_TEXT_MAX], int confidence)
{
	size_t n = strlen(yaml);

	return snprintf(yaml + n, CTL_POLICY_TEXT_MAX - n, "      min_confidence: %s\n",
		   sig_confidence_name((unsigned)confidence)) < (int)(CTL_POLICY_TEXT_MAX - n);
}

static int
policy_of_filters(struct simulation *s)
{
	const struct store_filter *f = &s->common.filter;
	char yaml[CTL_POLICY_TEXT_MAX];

	snprintf(yaml, sizeof(yaml),
	    "format: 1\nmode: enforce\nrules:\n  - name: simulated\n    action: %s\n    state: "
	    "enforce\n    match:\n",
	    s->action);
	if (!f->vendor && !f->product && !f->country && !f->category && !f->function)
		return ctl_usage(s->common.verb, "say what to drop: --policy FILE, or --country, "
						 "--vendor, --product, --category, --function");
	if (!ctl_policy_text_list(yaml, 6, "vendor", f->vendor) ||
	    !ctl_policy_text_list(yaml, 6, "product", f->product) ||
	    !ctl_policy_text_list(yaml, 6, "country", f->country) ||
	    !ctl_policy_text_list(yaml, 6, "category", f->category) ||
	    !ctl_policy_text_list(yaml, 6, "host", f->host) ||
	    (f->function &&
		!ctl_policy_text_list(yaml, 6, "function", sig_function_name(f->function))) ||
	    (f->min_confidence && !at_least(yaml, f->min_confidence)))
		return ctl_usage(
		    s->common.verb, "a filter's value holds a character that no name has");
	return ctl_policy_text_load("filters", yaml, &s->policy);
}

/* --- output --- */

enum sim_column {
	S_RULE,
	S_VENDOR,
	S_COUNTRY,
	S_PRODUCT,
	S_FUNCTION,
	S_EFFECT,
	S_HOSTS,
	S_FLOWS,
	S_BYTES,
	S_COLLATERAL,
	S_LAST,
	S_NAMES,
	S_MAX
};
static const struct ctl_column columns[S_MAX + 1] = {
	[S_RULE] = { "rule", "RULE", 6, 4 },
	[S_VENDOR] = { "vendor", "VENDOR", 8, 0 },
	[S_COUNTRY] = { "country", "CC", 0, 0 },
	[S_PRODUCT] = { "product", "PRODUCT", 8, 0 },
	[S_FUNCTION] = { "function", "FUNCTION", 0, 0 },
	[S_EFFECT] = { "effect", "EFFECT", 0, 0 },
	[S_HOSTS] = { "hosts", "HOSTS", 0, 0 },
	[S_FLOWS] = { "flows", "FLOWS", 0, 2 },
	[S_BYTES] = { "bytes", "BYTES", 0, 5 },
	[S_COLLATERAL] = { "collateral", "COLLATERAL", 12, 0 },
	[S_LAST] = { "last_seen", "LAST SEEN", 10, 3 },
	[S_NAMES] = { "names", "NAMES", 16, 1 },
};

/* What else goes with it: why an engineer should look twice. */
static const char *
collateral(const struct impact *i)
{
	if (i->spared[0])
		return NULL;
	if (i->function == SIG_FN_PORTAL)
		return "people reading the vendor's pages";
	if (i->function == SIG_FN_MIXED)
		return "one name serves several functions";
	if (i->function == SIG_FN_UPDATE)
		return "protection goes stale: updates";
	if (i->function == SIG_FN_MANAGEMENT || i->function == SIG_FN_TUNNEL)
		return "the product stops being managed";
	return i->forwarder ? "a forwarder speaks for other hosts" : NULL;
}

static int
by_hosts(const void *pa, const void *pb)
{
	const struct impact *a = pa, *b = pb;

	if (!a->spared[0] != !b->spared[0])
		return a->spared[0] ? 1 : -1;
	if (a->hosts != b->hosts)
		return a->hosts > b->hosts ? -1 : 1;
	return strcmp(a->product, b->product);
}

static void
print_impacts(struct simulation *s)
{
	struct ctl_print *p = ctl_print_new(stdout, s->common.format, columns);
	char effect[96], since[CTL_HUMAN_MAX];

	qsort(s->impacts, s->n, sizeof(*s->impacts), by_hosts);
	for (unsigned k = 0; k < s->n; k++) {
		struct impact *i = &s->impacts[k];
		struct ctl_value v[S_MAX];
		snprintf(effect, sizeof(effect), "%s%s",
		    i->spared[0] ? "spared: "
		    : i->reset	 ? "would-reset"
				 : "would-drop",
		    i->spared);
		v[S_RULE] = ctl_text(i->rule);
		v[S_VENDOR] = ctl_fact(i->vendor);
		v[S_COUNTRY] = ctl_text(i->country);
		v[S_PRODUCT] = ctl_fact(i->product);
		v[S_FUNCTION] = ctl_text(i->function ? sig_function_name(i->function) : NULL);
		v[S_EFFECT] = ctl_text(effect);
		v[S_EFFECT].tone = i->spared[0] ? CTL_DIM : CTL_WARN;
		v[S_HOSTS] = ctl_number(CTL_K_UINT, i->hosts);
		v[S_FLOWS] = ctl_number(CTL_K_UINT, i->flows);
		v[S_BYTES] = ctl_number(CTL_K_BYTES, i->bytes);
		v[S_COLLATERAL] = ctl_text(collateral(i));
		v[S_LAST] = ctl_number(CTL_K_TIME, i->last_us);
		v[S_NAMES] = (struct ctl_value){ .kind = CTL_K_LIST };
		v[S_NAMES].list.item = i->names;
		v[S_NAMES].list.n = i->n_names;
		ctl_print_row(p, v);
	}
	ctl_print_end(p);
	fflush(stdout);
	if (s->common.format == CTL_TABLE)
		fprintf(stderr, "%llu of %llu recorded flows (since %s) would have been stopped\n",
		    (unsigned long long)s->hit_flows, (unsigned long long)s->records,
		    s->records ? ctl_human_time(s->first_us, since) : "never");
	if (s->over_limit)
		ctl_note("%llu flows are not in the table: more than %u lines",
		    (unsigned long long)s->over_limit, IMPACTS_MAX);
}

static int
simulate(struct simulation *s)
{
	struct ctl_source *source;
	char after[64] = "";
	struct store_filter span = {
		.sensor = s->common.filter.sensor,
		.since_us = s->common.filter.since_us,
		.until_us = s->common.filter.until_us,
		.host = s->common.filter.host,
		.forwarders = true,
	};
	int code = s->common.policy ? ctl_policy_load(s->common.policy, NULL, &s->policy)
				    : policy_of_filters(s);

	if (code != CTL_OK)
		return code;
	if (s->common.policy) { /* else they are the rule */
		span = s->common.filter;
		span.forwarders = true;
	}
	code = ctl_source_open(&s->common, CTL_WANT_ANY, &source);
	if (code != CTL_OK)
		return code;
	code = ctl_source_records(source, &span, after, on_record, s);
	ctl_source_close(source);
	print_impacts(s);
	if (s->n == 0 && code == CTL_OK && s->common.format == CTL_TABLE) {
		ctl_note_unknown(NULL, s->common.filter.vendor, false);
		ctl_note_unknown(NULL, s->common.filter.product, false);
	}
	return code;
}

static int
take_option(void *ctx, int id, const char *value)
{
	struct simulation *s = ctx;

	if (id == O_ACTION) {
		s->action = value;
		if (strcmp(value, "drop") == 0 || strcmp(value, "reset") == 0)
			return -1;
		return ctl_usage(s->common.verb, "--action %s: drop or reset", value);
	}
	if (s->common.policy)
		return ctl_usage(s->common.verb, "one policy at a time, not also %s", value);
	s->common.policy = value;
	return -1;
}

static int
run(int argc, char **argv)
{
	struct simulation s = { .action = "drop" };

	ctl_common_init(&s.common, &ctl_verb_policy_simulate);
	int code = ctl_args_read(&s.common, argc, argv, take_option, &s);
	if (code >= 0)
		return code;
	s.impacts = calloc(IMPACTS_MAX, sizeof(*s.impacts));
	if (!s.impacts) {
		ctl_error("out of memory");
		return CTL_FAILED;
	}
	code = simulate(&s);
	for (unsigned i = 0; i < s.n; i++)
		for (unsigned k = 0; k < s.impacts[i].n_names; k++)
			free(s.impacts[i].names[k]);
	free(s.impacts);
	ctl_seen_free(&s.seen);
	clf_policy_free(s.policy);
	return ctl_finish(code);
}

const struct ctl_verb ctl_verb_policy_simulate = {
	.name = "policy simulate",
	.usage = "POLICY | --country CC | --vendor NAME | --function NAME ... [--since 7d]",
	.summary = "what dropping would have hit: hosts, products, names, collateral",
	.about = "Runs recorded flows through the policy's own code, as if it were enforced. "
		 "Without a policy the\n"
		 "filters are the rule: what they name is dropped; with one they say which flows "
		 "it is asked about. A list goes with commas: "
		 "--country US,IL.\n"
		 "Lines marked `spared` match a rule but are never dropped (guesses, ambiguous "
		 "flows, shared\n"
		 "infrastructure).",
	.examples = "phonehome policy simulate --country US --function telemetry\n"
		    "phonehome policy simulate --vendor crowdstrike --since 7d\n"
		    "phonehome policy simulate new-policy.yaml --since 30d --json",
	.opts = opts,
	.run = run,
};
