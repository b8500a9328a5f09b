/* SPDX-License-Identifier: Apache-2.0 */
/* Finding and loading packs and a policy. */
#include "ctl/packs.h"

#include <string.h>

#include "ctl/cli.h"

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
