/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The policy: loading, and the one place where verdicts are made (invariant 2).
 *
 * A decision walks the rules in the file's order; the first that matches speaks. What it asks for
 * is then held down by the ceiling (mode, then the rule's state) and by what is never dropped.
 * Words are compared by an eight-byte key first; nothing here allocates, formats or reads a clock.
 */
#include "classifier/policy_impl.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* The words of one flow's identity, keyed once per decision. */
struct who {
	struct pol_word vendor, vendor_id, owner, country, owner_country, product, product_id,
	    category;
	uint64_t groups; /* bit per group it is in */
};

static int load(const char *path, char *text, size_t len, struct clf_policy **ret_policy,
    struct sig_diag *diag);
static void who_is(const struct clf_policy *policy, const struct sig_info *info, struct who *who);
static bool
cond_matches(const struct pol_cond *c, const struct clf_policy_query *q, const struct who *who);
static void judge(const struct clf_policy *policy, const struct pol_rule *rule,
    const struct clf_policy_query *q, struct clf_policy_answer *ret);

int
clf_policy_load(const char *path, struct clf_policy **ret_policy, struct sig_diag *diag)
{
	char *text;
	size_t len;
	int rc;

	if (!path) {
		struct clf_policy *policy = calloc(1, sizeof(*policy));

		if (!policy)
			return -ENOMEM;
		policy->mode = CLF_MODE_MONITOR;
		(void)snprintf(policy->digest, sizeof(policy->digest), "built-in");
		*ret_policy = policy;
		return 0;
	}
	rc = sig_file_read(path, SIG_YAML_MAX_BYTES, &text, &len, diag);
	return rc < 0 ? rc : load(path, text, len, ret_policy, diag);
}

int
clf_policy_load_text(const char *name, const char *text, size_t len, struct clf_policy **ret_policy,
    struct sig_diag *diag)
{
	char *copy = malloc(len + 1);

	if (!copy)
		return -ENOMEM;
	memcpy(copy, text, len);
	copy[len] = '\0';
	return load(name, copy, len, ret_policy, diag);
}

void
clf_policy_free(struct clf_policy *policy)
{
	if (!policy)
		return;
	pol_compiled_free(policy);
	if (policy->doc)
		sig_yaml_free(policy->doc);
	free(policy->path);
	free(policy->text);
	free(policy);
}

const char *
clf_policy_digest(const struct clf_policy *policy)
{
	return policy->digest;
}

enum clf_mode
clf_policy_mode(const struct clf_policy *policy)
{
	return policy->mode;
}

void
clf_policy_decide(const struct clf_policy *policy, const struct clf_policy_query *query,
    struct clf_policy_answer *ret)
{
	struct who who;

	*ret = (struct clf_policy_answer){ .verdict = CLF_PASS };
	if (!query->info || policy->n_rules == 0)
		return;
	who_is(policy, query->info, &who);
	for (unsigned i = 0; i < policy->n_rules; i++) {
		const struct pol_rule *rule = &policy->rules[i];
		bool hit = cond_matches(&rule->match, query, &who);

		for (unsigned k = 0; hit && k < rule->n_except; k++)
			hit = !cond_matches(&rule->except[k], query, &who);
		if (!hit)
			continue;
		ret->rule = rule->name;
		ret->rule_index = (uint16_t)(i + 1);
		judge(policy, rule, query, ret);
		return;
	}
}

unsigned
clf_policy_group_count(const struct clf_policy *policy)
{
	return policy->n_groups;
}

const char *
clf_policy_group_name(const struct clf_policy *policy, unsigned group)
{
	return group < policy->n_groups ? policy->groups[group].name : NULL;
}

unsigned
clf_policy_rule_count(const struct clf_policy *policy)
{
	return policy->n_rules;
}

const char *
clf_policy_rule_name(const struct clf_policy *policy, unsigned index)
{
	return index < policy->n_rules ? policy->rules[index].name : NULL;
}

bool
clf_policy_rule_resets(const struct clf_policy *policy, unsigned index)
{
	return index < policy->n_rules && policy->rules[index].action == POL_RESET;
}

/* Takes over `text`. */
static int
load(
    const char *path, char *text, size_t len, struct clf_policy **ret_policy, struct sig_diag *diag)
{
	struct clf_policy *policy = calloc(1, sizeof(*policy));
	struct pol_where w = { .path = path, .text = text, .len = len, .diag = diag };
	unsigned char md[32];
	cyaml_data_t *doc = NULL;
	int rc = -ENOMEM;

	if (!policy) {
		free(text);
		return rc;
	}
	policy->text = text;
	policy->text_len = len;
	policy->path = strdup(path);
	if (!policy->path || EVP_Digest(text, len, md, NULL, EVP_sha256(), NULL) != 1)
		goto fail;
	for (unsigned i = 0; i < sizeof(md); i++)
		(void)snprintf(policy->digest + 2 * i, 3, "%02x", md[i]);
	rc = sig_yaml_load(path, text, len, &pol_doc_schema, &doc, NULL, diag);
	if (rc < 0)
		goto fail;
	policy->doc = doc;
	rc = pol_compile(policy->doc, &w, policy);
	if (rc < 0)
		goto fail;
	*ret_policy = policy;
	return 0;
fail:
	clf_policy_free(policy);
	return rc;
}

static inline bool
same(const struct pol_word *a, const struct pol_word *b)
{
	return a->key == b->key && strcasecmp(a->text, b->text) == 0;
}

static bool
words_have(const struct pol_words *words, const struct pol_word *word)
{
	unsigned lo = 0, hi = words->n;

	if (!word->text)
		return false;
	while (hi - lo > 16) { /* to the first of the keys that are not less */
		unsigned mid = lo + (hi - lo) / 2;

		if (words->w[mid].key < word->key)
			lo = mid + 1;
		else
			hi = mid + 1;
	}
	for (; lo < words->n && words->w[lo].key <= word->key; lo++)
		if (same(&words->w[lo], word))
			return true;
	return false;
}

static bool
pairs_have(const struct pol_pair *pairs, unsigned n, const struct who *who)
{
	for (unsigned i = 0; i < n; i++)
		if (((who->vendor_id.text && same(&pairs[i].vendor, &who->vendor_id)) ||
			(who->vendor.text && same(&pairs[i].vendor, &who->vendor))) &&
		    ((who->product_id.text && same(&pairs[i].product, &who->product_id)) ||
			(who->product.text && same(&pairs[i].product, &who->product))))
			return true;
	return false;
}

static inline struct pol_word
word_or_none(const char *text)
{
	return text ? pol_word_of(text) : (struct pol_word){ 0 };
}

/* Groups go by ids and countries: the reports ask with those alone, and must say the same. */
static bool
group_has(const struct pol_group *g, const struct who *who)
{
	struct who ids = { .vendor_id = who->vendor_id, .product_id = who->product_id };

	return words_have(&g->countries, &who->country) ||
	       words_have(&g->countries, &who->owner_country) ||
	       words_have(&g->vendors, &who->vendor_id) ||
	       words_have(&g->products, &who->product_id) || pairs_have(g->pairs, g->n_pairs, &ids);
}

bool
clf_policy_in_group(const struct clf_policy *policy, unsigned group, const char *vendor_id,
    const char *country, const char *owner_country, const char *product_id)
{
	struct who who = {
		.vendor_id = word_or_none(vendor_id),
		.country = word_or_none(country),
		.owner_country = word_or_none(owner_country),
		.product_id = word_or_none(product_id),
	};

	return group < policy->n_groups && group_has(&policy->groups[group], &who);
}

static void
who_is(const struct clf_policy *policy, const struct sig_info *info, struct who *who)
{
	*who = (struct who){
		.vendor = word_or_none(info->vendor),
		.vendor_id = word_or_none(info->vendor_id),
		.owner = word_or_none(info->owner),
		.country = word_or_none(info->country),
		.owner_country = word_or_none(info->owner_country),
		.product = word_or_none(info->product),
		.product_id = word_or_none(info->product_id),
		.category = word_or_none(info->category),
	};
	if (policy->uses & POL_GROUP)
		for (unsigned g = 0; g < policy->n_groups; g++)
			if (group_has(&policy->groups[g], who))
				who->groups |= 1ULL << g;
}

static bool
nets_have(const struct pol_net *nets, unsigned n, uint8_t ip_version, const uint8_t *addr)
{
	if (!addr)
		return false;
	for (unsigned i = 0; i < n; i++) {
		unsigned whole = nets[i].prefix / 8, rest = nets[i].prefix % 8;

		if (nets[i].ip_version != ip_version || memcmp(nets[i].addr, addr, whole) != 0)
			continue;
		if (rest == 0 || (nets[i].addr[whole] >> (8 - rest)) == (addr[whole] >> (8 - rest)))
			return true;
	}
	return false;
}

static bool
day_listed(const struct pol_when *when, unsigned day)
{
	return when->days == 0 || (when->days & (1u << day));
}

/* What of a span lies behind midnight is still of the day that it began on. */
static bool
when_has(const struct pol_when *when, uint64_t now_us)
{
	int64_t local = (int64_t)(now_us / 1000000) + when->zone_s;
	unsigned day, minute;

	if (now_us < when->from_us || now_us >= when->until_us)
		return false;
	if (local < 0)
		local = 0;
	day = (unsigned)((local / 86400 + 4) % 7); /* 1970-01-01 was a Thursday */
	minute = (unsigned)(local % 86400 / 60);
	if (when->n_hours == 0)
		return day_listed(when, day);
	for (unsigned i = 0; i < when->n_hours; i++) {
		unsigned from = when->hours[i].from, until = when->hours[i].until;

		if (minute >= from && (minute < until || until < from) && day_listed(when, day))
			return true;
		if (until < from && minute < until && day_listed(when, (day + 6) % 7))
			return true;
	}
	return false;
}

static bool
vlan_listed(const struct pol_cond *c, uint16_t vlan)
{
	for (unsigned i = 0; i < c->n_vlan; i++)
		if (c->vlan[i] == vlan)
			return true;
	return false;
}

/* The parts that need no words, cheapest first. */
static bool
wire_matches(const struct pol_cond *c, const struct clf_policy_query *q)
{
	uint32_t has = c->has;

	if (q->confidence < c->min_confidence)
		return false;
	if ((has & POL_FUNCTION) && !(c->functions & (1u << q->info->function)))
		return false;
	if ((has & POL_PROTOCOL) &&
	    !(c->protocols[q->protocol / 64] & (1ULL << (q->protocol % 64))))
		return false;
	if ((has & POL_VLAN) && !vlan_listed(c, q->vlan))
		return false;
	if ((has & POL_HOST) && !nets_have(c->host, c->n_host, q->ip_version, q->inside))
		return false;
	if ((has & POL_OUTSIDE) && !nets_have(c->outside, c->n_outside, q->ip_version, q->outside))
		return false;
	return !(has & POL_WHEN) || when_has(&c->when, q->now_us);
}

static bool
cond_matches(const struct pol_cond *c, const struct clf_policy_query *q, const struct who *who)
{
	uint32_t has = c->has;

	if (!wire_matches(c, q))
		return false;
	if ((has & POL_COUNTRY) && !words_have(&c->country, &who->country))
		return false;
	if ((has & POL_OWNER_COUNTRY) && !words_have(&c->owner_country, &who->owner_country))
		return false;
	if ((has & POL_VENDOR) && !words_have(&c->vendor, &who->vendor_id) &&
	    !words_have(&c->vendor, &who->vendor))
		return false;
	if ((has & POL_OWNER) && !words_have(&c->owner, &who->owner))
		return false;
	if ((has & POL_PRODUCT) && !words_have(&c->product, &who->product_id) &&
	    !words_have(&c->product, &who->product) && !pairs_have(c->pairs, c->n_pairs, who))
		return false;
	if ((has & POL_CATEGORY) && !words_have(&c->category, &who->category))
		return false;
	return !(has & POL_GROUP) || (c->groups & who->groups) != 0;
}

/* Why this flow is never dropped, or NULL. The texts are part of the interface. */
static const char *
never_dropped(const struct pol_rule *rule, const struct clf_policy_query *q)
{
	static const struct {
		uint32_t flag;
		const char *why;
	} protected[] = {
		{ CLF_FL_AMBIGUOUS, "ambiguous" },
		{ CLF_FL_OVERLAP, "overlap" },
		{ CLF_FL_ECH, "ech" },
		{ CLF_FL_ESNI, "esni" },
		{ CLF_FL_ILLEGAL_NAME, "illegal-name" },
		{ CLF_FL_UNINSPECTED, "uninspected" },
	};

	if (q->confidence <= SIG_CONF_GUESS)
		return "guess";
	for (unsigned i = 0; i < sizeof(protected) / sizeof(protected[0]); i++)
		if (q->flags & protected[i].flag)
			return protected[i].why;
	if (q->info->shared)
		return "shared";
	if (q->info->policy_artefact)
		return "artefact";
	if (q->info->function == SIG_FN_PORTAL && !rule->names_portal)
		return "portal";
	return NULL;
}

static void
judge(const struct clf_policy *policy, const struct pol_rule *rule,
    const struct clf_policy_query *q, struct clf_policy_answer *ret)
{
	bool reset = rule->action == POL_RESET;

	if (rule->action == POL_REPORT)
		return;
	ret->kept = never_dropped(rule, q);
	if (ret->kept)
		return;
	if (policy->mode == CLF_MODE_MONITOR) {
		ret->kept = "monitor";
		return;
	}
	if (policy->mode == CLF_MODE_ENFORCE && rule->enforce) {
		ret->verdict = reset ? CLF_RESET : CLF_DROP;
		ret->icmp_reject = reset && rule->reject;
		return;
	}
	ret->verdict = reset ? CLF_WOULD_RESET : CLF_WOULD_DROP;
}
