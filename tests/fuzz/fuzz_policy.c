/* SPDX-License-Identifier: Apache-2.0 */
/* A policy file of any bytes: it loads or is refused; what loads decides without harm, and a flow
 * that must never be dropped is not, whatever the file says. */
#include <stdlib.h>
#include <string.h>

#include "classifier/policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct sig_info info = {
	.id = "acme/cloud",
	.vendor = "Acme",
	.vendor_id = "acme",
	.owner = "Acme Holdings",
	.country = "US",
	.owner_country = "DE",
	.product = "Agent",
	.product_id = "agent",
	.category = "edr",
	.function = SIG_FN_UPDATE,
	.cap = SIG_CONF_CERTAIN,
};

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t inside[16] = { 10, 1, 2, 3 }, outside[16] = { 203, 0, 113, 9 };
	struct clf_policy_query q = { .info = &info,
		.confidence = SIG_CONF_CERTAIN,
		.ip_version = 4,
		.protocol = 6,
		.inside = inside,
		.outside = outside,
		.vlan = 7,
		.now_us = 1796207400000000ULL };
	struct clf_policy_answer a;
	struct clf_policy *policy = NULL;
	struct sig_diag diag = { 0 };

	if (clf_policy_load_text("fuzz", (const char *)data, size, &policy, &diag) == 0) {
		clf_policy_decide(policy, &q, &a);
		if (a.verdict != CLF_PASS && !a.rule)
			abort();
		q.flags = CLF_FL_AMBIGUOUS;
		clf_policy_decide(policy, &q, &a);
		if (a.verdict != CLF_PASS)
			abort();
		for (unsigned g = 0; g < clf_policy_group_count(policy); g++)
			(void)clf_policy_in_group(policy, g, "acme", "US", NULL, "agent");
		clf_policy_free(policy);
	} else if (diag.errors == 0) {
		abort(); /* a refusal says why */
	}
	sig_diag_free(&diag);
	return 0;
}
