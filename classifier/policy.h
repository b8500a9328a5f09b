/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The owner's policy: what to report, drop or reset, for whom, from when. The only place where a
 * verdict is made (invariant 2), and the only place where a country can be "foreign".
 *
 * A policy is immutable once loaded and shared by all threads; replacing it is the caller's
 * affair. Format: phonehome-policy(5). Never dropped, whatever a rule says: confidence `guess`,
 * flags `ambiguous` or `ech`, shared infrastructure, policy artefacts, bypass.
 */
#ifndef CLASSIFIER_POLICY_H
#define CLASSIFIER_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "classifier/event.h"
#include "signatures/base/diag.h"
#include "signatures/ruleset.h"

enum clf_mode { CLF_MODE_MONITOR, CLF_MODE_SHADOW, CLF_MODE_ENFORCE };

struct clf_policy;

/* path NULL: the built-in policy, which reports everything and drops nothing. */
int clf_policy_load(const char *path, struct clf_policy **ret_policy, struct sig_diag *diag);
int clf_policy_load_text(const char *name, const char *text, size_t len,
    struct clf_policy **ret_policy, struct sig_diag *diag);
void clf_policy_free(struct clf_policy *policy);
const char *clf_policy_digest(const struct clf_policy *policy);
enum clf_mode clf_policy_mode(const struct clf_policy *policy);

/* Names that rules mention but no pack knows (a typo would silently drop nothing): warnings. */
void clf_policy_check(
    const struct clf_policy *policy, const struct sig_ruleset *rules, struct sig_diag *diag);

/* What is known of a flow at decision. Addresses in network order. */
struct clf_policy_query {
	const struct sig_info *info; /* what it was identified as; NULL: nothing */
	uint8_t confidence;	     /* enum sig_confidence */
	uint8_t ip_version;
	uint8_t protocol;		 /* IP protocol number */
	uint32_t flags;			 /* enum clf_flag */
	const uint8_t *inside, *outside; /* inside host, outside server; either may be NULL */
	uint16_t outside_port;
	uint16_t vlan;
	uint64_t now_us;
};
struct clf_policy_answer {
	uint8_t verdict;     /* enum clf_verdict */
	bool icmp_reject;    /* CLF_RESET of UDP: send ICMP port unreachable */
	const char *rule;    /* rule's name, NULL when none matched; lives as long as the policy */
	uint16_t rule_index; /* 1-based */
	const char
	    *kept; /* why a drop was not made: "ambiguous", "guess", "shared", ...; or NULL */
};
void clf_policy_decide(const struct clf_policy *policy, const struct clf_policy_query *query,
    struct clf_policy_answer *ret);

/* Named groups of countries, vendors or products ("foreign", "replacement"), for the reports. */
unsigned clf_policy_group_count(const struct clf_policy *policy);
const char *clf_policy_group_name(const struct clf_policy *policy, unsigned group);
bool clf_policy_in_group(const struct clf_policy *policy, unsigned group, const char *vendor_id,
    const char *country, const char *owner_country, const char *product_id);
/* Rules as the policy file lists them, for `policy show` and counters. */
unsigned clf_policy_rule_count(const struct clf_policy *policy);
const char *clf_policy_rule_name(const struct clf_policy *policy, unsigned index);
bool clf_policy_rule_resets(const struct clf_policy *policy, unsigned index); /* its action */

#endif
