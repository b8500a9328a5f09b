/* SPDX-License-Identifier: Apache-2.0 */
/* Finding and loading packs and a policy. */
#include "ctl/packs.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl/cli.h"

const char *
ctl_packs_path(const char *given)
{
	static const char *const beside[] = { "../share/phonehome/packs",
		"../../signatures/packs" };
	static char path[PATH_MAX + 64];
	const char *env = getenv("PHONEHOME_PACKS");
	char exe[PATH_MAX];

	if (given)
		return given;
	if (env && *env)
		return env;
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	char *slash = n > 0 ? memrchr(exe, '/', (size_t)n) : NULL;
	for (size_t i = 0; slash && i < sizeof(beside) / sizeof(beside[0]); i++) {
		snprintf(path, sizeof(path), "%.*s/%s", (int)(slash - exe), exe, beside[i]);
		if (access(path, R_OK | X_OK) == 0)
			return path;
	}
	return PHONEHOME_PACK_DIR;
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
