/* SPDX-License-Identifier: Apache-2.0 */
/* Policies from the words of a command line: what they mean is asked of the policy itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "ctl/policy_text.h"

static bool
in_group(const char *list, const char *vendor, const char *country, const char *product)
{
	char text[CTL_POLICY_TEXT_MAX] = "format: 1\ngroups:\n";
	struct clf_policy *policy;

	assert_true(ctl_policy_text_group(text, "from", list));
	assert_int_equal(ctl_policy_text_load("test", text, &policy), CTL_OK);
	assert_string_equal(clf_policy_group_name(policy, 0), "from");
	bool in = clf_policy_in_group(policy, 0, vendor, country, NULL, product);
	clf_policy_free(policy);
	return in;
}

static void
test_groups(void **state)
{
	static const struct {
		const char *list, *vendor, *country, *product;
		bool in;
	} rows[] = {
		{ "US,IL", "acme", "US", "edr", true },
		{ "US,IL", "acme", "CN", "edr", false },
		{ "us", "acme", "US", "edr", true },
		{ "acme", "acme", "CN", "edr", true },
		{ "acme", "zeta", "CN", "edr", false },
		{ "falcon", "crowdstrike", "US", "falcon", true },
		{ "crowdstrike/falcon", "crowdstrike", "US", "falcon", true },
		{ "crowdstrike/falcon", "crowdstrike", "US", "portal", false },
		{ "crowdstrike/falcon", "zeta", "US", "falcon", false },
		{ "IL,zeta,acme/edr", "acme", "US", "edr", true },
		{ "IL,zeta,acme/edr", "zeta", "CN", "any", true },
		{ "IL,zeta,acme/edr", "other", "IL", "any", true },
		{ "IL,zeta,acme/edr", "other", "CN", "edr", false },
		{ "US,,", "acme", "US", "edr", true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (in_group(rows[i].list, rows[i].vendor, rows[i].country, rows[i].product) !=
		    rows[i].in)
			fail_msg("row %zu: %s", i, rows[i].list);
}

/* Nothing that a shell hands over may become YAML of its own. */
static void
test_hostile(void **state)
{
	static const char *const bad[] = { "a\"b", "a\\b", "a\nrules:", "a\x1b[2J",
		"\xe5\x85\xa8" };
	char text[CTL_POLICY_TEXT_MAX], longer[CTL_POLICY_TEXT_MAX + 1];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		text[0] = '\0';
		assert_false(ctl_policy_text_group(text, "from", bad[i]));
		text[0] = '\0';
		assert_false(ctl_policy_text_list(text, 4, "vendor", bad[i]));
	}
	memset(longer, 'a', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	text[0] = '\0';
	assert_false(ctl_policy_text_group(text, "from", longer));
	assert_in_range(strlen(text), 0, CTL_POLICY_TEXT_MAX - 1);
	assert_false(in_group("}], x: [", "x", "CN", "y")); /* a name like any other */
	assert_false(in_group("[a]: &b", "a", "CN", "b"));
}

static void
test_lists(void **state)
{
	char text[CTL_POLICY_TEXT_MAX] = "";

	(void)state;
	assert_true(ctl_policy_text_list(text, 6, "country", NULL));
	assert_true(ctl_policy_text_list(text, 6, "country", ""));
	assert_string_equal(text, "");
	assert_true(ctl_policy_text_list(text, 6, "country", "US,IL"));
	assert_string_equal(text, "      country: [\"US\", \"IL\"]\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_groups),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_lists),
	};

	return cmocka_run_group_tests_name("ctl/policy_text", tests, NULL, NULL);
}
