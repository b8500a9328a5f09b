/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the policy file's words to what a decision reads: each value is checked and brought to its
 * final form here, so that policy.c compares numbers. Gathers all faults of the file.
 */
#include "classifier/policy_impl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* What is being compiled: faults are counted so that compiling can go on and find them all. */
struct job {
	const struct pol_where *w;
	const struct pol_doc *doc;
	unsigned faults;
	bool no_memory;
};

static void
compile_group(struct job *j, const struct pol_doc_group *doc, unsigned i, struct pol_group *group);
static void
compile_rule(struct job *j, const struct pol_doc_rule *doc, unsigned i, struct pol_rule *rule);
static uint32_t uses_of(const struct pol_rule *rule);

int
pol_compile(const struct pol_doc *doc, const struct pol_where *w, struct clf_policy *policy)
{
	static const char *const modes[] = { "monitor", "shadow", "enforce" };
	struct job j = { .w = w, .doc = doc };

	if (doc->format != 1) {
		pol_fault(w, SIG_ERROR, "format",
		    "format %u is not known to this program: it reads format 1", doc->format);
		return -EINVAL;
	}
	policy->mode = CLF_MODE_MONITOR;
	if (doc->mode) {
		unsigned m = 0;

		while (m < 3 && strcmp(doc->mode, modes[m]) != 0)
			m++;
		if (m == 3) {
			pol_fault(w, SIG_ERROR, "mode",
			    "mode '%s' is not one of monitor, shadow, enforce", doc->mode);
			j.faults++;
		}
		policy->mode = m == 3 ? CLF_MODE_MONITOR : (enum clf_mode)m;
	}
	policy->groups = calloc(doc->n_groups + 1, sizeof(*policy->groups));
	policy->rules = calloc(doc->n_rules + 1, sizeof(*policy->rules));
	if (!policy->groups || !policy->rules)
		return -ENOMEM;
	policy->n_groups = doc->n_groups;
	policy->n_rules = doc->n_rules;
	for (unsigned i = 0; i < doc->n_groups; i++)
		compile_group(&j, &doc->groups[i], i, &policy->groups[i]);
	for (unsigned i = 0; i < doc->n_rules; i++) {
		compile_rule(&j, &doc->rules[i], i, &policy->rules[i]);
		policy->uses |= uses_of(&policy->rules[i]);
	}
	if (j.no_memory)
		return -ENOMEM;
	return j.faults ? -EINVAL : 0;
}

static uint32_t
uses_of(const struct pol_rule *rule)
{
	uint32_t uses = rule->match.has;

	for (unsigned i = 0; rule->except && i < rule->n_except; i++)
		uses |= rule->except[i].has;
	return uses;
}

static void *
take(struct job *j, unsigned n, size_t size)
{
	void *p = calloc(n + 1, size);

	if (!p)
		j->no_memory = true;
	return p;
}

/* A fault at item i of list `key` under node `at`. */
static void
bad_item(
    struct job *j, const char *at, const char *key, unsigned i, const char *why, const char *text)
{
	char node[128];

	(void)snprintf(node, sizeof(node), "%s.%s[%u]", at, key, i);
	pol_fault(j->w, SIG_ERROR, node, "'%s' %s", text, why);
	j->faults++;
}

static int
by_key(const void *a, const void *b)
{
	uint64_t x = ((const struct pol_word *)a)->key, y = ((const struct pol_word *)b)->key;

	return x < y ? -1 : x > y;
}

/* Words with '/' go to the pairs where the list may hold pairs. */
static void
compile_words(struct job *j, const struct pol_list *list, struct pol_words *words,
    struct pol_pair **pairs, unsigned *n_pairs)
{
	words->w = take(j, list->n, sizeof(*words->w));
	if (pairs)
		*pairs = take(j, list->n, sizeof(**pairs));
	if (!words->w || (pairs && !*pairs))
		return;
	for (unsigned i = 0; i < list->n; i++) {
		char *slash = pairs ? strchr(list->item[i], '/') : NULL;

		if (!slash) {
			words->w[words->n++] = pol_word_of(list->item[i]);
			continue;
		}
		/* The document is ours and keeps its text for messages: cut a copy. */
		char *vendor = strndup(list->item[i], (size_t)(slash - list->item[i]));

		if (!vendor) {
			j->no_memory = true;
			return;
		}
		(*pairs)[*n_pairs].vendor = pol_word_of(vendor);
		(*pairs)[(*n_pairs)++].product = pol_word_of(slash + 1);
	}
	qsort(words->w, words->n, sizeof(*words->w), by_key);
}

