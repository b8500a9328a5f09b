/* SPDX-License-Identifier: Apache-2.0 */
/* signatures/labels.c: each shape, what comes first, and what a rule set makes of it. */
#include "pack_text.h"
#include "signatures/labels.h"

static const char *
told_zone(const char *labels, enum labels_zone zone)
{
	static char text[128];
	struct label label;
	unsigned n = labels_tell(labels, strlen(labels), zone, &label);

	if (n == 0)
		return "";
	snprintf(text, sizeof(text), "%s by %.*s",
	    sig_function_name((enum sig_function)label_functions[n - 1]), (int)label.len,
	    label.text);
	return text;
}

static const char *
told_in(const char *labels, bool pages)
{
	return told_zone(labels, pages ? LABELS_OF_PAGES : LABELS_OF_AGENTS);
}

static const char *
told(const char *labels)
{
	return told_in(labels, true);
}

static void
shapes(void **state)
{
	(void)state;
	assert_string_equal(told("dl"), "update by dl");
	assert_string_equal(told("dl12"), "update by dl12");
	assert_string_equal(told("dlx"), "");
	assert_string_equal(told("feedback"), "telemetry by feedback");
	assert_string_equal(told("feeds2"), "update by feeds2");
	assert_string_equal(told("dl-eu"), "update by dl-eu");
	assert_string_equal(told("my-update-7"), "update by my-update-7");
	assert_string_equal(told("licensing"), "licensing by licensing");
	assert_string_equal(told("minidumps"), "crash-report by minidumps");
	assert_string_equal(told("urlreputation"), "cloud-lookup by urlreputation");
	assert_string_equal(told("webcategories"), "cloud-lookup by webcategories");
	assert_string_equal(told("ingest"), "telemetry by ingest");
	assert_string_equal(told("eu-vpn"), "tunnel by eu-vpn");
	assert_string_equal(told("api3"), "management by api3");
	assert_string_equal(told("api.eu"), "management by api");
	assert_string_equal(told("api.ingest.eu"), "telemetry by ingest");
	assert_string_equal(told("api.eu.vpn"), "management by api");
	assert_string_equal(told("api.www"), "management by api");
	assert_string_equal(told("api3.ingest"), "management by api3");
	assert_string_equal(told("api3x"), "management by api3x");
	assert_string_equal(told("log-device"), "telemetry by log-device");
	assert_string_equal(told("productservices"), "management by productservices");
	assert_string_equal(told("services"), "");
	assert_string_equal(told("bl2"), "cloud-lookup by bl2");
	assert_string_equal(told("queue3"), "telemetry by queue3");
	assert_string_equal(told("queue-it"), "");
	assert_string_equal(told("redirector"), "management by redirector");
	assert_string_equal(told("geo-eu"), "cloud-lookup by geo-eu");
	assert_string_equal(told("eu-rbi"), "tunnel by eu-rbi");
	assert_string_equal(told("blog"), "");
	assert_string_equal(told("patch-management"), "management by patch-management");
	assert_string_equal(told("12"), "");
	assert_string_equal(told(""), "");
}

/* From the left, the first that is known; a word for pages ends the search. */
static void
order(void **state)
{
	(void)state;
	assert_string_equal(told("tenant-a.dl3.eu"), "update by dl3");
	assert_string_equal(told("telemetry.update"), "telemetry by telemetry");
	assert_string_equal(told("www.update"), "");
	assert_string_equal(told("support"), "");
	assert_string_equal(told("x.y.z"), "");
	assert_string_equal(told("..update."), "update by update");
}

