/* SPDX-License-Identifier: Apache-2.0 */
/* phonehome trend: hosts per product and day, as a table with a chart. */
#include <stdlib.h>
#include <string.h>

#include "ctl/days.h"
#include "ctl/print.h"
#include "ctl/verbs.h"

#define DAY_US (86400ULL * 1000000ULL)
#define SPAN_US (30 * DAY_US)

static const struct ctl_opt opts[] = {
	CTL_OPTS_FILTER,
	CTL_OPT_LIMIT,
	CTL_OPTS_SOURCE,
	CTL_OPT_JSON,
	CTL_OPT_CSV,
	CTL_OPT_HELP,
	{ 0 },
};

static const struct ctl_column day_columns[] = {
	{ "day", "DAY", 0, 0 },
	{ "vendor", "VENDOR", 0, 0 },
	{ "vendor_id", NULL, 0, 0 },
	{ "country", "CC", 0, 0 },
	{ "product", "PRODUCT", 8, 0 },
	{ "product_id", NULL, 0, 0 },
	{ "hosts", "HOSTS", 0, 0 },
	{ 0 },
};

enum trend_column {
	T_VENDOR,
	T_COUNTRY,
	T_PRODUCT,
	T_FIRST,
	T_PEAK,
	T_LAST,
	T_CHANGE,
	T_CHART,
	T_MAX
};
enum { CHART_MAX = 60, CHART_MIN = 10, BESIDE_CHART = 48, BAR = 50, BESIDE_BAR = 20 };

/* The chart: how many signs it has, and how many days each of them stands for. */
struct scale {
	unsigned signs, days;
};

static struct scale
scale_of(unsigned n_days)
{
	unsigned width = ctl_width(stdout), most = CHART_MAX;

	if (width > 0 && width < CHART_MAX + BESIDE_CHART)
		most = width > BESIDE_CHART + CHART_MIN ? width - BESIDE_CHART : CHART_MIN;
	struct scale s = { .days = (n_days + most - 1) / most };
	s.signs = (n_days + s.days - 1) / s.days;
	return s;
}

/* A sign's days, their peak: of rising darkness; '_' is none. The last sign ends with the last
 * day; the first may stand for fewer days than the others. */
static void
chart(const uint32_t *hosts, unsigned n_days, struct scale s, char out[static CHART_MAX + 1])
{
	static const char levels[] = ".:-=+*#%@";
	uint32_t peak = 1;

	for (unsigned i = 0; i < n_days; i++)
		peak = hosts[i] > peak ? hosts[i] : peak;
	for (unsigned c = 0; c < s.signs; c++) {
		unsigned end = n_days - (s.signs - 1 - c) * s.days;
		uint32_t most = 0;
		for (unsigned i = end > s.days ? end - s.days : 0; i < end; i++)
			most = hosts[i] > most ? hosts[i] : most;
		out[c] = most == 0 ? '_'
				   : levels[(uint64_t)(most * (sizeof(levels) - 2ULL)) / peak];
	}
	out[s.signs] = '\0';
}

/* Days before the store knew the product say nothing: the first and last day that any host showed.
 */
static bool
span(const uint32_t *hosts, unsigned n, unsigned *ret_first, uint32_t *ret_peak)
{
	bool any = false;

	*ret_peak = 0;
	for (unsigned i = 0; i < n; i++) {
		if (hosts[i] > 0 && !any)
			*ret_first = i;
		any |= hosts[i] > 0;
		*ret_peak = hosts[i] > *ret_peak ? hosts[i] : *ret_peak;
	}
	return any;
}

static void
print_days(const struct ctl_days *d, enum ctl_format format, uint64_t limit)
{
	struct ctl_print *p = ctl_print_new(stdout, format, day_columns);
	uint64_t left = limit ? limit : UINT64_MAX;
	char day[16];

	for (unsigned i = 0; i < d->n; i++)
		for (unsigned k = 0; k < d->n_days; k++) {
			const struct ctl_day_product *product = &d->products[i];
			if (product->hosts[k] == 0 || left == 0)
				continue;
			left--;
			ctl_day_text(d->first + k, day);
			struct ctl_value v[] = {
				ctl_text(day),
				ctl_fact(product->vendor),
				ctl_text(product->vendor_id),
				ctl_text(product->country),
				ctl_fact(product->product),
				ctl_text(product->product_id),
				ctl_number(CTL_K_UINT, product->hosts[k]),
			};
			ctl_print_row(p, v);
		}
	ctl_print_end(p);
}

/* Hosts of the last day. While that is today it is not over: the day before counts as long as
 * today is still lower. */
static uint32_t
last_of(const uint32_t *hosts, unsigned n_days, bool to_today)
{
	uint32_t last = hosts[n_days - 1];

	return to_today && n_days > 1 && hosts[n_days - 2] > last ? hosts[n_days - 2] : last;
}

static void
print_chart(struct ctl_print *p, const struct ctl_days *d, const struct ctl_day_product *product,
    struct scale scale, bool to_today)
{
	char line[CHART_MAX + 1];
	unsigned first = 0;
	uint32_t peak;

