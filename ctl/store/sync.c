/* SPDX-License-Identifier: Apache-2.0 */
/* The recorder's step: rows of earlier runs in, changed rows and records out. */
#include "ctl/store/store_impl.h"

#include <errno.h>

static bool
preload(void *ctx, const struct store_row *row)
{
	(void)store_fold_preload(ctx, row); /* what finds no room is counted by the fold */
	return true;
}

static bool
put(void *ctx, const struct store_row *row)
{
	return store_put_row(ctx, row) == 0;
}

/* store_put_row() refuses only for lack of room or memory: then the rest stays dirty. */
int
store_sync(struct store *store, struct store_fold *fold, unsigned budget_ms)
{
	struct store_filter own = { .sensor = store->sensor, .forwarders = true };
	int rc;

	if (!store->loaded) {
		rc = store_rows(store, &own, preload, fold);
		store->loaded = rc == 0;
	}
	if (store->loaded) {
		if (store->wants_rows)
			store_fold_rows(fold, false, false, put, store);
		store->wants_rows = false;
		store_fold_rows(fold, true, true, put, store);
	}
	return store_flush(store, budget_ms);
}