/* Among agents a page is the exception, and words that a web site is full of tell nothing. */
static void
zones(void **state)
{
	(void)state;
	assert_string_equal(told_in("console.eu", true), "");
	assert_string_equal(told_in("console.eu", false), "portal by console");
	assert_string_equal(told_in("static.update", true), "update by update");
	assert_string_equal(told_in("content.eu", true), "");
	assert_string_equal(told_in("content.eu", false), "update by content");
	assert_string_equal(told_in("email.update", true), "");
	assert_string_equal(told_in("static.update", false), "update by update");
	assert_string_equal(told_in("email.mg", false), "portal by email"); /* a mail's tracker */
	assert_string_equal(told_in("links.us1", false), "portal by links");
	assert_string_equal(told_in("nsmetrics", true), "");
	assert_string_equal(told_in("events", true), "");
	assert_string_equal(told_in("ocsp", true), ""); /* of a certificate on anybody's site */
	assert_string_equal(told_in("matomo", true), "");
	assert_string_equal(told_in("ocsp", false), "management by ocsp");
	assert_string_equal(told_in("events", false), "telemetry by events");
}

/*
 * Pages of a site have one label before its domain, or a page's word among several; names that have
 * neither are machines'. The hosts are such as vendors' documents name.
 */
static void
deep(void **state)
{
	(void)state;
	assert_string_equal(
	    told_zone("billy.eu-1.codesec", LABELS_OF_SITE), "management by billy.eu-1.codesec");
	assert_string_equal(told_zone("pod1.epm", LABELS_OF_SITE), "management by pod1.epm");
	assert_string_equal(told_zone("pod1.epm.", LABELS_OF_SITE), "management by pod1.epm");
	assert_string_equal(told_zone("pod1.epm", LABELS_OF_PAGES), "");
	assert_string_equal(told_zone("pod1.epm", LABELS_OF_AGENTS), "");
	assert_string_equal(told_zone("epm", LABELS_OF_SITE), "");
	assert_string_equal(told_zone("epm.", LABELS_OF_SITE), "");
	assert_string_equal(told_zone("eu.dl3.epm", LABELS_OF_SITE), "update by dl3");
	assert_string_equal(told_zone("api.eu", LABELS_OF_SITE), "management by api");
	assert_string_equal(told_zone("pod1.docs", LABELS_OF_SITE), "");
	assert_string_equal(told_zone("news.secureforms", LABELS_OF_SITE), "");
	assert_string_equal(told_zone("app.eu", LABELS_OF_SITE), "");
	assert_string_equal(told_zone("acme.com._spf", LABELS_OF_SITE), "");
}

/* A zone of one function is changed by what fetches, activates or reports, not by how one asks. */
static void
refining(void **state)
{
	(void)state;
	assert_true(labels_refine(SIG_FN_PORTAL, SIG_FN_MANAGEMENT));
	assert_true(labels_refine(SIG_FN_MIXED, SIG_FN_TUNNEL));
	assert_true(labels_refine(SIG_FN_MANAGEMENT, SIG_FN_UPDATE));
	assert_true(labels_refine(SIG_FN_MANAGEMENT, SIG_FN_TELEMETRY));
	assert_true(labels_refine(SIG_FN_MANAGEMENT, SIG_FN_TUNNEL));
	assert_true(labels_refine(SIG_FN_TELEMETRY, SIG_FN_CRASH_REPORT));
	assert_true(labels_refine(SIG_FN_TELEMETRY, SIG_FN_PORTAL));
	assert_false(labels_refine(SIG_FN_PORTAL, SIG_FN_PORTAL));
	assert_false(labels_refine(SIG_FN_TELEMETRY, SIG_FN_TELEMETRY));
	assert_false(labels_refine(SIG_FN_TELEMETRY, SIG_FN_MANAGEMENT));
	assert_true(labels_refine(SIG_FN_CLOUD_LOOKUP, SIG_FN_TELEMETRY));
	assert_true(labels_refine(SIG_FN_UPDATE, SIG_FN_TELEMETRY));
	assert_true(labels_refine(SIG_FN_MANAGEMENT, SIG_FN_CLOUD_LOOKUP));
	assert_true(labels_refine(SIG_FN_TUNNEL, SIG_FN_MANAGEMENT));
	assert_false(labels_refine(SIG_FN_TUNNEL, SIG_FN_TELEMETRY));
	assert_false(labels_refine(SIG_FN_CLOUD_LOOKUP, SIG_FN_MANAGEMENT));
}

