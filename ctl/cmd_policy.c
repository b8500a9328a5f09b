/* SPDX-License-Identifier: Apache-2.0 */
/* phonehome policy check|show|test|simulate: what the policy says, before it says it on the wire.
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/packs.h"
#include "ctl/policy_verbs.h"
#include "ctl/print.h"
#include "ctl/proto/json.h"
#include "ctl/source.h"
#include "ctl/verdicts.h"
#include "ctl/verbs.h"
#include "signatures/base/text.h"

static const char *
mode_name(enum clf_mode mode)
{
	static const char *const names[] = { "monitor", "shadow", "enforce" };

	return names[mode];
}

/* --- check --- */

static const struct ctl_opt check_opts[] = { CTL_OPT_PACKS, CTL_OPT_JSON, CTL_OPT_HELP, { 0 } };

static void
say_good(const char *file, const struct clf_policy *policy)
{
	unsigned rules = clf_policy_rule_count(policy), groups = clf_policy_group_count(policy);
	char *name = proto_printable(file);

	printf("%s: good: %u rule%s, %u group%s, mode %s\n", name ? name : "?", rules,
	    rules == 1 ? "" : "s", groups, groups == 1 ? "" : "s",
	    mode_name(clf_policy_mode(policy)));
	free(name);
}

static int
check_run(int argc, char **argv)
{
	struct ctl_common c;
	struct clf_policy *policy;
	struct sig_ruleset *rules = NULL;
	const char *file = NULL;
	unsigned n;

	ctl_common_init(&c, &ctl_verb_policy_check);
	int code = ctl_common_args(&c, argc, argv, &file, 1, &n);
	if (code >= 0)
		return code;
	if (n == 0)
		return ctl_usage(c.verb, "name the policy file");
	code = ctl_packs_load(c.packs, &rules);
	if (code == CTL_OK)
		code = ctl_policy_load(file, rules, &policy);
	if (code == CTL_OK) {
		if (c.format == CTL_JSON)
			ctl_print_json(stdout,
			    json_pack("{s:s, s:s, s:i, s:i}", "digest", clf_policy_digest(policy),
				"mode", mode_name(clf_policy_mode(policy)), "rules",
				(int)clf_policy_rule_count(policy), "groups",
				(int)clf_policy_group_count(policy)));
		else
			say_good(file, policy);
		clf_policy_free(policy);
	}
	sig_ruleset_free(rules);
	return ctl_finish(code);
}

const struct ctl_verb ctl_verb_policy_check = {
	.name = "policy check",
	.usage = "FILE",
	.summary = "is the file good: syntax, words, names that no pack knows",
	.examples = "phonehome policy check /etc/phonehome/policy.yaml",
	.opts = check_opts,
	.run = check_run,
};

/* --- show --- */

static const struct ctl_opt show_opts[] = { CTL_OPT_SOCKET, CTL_OPT_JSON, CTL_OPT_HELP, { 0 } };
static const struct ctl_column rule_columns[] = {
	{ "name", "RULE", 0, 0 },
	{ "hits", "HITS", 0, 0 },
	{ 0 },
};

/* The reply's shape, from a file: hits are only the daemon's to know. */
static json_t *
policy_of_file(const char *file)
{
	struct clf_policy *policy;
	json_t *rules = json_array(), *o;

	if (ctl_policy_load(file, NULL, &policy) != CTL_OK) {
		json_decref(rules);
		return NULL;
	}
	for (unsigned i = 0; i < clf_policy_rule_count(policy); i++)
		json_array_append_new(
		    rules, json_pack("{s:s}", "name", clf_policy_rule_name(policy, i)));
	o = json_pack("{s:s, s:s, s:o}", "digest", clf_policy_digest(policy), "mode",
	    mode_name(clf_policy_mode(policy)), "rules", rules);
	clf_policy_free(policy);
	return o;
}

static void
show(const json_t *policy)
{
	const char *mode = json_string_value(json_object_get(policy, "mode"));
	const char *digest = json_string_value(json_object_get(policy, "digest"));
	struct ctl_print *p;
	json_t *rule;
	size_t i;

	printf("mode %s, digest %.16s\n\n", mode ? mode : "?", digest ? digest : "?");
	p = ctl_print_new(stdout, CTL_TABLE, rule_columns);
	json_array_foreach(json_object_get(policy, "rules"), i, rule)
	{
		const json_t *hits = json_object_get(rule, "hits");
		struct ctl_value v[] = {
			ctl_text(json_string_value(json_object_get(rule, "name"))),
			ctl_number(
			    hits ? CTL_K_UINT : CTL_K_NONE, (uint64_t)json_integer_value(hits)),
		};
		ctl_print_row(p, v);
	}
	if (ctl_print_end(p) == 0)
		puts("no rules: everything is reported, nothing is dropped");
}