	if (!span(product->hosts, d->n_days, &first, &peak))
		return;
	uint32_t last = last_of(product->hosts, d->n_days, to_today);
	chart(product->hosts, d->n_days, scale, line);
	struct ctl_value v[T_MAX] = {
		[T_VENDOR] = ctl_fact(product->vendor),
		[T_COUNTRY] = ctl_text(product->country),
		[T_PRODUCT] = ctl_fact(product->product),
		[T_FIRST] = ctl_number(CTL_K_UINT, product->hosts[first]),
		[T_PEAK] = ctl_number(CTL_K_UINT, peak),
		[T_LAST] = ctl_number(CTL_K_UINT, last),
		[T_CHANGE] = { .kind = CTL_K_INT, .i = (int64_t)last - product->hosts[first] },
		[T_CHART] = ctl_text(line),
	};
	v[T_CHANGE].tone = v[T_CHANGE].i < 0 ? CTL_GOOD : v[T_CHANGE].i > 0 ? CTL_WARN : CTL_PLAIN;
	ctl_print_row(p, v);
}

static void
print_charts(const struct ctl_days *d, bool to_today, uint64_t limit)
{
	struct scale scale = scale_of(d->n_days);
	char title[32], from[16], to[16];

	if (scale.days == 1)
		snprintf(title, sizeof(title), "HOSTS BY DAY");
	else
		snprintf(title, sizeof(title), "HOSTS BY %u DAYS", scale.days);
	const struct ctl_column columns[T_MAX + 1] = {
		[T_VENDOR] = { "vendor", "VENDOR", 8, 0 },
		[T_COUNTRY] = { "country", "CC", 0, 0 },
		[T_PRODUCT] = { "product", "PRODUCT", 8, 0 },
		[T_FIRST] = { "first", "FIRST", 0, 0 },
		[T_PEAK] = { "peak", "PEAK", 0, 1 },
		[T_LAST] = { "last", "LAST", 0, 0 },
		[T_CHANGE] = { "change", "CHANGE", 0, 0 },
		[T_CHART] = { "chart", title, 0, 0 },
	};
	struct ctl_print *p = ctl_print_new(stdout, CTL_TABLE, columns);
	for (unsigned i = 0; i < d->n && (!limit || i < limit); i++)
		print_chart(p, d, &d->products[i], scale, to_today);
	ctl_print_end(p);
	fflush(stdout);
	ctl_day_text(d->first, from);
	ctl_day_text(d->first + d->n_days - 1, to);
	fprintf(stderr,
	    "hosts a day, %s to %s%s; a sign is %u day%s, . to @ (the peak), _ is none\n", from, to,
	    to_today ? " (today, which is not over)" : "", scale.days,
	    scale.days == 1 ? "" : "s, their highest");
}

/* One product alone is worth a line a day. */
static void
print_bars(const struct ctl_days *d, bool to_today, uint64_t limit)
{
	const struct ctl_day_product *product = &d->products[0];
	unsigned first = 0, width = ctl_width(stdout), most = BAR;
	uint32_t peak = 0;
	char day[16];

	if (!span(product->hosts, d->n_days, &first, &peak))
		return;
	if (width > BESIDE_BAR && width < BAR + BESIDE_BAR)
		most = width - BESIDE_BAR;
	char *name = ctl_fact_shown(product->product), *vendor = ctl_fact_shown(product->vendor);
	printf("%s (%s): hosts by day\n", name ? name : "?", vendor ? vendor : "?");
	free(name);
	free(vendor);
	for (unsigned i = first; i < d->n_days && (!limit || i - first < limit); i++) {
		unsigned bar = (unsigned)((uint64_t)product->hosts[i] * most / peak);
		bool not_over = to_today && i == d->n_days - 1;
		ctl_day_text(d->first + i, day);
		printf("%s  %6u%s", day, product->hosts[i], bar || not_over ? "  " : "");
		for (unsigned k = 0; k < bar; k++)
			putchar('#');
		puts(not_over ? bar ? " so far" : "so far" : "");
	}
}

static int
by_name(const void *a, const void *b)
{
	return ctl_day_product_compare(a, b);
}

static int
run(int argc, char **argv)
{
	struct ctl_days d = { 0 };
	struct ctl_common c;

	ctl_common_init(&c, &ctl_verb_trend);
	int code = ctl_common_args(&c, argc, argv, NULL, 0, NULL);
	if (code >= 0)
		return code;
	uint64_t limit = c.filter.limit, until = c.filter.until_us ? c.filter.until_us : c.now_us;
	c.filter.limit = 0; /* lines, not what they are counted from */
	if (!c.filter.since_us)
		c.filter.since_us = until > SPAN_US ? until - SPAN_US : 1;
	code = ctl_days_load(&d, &c);
	if (code == CTL_OK) {
		uint64_t today = c.now_us / DAY_US;
		bool to_today = (uint64_t)d.first + d.n_days - 1 == today;
		if (d.n > 0)
			qsort(d.products, d.n, sizeof(*d.products), by_name);
		if (c.format != CTL_TABLE)
			print_days(&d, c.format, limit);
		else if (d.n == 0)
			ctl_nothing(&c, "this span");
		else if (d.n == 1)
			print_bars(&d, to_today, limit);
		else
			print_charts(&d, to_today, limit);
	}
	ctl_days_free(&d);
	return ctl_finish(code);
}

const struct ctl_verb ctl_verb_trend = {
	.name = "trend",
	.group = "phase out",
	.usage = "[FILTER...] [--since 30d] [--json|--csv]",
	.summary = "is it getting less: hosts per product and day, table and chart",
	.about =
	    "Counts inside hosts that showed a product on each day (UTC) of the last 30, from "
	    "the store. FIRST is the first day that showed it, LAST the last day: while today "
	    "is lower than yesterday, yesterday. One product alone is shown a day a line. JSON "
	    "and CSV: one entry for each product and day.",
	.examples = "phonehome trend\n"
		    "phonehome trend --product falcon --since 90d\n"
		    "phonehome trend --country US --csv > us-by-day.csv",
	.opts = opts,
	.run = run,
};