static void
check_countries(struct job *j, const struct pol_list *list, const char *at, const char *key)
{
	for (unsigned i = 0; i < list->n; i++)
		if (!pol_is_country(list->item[i]))
			bad_item(j, at, key, i,
			    "is not a country: write its two ISO 3166 letters, such as DE",
			    list->item[i]);
}

static void
compile_group(struct job *j, const struct pol_doc_group *doc, unsigned i, struct pol_group *group)
{
	char at[64];

	(void)snprintf(at, sizeof(at), "groups[%u]", i);
	group->name = doc->name;
	for (unsigned k = 0; k < i; k++)
		if (strcmp(j->doc->groups[k].name, doc->name) == 0) {
			pol_fault(
			    j->w, SIG_ERROR, at, "there are two groups called '%s'", doc->name);
			j->faults++;
		}
	if (doc->countries.n + doc->vendors.n + doc->products.n == 0) {
		pol_fault(j->w, SIG_ERROR, at,
		    "group '%s' is empty: give it countries, vendors or products", doc->name);
		j->faults++;
	}
	check_countries(j, &doc->countries, at, "countries");
	compile_words(j, &doc->countries, &group->countries, NULL, NULL);
	compile_words(j, &doc->vendors, &group->vendors, NULL, NULL);
	compile_words(j, &doc->products, &group->products, &group->pairs, &group->n_pairs);
}

static void
compile_functions(struct job *j, const struct pol_list *list, const char *at, struct pol_cond *cond)
{
	for (unsigned i = 0; i < list->n; i++) {
		enum sig_function f = sig_function_parse(list->item[i]);

		if (f == SIG_FN_NONE)
			bad_item(j, at, "function", i,
			    "is not a function: update, telemetry, cloud-lookup, management, "
			    "licensing, crash-report, tunnel, portal, mixed",
			    list->item[i]);
		cond->functions |= (uint16_t)(1u << f);
	}
}

static void
compile_groups(struct job *j, const struct pol_list *list, const char *at, struct pol_cond *cond)
{
	const char *names[POL_GROUPS_MAX];
	unsigned n = j->doc->n_groups;

	for (unsigned g = 0; g < n; g++)
		names[g] = j->doc->groups[g].name;
	for (unsigned i = 0; i < list->n; i++) {
		unsigned g = 0;

		while (g < n && strcmp(names[g], list->item[i]) != 0)
			g++;
		if (g < n) {
			cond->groups |= 1ULL << g;
			continue;
		}
		const char *near = sig_nearest(list->item[i], names, n);
		char why[160];

		(void)snprintf(why, sizeof(why), "is not a group of this file%s%.64s%s",
		    near ? ": did you mean '" : "", near ? near : "", near ? "'?" : "");
		bad_item(j, at, "group", i, why, list->item[i]);
	}
}

static unsigned
compile_nets(struct job *j, const struct pol_list *list, const char *at, const char *key,
    struct pol_net **ret_nets)
{
	struct pol_net *nets = take(j, list->n, sizeof(*nets));
	unsigned n = 0;

	*ret_nets = nets;
	for (unsigned i = 0; nets && i < list->n; i++)
		if (pol_parse_net(list->item[i], &nets[n]))
			n++;
		else
			bad_item(j, at, key, i,
			    "is not an address or network such as 10.1.0.0/16 or 2001:db8::/32 "
			    "(the bits after the prefix must be zero)",
			    list->item[i]);
	return n;
}

static void
compile_wire(struct job *j, const struct pol_doc_cond *doc, const char *at, struct pol_cond *cond)
{
	uint8_t protocol;

	cond->vlan = take(j, doc->vlan.n, sizeof(*cond->vlan));
	for (unsigned i = 0; cond->vlan && i < doc->vlan.n; i++)
		if (pol_parse_vlan(doc->vlan.item[i], &cond->vlan[cond->n_vlan]))
			cond->n_vlan++;
		else
			bad_item(
			    j, at, "vlan", i, "is not a VLAN id of 0 to 4094", doc->vlan.item[i]);
	for (unsigned i = 0; i < doc->protocol.n; i++)
		if (pol_parse_protocol(doc->protocol.item[i], &protocol))
			cond->protocols[protocol / 64] |= 1ULL << (protocol % 64);
		else
			bad_item(j, at, "protocol", i,
			    "is not an IP protocol: tcp, udp, icmp, icmpv6, sctp ... or its number",
			    doc->protocol.item[i]);
}