static int
show_run(int argc, char **argv)
{
	struct ctl_common c;
	struct proto_client *daemon;
	json_t *policy = NULL;
	const char *file = NULL;
	unsigned n;

	ctl_common_init(&c, &ctl_verb_policy_show);
	int code = ctl_common_args(&c, argc, argv, &file, 1, &n);
	if (code >= 0)
		return code;
	if (n == 1) {
		policy = policy_of_file(file);
		code = policy ? CTL_OK : CTL_USAGE;
	} else {
		code = ctl_daemon_open(&c, &daemon);
		if (code == CTL_OK) {
			code = ctl_daemon_call(daemon, "policy", NULL, &policy);
			proto_client_close(daemon);
		}
	}
	if (code != CTL_OK)
		return code;
	if (c.format == CTL_JSON) {
		ctl_print_json(stdout, policy);
	} else {
		show(policy);
		json_decref(policy);
	}
	return ctl_finish(CTL_OK);
}

const struct ctl_verb ctl_verb_policy_show = {
	.name = "policy show",
	.usage = "[FILE]",
	.summary = "the running daemon's rules and their hits; or a file's rules",
	.examples = "phonehome policy show\nphonehome policy show policy.yaml",
	.opts = show_opts,
	.run = show_run,
};

/* --- test --- */

enum test_opt { O_NAME = 1, O_OUTSIDE, O_PORT, O_PROTOCOL, O_VLAN, O_AT, O_AMBIGUOUS };

static const struct ctl_opt test_opts[] = {
	CTL_OPT_POLICY,
	CTL_OPT_PACKS,
	{ "name", 0, "HOSTNAME", O_NAME, "the host name that the flow asks for" },
	{ "host", 'H', "ADDR", CTL_O_HOST, "the inside host (default 10.0.0.1)" },
	{ "outside", 0, "ADDR", O_OUTSIDE, "the server (default 192.0.2.1)" },
	{ "port", 0, "N", O_PORT, "the server's port (default 443)" },
	{ "protocol", 0, "NAME", O_PROTOCOL, "tcp (default), udp" },
	{ "vlan", 0, "N", O_VLAN, "VLAN id" },
	{ "at", 0, "WHEN", O_AT, "when (default now)" },
	{ "confidence", 0, "GRADE", CTL_O_CONFIDENCE,
	    "how sure the match is (default: what a name in TLS gives)" },
	{ "ambiguous", 0, NULL, O_AMBIGUOUS, "the flow has two honest readings" },
	CTL_OPT_JSON,
	CTL_OPT_HELP,
	{ 0 },
};

struct test {
	struct ctl_common common;
	const char *name, *outside;
	unsigned long port, vlan;
	int protocol;
	uint64_t at_us;
	uint32_t flags;
};

static bool
number(const char *s, unsigned long max, unsigned long *ret)
{
	char *end;
	unsigned long v = strtoul(s, &end, 10);

	if (*s < '0' || *s > '9' || *end || v > max)
		return false;
	*ret = v;
	return true;
}

static int
test_option(void *ctx, int id, const char *value)
{
	struct test *t = ctx;
	const struct ctl_verb *verb = t->common.verb;

	switch (id) {
	case O_NAME:
	case CTL_POSITIONAL: t->name = value; return -1;
	case O_OUTSIDE: t->outside = value; return -1;
	case O_AMBIGUOUS: t->flags |= CLF_FL_AMBIGUOUS; return -1;
	case O_PORT:
		return number(value, 65535, &t->port)
			   ? -1
			   : ctl_usage(verb, "--port %s: want 0-65535", value);
	case O_VLAN:
		return number(value, 4095, &t->vlan)
			   ? -1
			   : ctl_usage(verb, "--vlan %s: want 0-4095", value);
	case O_PROTOCOL:
		t->protocol = proto_transport_parse(value);
		return t->protocol >= 0 ? -1
					: ctl_usage(verb, "--protocol %s: want tcp, udp", value);
	case O_AT:
		return ctl_when(value, t->common.now_us, &t->at_us) == 0
			   ? -1
			   : ctl_usage(verb, "--at %s: want a date or a time", value);
	default: return -1;
	}
}

/* The signature that the packs give the name, or NULL. */
static const struct sig_info *
identify(const struct sig_ruleset *rules, const char *name, unsigned *ret_confidence)
{
	struct sig_scratch *scratch;
	struct sig_result result = { 0 };
	char canonical[SIG_NAME_MAX + 1];
	int len = sig_name_canonical(canonical, (const uint8_t *)name, strlen(name));

	if (len < 0 || sig_scratch_new(rules, &scratch) < 0)
		return NULL;
	sig_match_name(rules, scratch, canonical, (size_t)len, &result);
	sig_scratch_free(scratch);
	if (result.n_hits == 0)
		return NULL;
	*ret_confidence = result.hits[0].confidence;
	return sig_ruleset_info(rules, result.hits[0].sig);
}

