/* SPDX-License-Identifier: Apache-2.0 */
/* phonehome diff: hosts per product then and now, who went and who came. */
#include <stdlib.h>
#include <string.h>

#include "ctl/days.h"
#include "ctl/print.h"
#include "ctl/verbs.h"
#include "signatures/base/hash.h"

#define DAY_US (86400ULL * 1000000ULL)

enum { O_WINDOW = 1 };

static const struct ctl_opt opts[] = {
	{ "window", 'w', "DAYS", O_WINDOW, "days that end with each date (default 7)" },
	{ "vendor", 'v', "NAME", CTL_O_VENDOR, "only this vendor (id or name)" },
	{ "product", 0, "NAME", CTL_O_PRODUCT, "only this product (id or name)" },
	{ "country", 'c', "CC", CTL_O_COUNTRY, "only vendors seated there" },
	{ "category", 0, "NAME", CTL_O_CATEGORY, "only such products" },
	{ "function", 'f', "NAME", CTL_O_FUNCTION, "only such calls" },
	{ "host", 'H', "ADDR", CTL_O_HOST, "only this inside host or network" },
	CTL_OPT_FORWARDERS,
	CTL_OPTS_SOURCE,
	CTL_OPT_JSON,
	CTL_OPT_CSV,
	CTL_OPT_HELP,
	{ 0 },
};

/* A host that showed a product then (bit 0), now (bit 1). */
struct sighting {
	unsigned product;
	uint8_t when;
	char *host;
};

struct diff {
	struct ctl_common common;
	struct ctl_days days;
	uint64_t at[2]; /* the two dates */
	unsigned n_dates, window;
	struct sighting *s;
	size_t n, cap;
	bool full;
};

static void
on_host(void *ctx, unsigned product, unsigned day, const char *host)
{
	struct diff *d = ctx;
	int64_t at = d->days.first + day;
	uint8_t when = 0;

	for (unsigned i = 0; i < 2; i++) {
		int64_t end = (int64_t)(d->at[i] / DAY_US);
		if (at <= end && at > end - (int64_t)d->window)
			when |= (uint8_t)(1u << i);
	}
	if (when == 0)
		return;
	if (d->n == d->cap) {
		size_t cap = d->cap ? d->cap * 2 : 256;
		struct sighting *more = reallocarray(d->s, cap, sizeof(*more));
		if (!more) {
			d->full = true;
			return;
		}
		d->s = more;
		d->cap = cap;
	}
	d->s[d->n] = (struct sighting){ .product = product, .when = when, .host = strdup(host) };
	d->n += d->s[d->n].host != NULL;
}

/* By name: products are numbered as the store gave them, which is another order in every store. */
static int
by_product_host(const void *pa, const void *pb, void *products)
{
	const struct sighting *a = pa, *b = pb;
	const struct ctl_day_product *all = products, *of_a = &all[a->product],
				     *of_b = &all[b->product];

	if (a->product != b->product) {
		int c = ctl_day_product_compare(of_a, of_b);
		return c ? c : a->product < b->product ? -1 : 1;
	}
	return ctl_host_compare(a->host, b->host);
}

/* The same host on several days becomes one entry. */
static void
merge(struct diff *d)
{
	size_t kept = 0;

	if (d->n > 0)
		qsort_r(d->s, d->n, sizeof(*d->s), by_product_host, d->days.products);
	for (size_t i = 0; i < d->n; i++) {
		if (kept > 0 && by_product_host(&d->s[kept - 1], &d->s[i], d->days.products) == 0) {
			d->s[kept - 1].when |= d->s[i].when;
			free(d->s[i].host);
		} else {
			d->s[kept++] = d->s[i];
		}
	}
	d->n = kept;
}

