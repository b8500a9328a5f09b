/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The policy through its header: rules against flows, the ceiling, what is never dropped, and the
 * faults of a file with their places.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "classifier/policy.h"

/* 10:30 UTC of 2026-12-02, a Wednesday (date -u -d @1796207400). */
#define WEDNESDAY_1030 1796207400000000ULL

static const struct sig_info falcon = {
	.id = "crowdstrike/falcon-cloud",
	.vendor = "CrowdStrike",
	.vendor_id = "crowdstrike",
	.owner = "CrowdStrike Holdings, Inc.",
	.country = "US",
	.owner_country = "US",
	.product = "Falcon",
	.product_id = "falcon",
	.category = "edr",
	.function = SIG_FN_TELEMETRY,
	.cap = SIG_CONF_CERTAIN,
};

static struct clf_policy *
policy_of(const char *text)
{
	struct sig_diag diag = { 0 };
	struct clf_policy *policy = NULL;

	if (clf_policy_load_text("p.yaml", text, strlen(text), &policy, &diag) != 0) {
		sig_diag_print(&diag, stderr);
		fail_msg("policy refused: %s", text);
	}
	sig_diag_free(&diag);
	return policy;
}

/* A policy of one enforced drop rule with this match. */
static struct clf_policy *
drop_policy(const char *match, const char *more)
{
	char text[1024];

	(void)snprintf(text, sizeof(text),
	    "format: 1\nmode: enforce\n"
	    "groups:\n  - name: foreign\n    countries: [US, IL]\n"
	    "  - name: mine\n    products: [crowdstrike/falcon]\n"
	    "  - name: theirs\n    vendors: [fortinet]\n"
	    "rules:\n  - name: r\n    match: {%s}\n%s    action: drop\n    state: enforce\n",
	    match, more);
	return policy_of(text);
}

static struct clf_policy_query
query_of(const struct sig_info *info)
{
	static uint8_t inside[16], outside[16];

	assert_int_equal(inet_pton(AF_INET, "10.1.2.3", inside), 1);
	assert_int_equal(inet_pton(AF_INET, "203.0.113.9", outside), 1);
	return (struct clf_policy_query){
		.info = info,
		.confidence = SIG_CONF_CERTAIN,
		.ip_version = 4,
		.protocol = 6,
		.inside = inside,
		.outside = outside,
		.outside_port = 443,
		.vlan = 20,
		.now_us = WEDNESDAY_1030,
	};
}

