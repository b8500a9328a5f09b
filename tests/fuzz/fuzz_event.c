/* SPDX-License-Identifier: Apache-2.0 */
/* Events that came over a boundary: what clf_event_valid() lets through folds without harm, and the
 * rows' totals stay the matched records' totals. Each input is a run of {u16 length, bytes}. */
#include <stdlib.h>
#include <string.h>

#include "ctl/store/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct sums {
	uint64_t flows, up, down, dropped;
};

static void
on_record(void *ctx, const struct clf_event *e)
{
	struct sums *s = ctx;

	if (e->vendor.len == 0 || e->product.len == 0 || e->sig_artefact)
		return;
	s->flows++;
	s->up += e->bytes[CLF_UP];
	s->down += e->bytes[CLF_DOWN];
	s->dropped += e->verdict == CLF_DROP || e->verdict == CLF_RESET;
}

static bool
on_row(void *ctx, const struct store_row *row)
{
	struct sums *s = ctx;

	s->flows -= row->flows;
	s->up -= row->bytes_up;
	s->down -= row->bytes_down;
	s->dropped -= row->dropped;
	return true;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct clf_event e;
	struct sums sums = { 0 };
	struct store_fold_config config = { .sensor = "fuzz",
		.max_pending = 8,
		.max_rows = 1000000,
		.on_record = on_record,
		.ctx = &sums };
	struct store_fold *fold = store_fold_new(&config);

	if (!fold)
		return 0;
	while (size > 2) {
		size_t len = (size_t)data[0] << 8 | data[1];

		data += 2;
		size -= 2;
		len = len < size ? len : size;
		if (len <= sizeof(e)) {
			memset(&e, 0, sizeof(e));
			memcpy(&e, data, len);
			if (clf_event_valid(&e, len))
				(void)store_fold_event(fold, &e);
		}
		data += len;
		size -= len;
	}
	store_fold_flush(fold);
	if (store_fold_stats(fold)->rows_full == 0) {
		store_fold_rows(fold, false, false, on_row, &sums);
		if (sums.flows | sums.up | sums.down | sums.dropped)
			abort();
	}
	store_fold_free(fold);
	return 0;
}
