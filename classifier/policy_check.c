/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names that a policy mentions but no pack knows: a typo would drop nothing and say nothing, so it
 * is worth a warning with the nearest name that is known. Cold path: the command and reloads.
 */
#include "classifier/policy_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* What the packs know of one kind of word: each signature's, in signature order. */
struct known {
	const char **word;
	size_t n;
};

enum kind { K_VENDOR, K_VENDOR_ID, K_OWNER, K_COUNTRY, K_PRODUCT, K_PRODUCT_ID, K_CATEGORY, K_MAX };

struct check {
	const struct sig_ruleset *rules;
	struct pol_where w;
	struct known known[K_MAX];
};

static const char *
word_of(const struct sig_info *info, enum kind kind)
{
	switch (kind) {
	case K_VENDOR: return info->vendor;
	case K_VENDOR_ID: return info->vendor_id;
	case K_OWNER: return info->owner;
	case K_COUNTRY: return info->country;
	case K_PRODUCT: return info->product;
	case K_PRODUCT_ID: return info->product_id;
	case K_CATEGORY: return info->category;
	case K_MAX: break;
	}
	return NULL;
}

static bool
gather(struct check *c)
{
	uint32_t count = sig_ruleset_count(c->rules);

	for (enum kind k = 0; k < K_MAX; k++) {
		/* a signature has one country of its vendor and one of the owner */
		c->known[k].word = calloc((size_t)count * 2 + 1, sizeof(char *));
		if (!c->known[k].word)
			return false;
		for (uint32_t s = 1; s <= count; s++) {
			const struct sig_info *info = sig_ruleset_info(c->rules, s);
			const char *word = word_of(info, k);

			if (word)
				c->known[k].word[c->known[k].n++] = word;
			if (k == K_COUNTRY && info->owner_country)
				c->known[k].word[c->known[k].n++] = info->owner_country;
		}
	}
	return true;
}

static bool
is_known(const struct known *known, const char *word)
{
	for (size_t i = 0; i < known->n; i++)
		if (strcasecmp(known->word[i], word) == 0)
			return true;
	return false;
}

static bool
pair_is_known(const struct check *c, const char *word)
{
	const char *slash = strchr(word, '/');
	size_t len = slash ? (size_t)(slash - word) : 0;

	for (uint32_t s = 1; slash && s <= sig_ruleset_count(c->rules); s++) {
		const struct sig_info *i = sig_ruleset_info(c->rules, s);
		bool vendor = (i->vendor_id && strlen(i->vendor_id) == len &&
				  strncasecmp(i->vendor_id, word, len) == 0) ||
			      (i->vendor && strlen(i->vendor) == len &&
				  strncasecmp(i->vendor, word, len) == 0);
		bool product = (i->product_id && strcasecmp(i->product_id, slash + 1) == 0) ||
			       (i->product && strcasecmp(i->product, slash + 1) == 0);

		if (vendor && product)
			return true;
	}
	return false;
}

/* One list under node `at`: each word is one of kind a or b (K_MAX: there is no b). */
static void
check_list(struct check *c, const struct pol_list *list, const char *at, const char *key,
    enum kind a, enum kind b)
{
	static const char *const nouns[K_MAX] = { "vendor", "vendor", "owner", "country", "product",
		"product", "category" };

	for (unsigned i = 0; i < list->n; i++) {
		const char *word = list->item[i], *near;
		char node[160];

		if (is_known(&c->known[a], word) || (b != K_MAX && is_known(&c->known[b], word)) ||
		    (a == K_PRODUCT_ID && pair_is_known(c, word)))
			continue;
		near = sig_nearest(word, c->known[a].word, c->known[a].n);
		if (!near && b != K_MAX)
			near = sig_nearest(word, c->known[b].word, c->known[b].n);
		(void)snprintf(node, sizeof(node), "%s%s%s[%u]", at, *at ? "." : "", key, i);
		if (near)
			pol_fault(&c->w, SIG_WARNING, node,
			    "no pack knows the %s '%s': did you mean '%s'?", nouns[a], word, near);
		else
			pol_fault(&c->w, SIG_WARNING, node,
			    "no pack knows the %s '%s': nothing will match it", nouns[a], word);
	}
}

static void
check_cond(struct check *c, const struct pol_doc_cond *cond, const char *at)
{
	check_list(c, &cond->vendor, at, "vendor", K_VENDOR_ID, K_VENDOR);
	check_list(c, &cond->owner, at, "owner", K_OWNER, K_MAX);
	check_list(c, &cond->country, at, "country", K_COUNTRY, K_MAX);
	check_list(c, &cond->owner_country, at, "owner_country", K_COUNTRY, K_MAX);
	check_list(c, &cond->product, at, "product", K_PRODUCT_ID, K_PRODUCT);
	check_list(c, &cond->category, at, "category", K_CATEGORY, K_MAX);
}

void
clf_policy_check(
    const struct clf_policy *policy, const struct sig_ruleset *rules, struct sig_diag *diag)
{
	struct check c = {
		.rules = rules,
		.w = { .path = policy->path,
		    .text = policy->text,
		    .len = policy->text_len,
		    .diag = diag },
	};
	const struct pol_doc *doc = policy->doc;
	char at[64];

	if (!doc)
		return;
	if (!gather(&c))
		goto out;
	for (unsigned g = 0; g < doc->n_groups; g++) {
		/* groups go by ids: a name here would be known to rules but not to reports */
		(void)snprintf(at, sizeof(at), "groups[%u]", g);
		check_list(&c, &doc->groups[g].countries, at, "countries", K_COUNTRY, K_MAX);
		check_list(&c, &doc->groups[g].vendors, at, "vendors", K_VENDOR_ID, K_MAX);
		check_list(&c, &doc->groups[g].products, at, "products", K_PRODUCT_ID, K_MAX);
	}
	for (unsigned r = 0; r < doc->n_rules; r++) {
		(void)snprintf(at, sizeof(at), "rules[%u].match", r);
		check_cond(&c, &doc->rules[r].match, at);
		for (unsigned k = 0; k < doc->rules[r].n_except; k++) {
			(void)snprintf(at, sizeof(at), "rules[%u].except[%u]", r, k);
			check_cond(&c, &doc->rules[r].except[k], at);
		}
	}
out:
	for (enum kind k = 0; k < K_MAX; k++)
		free(c.known[k].word);
}
