/* SPDX-License-Identifier: Apache-2.0 */
/* Distinct hosts per product and day. A portal is read by people and counts for nobody. */
#include "ctl/days.h"

#include <stdlib.h>
#include <string.h>

#include "ctl/proto/rfc3339.h"
#include "ctl/source.h"
#include "signatures/base/hash.h"

#define DAY_US (86400ULL * 1000000ULL)

void
ctl_day_text(int64_t day, char out[static 16])
{
	char full[PROTO_TIME_LEN];

	proto_time_format((uint64_t)day * DAY_US, full);
	memcpy(out, full, 10);
	out[10] = '\0';
}

static void
free_product(struct ctl_day_product *p)
{
	free(p->vendor_id);
	free(p->product_id);
	free(p->vendor);
	free(p->product);
	free(p->country);
	free(p->hosts);
}

static struct ctl_day_product *
product_of(struct ctl_days *d, const struct store_day *day)
{
	const char *vendor = day->vendor_id ? day->vendor_id : "";
	const char *product = day->product_id ? day->product_id : "";
	uint64_t hash = sig_hash(product, strlen(product), sig_hash(vendor, strlen(vendor), 1));

	for (unsigned i = 0; i < d->n; i++)
		if (d->products[i].hash == hash && strcmp(d->products[i].vendor_id, vendor) == 0 &&
		    strcmp(d->products[i].product_id, product) == 0)
			return &d->products[i];
	if (d->n == DAYS_PRODUCTS_MAX)
		return NULL;
	struct ctl_day_product *p = &d->products[d->n];
	*p = (struct ctl_day_product){
		.vendor_id = strdup(vendor),
		.product_id = strdup(product),
		.vendor = strdup(day->vendor ? day->vendor : vendor),
		.product = strdup(day->product ? day->product : product),
		.country = strdup(day->country ? day->country : ""),
		.hash = hash,
		.hosts = calloc(d->n_days, sizeof(*p->hosts)),
	};
	if (!p->vendor_id || !p->product_id || !p->vendor || !p->product || !p->country ||
	    !p->hosts) {
		free_product(p);
		return NULL;
	}
	d->n++;
	return p;
}

static bool
on_day(void *ctx, const struct store_day *day)
{
	struct ctl_days *d = ctx;
	uint64_t us;

	if (day->function == SIG_FN_PORTAL || !day->host || proto_time_parse(day->day, &us) < 0)
		return true;
	int64_t at = (int64_t)(us / DAY_US) - d->first;
	if (at < 0 || at >= (int64_t)d->n_days)
		return true;
	struct ctl_day_product *p = product_of(d, day);
	if (!p) {
		d->over_limit++;
		return true;
	}
	if (ctl_seen_add(
		&d->seen, sig_hash(day->host, strlen(day->host), p->hash ^ (uint64_t)at))) {
		p->hosts[at]++;
		if (d->on_host)
			d->on_host(d->ctx, (unsigned)(p - d->products), (unsigned)at, day->host);
	}
	return true;
}

static bool
on_any_day(void *ctx, const struct store_day *day)
{
	(void)day;
	*(bool *)ctx = true;
	return false;
}

/* Is there anything, of anybody, in the first days? None there is not the same as none known. */
static int
look_back(struct ctl_days *d, struct ctl_source *source)
{
	uint64_t from = (uint64_t)d->first * DAY_US;
	struct store_filter any = { .since_us = from ? from : 1,
		.until_us = from + d->look_back * DAY_US - 1,
		.forwarders = true,
		.limit = 1 };
	bool found = false;
	int code = ctl_source_days(source, &any, on_any_day, &found);

	d->young = code == CTL_OK && !found;
	return code;
}

int
ctl_days_load(struct ctl_days *d, const struct ctl_common *c)
{
	struct ctl_source *source;
	uint64_t until = c->filter.until_us ? c->filter.until_us : c->now_us;

	if (c->filter.since_us > until)
		return ctl_usage(c->verb, "the span ends before it begins");
	d->first = (int64_t)(c->filter.since_us / DAY_US);
	uint64_t days = until / DAY_US - (uint64_t)d->first + 1;
	if (days > DAYS_MAX)
		return ctl_usage(c->verb, "more than %d days: say a later --since", DAYS_MAX);
	d->n_days = (unsigned)days;
	d->products = calloc(DAYS_PRODUCTS_MAX, sizeof(*d->products));
	if (!d->products) {
		ctl_error("out of memory");
		return CTL_FAILED;
	}
	int code = ctl_source_open(c, CTL_WANT_STORE, &source);
	if (code != CTL_OK)
		return code;
	code = ctl_source_days(source, &c->filter, on_day, d);
	if (code == CTL_OK && d->look_back > 0)
		code = look_back(d, source);
	ctl_source_close(source);
	if (d->over_limit)
		ctl_note("more than %d products: filter", DAYS_PRODUCTS_MAX);
	return code;
}

int
ctl_day_product_compare(const struct ctl_day_product *a, const struct ctl_day_product *b)
{
	int c = strcmp(a->vendor, b->vendor);

	c = c ? c : strcmp(a->product, b->product);
	c = c ? c : strcmp(a->vendor_id, b->vendor_id);
	return c ? c : strcmp(a->product_id, b->product_id);
}

void
ctl_days_free(struct ctl_days *d)
{
	for (unsigned i = 0; i < d->n; i++)
		free_product(&d->products[i]);
	free(d->products);
	ctl_seen_free(&d->seen);
}
