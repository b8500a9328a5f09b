/* SPDX-License-Identifier: Apache-2.0 */
/* The policy asked about recorded flows: which end is the inside host, whose time counts, and what
 * a record that nothing matched, or one that may never be dropped, is answered. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "ctl/verdicts.h"
#include "tests/unit/store/events.h"

static struct clf_policy_answer
ask(const char *mode, const char *match, const struct clf_event *e)
{
	struct clf_policy_answer answer;
	struct sig_diag diag = { 0 };
	struct clf_policy *policy;
	char text[512];

	(void)snprintf(text, sizeof(text),
	    "format: 1\nmode: %s\nrules:\n  - name: r\n    action: drop\n    state: enforce\n"
	    "    match: {%s}\n",
	    mode, match);
	if (clf_policy_load_text("test", text, strlen(text), &policy, &diag) != 0)
		fail_msg("%s: %s", match, diag.msgs[0].text);
	ctl_policy_ask(policy, e, &answer);
	answer.rule = answer.rule ? "r" : NULL; /* the policy's own goes with it */
	sig_diag_free(&diag);			/* it may have warned */
	clf_policy_free(policy);
	return answer;
}

static void
test_what_is_asked(void **state)
{
	struct clf_event e = event_full(CLF_EV_ENDED, 1, "acme", "agent");
	static const struct {
		const char *match;
		enum clf_verdict verdict;
	} rows[] = {
		{ "vendor: acme", CLF_DROP },
		{ "vendor: zeta", CLF_PASS },
		{ "country: US, function: telemetry", CLF_DROP },
		{ "country: US, function: update", CLF_PASS },
		{ "product: acme/agent, category: edr", CLF_DROP },
		{ "host: 10.1.2.3", CLF_DROP },
		{ "host: 203.0.113.9", CLF_PASS },
		{ "outside: 203.0.113.0/24", CLF_DROP },
		{ "protocol: udp", CLF_PASS },
		{ "min_confidence: certain", CLF_DROP },
		/* 2026-12-02: the record's own time, not the reader's */
		{ "when: {from: 2026-12-02, until: 2026-12-03}", CLF_DROP },
		{ "when: {from: 2026-12-03}", CLF_PASS },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (ask("enforce", rows[i].match, &e).verdict != rows[i].verdict)
			fail_msg("%s", rows[i].match);
}

/* A flow that came from outside: the inside host is its destination. */
static void
test_inside_is_the_destination(void **state)
{
	struct clf_event e = event_full(CLF_EV_ENDED, 1, "acme", "agent");

	(void)state;
	e.src_inside = 0;
	e.dst_inside = 1;
	assert_int_equal(ask("enforce", "host: 203.0.113.9", &e).verdict, CLF_DROP);
	assert_int_equal(ask("enforce", "host: 10.1.2.3", &e).verdict, CLF_PASS);
	assert_int_equal(ask("enforce", "outside: 10.1.2.3", &e).verdict, CLF_DROP);
}

static void
test_hits(void **state)
{
	struct clf_event e = event_full(CLF_EV_ENDED, 1, "acme", "agent"),
			 other = event_full(CLF_EV_ENDED, 2, "", "");
	struct clf_policy_answer a = ask("monitor", "vendor: acme", &e);

	(void)state;
	assert_int_equal(a.verdict, CLF_PASS);
	assert_true(ctl_policy_hits(&a)); /* it would act, were it let */
	a = ask("shadow", "vendor: acme", &e);
	assert_int_equal(a.verdict, CLF_WOULD_DROP);
	assert_true(ctl_policy_hits(&a));
	a = ask("enforce", "", &other);
	assert_int_equal(a.verdict, CLF_PASS);
	assert_false(ctl_policy_hits(&a));
	e.flags = CLF_FL_AMBIGUOUS;
	a = ask("enforce", "vendor: acme", &e);
	assert_string_equal(a.kept, "ambiguous");
	assert_false(ctl_policy_hits(&a));
	e.flags = 0;
	e.sig_shared = 1;
	a = ask("monitor", "vendor: acme", &e);
	assert_string_equal(a.kept, "shared");
	assert_false(ctl_policy_hits(&a));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_asked),
		cmocka_unit_test(test_inside_is_the_destination),
		cmocka_unit_test(test_hits),
	};

	return cmocka_run_group_tests_name("ctl/verdicts", tests, NULL, NULL);
}