static void
test_each_key(void **state)
{
	static const struct {
		const char *match;
		bool drops;
	} rows[] = {
		{ "vendor: [CrowdStrike]", true },
		{ "vendor: crowdstrike", true },
		{ "vendor: [crowdstrike]", true },
		{ "vendor: [CROWDSTRIKE, Other]", true },
		{ "vendor: [CrowdStrik]", false },
		{ "vendor: [CrowdStrike2]", false },
		{ "owner: [\"crowdstrike holdings, inc.\"]", true },
		{ "owner: [Broadcom]", false },
		{ "country: [US]", true },
		{ "country: [us]", true },
		{ "country: [CN, IL]", false },
		{ "owner_country: [US]", true },
		{ "owner_country: [DE]", false },
		{ "product: [Falcon]", true },
		{ "product: [crowdstrike/falcon]", true },
		{ "product: [CrowdStrike/Falcon]", true },
		{ "product: [sophos/falcon]", false },
		{ "product: [falcon-x]", false },
		{ "category: [edr, av]", true },
		{ "category: [av]", false },
		{ "function: [telemetry]", true },
		{ "function: [update, licensing]", false },
		{ "group: [foreign]", true },
		{ "group: [mine]", true },
		{ "group: [theirs]", false },
		{ "group: [theirs, mine]", true },
		{ "host: [10.1.0.0/16]", true },
		{ "host: [10.1.2.3]", true },
		{ "host: [10.1.2.2/31]", true },
		{ "host: [10.1.2.4/30]", false },
		{ "host: [10.2.0.0/16, \"2001:db8::/32\"]", false },
		{ "host: [0.0.0.0/0]", true },
		{ "host: [\"::/0\"]", false },
		{ "outside: [203.0.113.0/24]", true },
		{ "outside: [198.51.100.0/24]", false },
		{ "vlan: [10, 20]", true },
		{ "vlan: [10]", false },
		{ "protocol: [tcp]", true },
		{ "protocol: [6]", true },
		{ "protocol: [udp, icmp]", false },
		{ "min_confidence: certain", true },
		{ "when: {from: 2026-12-01}", true },
		{ "when: {from: 2026-12-03}", false },
		{ "when: {until: 2026-12-02}", false },
		{ "when: {until: 2026-12-03}", true },
		{ "when: {from: \"2026-12-02T10:30\"}", true },
		{ "when: {from: \"2026-12-02T10:30:01\"}", false },
		{ "when: {until: \"2026-12-02T10:30\"}", false },
		{ "when: {from: \"2026-12-02T11:30+01:00\"}", true },
		{ "when: {from: \"2026-12-02T11:31\", zone: \"+01:00\"}", false },
		{ "when: {days: [wed]}", true },
		{ "when: {days: [Wednesday]}", true },
		{ "when: {days: [mon, tue, thu, fri, sat, sun]}", false },
		{ "when: {days: [thu], zone: \"+14:00\"}", true },
		{ "when: {hours: [\"08:00-18:00\"]}", true },
		{ "when: {hours: [\"10:31-18:00\"]}", false },
		{ "when: {hours: [\"00:00-10:30\"]}", false },
		{ "when: {hours: [\"22:00-11:00\"]}", true },
		{ "when: {hours: [\"22:00-06:00\", \"10:00-10:31\"]}", true },
		{ "when: {days: [tue], hours: [\"22:00-11:00\"]}", true },
		{ "when: {days: [wed], hours: [\"22:00-11:00\"]}", false },
		{ "when: {days: [wed], hours: [\"10:00-02:00\"]}", true },
		{ "when: {days: [sun], hours: [\"10:00-02:00\"]}", false },
		{ "when: {hours: [\"10:00-11:00\"], zone: \"-05:00\"}", false },
		{ "vendor: [CrowdStrike], function: [update]", false },
		{ "vendor: [CrowdStrike], function: [telemetry], vlan: [20]", true },
		{ "", true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct clf_policy *policy = drop_policy(rows[i].match, "");
		struct clf_policy_query q = query_of(&falcon);
		struct clf_policy_answer a;

		clf_policy_decide(policy, &q, &a);
		if (a.verdict != (rows[i].drops ? CLF_DROP : CLF_PASS) ||
		    (a.rule != NULL) != rows[i].drops)
			fail_msg("match {%s}: verdict %d", rows[i].match, a.verdict);
		clf_policy_free(policy);
	}
}

static void
test_exceptions(void **state)
{
	static const struct {
		const char *except;
		bool drops;
	} rows[] = {
		{ "    except: [{host: [10.1.2.3]}]\n", false },
		{ "    except: [{host: [10.1.2.4]}]\n", true },
		{ "    except: [{host: [10.1.2.3], function: [update]}]\n", true },
		{ "    except: [{function: [update]}, {vlan: [20]}]\n", false },
		{ "    except: [{group: [mine]}]\n", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct clf_policy *policy = drop_policy("country: [US]", rows[i].except);
		struct clf_policy_query q = query_of(&falcon);
		struct clf_policy_answer a;

		clf_policy_decide(policy, &q, &a);
		if (a.verdict != (rows[i].drops ? CLF_DROP : CLF_PASS))
			fail_msg("%s: verdict %d", rows[i].except, a.verdict);
		clf_policy_free(policy);
	}
}

/* verdict = the lower of the mode and the rule's state; monitor is the default mode, shadow the
 * default state. */
static void
test_ceiling(void **state)
{
	static const struct {
		const char *mode, *rule;
		int verdict;
	} rows[] = {
		{ "", "action: drop, state: enforce", CLF_PASS },
		{ "mode: monitor\n", "action: drop, state: enforce", CLF_PASS },
		{ "mode: monitor\n", "action: reset", CLF_PASS },
		{ "mode: shadow\n", "action: drop, state: enforce", CLF_WOULD_DROP },
		{ "mode: shadow\n", "action: reset, state: enforce", CLF_WOULD_RESET },
		{ "mode: shadow\n", "action: drop, state: shadow", CLF_WOULD_DROP },
		{ "mode: enforce\n", "action: drop", CLF_WOULD_DROP },
		{ "mode: enforce\n", "action: reset, state: shadow", CLF_WOULD_RESET },
		{ "mode: enforce\n", "action: drop, state: enforce", CLF_DROP },
		{ "mode: enforce\n", "action: reset, state: enforce", CLF_RESET },
		{ "mode: enforce\n", "action: report, state: enforce", CLF_PASS },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct clf_policy_query q = query_of(&falcon);
		struct clf_policy_answer a;
		struct clf_policy *policy;
		char text[512];

		(void)snprintf(text, sizeof(text),
		    "format: 1\n%srules:\n  - {name: r, match: {country: [US]}, %s}\n",
		    rows[i].mode, rows[i].rule);
		policy = policy_of(text);
		clf_policy_decide(policy, &q, &a);
		assert_int_equal(a.verdict, rows[i].verdict);
		assert_string_equal(a.rule, "r");
		assert_int_equal(a.rule_index, 1);
		assert_false(a.icmp_reject);
		clf_policy_free(policy);
	}
}

/* Each clause alone keeps a flow that the rule would drop. */
static void
test_never_dropped(void **state)
{
	static const struct {
		const char *kept;
		uint32_t flags;
		int confidence, function;
		bool shared, artefact;
	} rows[] = {
		{ NULL, 0, SIG_CONF_INFERRED, SIG_FN_UPDATE, false, false },
		{ NULL, CLF_FL_ECH_GREASE | CLF_FL_MIDSTREAM, SIG_CONF_CERTAIN, SIG_FN_UPDATE,
		    false, false },
		{ "guess", 0, SIG_CONF_GUESS, SIG_FN_UPDATE, false, false },
		{ "guess", 0, SIG_CONF_NONE, SIG_FN_UPDATE, false, false },
		{ "ambiguous", CLF_FL_AMBIGUOUS, SIG_CONF_CERTAIN, SIG_FN_UPDATE, false, false },
		{ "ech", CLF_FL_ECH, SIG_CONF_CERTAIN, SIG_FN_UPDATE, false, false },
		{ "esni", CLF_FL_ESNI, SIG_CONF_CERTAIN, SIG_FN_UPDATE, false, false },
		{ "overlap", CLF_FL_OVERLAP, SIG_CONF_CERTAIN, SIG_FN_UPDATE, false, false },
		{ "illegal-name", CLF_FL_ILLEGAL_NAME, SIG_CONF_CERTAIN, SIG_FN_UPDATE, false,
		    false },
		{ "uninspected", CLF_FL_UNINSPECTED, SIG_CONF_CERTAIN, SIG_FN_UPDATE, false,
		    false },
		{ "shared", 0, SIG_CONF_CERTAIN, SIG_FN_UPDATE, true, false },
		{ "artefact", 0, SIG_CONF_CERTAIN, SIG_FN_UPDATE, false, true },
		{ "portal", 0, SIG_CONF_CERTAIN, SIG_FN_PORTAL, false, false },
	};
	struct clf_policy *policy = drop_policy("", "");

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct sig_info info = falcon;
		struct clf_policy_query q = query_of(&info);
		struct clf_policy_answer a;

		info.function = rows[i].function;
		info.shared = rows[i].shared;
		info.policy_artefact = rows[i].artefact;
		q.flags = rows[i].flags;
		q.confidence = (uint8_t)rows[i].confidence;
		clf_policy_decide(policy, &q, &a);
		assert_int_equal(a.verdict, rows[i].kept ? CLF_PASS : CLF_DROP);
		assert_string_equal(a.rule, "r");
		if (rows[i].kept)
			assert_string_equal(a.kept, rows[i].kept);
		else
			assert_null(a.kept);
	}
	clf_policy_free(policy);
}

static void
test_portal_named(void **state)
{
	struct sig_info info = falcon;
	struct clf_policy *policy = drop_policy("function: [portal]", "");
	struct clf_policy_query q = query_of(&info);
	struct clf_policy_answer a;

	(void)state;
	info.function = SIG_FN_PORTAL;
	clf_policy_decide(policy, &q, &a);
	assert_int_equal(a.verdict, CLF_DROP);
	clf_policy_free(policy);
}

static void
test_first_rule_wins(void **state)
{
	struct clf_policy *policy = policy_of(
	    "format: 1\nmode: enforce\nrules:\n"
	    "  - {name: a, match: {vendor: [Other]}, action: drop, state: enforce}\n"
	    "  - {name: b, match: {product: [Falcon]}, action: report}\n"
	    "  - {name: c, match: {country: [US]}, action: reset, state: enforce, reject: true}\n");
	struct sig_info info = falcon;
	struct clf_policy_query q = query_of(&info);
	struct clf_policy_answer a;

	(void)state;
	clf_policy_decide(policy, &q, &a);
	assert_int_equal(a.verdict, CLF_PASS);
	assert_string_equal(a.rule, "b");
	info.product = "Else";
	info.product_id = "else";
	clf_policy_decide(policy, &q, &a);
	assert_int_equal(a.verdict, CLF_RESET);
	assert_int_equal(a.rule_index, 3);
	assert_true(a.icmp_reject);
	assert_int_equal(clf_policy_rule_count(policy), 3);
	assert_string_equal(clf_policy_rule_name(policy, 0), "a");
	assert_null(clf_policy_rule_name(policy, 3));
	clf_policy_free(policy);
}

static void
test_unidentified_and_built_in(void **state)
{
	struct clf_policy *policy = drop_policy("", "");
	struct clf_policy_query q = query_of(NULL);
	struct clf_policy_answer a;
	struct sig_diag diag = { 0 };

	(void)state;
	clf_policy_decide(policy, &q, &a);
	assert_int_equal(a.verdict, CLF_PASS);
	assert_null(a.rule);
	clf_policy_free(policy);
	assert_int_equal(clf_policy_load(NULL, &policy, &diag), 0);
	q.info = &falcon;
	clf_policy_decide(policy, &q, &a);
	assert_int_equal(a.verdict, CLF_PASS);
	assert_null(a.rule);
	assert_int_equal(clf_policy_mode(policy), CLF_MODE_MONITOR);
	clf_policy_free(policy);
}

/* A host that is not known cannot be in a network, nor an IPv6 host in an IPv4 one. */
static void
test_addresses(void **state)
{
	struct clf_policy *policy = drop_policy("host: [\"2001:db8:a::/47\", 10.0.0.0/8]", "");
	struct clf_policy_query q = query_of(&falcon);
	struct clf_policy_answer a;
	uint8_t v6[16];

	(void)state;
	q.inside = NULL;
	clf_policy_decide(policy, &q, &a);
	assert_int_equal(a.verdict, CLF_PASS);
	q.ip_version = 6;
	q.inside = v6;
	assert_int_equal(inet_pton(AF_INET6, "2001:db8:b::1", v6), 1);
	clf_policy_decide(policy, &q, &a);
	assert_int_equal(a.verdict, CLF_DROP);
	assert_int_equal(inet_pton(AF_INET6, "2001:db8:c::1", v6), 1);
	clf_policy_decide(policy, &q, &a);
	assert_int_equal(a.verdict, CLF_PASS);
	assert_int_equal(inet_pton(AF_INET6, "a00::1", v6), 1); /* starts with the byte 10 */
	clf_policy_decide(policy, &q, &a);
	assert_int_equal(a.verdict, CLF_PASS);
	clf_policy_free(policy);
}

static void
test_groups(void **state)
{
	struct clf_policy *policy = drop_policy("", "");

	(void)state;
	assert_int_equal(clf_policy_group_count(policy), 3);
	assert_string_equal(clf_policy_group_name(policy, 0), "foreign");
	assert_null(clf_policy_group_name(policy, 3));
	assert_true(clf_policy_in_group(policy, 0, "x", "US", "DE", "y"));
	assert_true(clf_policy_in_group(policy, 0, "x", "DE", "IL", "y"));
	assert_false(clf_policy_in_group(policy, 0, "x", "DE", NULL, "y"));
	assert_true(clf_policy_in_group(policy, 1, "crowdstrike", "US", "US", "falcon"));
	assert_false(clf_policy_in_group(policy, 1, "sophos", "GB", "US", "falcon"));
	assert_true(clf_policy_in_group(policy, 2, "fortinet", NULL, NULL, NULL));
	assert_false(clf_policy_in_group(policy, 3, "fortinet", NULL, NULL, NULL));
	clf_policy_free(policy);
}

/* A long list takes the halving search: every word of it must be found, and no other. */
static void
test_long_lists(void **state)
{
	char text[8192] = "format: 1\nmode: enforce\nrules:\n  - name: r\n    action: drop\n"
			  "    state: enforce\n    match:\n      vendor: [";
	struct sig_info info = falcon;
	struct clf_policy_query q = query_of(&info);
	struct clf_policy_answer a;
	struct clf_policy *policy;
	char word[32];

	(void)state;
	for (unsigned i = 0; i < 300; i++)
		(void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "%sv%03u-corp",
		    i ? ", " : "", i * 2);
	(void)strcat(text, "]\n");
	policy = policy_of(text);
	info.vendor = NULL;
	info.vendor_id = word;
	for (unsigned i = 0; i < 600; i++) {
		(void)snprintf(word, sizeof(word), "V%03u-CORP", i);
		clf_policy_decide(policy, &q, &a);
		assert_int_equal(a.verdict, i % 2 ? CLF_PASS : CLF_DROP);
	}
	clf_policy_free(policy);
}

static void
test_faults(void **state)
{
#define HEAD "format: 1\nrules:\n  - name: r\n    action: drop\n    match:\n"
	static const struct {
		const char *text, *where, *says;
	} rows[] = {
		{ "format: 2\nrules: []\n", "p.yaml:1:", "format 2" },
		{ "format: 1\nmode: enforced\n", "p.yaml:2:", "monitor, shadow, enforce" },
		{ HEAD "      function: [telemetri]\n", "p.yaml:6:", "telemetri" },
		{ HEAD "      country: [USA]\n", "p.yaml:6:", "USA" },
		{ HEAD "      host:\n        - 10.0.0.0/8\n        - 10.0.0.1/8\n",
		    "p.yaml:8:", "10.0.0.1/8" },
		{ HEAD "      outside: [300.1.1.1]\n", "p.yaml:6:", "300.1.1.1" },
		{ HEAD "      vlan: [4095]\n", "p.yaml:6:", "4095" },
		{ HEAD "      protocol: [tpc]\n", "p.yaml:6:", "tpc" },
		{ HEAD "      min_confidence: sure\n", "p.yaml:6:", "sure" },
		{ HEAD "      group: [foreing]\n", "p.yaml:6:", "foreing" },
		{ HEAD "      when: {from: 2026-02-30}\n", "p.yaml:6:", "2026-02-30" },
		{ HEAD "      when: {from: 2026-12-02, until: 2026-12-01}\n",
		    "p.yaml:6:", "never match" },
		{ HEAD "      when: {days: [fryday]}\n", "p.yaml:6:", "fryday" },
		{ HEAD "      when: {hours: [\"8-18\"]}\n", "p.yaml:6:", "8-18" },
		{ HEAD "      when: {zone: CET}\n", "p.yaml:6:", "CET" },
		{ HEAD "      vendro: [X]\n", "p.yaml:6:", "vendro" },
		{ "format: 1\nrules:\n  - {name: r, action: dorp, match: {}}\n",
		    "p.yaml:3:", "dorp" },
		{ "format: 1\nrules:\n  - {name: r, action: drop, state: on, match: {}}\n",
		    "p.yaml:3:", "'on'" },
		{ "format: 1\nrules:\n  - {name: r, action: drop, reject: true, match: {}}\n",
		    "p.yaml:3:", "reject" },
		{ "format: 1\nrules:\n  - {name: r, action: report, match: {}}\n"
		  "  - {name: r, action: report, match: {}}\n",
		    "p.yaml:4:", "name" },
		{ "format: 1\nrules:\n  - {name: r, action: report, match: {}, except: [{}]}\n",
		    "p.yaml:3:", "exception" },
		{ "format: 1\ngroups:\n  - {name: g}\nrules: []\n", "p.yaml:3:", "empty" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct sig_diag diag = { 0 };
		struct clf_policy *policy = NULL;
		bool found = false;

		assert_int_not_equal(clf_policy_load_text("p.yaml", rows[i].text,
					 strlen(rows[i].text), &policy, &diag),
		    0);
		assert_null(policy);
		assert_true(diag.errors > 0);
		for (unsigned k = 0; k < diag.n; k++)
			found |= strstr(diag.msgs[k].text, rows[i].says) &&
				 strncmp(diag.msgs[k].text, rows[i].where, strlen(rows[i].where)) ==
				     0;
		if (!found) {
			sig_diag_print(&diag, stderr);
			fail_msg("fault %zu: no '%s ... %s'", i, rows[i].where, rows[i].says);
		}
		sig_diag_free(&diag);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_key),
		cmocka_unit_test(test_exceptions),
		cmocka_unit_test(test_ceiling),
		cmocka_unit_test(test_never_dropped),
		cmocka_unit_test(test_portal_named),
		cmocka_unit_test(test_first_rule_wins),
		cmocka_unit_test(test_unidentified_and_built_in),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_groups),
		cmocka_unit_test(test_long_lists),
		cmocka_unit_test(test_faults),
	};

	return cmocka_run_group_tests_name("classifier/policy", tests, NULL, NULL);
}
