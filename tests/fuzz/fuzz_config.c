/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon's configuration file: any bytes are refused with a message or make a whole config. */
#include <stdlib.h>

#include "dataplane/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct dp_options none;
	struct dp_config *config = NULL;
	struct sig_diag diag = { 0 };
	int rc = dp_config_load_text("fuzz", (const char *)data, size, &none, &config, &diag);

	if (rc < 0 ? config != NULL || diag.errors == 0 : !config || config->links_count == 0)
		abort();
	dp_config_free(config);
	sig_diag_free(&diag);
	return 0;
}
