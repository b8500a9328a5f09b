/* SPDX-License-Identifier: Apache-2.0 */
/*
 * phonehome __complete: words for the shells' completion, one a line. Hidden. What it knows comes
 * from the tables of verbs and options and from the packs, so that it never goes stale.
 */
#include <string.h>

#include "ctl/packs.h"
#include "ctl/policy_verbs.h"
#include "ctl/report.h"
#include "ctl/verbs.h"
#include "signatures/pack.h"

enum { SEEN_MAX = 8192 };

static const char *
vendor_id(const struct sig_info *info)
{
	return info->vendor_id;
}

static const char *
product_id(const struct sig_info *info)
{
	return info->product_id;
}

static const char *
country(const struct sig_info *info)
{
	return info->country;
}

/* A word of each signature of all packs, each once; packs that do not load give nothing. */
static void
from_packs(const char *(*word_of)(const struct sig_info *info))
{
	static const char *seen[SEEN_MAX];
	struct sig_diag diag = { 0 };
	struct sig_packs *packs = NULL;
	struct sig_ruleset *rules = NULL;
	unsigned n = 0;

	if (sig_packs_load(ctl_packs_path(NULL), &packs, &diag) == 0 &&
	    sig_compile(packs, &rules, &diag) == 0) {
		for (uint32_t i = 1; i <= sig_ruleset_count(rules) && n < SEEN_MAX; i++) {
			const struct sig_info *info = sig_ruleset_info(rules, i);
			const char *word = word_of(info);
			unsigned k = 0;
			while (k < n && strcmp(seen[k], word) != 0)
				k++;
			if (k < n)
				continue;
			seen[n++] = word;
			puts(word);
		}
	}
	sig_ruleset_free(rules);
	sig_packs_free(packs);
	sig_diag_free(&diag);
}

static void
options_of(const struct ctl_verb *verb)
{
	for (const struct ctl_opt *o = verb ? verb->opts : NULL; o && o->name; o++)
		printf("--%s\n", o->name);
}

/* "a, b, c" one a line. */
static void
words(const char *list)
{
	for (; *list; list += strspn(list, ", ")) {
		size_t n = strcspn(list, ",");
		printf("%.*s\n", (int)n, list);
		list += n;
	}
}

/* A verb that has verbs of its own: the one of that name, NULL when there is none. */
static const struct ctl_verb *
sub_verb(const char *verb, const char *name)
{
	static const struct ctl_verb *const subs[] = { &ctl_verb_policy_check,
		&ctl_verb_policy_show, &ctl_verb_policy_test, &ctl_verb_policy_simulate };
	const struct ctl_verb *v;

	for (unsigned i = 0; strcmp(verb, "policy") == 0 && i < sizeof(subs) / sizeof(subs[0]); i++)
		if (strcmp(subs[i]->name + strlen("policy "), name) == 0)
			return subs[i];
	for (unsigned i = 0; strcmp(verb, "signatures") == 0 && (v = ctl_signatures_verb(i)); i++)
		if (strcmp(v->name + strlen("signatures "), name) == 0)
			return v;
	return NULL;
}

/* What may follow --OPTION; nothing: files, as the shell sees fit. */
static void
values_of(const char *option)
{
	static const struct {
		const char *option, *list;
	} lists[] = {
		{ "--function", "update, telemetry, cloud-lookup, management, licensing, "
				"crash-report, tunnel, portal, mixed" },
		{ "--confidence", "guess, inferred, strong, certain" },
		{ "--group-by", CTL_GROUP_NAMES },
		{ "--sort", CTL_SORT_NAMES },
		{ "--ndpi", "undecided, all, off" },
		{ "--verdict", "pass, drop, reset, would-drop, would-reset" },
		{ "--state", "moved, both, not-moved, neither, only-new" },
		{ "--action", "drop, reset" },
		{ "--since", "1h, 1d, 7d, 30d, 90d, today, yesterday" },
		{ "--until", "1h, 1d, 7d, 30d, today, yesterday, now" },
		{ "--not-seen", "1d, 7d, 30d, 90d" },
		{ "--active", "1d, 7d, 14d, 30d" },
		{ "--window", "1, 7, 14, 30" },
		{ "--last", "10, 20, 50, 100" },
	};

	if (strcmp(option, "--vendor") == 0)
		from_packs(vendor_id);
	else if (strcmp(option, "--product") == 0)
		from_packs(product_id);
	else if (strcmp(option, "--country") == 0)
		from_packs(country);
	if (strcmp(option, "--from") == 0 || strcmp(option, "--to") == 0) {
		from_packs(country);
		from_packs(vendor_id);
	}
	for (unsigned i = 0; strcmp(option, "--category") == 0 && i < pack_categories_count; i++)
		puts(pack_categories[i]);
	for (unsigned i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		if (strcmp(lists[i].option, option) == 0)
			words(lists[i].list);
}

static void
verbs(void)
{
	for (const struct ctl_verb *const *v = ctl_verbs; *v; v++)
		if ((*v)->group)
			puts((*v)->name);
}

static int
run(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "verbs", *of = argc > 2 ? argv[2] : "";

	if (strcmp(what, "verbs") == 0) {
		verbs();
	} else if (strcmp(what, "options") == 0) {
		const struct ctl_verb *v = ctl_verb_find(of);
		options_of(v && v->opts ? v : argc > 3 ? sub_verb(of, argv[3]) : NULL);
	} else if (strcmp(what, "values") == 0) {
		values_of(of);
	} else if (strcmp(what, "arguments") == 0) {
		if (argc > 3 && sub_verb(of, argv[3])) /* files, as the shell sees fit */
			return ctl_finish(CTL_OK);
		if (strcmp(of, "policy") == 0)
			words("check, show, test, simulate");
		else if (strcmp(of, "signatures") == 0)
			for (unsigned i = 0; ctl_signatures_verb(i); i++)
				puts(ctl_signatures_verb(i)->name + strlen("signatures "));
		else if (strcmp(of, "bypass") == 0)
			words("on, off");
		else if (strcmp(of, "hosts") == 0)
			from_packs(product_id);
		else if (strcmp(of, "help") == 0)
			verbs();
	}
	return ctl_finish(CTL_OK);
}

const struct ctl_verb ctl_verb_complete = {
	.name = "__complete",
	.usage = "verbs | options VERB [VERB] | values --OPTION | arguments VERB [VERB]",
	.summary = "words for completion",
	.run = run,
};
