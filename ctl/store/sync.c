/* SPDX-License-Identifier: Apache-2.0 */
/* The recorder's step: rows of earlier runs in, changed rows and records out. */
#include "ctl/store/store_impl.h"

int
store_load(struct store *store, store_row_fn *fn, void *ctx)
{
	struct store_filter own = { .sensor = store->sensor, .forwarders = true };
	int rc = store_rows(store, &own, fn, ctx);

	if (rc == 0)
		store->loaded = true;
	return rc;
}

bool
store_loaded(const struct store *store)
{
	return store->loaded;
}

static bool
put(void *ctx, const struct store_row *row)
{
	return store_put_row(ctx, row) == 0;
}

void
store_put_changed(struct store *store, struct store_fold *fold)
{
	if (!store->loaded)
		return;
	if (store->wants_rows)
		store_fold_rows(fold, false, false, put, store);
	store->wants_rows = false;
	store_fold_rows(fold, true, true, put, store);
}

static bool
preload(void *ctx, const struct store_row *row)
{
	(void)store_fold_preload(ctx, row); /* what finds no room is counted by the fold */
	return true;
}

int
store_sync(struct store *store, struct store_fold *fold, unsigned budget_ms)
{
	if (!store->loaded) {
		/* who else adds to these rows must read them after ours are in */
		if (!store->ops->begin || store->ops->begin(store) == 0)
			(void)store_load(store, preload, fold);
	}
	store_put_changed(store, fold);
	return store_flush(store, budget_ms);
}
