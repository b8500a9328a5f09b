/* SPDX-License-Identifier: Apache-2.0 */
/* Names in a policy that no pack knows: each is a warning at its place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "classifier/policy.h"

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

static const char pack[] =
    "format: 1\npack: crowdstrike\nversion: 2026.11.22\n"
    "vendor:\n  name: CrowdStrike\n  owner: CrowdStrike Holdings, Inc.\n"
    "  country: US\n  owner_country: US\n  as_of: 2026-11-22\n"
    "  source: https://www.crowdstrike.com/about-us/\n"
    "products:\n  - id: falcon\n    name: Falcon\n    category: edr\n"
    "signatures:\n  - id: cloud\n    product: falcon\n    function: telemetry\n"
    "    confidence: high\n    match:\n      - host: .cloudsink.net\n"
    "    source: https://example.com/\n    reviewed: 2026-11-22\n";

static void
test_check(void **state)
{
	static const char text[] = "format: 1\ngroups:\n"
				   "  - name: foreign\n    countries: [US, FR]\n"
				   "    vendors: [crowdstrike]\n"
				   "rules:\n"
				   "  - name: r\n    action: drop\n    match:\n"
				   "      vendor: [CrowdStrike, Crowdstrik]\n"
				   "      product: [crowdstrike/falcon, crowdstrike/falcn]\n";
	static const char *const want[] = { "p.yaml:4:21:", "p.yaml:10:29:", "p.yaml:11:37:" };
	struct sig_diag diag = { 0 };
	struct clf_policy *policy = policy_of(text);
	struct sig_packs *packs = NULL;
	struct sig_ruleset *rules = NULL;

	(void)state;
	if (sig_packs_load_text("crowdstrike.yaml", pack, strlen(pack), &packs, &diag) != 0 ||
	    sig_compile(packs, &rules, &diag) != 0) {
		sig_diag_print(&diag, stderr);
		fail_msg("the pack was refused");
	}
	sig_diag_free(&diag);
	clf_policy_check(policy, rules, &diag);
	assert_int_equal(diag.n, 3);
	assert_int_equal(diag.errors, 0);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(strncmp(diag.msgs[i].text, want[i], strlen(want[i])), 0);
	assert_non_null(strstr(diag.msgs[1].text, "did you mean 'crowdstrike'"));
	sig_diag_free(&diag);
	sig_ruleset_free(rules);
	sig_packs_free(packs);
	clf_policy_free(policy);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_check),
	};

	return cmocka_run_group_tests_name("classifier/policy_check", tests, NULL, NULL);
}
