/* SPDX-License-Identifier: Apache-2.0 */
/* History by day, gathered from a store: distinct hosts per product and day. For trend and diff. */
#ifndef CTL_DAYS_H
#define CTL_DAYS_H

#include "ctl/cli.h"
#include "ctl/seen.h"

enum { DAYS_MAX = 3660, DAYS_PRODUCTS_MAX = 4096 };

struct ctl_day_product {
	char *vendor_id, *product_id;
	char *vendor, *product, *country; /* names, as the first row says them; country may be "" */
	uint64_t hash;
	uint32_t *hosts; /* one number a day */
};

struct ctl_days {
	int64_t first; /* day number since 1970 of hosts[0] */
	unsigned n_days;
	struct ctl_day_product *products; /* in the order of the store: sort before showing */
	unsigned n;
	uint64_t over_limit;
	bool young;	    /* nothing at all is recorded of the first `look_back` days */
	unsigned look_back; /* 0: `young` is not asked for */
	struct ctl_seen seen;
	/* For diff: called once for each (product, day, host); may be NULL. */
	void (*on_host)(void *ctx, unsigned product, unsigned day, const char *host);
	void *ctx;
};

/* Days [first, last] by the filter's since and until. Exit code; said what is wrong. */
int ctl_days_load(struct ctl_days *d, const struct ctl_common *c);
void ctl_days_free(struct ctl_days *d);
/* By vendor and product, the order in which they are shown. */
int ctl_day_product_compare(const struct ctl_day_product *a, const struct ctl_day_product *b);
/* "2026-11-22" */
void ctl_day_text(int64_t day, char out[static 16]);

#endif