/* What was decided, of a name as it may be shown. */
static void
tell_decision(const struct test *t, const char *name, const struct clf_policy_query *q,
    const struct clf_policy_answer *answer)
{
	const struct sig_info *info = q->info;

	if (t->common.format == CTL_JSON) {
		ctl_print_json(
		    stdout, json_pack("{s:s, s:s*, s:s*, s:s*, s:s*, s:s*, s:s, s:s*, s:s*}",
				"name", name, "signature", info ? info->id : NULL, "vendor",
				info ? info->vendor : NULL, "country", info ? info->country : NULL,
				"product", info ? info->product : NULL, "function",
				info ? sig_function_name(info->function) : NULL, "verdict",
				clf_verdict_name(answer->verdict), "rule", answer->rule, "kept",
				answer->kept));
		return;
	}
	char *product = info ? ctl_product_shown(info->vendor, info->product) : NULL;
	if (info)
		printf("%s is %s (%s), %s, by %s, %s\n", name, product ? product : "?",
		    info->country, sig_function_name(info->function), info->id,
		    sig_confidence_name(q->confidence));
	else
		printf("%s: no signature knows it\n", name);
	free(product);
	printf("verdict: %s", clf_verdict_name(answer->verdict));
	if (answer->rule)
		printf(", by rule %s", answer->rule);
	if (answer->kept && ctl_policy_hits(answer))
		printf(
		    "; the rule would act, the policy's mode (%s) does not let it", answer->kept);
	else if (answer->kept)
		printf("; the rule matches, but such a flow is never dropped: %s", answer->kept);
	putchar('\n');
}

static int
test_decide(struct test *t, const struct sig_ruleset *rules, const struct clf_policy *policy)
{
	const char *host = t->common.filter.host ? t->common.filter.host : "10.0.0.1";
	int family = strchr(host, ':') ? AF_INET6 : AF_INET;
	const char *outside = t->outside	   ? t->outside
			      : family == AF_INET6 ? "2001:db8::1"
						   : "192.0.2.1";
	uint8_t in[16] = { 0 }, out[16] = { 0 };
	unsigned confidence = 0;
	struct clf_policy_answer answer = { 0 };

	if (inet_pton(family, host, in) != 1 || inet_pton(family, outside, out) != 1)
		return ctl_usage(
		    t->common.verb, "--host and --outside: want two addresses of one family");
	const struct sig_info *info = identify(rules, t->name, &confidence);
	struct clf_policy_query q = {
		.info = info,
		.confidence = (uint8_t)(t->common.filter.min_confidence && info
					    ? t->common.filter.min_confidence
					    : (int)confidence),
		.ip_version = family == AF_INET6 ? 6 : 4,
		.protocol = (uint8_t)t->protocol,
		.flags = t->flags,
		.inside = in,
		.outside = out,
		.outside_port = (uint16_t)t->port,
		.vlan = (uint16_t)t->vlan,
		.now_us = t->at_us,
	};
	clf_policy_decide(policy, &q, &answer);
	char *name = proto_printable(t->name);
	tell_decision(t, name ? name : "?", &q, &answer);
	free(name);
	return CTL_OK;
}

static int
test_run(int argc, char **argv)
{
	struct test t = { .port = 443, .protocol = 6 };
	struct sig_ruleset *rules = NULL;
	struct clf_policy *policy = NULL;

	ctl_common_init(&t.common, &ctl_verb_policy_test);
	t.at_us = t.common.now_us;
	int code = ctl_args_read(&t.common, argc, argv, test_option, &t);
	if (code >= 0)
		return code;
	if (!t.name)
		return ctl_usage(t.common.verb, "name a host name: phonehome policy test NAME");
	code = ctl_packs_load(t.common.packs, &rules);
	if (code == CTL_OK)
		code = ctl_policy_load(t.common.policy, rules, &policy);
	if (code == CTL_OK) {
		code = test_decide(&t, rules, policy);
		clf_policy_free(policy);
	}
	sig_ruleset_free(rules);
	return ctl_finish(code);
}

const struct ctl_verb ctl_verb_policy_test = {
	.name = "policy test",
	.usage = "NAME [--policy FILE] [--host ADDR] [--at WHEN] ...",
	.summary = "what the policy would do with one flow, and by which rule",
	.examples = "phonehome policy test --policy policy.yaml ts01-b.cloudsink.net\n"
		    "phonehome policy test -p policy.yaml updates.paloaltonetworks.com --host "
		    "10.1.2.3 --at 2027-01-01",
	.opts = test_opts,
	.run = test_run,
};

/* --- the verb itself --- */

static const struct ctl_verb *const subs[] = { &ctl_verb_policy_check, &ctl_verb_policy_show,
	&ctl_verb_policy_test, &ctl_verb_policy_simulate };
enum { N_SUBS = sizeof(subs) / sizeof(subs[0]) };

static int
run(int argc, char **argv)
{
	unsigned i;
	int code = ctl_verb_under(&ctl_verb_policy, subs, N_SUBS, argc, argv, &i);

	return code >= 0 ? code : subs[i]->run(argc - 1, argv + 1);
}

const struct ctl_verb ctl_verb_policy = {
	.name = "policy",
	.group = "decide",
	.usage = "check|show|test|simulate ...",
	.summary = "check a policy, and simulate what it would do before it does it",
	.about = "Each explains itself: phonehome policy VERB --help. The file's format: "
		 "phonehome-policy(5)",
	.examples = "phonehome policy simulate --country US --function telemetry --since 7d\n"
		    "phonehome policy check policy.yaml",
	.run = run,
};