static void
parents(void **state)
{
	(void)state;
	assert_int_equal(labels_parent("site-label-update"), 4);
	assert_int_equal(labels_parent("v/site-label-cloud-lookup"), 6);
	assert_int_equal(labels_parent("zone-label-portal"), 4);
	assert_int_equal(labels_parent("site-label-mixed"), 0);
	assert_int_equal(labels_parent("site"), 0);
	assert_int_equal(labels_parent("-label-update"), 0);
}

static const struct sig_info *
match(struct sig_ruleset *rules, struct sig_scratch *scratch, const char *name)
{
	struct sig_result r;

	sig_match_name(rules, scratch, name, strlen(name), &r);
	assert_true(r.n_hits > 0);
	return sig_ruleset_info(rules, r.hits[0].sig);
}

/* A zone's signature stands for several; what a pack says of a host itself goes first. */
static void
refined(void **state)
{
	static const char text[] =
	    "format: 1\npack: t\nversion: '1'\nvendor: {name: T, owner: O, country: US, as_of: "
	    "2026-01-01, source: x}\nproducts: [{id: p, name: P, category: av}]\nsignatures:\n"
	    "  - {id: site, product: p, function: portal, confidence: medium, by_label: true,\n"
	    "     match: [{host: .t.example}], except: [{host: api.t.example}],\n"
	    "     source: x, reviewed: 2026-01-01}\n"
	    "  - {id: zone, product: p, function: mixed, confidence: high, by_label: true,\n"
	    "     match: [{host: .t-cdn.example}], source: x, reviewed: 2026-01-01}\n"
	    "  - {id: cloud, product: p, function: tunnel, confidence: high, by_label: true,\n"
	    "     match: [{host: .t-cloud.example}], source: x, reviewed: 2026-01-01}\n"
	    "  - {id: known, product: p, function: tunnel, confidence: high,\n"
	    "     match: [{host: .update.t.example}], source: x, reviewed: 2026-01-01}\n"
	    "  - {id: other, product: p, function: mixed, confidence: high,\n"
	    "     match: [{host: .u.example}], source: x, reviewed: 2026-01-01}\n";
	struct sig_ruleset *rules = rules_at(text, 20260701);
	struct sig_scratch *scratch = NULL;
	struct sig_result r;
	const struct sig_info *i;

	(void)state;
	assert_int_equal(sig_scratch_new(rules, &scratch), 0);
	assert_int_equal(sig_ruleset_count(rules), 5);
	i = match(rules, scratch, "telemetry.eu.t.example");
	assert_string_equal(i->id, "t/site-label-telemetry");
	assert_string_equal(i->label_of, "t/site");
	assert_int_equal(i->function, SIG_FN_TELEMETRY);
	assert_int_equal(i->cap, SIG_CONF_INFERRED);
	i = match(rules, scratch, "www.t.example");
	assert_string_equal(i->id, "t/site");
	assert_null(i->label_of);
	assert_int_equal(i->cap, SIG_CONF_STRONG);
	assert_string_equal(match(rules, scratch, "t.example")->id, "t/site");
	assert_string_equal(
	    match(rules, scratch, "pod1.eu.t.example")->id, "t/site-label-management");
	assert_string_equal(match(rules, scratch, "dl2.t-cdn.example")->id, "t/zone-label-update");
	assert_string_equal(match(rules, scratch, "a.t-cdn.example")->id, "t/zone");
	assert_string_equal(match(rules, scratch, "a.t-cloud.example")->id, "t/cloud");
	i = match(rules, scratch, "vpn.t-cloud.example");
	assert_string_equal(i->id, "t/cloud");
	assert_int_equal(i->cap, SIG_CONF_CERTAIN);
	assert_string_equal(
	    match(rules, scratch, "api.t-cloud.example")->id, "t/cloud-label-management");
	assert_string_equal(
	    match(rules, scratch, "dl.t-cloud.example")->id, "t/cloud-label-update");
	assert_string_equal(
	    match(rules, scratch, "login.t-cloud.example")->id, "t/cloud-label-portal");
	assert_string_equal(match(rules, scratch, "a.update.t.example")->id, "t/known");
	assert_string_equal(match(rules, scratch, "update.u.example")->id, "t/other");
	sig_match_name(rules, scratch, "api.t.example", 13, &r);
	assert_int_equal(r.n_hits, 0);
	sig_scratch_free(scratch);
	sig_ruleset_free(rules);
}

