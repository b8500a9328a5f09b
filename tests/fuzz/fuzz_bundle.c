/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a bundle, and as a manifest. Nothing is signed by the key that is asked for. */
#include <stdlib.h>

#include "signatures/bundle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* RFC 8032, 7.1, test 1: a public key whose private half signed none of this. */
	static const char key[] = "-----BEGIN PUBLIC KEY-----\n"
				  "MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n"
				  "-----END PUBLIC KEY-----\n";
	struct sig_diag diag = { 0 };
	struct sig_manifest m = { 0 };
	unsigned line;

	(void)sig_bundle_check(data, size, NULL, &diag);
	if (sig_bundle_check(data, size, key, &diag) == 0)
		abort();
	if (sig_manifest_parse((const char *)data, size, &m, &line) == 0)
		sig_manifest_free(&m);
	sig_diag_free(&diag);
	return 0;
}
