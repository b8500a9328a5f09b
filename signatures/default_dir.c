/* SPDX-License-Identifier: Apache-2.0 */
/* Where the packs are when nobody says: the one answer for the command and the daemon. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "signatures/ruleset.h"

const char *
sig_packs_default_dir(void)
{
	static const char *const beside[] = { "../share/phonehome/packs", "../../signatures/packs",
		"../../../signatures/packs" };
	static char path[PATH_MAX + 64];
	const char *env = getenv("PHONEHOME_PACKS");
	char exe[PATH_MAX];
	ssize_t n;

	if (env && *env)
		return env;
	n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	while (n > 0 && exe[n - 1] != '/')
		n--;
	for (size_t i = 0; n > 0 && i < sizeof(beside) / sizeof(beside[0]); i++) {
		snprintf(path, sizeof(path), "%.*s%s", (int)n, exe, beside[i]);
		if (access(path, R_OK | X_OK) == 0)
			return path;
	}
	return PHONEHOME_PACK_DIR;
}