/* Nobody runs a web site: what asks in its domain is of the product that the pack names. */
static void
agents(void **state)
{
	static const char text[] =
	    "format: 1\npack: t\nversion: '1'\nvendor: {name: T, owner: O, country: US, as_of: "
	    "2026-01-01, source: x}\nproducts:\n"
	    "  - {id: web, name: T web sites, category: other, agents: any}\n"
	    "  - {id: any, name: Any of T, category: edr}\n"
	    "  - {id: p, name: P, category: av}\nsignatures:\n"
	    "  - {id: site, product: web, function: portal, confidence: medium, by_label: true,\n"
	    "     match: [{host: .t.example}], source: x, reviewed: 2026-01-01}\n"
	    "  - {id: uk, product: web, function: portal, confidence: medium, by_label: true,\n"
	    "     match: [{host: .t.co.uk}], source: x, reviewed: 2026-01-01}\n"
	    "  - {id: tenants, product: p, function: portal, confidence: medium, by_label: true,\n"
	    "     match: [{host: .v.t.example}], source: x, reviewed: 2026-01-01}\n"
	    "  - {id: zone, product: p, function: mixed, confidence: high, by_label: true,\n"
	    "     match: [{host: .u.example}], source: x, reviewed: 2026-01-01}\n";
	struct sig_ruleset *rules = rules_at(text, 20260701);
	struct sig_scratch *scratch = NULL;
	const struct sig_info *i;

	(void)state;
	assert_int_equal(sig_scratch_new(rules, &scratch), 0);
	i = match(rules, scratch, "update.t.example");
	assert_string_equal(i->id, "t/site-label-update");
	assert_string_equal(i->product_id, "any");
	assert_string_equal(i->product, "Any of T");
	assert_string_equal(i->category, "edr");
	i = match(rules, scratch, "www.t.example");
	assert_string_equal(i->product_id, "web");
	assert_string_equal(i->category, "other");
	i = match(rules, scratch, "pod1.eu.t.example");
	assert_string_equal(i->id, "t/site-label-management");
	assert_string_equal(i->product_id, "any");
	assert_int_equal(i->cap, SIG_CONF_INFERRED);
	assert_string_equal(match(rules, scratch, "eu.t.example")->id, "t/site");
	assert_string_equal(match(rules, scratch, "eu.t.co.uk")->id, "t/uk");
	assert_string_equal(match(rules, scratch, "a.eu.t.co.uk")->id, "t/uk-label-management");
	assert_string_equal(match(rules, scratch, "pod1.eu.v.t.example")->id, "t/tenants");
	assert_string_equal(match(rules, scratch, "update.u.example")->product_id, "p");
	assert_string_equal(match(rules, scratch, "www.u.example")->product_id, "p");
	sig_scratch_free(scratch);
	sig_ruleset_free(rules);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(shapes), cmocka_unit_test(order),
		cmocka_unit_test(zones), cmocka_unit_test(deep), cmocka_unit_test(refining),
		cmocka_unit_test(parents), cmocka_unit_test(refined), cmocka_unit_test(agents) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
