/* SPDX-License-Identifier: Apache-2.0 */
/* Finding and loading packs and a policy. */
#include "ctl/packs.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "ctl/cli.h"
#include "signatures/base/yaml.h"

const char *
ctl_packs_path(const char *given)
{
	return given ? given : sig_packs_default_dir();
}

int
ctl_packs_load(const char *given, struct sig_ruleset **ret_rules)
{
	struct sig_diag diag = { 0 };
	struct sig_packs *packs = NULL;
	int err = sig_packs_load(ctl_packs_path(given), &packs, &diag);

	if (err == 0)
		err = sig_compile(packs, ret_rules, &diag);
	sig_packs_free(packs);
	if (err < 0) {
		if (diag.n > 0)
			ctl_diag(&diag, 0);
		else
			ctl_error("%s: %s", ctl_packs_path(given), strerror(-err));
	}
	sig_diag_free(&diag);
	return err < 0 ? CTL_USAGE : CTL_OK;
}

int
ctl_policy_load(const char *path, const struct sig_ruleset *rules, struct clf_policy **ret_policy)
{
	struct sig_diag diag = { 0 };
	int err = clf_policy_load(path, ret_policy, &diag);

	if (err == 0 && rules)
		clf_policy_check(*ret_policy, rules, &diag);
	if (diag.n > 0)
		ctl_diag(&diag, 0);
	else if (err < 0)
		ctl_error("%s: %s", path ? path : "built-in policy", strerror(-err));
	sig_diag_free(&diag);
	return err < 0 ? CTL_USAGE : CTL_OK;
}

/* --- names that nobody knows --- */

enum { WORDS_MAX = 4 }; /* of one signature: ids and names of its vendor and product */

static bool
has(const char *text, const char *name, bool part)
{
	return part ? strcasestr(text, name) != NULL : strcasecmp(text, name) == 0;
}

/* True when some signature has the name; else the nearest that one has, or NULL. */
static bool
look_up(const struct sig_ruleset *rules, const char *name, bool part, const char **ret_near)
{
	uint32_t n = sig_ruleset_count(rules);
	const char **words = calloc((size_t)n * WORDS_MAX + 1, sizeof(*words));
	bool known = !words; /* no memory: nothing is said */
	size_t count = 0;

	for (uint32_t i = 1; !known && i <= n; i++) {
		const struct sig_info *info = sig_ruleset_info(rules, i);
		const char *mine[WORDS_MAX] = { info->product_id, info->vendor_id, info->product,
			info->vendor };

		for (unsigned k = 0; k < WORDS_MAX && !known; k++) {
			words[count++] = mine[k];
			known = has(mine[k], name, part);
		}
	}
	*ret_near = known ? NULL : sig_nearest(name, words, count);
	free(words);
	return known;
}

void
ctl_note_unknown(const char *packs, const char *name, bool part)
{
	struct sig_diag diag = { 0 };
	struct sig_packs *loaded = NULL;
	struct sig_ruleset *rules = NULL;
	const char *near = NULL;

	if (!name || strchr(name, ','))
		return;
	if (sig_packs_load(ctl_packs_path(packs), &loaded, &diag) == 0 &&
	    sig_compile(loaded, &rules, &diag) == 0 && !look_up(rules, name, part, &near)) {
		if (near)
			ctl_note("no pack knows %s: did you mean %s?", name, near);
		else
			ctl_note(
			    "no pack knows %s (phonehome signatures list names the vendors)", name);
	}
	sig_ruleset_free(rules);
	sig_packs_free(loaded);
	sig_diag_free(&diag);
}
