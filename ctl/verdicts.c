/* SPDX-License-Identifier: Apache-2.0 */
/* Questions to the policy, put together from records. */
#include "ctl/verdicts.h"

#include <string.h>

enum { TEXT_MAX = 256 };

/* A NUL-terminated copy, or NULL when absent. */
static const char *
text_of(const struct clf_event *e, struct clf_str s, char buf[static TEXT_MAX])
{
	size_t n = s.len < TEXT_MAX ? s.len : TEXT_MAX - 1;

	if (s.len == 0)
		return NULL;
	memcpy(buf, clf_event_str(e, s), n);
	buf[n] = '\0';
	return buf;
}

void
ctl_policy_ask(
    const struct clf_policy *policy, const struct clf_event *e, struct clf_policy_answer *ret)
{
	char b[9][TEXT_MAX];
	struct sig_info info = {
		.id = text_of(e, e->signature, b[0]),
		.vendor = text_of(e, e->vendor, b[1]),
		.vendor_id = text_of(e, e->vendor_id, b[2]),
		.owner = text_of(e, e->owner, b[3]),
		.country = text_of(e, e->country, b[4]),
		.owner_country = text_of(e, e->owner_country, b[5]),
		.product = text_of(e, e->product, b[6]),
		.product_id = text_of(e, e->product_id, b[7]),
		.category = text_of(e, e->category, b[8]),
		.function = e->function,
		.cap = SIG_CONF_CERTAIN,
		.shared = e->sig_shared,
		.oem = e->sig_oem,
		.policy_artefact = e->sig_artefact,
	};
	bool inside_is_dst = e->dst_inside && !e->src_inside;
	struct clf_policy_query q = {
		.info = info.id ? &info : NULL,
		.confidence = e->confidence,
		.ip_version = e->ip_version,
		.protocol = e->protocol,
		.flags = e->flags,
		.inside = inside_is_dst ? e->dst.bytes : e->src.bytes,
		.outside = inside_is_dst ? e->src.bytes : e->dst.bytes,
		.outside_port = inside_is_dst ? e->src_port : e->dst_port,
		.vlan = e->vlan,
		.now_us = e->last_us,
	};

	*ret = (struct clf_policy_answer){ 0 };
	clf_policy_decide(policy, &q, ret);
}

bool
ctl_policy_hits(const struct clf_policy_answer *answer)
{
	return answer->verdict != CLF_PASS ||
	       (answer->kept && strcmp(answer->kept, "monitor") == 0);
}