enum diff_column {
	D_VENDOR,
	D_VENDOR_ID,
	D_COUNTRY,
	D_PRODUCT,
	D_PRODUCT_ID,
	D_THEN,
	D_NOW,
	D_CHANGE,
	D_GONE,
	D_NEW,
	D_MAX
};
static const struct ctl_column columns[D_MAX + 1] = {
	[D_VENDOR] = { "vendor", "VENDOR", 8, 0 },
	[D_VENDOR_ID] = { "vendor_id", NULL, 0, 0 },
	[D_COUNTRY] = { "country", "CC", 0, 0 },
	[D_PRODUCT] = { "product", "PRODUCT", 8, 0 },
	[D_PRODUCT_ID] = { "product_id", NULL, 0, 0 },
	[D_THEN] = { "then", "THEN", 0, 0 },
	[D_NOW] = { "now", "NOW", 0, 0 },
	[D_CHANGE] = { "change", "CHANGE", 0, 0 },
	[D_GONE] = { "gone", "GONE", 12, 0 },
	[D_NEW] = { "new", "NEW", 12, 0 },
};

enum { FEW_MAX = 256 };

/* "17: 10.0.0.1 10.0.0.2 10.0.0.3 ..."; nothing for none. */
static struct ctl_value
few(char *const *hosts, unsigned n, char out[static FEW_MAX])
{
	int at = snprintf(out, FEW_MAX, "%u:", n);

	for (unsigned i = 0; i < n && i < 3; i++)
		at += snprintf(
		    out + at, at < FEW_MAX ? (size_t)(FEW_MAX - at) : 0, " %s", hosts[i]);
	if (n > 3 && at < FEW_MAX)
		snprintf(out + at, (size_t)(FEW_MAX - at), " ...");
	return ctl_text(n > 0 ? out : NULL);
}

static struct ctl_value
all(char *const *hosts, unsigned n)
{
	struct ctl_value v = { .kind = CTL_K_LIST };

	v.list.item = hosts;
	v.list.n = n;
	return v;
}

/* Sightings [from, to) of one product. */
static void
print_product(struct diff *d, struct ctl_print *p, size_t from, size_t to)
{
	char **gone = calloc(to - from, sizeof(*gone)), **fresh = calloc(to - from, sizeof(*fresh));
	unsigned n_gone = 0, n_fresh = 0, both = 0;
	const struct ctl_day_product *product = &d->days.products[d->s[from].product];

	for (size_t i = from; gone && fresh && i < to; i++) {
		if (d->s[i].when == 1)
			gone[n_gone++] = d->s[i].host;
		else if (d->s[i].when == 2)
			fresh[n_fresh++] = d->s[i].host;
		else
			both++;
	}
	int64_t change = (int64_t)n_fresh - n_gone;
	struct ctl_value v[D_MAX] = {
		[D_VENDOR] = ctl_fact(product->vendor),
		[D_VENDOR_ID] = ctl_text(product->vendor_id),
		[D_COUNTRY] = ctl_text(product->country),
		[D_PRODUCT] = ctl_fact(product->product),
		[D_PRODUCT_ID] = ctl_text(product->product_id),
		[D_THEN] = ctl_number(CTL_K_UINT, both + n_gone),
		[D_NOW] = ctl_number(CTL_K_UINT, both + n_fresh),
		[D_CHANGE] = { .kind = CTL_K_INT, .i = change },
	};
	v[D_CHANGE].tone = change < 0 ? CTL_GOOD : change > 0 ? CTL_WARN : CTL_PLAIN;
	/* A table names a few; JSON and CSV name all. */
	char some_gone[FEW_MAX], some_new[FEW_MAX];
	bool table = d->common.format == CTL_TABLE;
	v[D_GONE] = table ? few(gone, n_gone, some_gone) : all(gone, n_gone);
	v[D_NEW] = table ? few(fresh, n_fresh, some_new) : all(fresh, n_fresh);
	ctl_print_row(p, v);
	free(gone);
	free(fresh);
}

/* Hosts with any product then (1) or now (2), each once. */
static uint64_t
count_hosts(const struct diff *d, uint8_t when)
{
	struct ctl_seen seen = { 0 };
	uint64_t n = 0;

	for (size_t i = 0; i < d->n; i++)
		n += (d->s[i].when & when) &&
		     ctl_seen_add(&seen, sig_hash(d->s[i].host, strlen(d->s[i].host), when));
	ctl_seen_free(&seen);
	return n;
}