static void
bad_when(struct job *j, const char *at, const char *key, const char *why, const char *text)
{
	char node[128];

	(void)snprintf(node, sizeof(node), "%s.when%s%s", at, *key ? "." : "", key);
	pol_fault(j->w, SIG_ERROR, node, "'%s' %s", text, why);
	j->faults++;
}

static void
compile_hours(struct job *j, const struct pol_doc_when *doc, const char *at, struct pol_when *when)
{
	char key[64];

	for (unsigned i = 0; i < doc->days.n; i++) {
		uint8_t day = 0;

		(void)snprintf(key, sizeof(key), "days[%u]", i);
		if (!pol_parse_day(doc->days.item[i], &day))
			bad_when(j, at, key, "is not a day: mon, tue, wed, thu, fri, sat, sun",
			    doc->days.item[i]);
		when->days |= (uint8_t)(1u << day);
	}
	for (unsigned i = 0; i < doc->hours.n; i++) {
		(void)snprintf(key, sizeof(key), "hours[%u]", i);
		if (i >= POL_HOURS_MAX) {
			bad_when(j, at, key, "is one span too many: 8 at most", doc->hours.item[i]);
			return;
		}
		if (!pol_parse_hours(
			doc->hours.item[i], &when->hours[i].from, &when->hours[i].until))
			bad_when(j, at, key, "is not a span of hours such as \"08:00-18:00\"",
			    doc->hours.item[i]);
		when->n_hours = (uint8_t)(i + 1);
	}
}

static void
compile_when(struct job *j, const struct pol_doc_when *doc, const char *at, struct pol_when *when)
{
	static const char example[] =
	    "is not a date or time such as 2026-12-01 or 2026-12-01T08:00";

	when->until_us = UINT64_MAX;
	if (doc->zone && !pol_parse_zone(doc->zone, &when->zone_s))
		bad_when(j, at, "zone", "is not an offset from UTC such as \"+02:00\"", doc->zone);
	if (doc->from && !pol_parse_time(doc->from, when->zone_s, &when->from_us))
		bad_when(j, at, "from", example, doc->from);
	if (doc->until && !pol_parse_time(doc->until, when->zone_s, &when->until_us))
		bad_when(j, at, "until", example, doc->until);
	if (doc->from && doc->until && when->from_us >= when->until_us)
		bad_when(
		    j, at, "until", "is not after `from`: the rule would never match", doc->until);
	compile_hours(j, doc, at, when);
}

static uint32_t
keys_of(const struct pol_doc_cond *doc)
{
	return (doc->vendor.n ? POL_VENDOR : 0) | (doc->owner.n ? POL_OWNER : 0) |
	       (doc->country.n ? POL_COUNTRY : 0) | (doc->owner_country.n ? POL_OWNER_COUNTRY : 0) |
	       (doc->product.n ? POL_PRODUCT : 0) | (doc->category.n ? POL_CATEGORY : 0) |
	       (doc->function.n ? POL_FUNCTION : 0) | (doc->group.n ? POL_GROUP : 0) |
	       (doc->host.n ? POL_HOST : 0) | (doc->outside.n ? POL_OUTSIDE : 0) |
	       (doc->vlan.n ? POL_VLAN : 0) | (doc->protocol.n ? POL_PROTOCOL : 0) |
	       (doc->when ? POL_WHEN : 0);
}

static void
compile_cond(struct job *j, const struct pol_doc_cond *doc, const char *at, struct pol_cond *cond)
{
	cond->has = keys_of(doc);
	check_countries(j, &doc->country, at, "country");
	check_countries(j, &doc->owner_country, at, "owner_country");
	compile_words(j, &doc->vendor, &cond->vendor, NULL, NULL);
	compile_words(j, &doc->owner, &cond->owner, NULL, NULL);
	compile_words(j, &doc->country, &cond->country, NULL, NULL);
	compile_words(j, &doc->owner_country, &cond->owner_country, NULL, NULL);
	compile_words(j, &doc->product, &cond->product, &cond->pairs, &cond->n_pairs);
	compile_words(j, &doc->category, &cond->category, NULL, NULL);
	compile_functions(j, &doc->function, at, cond);
	compile_groups(j, &doc->group, at, cond);
	cond->n_host = compile_nets(j, &doc->host, at, "host", &cond->host);
	cond->n_outside = compile_nets(j, &doc->outside, at, "outside", &cond->outside);
	compile_wire(j, doc, at, cond);
	if (doc->min_confidence) {
		char node[128];

		cond->min_confidence = (uint8_t)sig_confidence_parse(doc->min_confidence);
		(void)snprintf(node, sizeof(node), "%s.min_confidence", at);
		if (cond->min_confidence == SIG_CONF_NONE) {
			pol_fault(j->w, SIG_ERROR, node,
			    "'%s' is not one of certain, strong, inferred, guess",
			    doc->min_confidence);
			j->faults++;
		}
	}
	if (doc->when)
		compile_when(j, doc->when, at, &cond->when);
}