static void
print_all(struct diff *d)
{
	struct ctl_print *p = ctl_print_new(stdout, d->common.format, columns);
	char then[16], now[16];

	for (size_t from = 0, to; from < d->n; from = to) {
		for (to = from; to < d->n && d->s[to].product == d->s[from].product; to++)
			;
		print_product(d, p, from, to);
	}
	ctl_print_end(p);
	fflush(stdout);
	if (d->common.format != CTL_TABLE)
		return;
	if (d->n == 0)
		ctl_nothing(&d->common, "these days");
	ctl_day_text((int64_t)(d->at[0] / DAY_US), then);
	ctl_day_text((int64_t)(d->at[1] / DAY_US), now);
	uint64_t before = count_hosts(d, 1), after = count_hosts(d, 2);
	fprintf(stderr, "hosts in the %u days to %s against the %u days to %s", d->window, then,
	    d->window, now);
	fprintf(stderr, ": in all %llu then, %llu now (%+lld)\n", (unsigned long long)before,
	    (unsigned long long)after, (long long)(after - before));
	if (d->days.young)
		ctl_note("nothing at all is recorded of the %u days to %s: what is 0 there was not "
			 "looked at (phonehome trend shows since when)",
		    d->window, d->at[0] <= d->at[1] ? then : now);
}

static int
take_option(void *ctx, int id, const char *value)
{
	struct diff *d = ctx;

	if (id == O_WINDOW) {
		char *end;
		unsigned long days = strtoul(value, &end, 10);

		d->window = (unsigned)days;
		if (days >= 1 && days <= 366 && *end == '\0')
			return -1;
		return ctl_usage(d->common.verb, "--window %s: want 1 to 366 days", value);
	}
	if (d->n_dates == 2)
		return ctl_usage(d->common.verb, "two dates, not three: %s", value);
	if (ctl_when(value, d->common.now_us, &d->at[d->n_dates]) < 0)
		return ctl_usage(d->common.verb, "%s: want a date, 30d, today, now", value);
	d->n_dates++;
	return -1;
}

static int
run(int argc, char **argv)
{
	struct diff d = { .window = 7 };

	ctl_common_init(&d.common, &ctl_verb_diff);
	d.at[1] = d.common.now_us;
	int code = ctl_args_read(&d.common, argc, argv, take_option, &d);
	if (code >= 0)
		return code;
	if (d.n_dates == 0)
		return ctl_usage(
		    d.common.verb, "name the date to compare with: phonehome diff 30d");
	uint64_t back = (d.window - 1) * DAY_US, older = d.at[0] < d.at[1] ? d.at[0] : d.at[1];
	d.common.filter.since_us = older > back ? older - back : 1;
	d.common.filter.until_us = d.at[0] > d.at[1] ? d.at[0] : d.at[1];
	d.days.look_back = d.window;
	d.days.on_host = on_host;
	d.days.ctx = &d;
	code = ctl_days_load(&d.days, &d.common);
	merge(&d);
	if (code == CTL_OK)
		print_all(&d);
	if (d.full) {
		ctl_error("out of memory: filter");
		code = CTL_FAILED;
	}
	for (size_t i = 0; i < d.n; i++)
		free(d.s[i].host);
	free(d.s);
	ctl_days_free(&d.days);
	return ctl_finish(code);
}

const struct ctl_verb ctl_verb_diff = {
	.name = "diff",
	.group = "phase out",
	.usage = "DATE1 [DATE2] [--window DAYS] [FILTER...]",
	.summary = "did we get below last month: hosts then and now, who went, who came",
	.about = "Compares the hosts seen in the days that end with each date (7 days unless "
		 "--window says\n"
		 "otherwise), from the store. A date is 2026-10-22, 30d (thirty days ago), "
		 "yesterday, now;\n"
		 "DATE2 is now unless given.",
	.examples = "phonehome diff 30d now\n"
		    "phonehome diff 2026-10-01 2026-11-01 --vendor crowdstrike\n"
		    "phonehome diff 90d --country US --json",
	.opts = opts,
	.run = run,
};