/* Which of n words a key's text is; n and a fault when it is none. */
static unsigned
one_of(struct job *j, const char *at, const char *key, const char *text, const char *const *words,
    unsigned n)
{
	char node[128], list[128] = "";

	for (unsigned i = 0; i < n; i++) {
		if (strcmp(text, words[i]) == 0)
			return i;
		(void)snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s%s",
		    i ? ", " : "", words[i]);
	}
	(void)snprintf(node, sizeof(node), "%s.%s", at, key);
	pol_fault(j->w, SIG_ERROR, node, "%s '%s' is not one of %s", key, text, list);
	j->faults++;
	return n;
}

static void
rule_fault(struct job *j, enum sig_severity severity, unsigned i, const char *key, const char *text)
{
	char node[128];

	(void)snprintf(node, sizeof(node), "rules[%u]%s%s", i, *key ? "." : "", key);
	pol_fault(j->w, severity, node, "%s", text);
	if (severity == SIG_ERROR)
		j->faults++;
}

static void
compile_rule(struct job *j, const struct pol_doc_rule *doc, unsigned i, struct pol_rule *rule)
{
	static const char *const actions[] = { "report", "drop", "reset" };
	static const char *const states[] = { "shadow", "enforce" };
	char at[64];

	(void)snprintf(at, sizeof(at), "rules[%u]", i);
	rule->name = doc->name;
	for (unsigned k = 0; k < i; k++)
		if (strcmp(j->doc->rules[k].name, doc->name) == 0)
			rule_fault(j, SIG_ERROR, i, "name", "an earlier rule has this name");
	rule->action = (uint8_t)one_of(j, at, "action", doc->action, actions, 3);
	rule->enforce = doc->state && one_of(j, at, "state", doc->state, states, 2) == 1;
	rule->reject = doc->reject;
	if (rule->reject && rule->action != POL_RESET)
		rule_fault(j, SIG_ERROR, i, "reject",
		    "reject answers a UDP flow that is reset: it goes with `action: reset`");
	(void)snprintf(at, sizeof(at), "rules[%u].match", i);
	compile_cond(j, &doc->match, at, &rule->match);
	rule->names_portal = rule->match.functions & (1u << SIG_FN_PORTAL);
	if (rule->match.has == 0 && rule->action != POL_REPORT)
		rule_fault(j, SIG_WARNING, i, "",
		    "this rule matches every identified product, whoever made it");
	rule->except = take(j, doc->n_except, sizeof(*rule->except));
	if (!rule->except)
		return;
	rule->n_except = doc->n_except;
	for (unsigned k = 0; k < doc->n_except; k++) {
		(void)snprintf(at, sizeof(at), "rules[%u].except[%u]", i, k);
		compile_cond(j, &doc->except[k], at, &rule->except[k]);
		if (rule->except[k].has == 0 && rule->except[k].min_confidence == 0) {
			pol_fault(j->w, SIG_ERROR, at,
			    "an empty exception excepts everything: the rule would never match");
			j->faults++;
		}
	}
}

static void
free_pairs(struct pol_pair *pairs, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		free((char *)(uintptr_t)pairs[i].vendor.text);
	free(pairs);
}

static void
free_cond(struct pol_cond *c)
{
	free(c->vendor.w);
	free(c->owner.w);
	free(c->country.w);
	free(c->owner_country.w);
	free(c->product.w);
	free(c->category.w);
	free_pairs(c->pairs, c->n_pairs);
	free(c->host);
	free(c->outside);
	free(c->vlan);
}

void
pol_compiled_free(struct clf_policy *policy)
{
	for (unsigned i = 0; policy->rules && i < policy->n_rules; i++) {
		struct pol_rule *rule = &policy->rules[i];

		free_cond(&rule->match);
		for (unsigned k = 0; k < rule->n_except; k++)
			free_cond(&rule->except[k]);
		free(rule->except);
	}
	for (unsigned i = 0; policy->groups && i < policy->n_groups; i++) {
		free(policy->groups[i].countries.w);
		free(policy->groups[i].vendors.w);
		free(policy->groups[i].products.w);
		free_pairs(policy->groups[i].pairs, policy->groups[i].n_pairs);
	}
	free(policy->rules);
	free(policy->groups);
}
